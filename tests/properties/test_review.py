"""Any run of commands and of things that an agent can say, against a small model that was written apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from capture import Event
from capture.vocabulary import (
    OutputRevised,
    OutputWithdrawn,
    PublicationStarted,
    ReviewApproved,
    SocialPostDrafted,
    content_hash,
)
from review import evolution, guards, states
from review.commands import (
    Approve,
    Command,
    Confirm,
    Edit,
    Expire,
    Fail,
    Lose,
    Reject,
    RequestChanges,
    Resolve,
    Retry,
    Revoke,
    Start,
)
from review.policy.verdict import Judgement
from review.refusals import Refusal
from review.testing import NOON, Story

ACTORS = st.sampled_from(["ana", "bob", "cleo"])
BODIES = st.sampled_from(["one", "two", "three"])
TURNS_DOWN = st.sampled_from([Reject, RequestChanges])
NEEDED = st.sampled_from([1, 1, 2])
LIVE = ("pending", "changes_requested", "approved", "publish_failed")
FINAL = ("rejected", "expired", "withdrawn", "published")
EXPIRES = NOON + timedelta(hours=2)


def draft(body: str) -> SocialPostDrafted:
    return SocialPostDrafted(output_id="o", channel="x", identity="@a", body=body, not_after=EXPIRES)


class AnyReview(RuleBasedStateMachine):
    """One output. The model knows its state, its texts, who wrote and approved the present one, and what was sent."""

    @initialize(body=BODIES)
    def drafted(self, body: str) -> None:
        self.story = Story(draft(body))
        self.state = "pending"
        self.texts = [body]
        self.authors = {"agent"}
        self.votes: set[str] = set()
        self.needed = 1
        self.attempts = 0
        self.in_doubt = False
        self.ignored = 0
        self.approved_pairs: set[tuple[int, str]] = set()
        self.started: list[tuple[int, str]] = []

    def _hash(self, text: str) -> str:
        return content_hash(draft(text))

    def _new_text(self, text: str, authors: set[str]) -> None:
        self.texts.append(text)
        self.authors, self.votes, self.state = authors, set(), "pending"
        self.in_doubt = False

    def _ask(self, command: Command, *, allowed: bool) -> bool:
        """Ask, and hold the answer against the model's: refused means nothing was appended."""
        before, output = len(self.story.events), self.story.output
        outcome = self.story.when(command)
        assert isinstance(outcome, Refusal) is not allowed, (outcome, self.state)
        if isinstance(outcome, Refusal):
            assert (len(self.story.events), self.story.output) == (before, output)
            return False
        for event in outcome:
            self._witness(event)
        return True

    def _witness(self, event: Event) -> None:
        # Kept from the events alone, by hand: neither evolve nor decide is asked.
        if isinstance(event, PublicationStarted):
            self.started.append((event.revision, event.content_hash))
        if isinstance(event, ReviewApproved):
            assert event.actor in ("ana", "bob", "cleo")

    @rule(actor=ACTORS, seen=BODIES, needed=NEEDED)
    def approve(self, actor: str, seen: str, needed: int) -> None:
        wanted = max(self.needed, needed)
        allowed = (
            self.state == "pending"
            and seen == self.texts[-1]
            and actor not in self.votes
            and not (wanted >= 2 and actor in self.authors)
        )
        command = Approve(output_id="o", content_hash=self._hash(seen), actor=actor, judgement=Judgement(needed=needed))
        if self._ask(command, allowed=allowed):
            self.needed = wanted
            self.votes.add(actor)
            if len(self.votes) >= wanted:
                self.state = "approved"
                self.approved_pairs.add((len(self.texts), self._hash(self.texts[-1])))

    @rule(actor=ACTORS, seen=BODIES, body=BODIES, needed=NEEDED)
    def edit(self, actor: str, seen: str, body: str, needed: int) -> None:
        allowed = self.state in ("pending", "approved", "publish_failed") and seen == self.texts[-1]
        command = Edit(
            output_id="o", content_hash=self._hash(seen), actor=actor, body=body, judgement=Judgement(needed=needed)
        )
        opened = self.story.output.opened
        if self._ask(command, allowed=allowed) and body != seen:
            if not opened:
                self.needed = max(self.needed, needed)
            self._new_text(body, self.authors | {actor})

    @rule(actor=ACTORS, seen=BODIES, kind=TURNS_DOWN, reason=st.sampled_from(["tone", None]))
    def turn_down(self, actor: str, seen: str, kind: type[Reject | RequestChanges], reason: str | None) -> None:
        allowed = self.state == "pending" and seen == self.texts[-1] and reason is not None
        command = kind(output_id="o", content_hash=self._hash(seen), actor=actor, reason_code=reason)
        if self._ask(command, allowed=allowed):
            self.state = "rejected" if kind is Reject else "changes_requested"
            self.votes = set()

    @rule(actor=ACTORS)
    def revoke(self, actor: str) -> None:
        if self._ask(Revoke(output_id="o", actor=actor), allowed=self.state == "approved"):
            self.state, self.votes = "pending", set()

    @rule(agent=st.sampled_from(["agent", "agent", "other"]), body=BODIES)
    def revise(self, agent: str, body: str) -> None:
        self.story.given(OutputRevised(output_id="o", body=body), agent_id=agent)
        if agent == "agent" and self.state in LIVE:
            self._new_text(body, {"agent"})
        else:
            self.ignored += 1

    @precondition(lambda self: len(self.texts) > 3)
    @rule(agent=st.sampled_from(["agent", "other"]))
    def take_back(self, agent: str) -> None:
        self.story.given(OutputWithdrawn(output_id="o"), agent_id=agent)
        if agent == "agent" and self.state in LIVE:
            self.state, self.votes = "withdrawn", set()
        else:
            self.ignored += 1

    @rule(body=BODIES)
    def draft_again(self, body: str) -> None:
        self.story.given(draft(body))
        self.ignored += 1

    @rule(seen=BODIES, needed=NEEDED, retry=st.booleans())
    def start(self, seen: str, needed: int, retry: bool) -> None:
        state = "publish_failed" if retry else "approved"
        allowed = (
            self.state == state
            and seen == self.texts[-1]
            and len(self.votes) >= max(self.needed, needed)
            and self.story.now < EXPIRES
            and not self.in_doubt
        )
        command = (Retry if retry else Start)(
            output_id="o", content_hash=self._hash(seen), actor="w", judgement=Judgement(needed=needed)
        )
        if self._ask(command, allowed=allowed):
            self.state = "publishing"
            self.attempts += 1

    @rule(kind=st.sampled_from([Confirm, Fail, Lose]), late=st.sampled_from([0, 0, 1]))
    def finish(self, kind: type[Confirm | Fail | Lose], late: int) -> None:
        states = ("publishing", "uncertain") if kind is Confirm else ("publishing",)
        more = {"external_id": "4"} if kind is Confirm else {"error": "no"}
        command = kind(output_id="o", attempt=self.attempts - late, **more)
        if self._ask(command, allowed=self.state in states and not late):
            self.state = {Confirm: "published", Fail: "publish_failed", Lose: "uncertain"}[kind]
            self.in_doubt = self.in_doubt or kind is Lose

    @rule(actor=ACTORS)
    def resolve(self, actor: str) -> None:
        command = Resolve(output_id="o", outcome="failed", note="not there", actor=actor)
        if self._ask(command, allowed=self.state == "uncertain"):
            self.state = "publish_failed"

    @rule(actor=ACTORS, needed=NEEDED, kind=st.sampled_from([Confirm, Fail, Lose]))
    def go_on(self, actor: str, needed: int, kind: type[Confirm | Fail | Lose]) -> None:
        # Chance alone seldom gets behind the first send.
        if self.state == "pending":
            self.approve(actor, self.texts[-1], needed)
        elif self.state in ("approved", "publish_failed"):
            self.start(self.texts[-1], needed, self.state == "publish_failed")
        elif self.state == "publishing":
            self.finish(kind, 0)
        elif self.state == "uncertain":
            self.resolve(actor)

    @rule(minutes=st.sampled_from([1, 30]))
    def wait(self, minutes: int) -> None:
        self.story.after(timedelta(minutes=minutes))

    @rule()
    def expire(self) -> None:
        if self._ask(Expire(output_id="o"), allowed=self.state in LIVE and self.story.now >= EXPIRES):
            self.state, self.votes = "expired", set()

    @invariant()
    def the_output_is_what_the_model_says(self) -> None:
        output = self.story.output
        assert output.state == self.state
        assert (output.body, output.revision) == (self.texts[-1], len(self.texts))
        assert output.content_hash == self._hash(self.texts[-1])
        assert {vote.actor for vote in output.votes} == self.votes
        assert (output.needed, len(output.ignored), len(output.attempts)) == (self.needed, self.ignored, self.attempts)
        assert [revision.body for revision in output.revisions] == self.texts

    @invariant()
    def nothing_unapproved_is_started(self) -> None:
        assert set(self.started) <= self.approved_pairs


