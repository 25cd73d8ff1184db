"""What the desk promises, on every backend."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from capture import DatabaseManager, Decision, EventLog, InvalidEvent, tables
from capture.vocabulary import (
    Media,
    OutputRevised,
    OutputWithdrawn,
    PublicationStarted,
    ReviewApproved,
    SocialPostDrafted,
    content_hash,
)
from review import Accepted, Policy, Refusal, ReviewDesk
from review.commands import Command, Edit
from review.decider import Answer, Decider, fold
from review.errors import CommandConflict, InvalidCommand
from review.output import Output
from review.policy.rules import Match, Rule
from review.queue import list_outputs

TWO = Policy(name="two", rules=(Rule(approvals=2),), text="two")


@pytest.fixture
def log(manager: DatabaseManager) -> EventLog:
    return EventLog(manager)


@pytest.fixture
def desk(manager: DatabaseManager) -> ReviewDesk:
    return ReviewDesk(manager)


def draft(body: str = "Ahoy.", **more: Any) -> SocialPostDrafted:
    return SocialPostDrafted(channel="x", identity="@acme", body=body, **more)


@pytest.fixture
def post(log: EventLog) -> SocialPostDrafted:
    """A draft that is in the log."""
    post = draft()
    log.append([post], agent_id="poster")
    return post


def accepted(answer: Accepted | Refusal) -> Accepted:
    assert isinstance(answer, Accepted), answer
    return answer


def refused(answer: Accepted | Refusal, code: str) -> Refusal:
    assert isinstance(answer, Refusal), answer
    assert answer.code == code, answer
    return answer


def types(log: EventLog) -> list[str]:
    return [event.event_type for event in log.read()]


def live_approvals(manager: DatabaseManager) -> set[tuple[str, int, str]]:
    rows = manager.execute_query(
        "SELECT output_id, revision, content_hash FROM agents_approvals WHERE revoked_position IS NULL"
    )
    return {(row["output_id"], row["revision"], row["content_hash"]) for row in rows}


def test_exactly_what_was_seen_is_approved(desk: ReviewDesk, log: EventLog, post: SocialPostDrafted) -> None:
    """An approval names the hash of the content; the desk opens the revision in the same transaction."""
    seen = content_hash(post)
    answer = accepted(desk.approve(post.output_id, seen, actor="ana", actor_source="flag"))
    assert (answer.code, answer.exit_code, answer.state, answer.content_hash) == ("OK", 0, "approved", seen)
    assert types(log) == ["social_post.drafted", "review.opened", "review.approved"]
    assert answer.position == 3
    vote = next(log.read(after=2)).payload
    assert isinstance(vote, ReviewApproved)
    assert (vote.actor, vote.actor_source, vote.revision, vote.content_hash) == ("ana", "flag", 1, seen)
    assert live_approvals(desk.manager) == {(post.output_id, 1, seen)}


def test_an_approval_of_other_content_is_refused(desk: ReviewDesk, log: EventLog, post: SocialPostDrafted) -> None:
    """With another hash nothing is appended, and the refusal names the present one and who wrote it."""
    seen = content_hash(post)
    edited = accepted(desk.edit(post.output_id, seen, body="Ahoy, all.", actor="bob"))
    before = types(log)
    refusal = refused(desk.approve(post.output_id, seen, actor="ana"), "STALE")
    assert (refusal.exit_code, refusal.content_hash) == (3, edited.content_hash)
    assert edited.content_hash in refusal.message
    assert "bob edited it" in refusal.message
    assert types(log) == before
    assert live_approvals(desk.manager) == set()


def test_an_edit_voids_the_approval(desk: ReviewDesk, log: EventLog, post: SocialPostDrafted) -> None:
    """After an edit nothing is approved until the new content is; both contents can still be read."""
    accepted(desk.approve(post.output_id, content_hash(post), actor="ana"))
    edited = accepted(desk.edit(post.output_id, content_hash(post), body="Ahoy, all.", actor="bob"))
    assert (edited.state, edited.revision) == ("pending", 2)
    assert live_approvals(desk.manager) == set()
    refused(desk.start(post.output_id, edited.content_hash, worker="w"), "STATE")
    refused(desk.start(post.output_id, content_hash(post), worker="w"), "STATE")
    output = desk.output(post.output_id)
    assert output is not None
    assert [revision.body for revision in output.revisions] == ["Ahoy.", "Ahoy, all."]
    accepted(desk.approve(post.output_id, edited.content_hash, actor="ana"))
    assert live_approvals(desk.manager) == {(post.output_id, 2, edited.content_hash)}


def test_an_edit_that_changes_nothing_voids_nothing(desk: ReviewDesk, log: EventLog, post: SocialPostDrafted) -> None:
    """Saving without a change appends no event and leaves the approval."""
    accepted(desk.approve(post.output_id, content_hash(post), actor="ana"))
    before = types(log)
    answer = accepted(desk.edit(post.output_id, content_hash(post), body=post.body, actor="bob"))
    assert (answer.state, answer.position) == ("approved", 3)
    assert types(log) == before
    assert len(live_approvals(desk.manager)) == 1


def test_equal_contents_need_an_approval_each(desk: ReviewDesk, log: EventLog, post: SocialPostDrafted) -> None:
    """Of two drafts with one hash, the approval of one does not start the other."""
    twin = draft()
    log.append([twin], agent_id="poster")
    assert content_hash(twin) == content_hash(post)
    accepted(desk.approve(post.output_id, content_hash(post), actor="ana"))
    refused(desk.start(twin.output_id, content_hash(twin), worker="w"), "STATE")
    accepted(desk.start(post.output_id, content_hash(post), worker="w"))


def test_what_its_agent_took_back_is_not_sent(desk: ReviewDesk, log: EventLog, post: SocialPostDrafted) -> None:
    """A revision by the owner makes an approved output pending again; a withdrawal closes it."""
    accepted(desk.approve(post.output_id, content_hash(post), actor="ana"))
    log.append([OutputRevised(output_id=post.output_id, body="Better.")], agent_id="poster")
    refused(desk.start(post.output_id, content_hash(post), worker="w"), "STATE")
    output = desk.output(post.output_id)
    assert output is not None
    assert output.state == "pending"
    accepted(desk.approve(post.output_id, output.content_hash, actor="ana"))
    assert live_approvals(desk.manager) == {(post.output_id, 2, output.content_hash)}
    log.append([OutputWithdrawn(output_id=post.output_id, reason="outdated")], agent_id="poster")
    refused(desk.start(post.output_id, output.content_hash, worker="w"), "FINAL")


def test_another_agent_changes_nothing(desk: ReviewDesk, log: EventLog, post: SocialPostDrafted) -> None:
    """What another agent says about an output is kept, told, and without effect on its approval."""
    accepted(desk.approve(post.output_id, content_hash(post), actor="ana"))
    log.append(
        [
            OutputRevised(output_id=post.output_id, body="Buy now!"),
            OutputWithdrawn(output_id=post.output_id),
            draft("Buy now!", output_id=post.output_id),
        ],
        agent_id="intruder",
    )
    output = desk.output(post.output_id)
    assert output is not None
    assert (output.state, output.body) == ("approved", "Ahoy.")
    assert output.ignored == ((4, "OWNER"), (5, "OWNER"), (6, "SECOND_DRAFT"))
    accepted(desk.start(post.output_id, content_hash(post), worker="w"))


@pytest.mark.parametrize("name", ["", "nobody", "a b", "o\0", "\ud800", "x" * 300, "output-1", "../o", "é"])
def test_an_unknown_output_is_not_found(desk: ReviewDesk, log: EventLog, name: str) -> None:
    """An id under which nothing was drafted, however odd, is a refusal and no error."""
    refusal = refused(desk.approve(name, "0" * 64, actor="ana"), "NOT_FOUND")
    assert refusal.exit_code == 5
    assert desk.output(name) is None
    assert log.head() == 0


@pytest.mark.parametrize(
    "actor", ["", "ana ", "system", "policy:default@1", "agent:poster", "--as", "a\u200bna", "a\nb"]
)
def test_nobody_decides_under_a_forged_name(
    desk: ReviewDesk, log: EventLog, post: SocialPostDrafted, actor: str
) -> None:
    """A name that is copydesk's own, or looks like another, is refused before anything is decided."""
    refused(desk.approve(post.output_id, content_hash(post), actor=actor), "ACTOR")
    refused(desk.edit(post.output_id, content_hash(post), body="x", actor=actor), "ACTOR")
    assert log.head() == 1


