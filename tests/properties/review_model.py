"""A small model of one output under review, written apart from `review`, and the machine that holds the two together.

The model knows sentences, not guards: it says of each command whether it is allowed, and what is so afterwards. Of
`review` it uses the commands, to ask with, and nothing that decides.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from capture import Event
from capture.vocabulary import (
    Finding,
    PublicationStarted,
    ReviewApproved,
    SocialPostDrafted,
    content_hash,
)
from review.commands import Command
from review.policy.verdict import Judgement
from review.refusals import Refusal
from review.testing import NOON, Story

NOT_AFTER = NOON + timedelta(hours=6)
LEASE = timedelta(minutes=15)
LIVE = ("pending", "changes_requested", "approved", "publish_failed")
FINAL = ("rejected", "expired", "withdrawn", "superseded", "retracted")
POLICY = "policy:house@1"
ROLES = {
    "ana": {"reviewer", "admin"},
    "bob": {"reviewer"},
    "cleo": {"reviewer"},
    "dan": {"admin"},
    "vera": {"viewer"},
}
REASON = {"reason_code": "tone"}


@dataclass(frozen=True)
class Says:
    """What a policy says at one moment."""

    mode: str = "review"
    needed: int = 1
    finding: str | None = None
    held: bool = False
    deny: bool = False
    paused: bool = False
    deadline: datetime | None = None

    def by_itself(self) -> bool:
        return self.mode in ("auto", "posthoc") and self.needed == 1 and self.finding is None and not self.deny

    def judgement(self) -> Judgement:
        codes = (["DENIED"] if self.deny else []) + ([self.finding] if self.finding else [])
        limit = Finding(code="LIMIT", message="one a day")
        decides = "reject" if self.deny else "approve" if self.by_itself() and not self.paused else None
        return Judgement(
            policy=POLICY,
            mode=self.mode,  # type: ignore[arg-type] # drawn from the modes
            needed=self.needed,
            deadline=self.deadline,
            findings=tuple(Finding(code=code, message="found", output_id="o0") for code in codes),  # type: ignore[arg-type]
            held=(limit,) if self.held else (),
            decides=decides,  # type: ignore[arg-type] # one of the two words
            because="a rule",
            rule="a" * 64,
            would_approve=self.by_itself(),
            stands_down=self.paused,
        )


@dataclass
class Model:
    """What is so, as far as anybody can see."""

    texts: list[str]
    state: str = "pending"
    authors: set[str] = field(default_factory=lambda: {"agent"})
    votes: dict[str, str | None] = field(default_factory=dict)  # who, and in spite of which duplicate
    needed: int = 1
    opened: bool = False
    mode: str = "review"
    deadline: datetime | None = None
    persons: bool = False  # a person's to decide
    lease: tuple[str, int, datetime] | None = None
    leases: int = 0
    seen_by: set[str] = field(default_factory=set)
    attempts: list[int] = field(default_factory=list)  # the revision of each
    doubted: set[int] = field(default_factory=set)  # revisions that may have gone out
    rehearsed: int = 0
    acknowledged: bool = False
    flagged: bool = False
    ignored: int = 0

    def new_text(self, text: str, authors: set[str]) -> None:
        self.texts.append(text)
        self.state, self.authors, self.votes, self.opened, self.seen_by = "pending", authors, {}, False, set()

    def decided(self, state: str) -> None:
        self.state, self.votes, self.lease = state, {}, None

    def open(self, says: Says) -> None:
        if self.state == "pending" and not self.opened:
            self.opened, self.mode, self.deadline = True, says.mode, says.deadline
            self.needed = max(self.needed, says.needed)
            self.persons = self.persons or says.mode not in ("auto", "posthoc") or bool(says.finding) or says.deny

    def held_by_another(self, actor: str | None, now: datetime) -> bool:
        return self.lease is not None and now < self.lease[2] and self.lease[0] != actor

    def over(self, now: datetime, deadline: datetime | None) -> bool:
        return now >= NOT_AFTER or (deadline is not None and now >= deadline)

    def may_be_sent(self, says: Says, now: datetime) -> bool:
        counted = sum(not voter.startswith("policy:") or (says.by_itself() and not says.paused) for voter in self.votes)
        spite = says.finding == "DUPLICATE" and "o0" in self.votes.values()
        return (
            counted >= max(self.needed, says.needed)
            and not says.deny
            and (says.finding is None or spite)
            and not says.held
            and not self.over(now, self.deadline)
        )


# Mostly calm: a run in which every step is refused shows little.
DRAWN: dict[str, list[Any]] = {
    "mode": ["review", "review", "review", "auto", "posthoc", "posthoc", "dry_run"],
    "needed": [1, 1, 1, 1, 2],
    "finding": [*[None] * 12, "DENIED", "LIMIT", "DUPLICATE", "DUPLICATE"],
    "held": [False, False, False, False, False, True],
    "deny": [*[False] * 15, True],
    "paused": [False, False, True],
    "deadline": [None, None, None, NOON + timedelta(hours=2)],
}
SAYS = st.builds(Says, **{name: st.sampled_from(values) for name, values in DRAWN.items()})
ACTORS = st.sampled_from(["ana", "ana", "bob", "bob", "cleo", "dan", "vera"])
REVIEWERS = st.sampled_from(["ana", "bob", "cleo"])
BODIES = st.sampled_from(["one", "two", "three"])
SEEN = st.sampled_from([True, True, True, True, False])


def draft(body: str) -> SocialPostDrafted:
    """The output, with one of its texts."""
    return SocialPostDrafted(output_id="o", channel="x", identity="@a", body=body, not_after=NOT_AFTER)


class Together(RuleBasedStateMachine):
    """Asks both, and holds what they say together. What is asked, the files beside it say."""

    @initialize(body=BODIES)
    def drafted(self, body: str) -> None:
        self.story = Story(draft(body))
        self.model = Model([body])
        self.steps = 0
        self.needed_once = 1
        self.ended: str | None = None
        self.approved: set[tuple[int, str]] = set()
        self.started: list[tuple[int, str]] = []

    def ask(self, command: Command, says: Says, *, allowed: bool) -> tuple[Event, ...]:
        """Ask, and hold the answer against the model's: refused means that nothing was appended."""
        self.steps += 1
        before, output = len(self.story.events), self.story.output
        outcome = self.story.when(command)
        assert isinstance(outcome, Refusal) is not allowed, (outcome, self.model)
        if isinstance(outcome, Refusal):
            assert (len(self.story.events), self.story.output) == (before, output)
            return ()
        for event in outcome:
            self.witness(event, says)
        return outcome

    def witness(self, event: Event, says: Says) -> None:
        # From the events alone, by hand: neither evolve nor the model is asked.
        if isinstance(event, PublicationStarted):
            self.started.append((event.revision, event.content_hash))
            assert not says.deny
            assert says.finding in (None, "DUPLICATE")
        if isinstance(event, ReviewApproved):
            assert not says.deny
            assert says.finding in (None, "DUPLICATE")
            assert event.actor in ROLES or (event.actor == POLICY and says.by_itself() and not says.paused)

    def fields(self, says: Says, actor: str | None = None, **more: Any) -> dict[str, Any]:
        """What every command has."""
        roles = {} if actor is None else {"roles": frozenset(ROLES.get(actor, ()))}
        given = {"output_id": "o", "judgement": says.judgement(), **roles, **more}
        return given if actor is None else {**given, "actor": actor}

    def seen(self, present: bool) -> str:
        """The hash of the present text, or of another."""
        text = self.model.texts[-1] if present else {"one": "two", "two": "three"}.get(self.model.texts[-1], "one")
        return content_hash(draft(text))

    def first(self, says: Says) -> tuple[bool, int]:
        """Whether a rule rejects it before the command is heard, and how many votes are needed with it."""
        opening = self.model.state == "pending" and not self.model.opened
        return not (opening and says.deny), max(self.model.needed, says.needed)

    def end_of(self, says: Says) -> datetime | None:
        opening = self.model.state == "pending" and not self.model.opened
        return says.deadline if opening else self.model.deadline

    @invariant()
    def the_output_is_what_the_model_says(self) -> None:
        output, model = self.story.output, self.model
        assert output.state == model.state
        assert (output.body, output.revision) == (model.texts[-1], len(model.texts))
        assert [revision.body for revision in output.revisions] == model.texts
        assert output.content_hash == content_hash(draft(model.texts[-1]))
        assert {vote.actor: vote.overrides_duplicate for vote in output.votes} == model.votes
        assert (output.needed, output.opened, output.mode) == (model.needed, model.opened, model.mode)
        assert (output.deadline, output.for_person) == (model.deadline, model.persons)
        lease = (
            None if output.lease is None else (output.lease.holder, output.lease.generation, output.lease.expires_at)
        )
        assert (lease, output.leases) == (model.lease, model.leases)
        assert set(output.shown_to) == model.seen_by
        assert [attempt.revision for attempt in output.attempts] == model.attempts
        assert (output.acknowledged, output.flagged) == (model.acknowledged, model.flagged)
        assert (output.rehearsed, len(output.ignored)) == (model.rehearsed, model.ignored)

    @invariant()
    def nothing_unapproved_is_started(self) -> None:
        output = self.story.output
        if output.state == "approved":
            assert len(output.votes) >= output.needed
            self.approved.add((output.revision, output.content_hash))
        assert set(self.started) <= self.approved

    @invariant()
    def what_is_needed_never_falls_and_an_end_is_an_end(self) -> None:
        output = self.story.output
        assert output.needed >= self.needed_once
        self.needed_once = output.needed
        if self.ended is not None:
            assert output.state == self.ended
        self.ended = output.state.value if output.state.value in FINAL else None