Mutate = Callable[[pytest.MonkeyPatch], None]

RUNS = settings(max_examples=200, stateful_step_count=40, deadline=None)
HUNT = settings(RUNS, derandomize=True, phases=[Phase.generate], max_examples=400)


def test_any_run_does_what_the_model_says() -> None:
    """Under any run nothing unapproved is started, a refusal appends nothing, and final states are final."""
    run_state_machine_as_test(AnyReview, settings=RUNS)


def _without(guard: Callable[..., object]) -> Mutate:
    def mutate(patch: pytest.MonkeyPatch) -> None:
        moves = {
            pair: replace(move, guards=tuple(one for one in move.guards if one is not guard))
            for pair, move in states.MOVES.items()
        }
        patch.setattr(states, "MOVES", MappingProxyType(moves))

    return mutate


def _votes_survive(patch: pytest.MonkeyPatch) -> None:
    new_content = evolution._new_content

    def keeps_votes(output, event, *more, **named):  # type: ignore[no-untyped-def]
        return {**new_content(output, event, *more, **named), "votes": output.votes, "state": output.state}

    patch.setattr(evolution, "_new_content", keeps_votes)


def _anybody_revises(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(evolution, "refused_to_agent", lambda output, agent_id: None)


MUTANTS = {
    "an approval does not look at the hash": _without(guards.content_is_current),
    "one person votes twice": _without(guards.is_a_new_voter),
    "authors approve their own text": _without(guards.is_not_an_author),
    "a start does not count the votes": _without(guards.enough_have_approved),
    "a machine sends again after an uncertain send": _without(guards.a_machine_may_retry),
    "a late worker speaks for the newest attempt": _without(guards.attempt_is_current),
    "an edit keeps the votes": _votes_survive,
    "an agent may do anything at any time": _anybody_revises,
}


@pytest.mark.parametrize("mutate", MUTANTS.values(), ids=MUTANTS)
def test_a_broken_table_is_caught(mutate: Mutate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any one of these guards the model and the table come apart."""
    mutate(monkeypatch)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(AnyReview, settings=HUNT)