def test_a_text_that_no_database_keeps_is_refused(desk: ReviewDesk, log: EventLog, post: SocialPostDrafted) -> None:
    """An edit with NUL, with a lone surrogate or beyond the limit is an error that changes nothing."""
    for body in ("a\0b", "a\ud800b"):
        with pytest.raises((InvalidEvent, InvalidCommand)):
            desk.edit(post.output_id, content_hash(post), body=body, actor="ana")
    with pytest.raises(InvalidCommand, match="body"):
        desk.edit(post.output_id, content_hash(post), body="a" * 100_001, actor="ana")
    with pytest.raises(InvalidCommand, match="note"):
        desk.approve(post.output_id, content_hash(post), actor="ana", note="a" * 5_000)
    assert log.head() == 1


def test_a_command_id_is_carried_out_once(desk: ReviewDesk, log: EventLog, post: SocialPostDrafted) -> None:
    """The same command under the same id gives its first result again, also when the output has moved on."""
    first = accepted(desk.approve(post.output_id, content_hash(post), actor="ana", command_id="c1"))
    accepted(desk.edit(post.output_id, content_hash(post), body="Ahoy, all.", actor="bob", command_id="c2"))
    head = log.head()
    again = accepted(desk.approve(post.output_id, content_hash(post), actor="ana", command_id="c1"))
    assert again == first
    assert (again.state, again.revision, log.head()) == ("approved", 1, head)


