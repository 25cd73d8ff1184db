"""What the worker, operators and agents do to an output, and what the model says of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from capture.vocabulary import OutputRevised, OutputWithdrawn
from review.commands import (
    Acknowledge,
    Command,
    Confirm,
    Fail,
    Flag,
    Lose,
    Rehearse,
    Resolve,
    Retract,
    Retry,
    Start,
    Supersede,
)
from tests.properties.review_model import (
    ACTORS,
    BODIES,
    LIVE,
    NOT_AFTER,
    REASON,
    REVIEWERS,
    ROLES,
    SAYS,
    SEEN,
    Says,
    draft,
)
from tests.properties.review_people import People

SENDS = st.sampled_from([Start, Start, Start, Rehearse, Retry])
ENDS = st.sampled_from([Confirm, Confirm, Fail, Lose])
WRONG = st.sampled_from([{}, {}, {}, {"stopped": "an incident"}, {"missing_media": ("a" * 64,)}])
CALM = Says()


class AnyReview(People):
    """Every command, and everything that an agent can say, in any order."""

    @rule(send=SENDS, seen=SEEN, says=SAYS, wrong=WRONG, operator=st.sampled_from([None, None, "bob", "vera"]))
    def start(self, send: type[Start], seen: bool, says: Says, wrong: dict[str, Any], operator: str | None) -> None:
        model = self.model
        operator = operator if send is Retry else None
        dry = "dry_run" in (model.mode, says.mode)
        again = operator != "vera" and (operator is not None or len(model.texts) not in model.doubted)
        allowed = (
            model.state == ("publish_failed" if send is Retry else "approved")
            and seen
            and not wrong
            and dry is (send is Rehearse)
            and (send is not Retry or again)
            and model.may_be_sent(says, self.story.now)
        )
        asked: dict[str, Any] = {**self.fields(says, content_hash=self.seen(seen)), "actor": "w", **wrong}
        if operator is not None:
            asked |= {"operator": operator, "roles": frozenset(ROLES[operator])}
        appended = self.ask(send(**asked), says, allowed=allowed)
        if send is Rehearse and allowed:
            assert len(appended) == (model.rehearsed != len(model.texts)), "once for each revision"
            model.rehearsed = len(model.texts)
        elif appended:
            model.state = "publishing"
            model.attempts.append(len(model.texts))

    @rule(end=ENDS, late=st.sampled_from([0, 0, 0, 1]))
    def finish(self, end: type[Confirm | Fail | Lose], late: int) -> None:
        model = self.model
        leads = {
            ("publishing", Confirm): "published",
            ("uncertain", Confirm): "published",
            ("retracting", Confirm): "retracted",
            ("publishing", Fail): "publish_failed",
            ("retracting", Fail): "published",
            ("publishing", Lose): "uncertain",
        }
        more = {"external_id": "4"} if end is Confirm else {"error": "no"}
        to = leads.get((model.state, end))
        command = end(output_id="o", attempt=len(model.attempts) - late, **more)
        if self.ask(command, CALM, allowed=to is not None and not late) and to is not None:
            model.state = to
            if end is Lose:
                model.doubted.add(model.attempts[-1])

    @rule(actor=ACTORS, outcome=st.sampled_from(["published", "failed"]), note=st.sampled_from(["seen", None]))
    def resolve(self, actor: str, outcome: str, note: str | None) -> None:
        found = {"external_id": "4"} if outcome == "published" else {}
        allowed = self.model.state == "uncertain" and bool(ROLES[actor] & {"reviewer", "admin"}) and note is not None
        command = Resolve(**self.fields(CALM, actor, note=note, **found), outcome=outcome)  # type: ignore[arg-type]
        if self.ask(command, CALM, allowed=allowed):
            self.model.state = "published" if outcome == "published" else "publish_failed"

    @rule(actor=ACTORS, says=SAYS, flags=st.booleans(), reason=st.sampled_from([REASON, {}]))
    def look_after(self, actor: str, says: Says, flags: bool, reason: dict[str, str]) -> None:
        model = self.model
        allowed = model.state == "published" and "reviewer" in ROLES[actor] and model.mode == "posthoc"
        command: Command = Acknowledge(**self.fields(says, actor))
        if flags:
            allowed, command = allowed and bool(reason), Flag(**self.fields(says, actor, **reason))
        self.ask(command, says, allowed=allowed)
        if allowed:
            model.flagged, model.acknowledged = model.flagged or flags, model.acknowledged or not flags

    @rule(actor=ACTORS, note=st.sampled_from(["wrong link", None]))
    def retract(self, actor: str, note: str | None) -> None:
        allowed = self.model.state == "published" and "admin" in ROLES[actor] and note is not None
        if self.ask(Retract(**self.fields(CALM, actor, note=note)), CALM, allowed=allowed):
            self.model.state = "retracting"

    @precondition(lambda self: self.steps > 12)
    @rule(agent=st.sampled_from(["agent", "other"]), drafted_at=st.sampled_from([0, 99]), says=SAYS)
    def supersede(self, agent: str, drafted_at: int, says: Says) -> None:
        heard, _ = self.first(says)
        allowed = self.model.state in LIVE and heard and agent == "agent" and drafted_at == 99
        command = Supersede(**self.fields(says), superseded_by="o2", agent_id=agent, drafted_at=drafted_at)
        if self.ask(command, says, allowed=allowed):
            self.model.open(says)
            self.model.decided("superseded")

    @rule(agent=st.sampled_from(["agent", "agent", "other"]), body=BODIES)
    def revise(self, agent: str, body: str) -> None:
        before = self.story.output
        self.story.given(OutputRevised(output_id="o", body=body), agent_id=agent)
        if agent == "agent" and self.model.state in LIVE:
            self.model.new_text(body, {"agent"})
        else:
            self.model.ignored += 1
        assert len(self.story.output.votes) in (0, len(before.votes)), "no agent approves"

    @precondition(lambda self: self.steps > 15)
    @rule(agent=st.sampled_from(["agent", "other", "other"]))
    def take_back(self, agent: str) -> None:
        self.story.given(OutputWithdrawn(output_id="o"), agent_id=agent)
        if agent == "agent" and self.model.state in LIVE:
            self.model.decided("withdrawn")
        else:
            self.model.ignored += 1

    @rule(body=BODIES)
    def draft_again(self, body: str) -> None:
        self.story.given(draft(body))
        self.model.ignored += 1

    @rule(minutes=st.sampled_from([1, 5, 20, 90]))
    def wait(self, minutes: int) -> None:
        self.story.after(timedelta(minutes=minutes))

    @precondition(lambda self: self.steps > 5)
    @rule()
    def come_late(self) -> None:
        if self.model.state in ("approved", "publish_failed"):
            self.story.now = max(self.story.now, NOT_AFTER)
            self.start(Start if self.model.state == "approved" else Retry, True, CALM, {}, None)

    @rule(actor=REVIEWERS, says=SAYS, end=ENDS)
    def go_on(self, actor: str, says: Says, end: type[Confirm | Fail | Lose]) -> None:
        # Chance alone seldom gets behind the first send.
        match self.model.state:
            case "pending":
                self.approve(actor, True, says, late=False, spite=None)
            case "approved":
                calm = replace(CALM, held=says.held)
                self.start(Rehearse if self.model.mode == "dry_run" else Start, True, calm, {}, None)
            case "publish_failed":
                self.start(Retry, True, CALM, {}, "bob" if actor == "bob" else None)
            case "publishing" | "retracting":
                self.finish(end, 0)
            case "uncertain":
                self.resolve(actor, "failed", "seen")
