"""Processes that ask the desk for different things about one output at the same moment: for tests and a campaign.

Each race has one output. The processes wait for each other before every race; afterwards the log says what came first,
and each loser must have been told so.
"""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Callable
from multiprocessing.synchronize import Barrier
from typing import Any, NamedTuple

from capture import DatabaseManager, Decision, EventLog
from capture.vocabulary import OutputRevised, SocialPostDrafted, content_hash
from review import Accepted, ReviewDesk
from review.commands import Approve, Command, Edit
from review.decider import Answer, Decider
from review.ordering import Ordered
from review.output import Output

PATIENCE = 120.0
"""How long a process waits for the others, in seconds."""

NAMES = ("ana", "bob", "cleo")


class Told(NamedTuple):
    """What one process was told in one race."""

    race: int
    place: int
    code: str
    position: int
    message: str


def draft(race: int) -> SocialPostDrafted:
    """The output of a race."""
    return SocialPostDrafted(output_id=f"race-{race}", channel=f"x{race}", identity="@acme", body=f"Ahoy {race}.")


def approve(desk: ReviewDesk, race: int, place: int) -> Answer:
    """A reviewer approves what was drafted."""
    return desk.approve(f"race-{race}", content_hash(draft(race)), actor=NAMES[place])


def edit(desk: ReviewDesk, race: int, place: int) -> Answer:
    """A reviewer replaces what was drafted."""
    return desk.edit(f"race-{race}", content_hash(draft(race)), body="Edited.", actor=NAMES[place])


def claim(desk: ReviewDesk, race: int, place: int) -> Answer:
    """A reviewer takes the output up."""
    return desk.claim(f"race-{race}", actor=NAMES[place])


def revise(desk: ReviewDesk, race: int, place: int) -> int:
    """The agent replaces its own content."""
    (position,) = EventLog(desk.manager).append(
        [OutputRevised(output_id=f"race-{race}", body="Edited.")], agent_id="poster"
    )
    return position


def revoke(desk: ReviewDesk, race: int, place: int) -> Answer:
    """A reviewer takes the approval back."""
    return desk.revoke(f"race-{race}", actor=NAMES[place])


def stop(desk: ReviewDesk, race: int, place: int) -> int:
    """An admin stops publication where the output would go."""
    answer = desk.stop(actor=NAMES[place], reason="an incident", channel=f"x{race}")
    assert isinstance(answer, Ordered), answer
    return answer.position


def start(desk: ReviewDesk, race: int, place: int) -> Answer:
    """A worker begins to send what was approved."""
    return desk.start(f"race-{race}", content_hash(draft(race)), worker=NAMES[place])


Act = Callable[[ReviewDesk, int, int], Answer | int]

RACES: dict[str, tuple[Act, ...]] = {
    "edit against approve": (edit, approve),
    "approve against approve": (approve, approve, approve),
    "revise against approve": (revise, approve),
    "claim against claim": (claim, claim, claim),
    "edit against start": (edit, start),
    "revise against start": (revise, start),
    "revoke against start": (revoke, start),
    "stop against start": (stop, start),
    "start against start": (start, start, start),
}


class FindsThenUpdates(Decider):
    """The mutant: it looks at the output before it has the lock, as `SELECT` and then `UPDATE` would.

    An edit goes first, so that the approval which looked before it meets another content.
    """

    def __init__(self, manager: DatabaseManager, together: Barrier, *, edits: bool) -> None:
        super().__init__(manager, None, None)
        self._together = together
        self._edits = edits
        self._found: Output | None = None

    def do(self, command: Command, *, command_id: str | None = None) -> Answer:
        self._found = self.output(command.output_id)
        self._together.wait(PATIENCE)
        if self._edits and not isinstance(command, Edit):
            self._together.wait(PATIENCE)
        answer = super().do(command, command_id=command_id)
        if isinstance(command, Edit):
            self._together.wait(PATIENCE)
        return answer

    def _folded(self, decision: Decision, output_id: str) -> Output | None:
        return self._found