def test_a_command_id_names_one_command(desk: ReviewDesk, log: EventLog, post: SocialPostDrafted) -> None:
    """Under an id that was used, another command is an error: another actor, hash, note, output or kind."""
    other = draft("Other.")
    log.append([other], agent_id="poster")
    accepted(desk.approve(post.output_id, content_hash(post), actor="ana", command_id="c1"))
    head = log.head()
    for ask in (
        lambda: desk.approve(post.output_id, content_hash(post), actor="bob", command_id="c1"),
        lambda: desk.approve(post.output_id, "0" * 64, actor="ana", command_id="c1"),
        lambda: desk.approve(post.output_id, content_hash(post), actor="ana", note="n", command_id="c1"),
        lambda: desk.approve(other.output_id, content_hash(other), actor="ana", command_id="c1"),
        lambda: desk.reject(post.output_id, content_hash(post), actor="ana", reason_code="tone", command_id="c1"),
    ):
        with pytest.raises(CommandConflict):
            ask()
    assert log.head() == head


def test_a_refused_command_id_may_be_asked_again(desk: ReviewDesk, post: SocialPostDrafted) -> None:
    """A refusal leaves no trace: the corrected command may come under the same id."""
    refused(desk.approve(post.output_id, "0" * 64, actor="ana", command_id="c1"), "STALE")
    accepted(desk.approve(post.output_id, content_hash(post), actor="ana", command_id="c1"))


def test_two_people_approve_where_the_policy_says_so(
    manager: DatabaseManager, log: EventLog, post: SocialPostDrafted
) -> None:
    """Under a rule of two approvals, one leaves the output pending and no approval complete."""
    desk = ReviewDesk(manager, TWO)
    assert accepted(desk.approve(post.output_id, content_hash(post), actor="ana")).state == "pending"
    assert live_approvals(manager) == set()
    refused(desk.approve(post.output_id, content_hash(post), actor="ana"), "DUPLICATE_VOTE")
    assert accepted(desk.approve(post.output_id, content_hash(post), actor="bob")).state == "approved"
    assert len(live_approvals(manager)) == 1


def test_a_milder_policy_does_not_lower_what_is_needed(
    manager: DatabaseManager, log: EventLog, post: SocialPostDrafted
) -> None:
    """What was opened under two approvals needs two, whatever the policy says later, also after an edit."""
    accepted(ReviewDesk(manager, TWO).open(post.output_id))
    desk = ReviewDesk(manager)
    edited = accepted(desk.edit(post.output_id, content_hash(post), body="Ahoy, all.", actor="cleo"))
    assert accepted(desk.approve(post.output_id, edited.content_hash, actor="ana")).state == "pending"


def test_a_rule_holds_for_what_it_matches(manager: DatabaseManager, log: EventLog, post: SocialPostDrafted) -> None:
    """Of all matching rules the strictest number holds; rules for other channels do not."""
    rules = (Rule(Match(channel="x"), approvals=2), Rule(Match(agent="poster")), Rule(Match(channel="y*"), approvals=9))
    answer = accepted(ReviewDesk(manager, Policy("house", rules, text="t")).open(post.output_id))
    assert answer.output.needed == 2
    assert answer.output.policy == Policy("house", rules, text="t").label


def test_a_revoked_approval_can_be_given_again(desk: ReviewDesk, post: SocialPostDrafted) -> None:
    """Revoking takes the approval out of the database's guard; the same person may then approve again."""
    seen = content_hash(post)
    accepted(desk.approve(post.output_id, seen, actor="ana"))
    assert accepted(desk.revoke(post.output_id, actor="ana")).state == "pending"
    assert live_approvals(desk.manager) == set()
    accepted(desk.approve(post.output_id, seen, actor="ana"))
    assert live_approvals(desk.manager) == {(post.output_id, 1, seen)}


def test_an_agent_replaces_its_own_output(desk: ReviewDesk, log: EventLog, post: SocialPostDrafted) -> None:
    """A draft that supersedes an own one closes it when the new one comes before the desk; another agent's does not."""
    foreign, own = draft("Mine.", supersedes=post.output_id), draft("New.", supersedes=post.output_id)
    log.append([foreign], agent_id="other")
    accepted(desk.open(foreign.output_id))
    output = desk.output(post.output_id)
    assert output is not None
    assert output.state == "pending"
    accepted(desk.approve(post.output_id, content_hash(post), actor="ana"))
    log.append([own], agent_id="poster")
    accepted(desk.open(own.output_id))
    output = desk.output(post.output_id)
    assert output is not None
    assert (output.state, output.superseded_by) == ("superseded", own.output_id)
    assert live_approvals(desk.manager) == set()


def test_drafts_that_supersede_each_other_do_not_both_close(desk: ReviewDesk, log: EventLog) -> None:
    """Only an earlier draft is superseded, so a circle leaves the latest open."""
    one, two = draft("1", output_id="one", supersedes="two"), draft("2", output_id="two", supersedes="one")
    itself = draft("3", output_id="three", supersedes="three")
    log.append([one, two, itself], agent_id="poster")
    for name in ("one", "two", "three"):
        desk.open(name)
    states = {name: output.state for name in ("one", "two", "three") if (output := desk.output(name)) is not None}
    assert states == {"one": "superseded", "two": "pending", "three": "pending"}


def test_the_desk_goes_by_its_clock(manager: DatabaseManager, log: EventLog) -> None:
    """The clock that is passed in decides what is due, and what `ago` says."""
    now = [datetime(2030, 1, 1, tzinfo=UTC)]
    desk = ReviewDesk(manager, clock=lambda: now[0])
    late = draft(publish_after=now[0] + timedelta(hours=1), not_after=now[0] + timedelta(hours=2))
    EventLog(manager, clock=lambda: now[0]).append([late], agent_id="poster")
    accepted(desk.approve(late.output_id, content_hash(late), actor="ana"))
    refused(desk.start(late.output_id, content_hash(late), worker="w"), "NOT_DUE")
    now[0] += timedelta(minutes=59)
    assert "ana 59 m ago" in refused(desk.approve(late.output_id, content_hash(late), actor="ana"), "STATE").message
    now[0] += timedelta(minutes=61)
    refused(desk.start(late.output_id, content_hash(late), worker="w"), "NOT_DUE")
    assert accepted(desk.expire(late.output_id)).state == "expired"


def test_the_table_is_what_the_desk_sees(desk: ReviewDesk, log: EventLog, post: SocialPostDrafted) -> None:
    """`agents_outputs` holds exactly the output that the desk folds, and after a verdict shows it at once."""
    other = draft("Other.", media=(Media(sha256="a" * 64, media_type="image/png"),), metadata={"a": [1.5, None]})
    log.append([other, draft("x", output_id=other.output_id)], agent_id="poster")
    accepted(desk.approve(post.output_id, content_hash(post), actor="ana"))
    rows = {row.output_id: row for row in list_outputs(desk.manager).rows}
    assert rows[post.output_id].state == "approved"
    assert (rows[post.output_id].votes, rows[post.output_id].needed) == (1, 1)
    assert rows[other.output_id].ignored == 1
    for output_id in rows:
        stored = desk.manager.execute_query("SELECT folded FROM agents_outputs WHERE output_id = ?", (output_id,))
        output = desk.output(output_id)
        assert output is not None
        text = stored[0]["folded"]
        assert output == fold(log.read(stream=f"output-{output_id}"))
        assert type(output).model_validate_json(text if isinstance(text, str) else json.dumps(text)) == output