def run(url: str, kind: str, rounds: int, *, first: int = 0, mutant: bool = False) -> Counter[str]:
    """Run so many races of a kind, and hold what each process was told against the log.

    Args:
        url: A database of copydesk's.
        kind: One of `RACES`.
        rounds: How many.
        first: The number of the first race: no two races have one output.
        mutant: Let the processes go by a desk that finds and then updates.

    Returns:
        How often each outcome came.

    Raises:
        AssertionError: A race had another outcome than the one of its order, or a loser was not told.
    """
    acts = RACES[kind]
    races = range(first, first + rounds)
    with DatabaseManager(url) as manager:
        EventLog(manager).append([draft(race) for race in races], agent_id="poster")
        if start in acts:
            for race in races:
                command = Approve(output_id=f"race-{race}", content_hash=content_hash(draft(race)), actor="dora")
                assert isinstance(ReviewDesk(manager).do(command), Accepted)
    context = multiprocessing.get_context("fork")
    gate = context.Barrier(len(acts))
    looked = context.Barrier(len(acts)) if mutant else None
    told: Any = context.Queue()
    children = [
        context.Process(target=_child, args=(url, acts, place, races, gate, looked, told), daemon=True)
        for place in range(len(acts))
    ]
    for child in children:
        child.start()
    answers = [told.get(timeout=PATIENCE) for _ in range(len(acts) * rounds)]
    for child in children:
        child.join()
    outcomes: Counter[str] = Counter()
    with DatabaseManager(url) as manager:
        desk = ReviewDesk(manager)
        for race in races:
            of_race = sorted((answer for answer in answers if answer.race == race), key=lambda answer: answer.place)
            outcomes[CHECKS[kind](desk, race, of_race)] += 1
    return outcomes


def _child(
    url: str, acts: tuple[Act, ...], place: int, races: range, gate: Barrier, looked: Barrier | None, told: Any
) -> None:
    with DatabaseManager(url) as manager:
        desk = ReviewDesk(manager)
        if looked is not None:
            desk._decider = FindsThenUpdates(manager, looked, edits=edit in acts)
        for race in races:
            gate.wait(PATIENCE)
            try:
                answer = acts[place](desk, race, place)
            except Exception as error:
                told.put(Told(race, place, type(error).__name__, 0, str(error)))
                continue
            if isinstance(answer, int):
                told.put(Told(race, place, "OK", answer, ""))
            elif isinstance(answer, Accepted):
                told.put(Told(race, place, "OK", answer.position, ""))
            else:
                told.put(Told(race, place, answer.code, 0, answer.message))


def _changed_and_approved(desk: ReviewDesk, race: int, answers: list[Told]) -> str:
    """The content is replaced in any case; the approval came before, or was told that it is stale."""
    changed, vote = answers
    output = desk.output(f"race-{race}")
    assert output is not None
    assert changed.code == "OK", changed
    assert (output.state, output.body, output.votes) == ("pending", "Edited.", ()), output.history
    if vote.code == "OK":
        assert vote.position < changed.position, (vote, changed)
        return "the approval came first, and is void"
    assert (vote.code, output.content_hash in vote.message) == ("STALE", True), vote
    return "the approval was stale"


def _one_wins(code: str) -> Callable[[ReviewDesk, int, list[Told]], str]:
    def check(desk: ReviewDesk, race: int, answers: list[Told]) -> str:
        winners = [answer for answer in answers if answer.code == "OK"]
        assert len(winners) == 1, answers
        winner = NAMES[winners[0].place]
        for loser in answers:
            if loser is not winners[0]:
                assert (loser.code, winner in loser.message) == (code, True), (loser, winner)
        types = [event.event_type for event in EventLog(desk.manager).read(stream=f"output-race-{race}")]
        assert types[:2] == ["social_post.drafted", "review.opened"]
        assert len(types) == 3, types
        return f"{winner} won"

    return check


def _sent_or_not(desk: ReviewDesk, race: int, answers: list[Told]) -> str:
    """Either the sending began with what was approved, and the other came too late; or nothing was started."""
    other, started = answers
    output = desk.output(f"race-{race}")
    assert output is not None
    if started.code == "OK":
        assert (output.state, output.body) == ("publishing", f"Ahoy {race}."), output.history
        late = other.code == "IN_FLIGHT" or other.position > started.position
        assert late, answers
        return "the start came first"
    assert (other.code, started.code in ("STATE", "STALE", "STOPPED")) == ("OK", True), answers
    assert output.attempts == (), output.attempts
    return "nothing was started"


def _one_starts(desk: ReviewDesk, race: int, answers: list[Told]) -> str:
    assert sorted(answer.code for answer in answers) == ["IN_FLIGHT", "IN_FLIGHT", "OK"], answers
    output = desk.output(f"race-{race}")
    assert output is not None
    assert len(output.attempts) == 1, output.attempts
    return "one started"


CHECKS: dict[str, Callable[[ReviewDesk, int, list[Told]], str]] = {
    "edit against approve": _changed_and_approved,
    "approve against approve": _one_wins("STATE"),
    "revise against approve": _changed_and_approved,
    "claim against claim": _one_wins("LEASE"),
    "edit against start": _sent_or_not,
    "revise against start": _sent_or_not,
    "revoke against start": _sent_or_not,
    "stop against start": _sent_or_not,
    "start against start": _one_starts,
}