def test_the_desk_alone_writes_its_own_tables(desk: ReviewDesk, log: EventLog, post: SocialPostDrafted) -> None:
    """Approvals and publications can be made again from the log, row by row."""
    seen = content_hash(post)
    accepted(desk.approve(post.output_id, seen, actor="ana"))
    started = accepted(desk.start(post.output_id, seen, worker="w"))
    accepted(desk.fail(post.output_id, 1, "refused", worker="w"))
    accepted(desk.retry(post.output_id, seen, worker="w"))
    accepted(desk.lose(post.output_id, 2, "no answer", worker="w"))
    output = desk.output(post.output_id)
    assert output is not None
    with desk.manager.connect() as connection:
        rows = connection.execute(tables.publications.select().order_by(tables.publications.c.attempt)).mappings().all()
    assert [(row["attempt"], row["state"], row["worker"], row["idempotency_key"]) for row in rows] == [
        (attempt.number, attempt.state, attempt.worker, attempt.idempotency_key) for attempt in output.attempts
    ]
    assert rows[0]["started_position"] == started.position
    assert [row["state"] for row in rows] == ["failed", "uncertain"]
    assert live_approvals(desk.manager) == {(post.output_id, 1, seen)}


def test_the_database_takes_no_start_without_its_approval(
    desk: ReviewDesk, log: EventLog, post: SocialPostDrafted
) -> None:
    """A start of another output, revision or hash than an approved one is refused by the database itself."""
    twin = draft()
    log.append([twin], agent_id="poster")
    seen = content_hash(post)
    accepted(desk.approve(post.output_id, seen, actor="ana"))

    def send(output_id: str, revision: int, content: str) -> None:
        started = PublicationStarted(
            output_id=output_id,
            revision=revision,
            content_hash=content,
            attempt=1,
            publisher="folder",
            idempotency_key="k",
            worker="w",
        )
        head = log.head()
        with desk.manager.transaction() as transaction:
            transaction.execute_write(
                "INSERT INTO agents_events (position, event_id, event_type, schema_version, stream_id, agent_id, "
                "occurred_at, recorded_at, payload, digest) VALUES "
                "(?, ?, 'publication.started', 1, ?, 'desk', ?, ?, ?, ?)",
                (
                    head + 1,
                    "01a20ffe-6545-71df-a5f2-e7b8c11a62a3",
                    f"output-{output_id}",
                    "2026-11-24T10:00:00.000000Z",
                    "2026-11-24T10:00:00.000000Z",
                    started.model_dump_json(),
                    b"\0" * 32,
                ),
            )
            transaction.execute_write("UPDATE agents_head SET position = position + 1", None)

    before = types(log)
    for unapproved in ((twin.output_id, 1, seen), (post.output_id, 2, seen), (post.output_id, 1, "0" * 64)):
        with pytest.raises(Exception, match="live approval"):
            send(*unapproved)
    accepted(desk.revoke(post.output_id, actor="ana"))
    with pytest.raises(Exception, match="live approval"):
        send(post.output_id, 1, seen)
    assert types(log) == [*before, "review.revoked"]
    accepted(desk.approve(post.output_id, seen, actor="ana"))
    send(post.output_id, 1, seen)
    assert types(log)[-1] == "publication.started"


def race(*asks: Callable[[], Any]) -> list[Any]:
    """Ask all at once, each from a thread of its own."""
    gate = threading.Barrier(len(asks))
    answers: list[Any] = [None] * len(asks)

    def run(place: int, ask: Callable[[], Any]) -> None:
        gate.wait()
        try:
            answers[place] = ask()
        except Exception as error:
            answers[place] = error

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(asks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def race_an_edit_and_an_approval(desk: ReviewDesk, log: EventLog, rounds: int) -> None:
    for number in range(rounds):
        post = draft(f"Ahoy {number}.")
        log.append([post], agent_id="poster")
        seen = content_hash(post)
        edited, vote = race(
            lambda post=post, seen=seen: desk.edit(post.output_id, seen, body="Edited.", actor="bob"),
            lambda post=post, seen=seen: desk.approve(post.output_id, seen, actor="ana"),
        )
        output = desk.output(post.output_id)
        assert output is not None
        assert isinstance(edited, Accepted), edited
        assert (output.state, output.body, output.votes) == ("pending", "Edited.", ())
        if isinstance(vote, Refusal):
            assert (vote.code, vote.content_hash) == ("STALE", output.content_hash)
        else:
            assert accepted(vote).position < edited.position


def test_an_edit_and_an_approval_that_race_do_not_meet(desk: ReviewDesk, log: EventLog) -> None:
    """Whoever comes second sees what the first did: edited content is never approved by an approval of the old."""
    race_an_edit_and_an_approval(desk, log, rounds=12)


class FindsThenUpdates(Decider):
    """The mutant: it folds the output before it has the lock, as `SELECT` and then `UPDATE` would."""

    def __init__(self, manager: DatabaseManager) -> None:
        super().__init__(manager, Policy(), None)
        self.both_have_looked, self.it_is_edited = threading.Barrier(2), threading.Barrier(2)
        self.found = threading.local()

    def do(self, command: Command, *, command_id: str | None = None) -> Answer:
        self.found.output = self.output(command.output_id)
        self.both_have_looked.wait()
        if isinstance(command, Edit):
            answer = super().do(command, command_id=command_id)
            self.it_is_edited.wait()
            return answer
        self.it_is_edited.wait()
        return super().do(command, command_id=command_id)

    def _folded(self, decision: Decision, output_id: str) -> Output | None:
        return self.found.output  # type: ignore[no-any-return] # a thread's own


def test_a_desk_that_finds_and_then_updates_is_caught(
    desk: ReviewDesk, log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A desk that looks at the output before it has the lock is caught by the race."""
    monkeypatch.setattr(desk, "_decider", FindsThenUpdates(desk.manager))
    with pytest.raises(AssertionError):
        race_an_edit_and_an_approval(desk, log, rounds=1)


def test_of_verdicts_that_race_exactly_one_counts(desk: ReviewDesk, log: EventLog) -> None:
    """Approve, approve and reject at once: one is accepted, and the others are told who decided."""
    for number in range(8):
        post = draft(f"Ahoy {number}.")
        log.append([post], agent_id="poster")
        seen = content_hash(post)
        answers = race(
            lambda post=post, seen=seen: desk.approve(post.output_id, seen, actor="ana"),
            lambda post=post, seen=seen: desk.approve(post.output_id, seen, actor="bob"),
            lambda post=post, seen=seen: desk.reject(post.output_id, seen, actor="cleo", reason_code="tone"),
        )
        losers = [answer for answer in answers if isinstance(answer, Refusal)]
        assert len(losers) == 2, answers
        assert {loser.code for loser in losers} == {"STATE"}
        verdicts = [
            event.event_type
            for event in log.read(stream=f"output-{post.output_id}")
            if event.event_type in ("review.approved", "review.rejected")
        ]
        assert len(verdicts) == 1


def test_a_revision_and_a_start_that_race_do_not_meet(desk: ReviewDesk, log: EventLog) -> None:
    """Either the sending begins with the approved content and the revision is ignored, or nothing is started."""
    for number in range(8):
        post = draft(f"Ahoy {number}.")
        log.append([post], agent_id="poster")
        seen = content_hash(post)
        accepted(desk.approve(post.output_id, seen, actor="ana"))
        revised = OutputRevised(output_id=post.output_id, body="Revised.")
        started, _ = race(
            lambda post=post, seen=seen: desk.start(post.output_id, seen, worker="w"),
            lambda revised=revised: log.append([revised], agent_id="poster"),
        )
        output = desk.output(post.output_id)
        assert output is not None
        if isinstance(started, Accepted):
            assert (output.state, output.body) == ("publishing", post.body)
            assert [code for _, code in output.ignored] == ["IN_FLIGHT"]
        else:
            assert (output.state, output.body) == ("pending", "Revised.")


def test_one_command_asked_by_many_at_once_is_carried_out_once(
    desk: ReviewDesk, log: EventLog, post: SocialPostDrafted
) -> None:
    """A command id asked from several threads at once gives all of them the one result."""
    seen = content_hash(post)
    answers = race(*[lambda: desk.approve(post.output_id, seen, actor="ana", command_id="c")] * 5)
    assert len({accepted(answer).position for answer in answers}) == 1
    assert types(log).count("review.approved") == 1
