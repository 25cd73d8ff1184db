"""The table of `review.states`: every state with every command, and with everything that an agent can say."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from capture import Event
from capture.vocabulary import Draft, OutputRevised, OutputWithdrawn, SocialPostDrafted
from review.commands import (
    ALL,
    Acknowledge,
    Approve,
    AutoDecide,
    Claim,
    Command,
    Confirm,
    Edit,
    Expire,
    Fail,
    Flag,
    Lose,
    Open,
    Rehearse,
    Reject,
    Release,
    RequestChanges,
    Resolve,
    Retract,
    Retry,
    Revoke,
    Show,
    Start,
    Supersede,
    Withdraw,
)
from review.output import FINAL, Output, State
from review.policy.verdict import Judgement
from review.refusals import Refusal
from review.states import MOVES, decide, evolve
from review.testing import NOON, Story, recorded

DEADLINE = NOON + timedelta(hours=1)
POSTHOC = Judgement(mode="posthoc", decides="approve", would_approve=True, rule="0" * 64)
DRY_RUN = Judgement(mode="dry_run")

# Written down by hand from the documented table, not from the code: where each command leads from each state.
LEADS_TO = {
    ("pending", Open): "pending",
    ("pending", AutoDecide): "approved",
    ("pending", Show): "pending",
    ("pending", Claim): "pending",
    ("pending", Release): "pending",
    ("pending", Edit): "pending",
    ("pending", Approve): "approved",
    ("pending", RequestChanges): "changes_requested",
    ("pending", Reject): "rejected",
    ("pending", Expire): "expired",
    ("pending", Withdraw): "withdrawn",
    ("pending", Supersede): "superseded",
    ("changes_requested", Expire): "expired",
    ("changes_requested", Withdraw): "withdrawn",
    ("changes_requested", Supersede): "superseded",
    ("approved", Edit): "pending",
    ("approved", Revoke): "pending",
    ("approved", Expire): "expired",
    ("approved", Withdraw): "withdrawn",
    ("approved", Supersede): "superseded",
    ("approved", Start): "publishing",
    ("approved", Rehearse): "approved",
    ("publishing", Confirm): "published",
    ("publishing", Fail): "publish_failed",
    ("publishing", Lose): "uncertain",
    ("uncertain", Confirm): "published",
    ("uncertain", Resolve): "published",
    ("publish_failed", Edit): "pending",
    ("publish_failed", Expire): "expired",
    ("publish_failed", Withdraw): "withdrawn",
    ("publish_failed", Supersede): "superseded",
    ("publish_failed", Retry): "publishing",
    ("published", Acknowledge): "published",
    ("published", Flag): "published",
    ("published", Retract): "retracting",
    ("retracting", Confirm): "retracted",
    ("retracting", Fail): "published",
}
REFUSED_WITH = {
    "pending": "STATE",
    "changes_requested": "STATE",
    "approved": "STATE",
    "publish_failed": "STATE",
    "rejected": "STATE",
    "publishing": "IN_FLIGHT",
    "retracting": "IN_FLIGHT",
    "uncertain": "UNCERTAIN",
    "published": "PUBLISHED",
    "expired": "FINAL",
    "withdrawn": "FINAL",
    "superseded": "FINAL",
    "retracted": "FINAL",
}
PATHS: dict[str, tuple[type[Command], ...]] = {
    "pending": (),
    "changes_requested": (RequestChanges,),
    "approved": (Approve,),
    "publishing": (Approve, Start),
    "uncertain": (Approve, Start, Lose),
    "publish_failed": (Approve, Start, Fail),
    "published": (Approve, Start, Confirm),
    "retracting": (Approve, Start, Confirm, Retract),
    "rejected": (Reject,),
    "expired": (Expire,),
    "withdrawn": (Withdraw,),
    "superseded": (Supersede,),
    "retracted": (Approve, Start, Confirm, Retract, Confirm),
}
STATES = [state.value for state in State if state is not State.AWAITED]


def draft() -> SocialPostDrafted:
    return SocialPostDrafted(output_id="o1", channel="x", identity="@acme", body="Ahoy.", not_after=DEADLINE)


def asked(command: type[Command], output: Output, actor: str = "ana") -> Command:
    """A command that every guard lets pass."""
    common = {"output_id": output.output_id, "judgement": POSTHOC, "actor": actor}
    seen = {**common, "content_hash": output.content_hash}
    attempt = {**common, "attempt": len(output.attempts)}
    made: dict[type[Command], Command] = {
        Open: Open(**common),
        AutoDecide: AutoDecide(**common),
        Show: Show(**common),
        Claim: Claim(**common),
        Release: Release(**common),
        Edit: Edit(**seen, body=output.body + " Edited."),
        Approve: Approve(**seen),
        RequestChanges: RequestChanges(**seen, reason_code="tone"),
        Reject: Reject(**seen, reason_code="other", note="no"),
        Revoke: Revoke(**common),
        Expire: Expire(**common),
        Withdraw: Withdraw(**common, note="no longer true"),
        Supersede: Supersede(**common, superseded_by="o2", agent_id=output.agent_id, drafted_at=99),
        Start: Start(**seen),
        Rehearse: Rehearse(**{**seen, "judgement": DRY_RUN}),
        Retry: Retry(**seen),
        Confirm: Confirm(**attempt, external_id="42"),
        Fail: Fail(**attempt, error="refused"),
        Lose: Lose(**attempt, error="no answer"),
        Resolve: Resolve(**common, outcome="published", external_id="42", note="I saw it"),
        Acknowledge: Acknowledge(**common),
        Flag: Flag(**common, reason_code="tone"),
        Retract: Retract(**common, note="wrong link"),
    }
    return made[command]


def arrive(state: str) -> Story:
    """A story whose output stands in a state, by the shortest way."""
    story = Story(draft())
    for command in PATHS[state]:
        if command is Expire:
            story.now = DEADLINE
        assert not isinstance(story.when(asked(command, story.output)), Refusal)
    assert story.output.state == state
    return story


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("command", ALL, ids=lambda command: command.__name__)
def test_every_command_in_every_state(state: str, command: type[Command]) -> None:
    """A pair of the table leads where the table says; every other pair is refused, and appends nothing."""
    story = arrive(state)
    if command is Release and state == "pending":
        story.when(asked(Claim, story.output))
    if command is Expire:
        story.now = DEADLINE
    before, outcome = len(story.events), story.when(asked(command, story.output))
    if (state, command) in LEADS_TO:
        assert not isinstance(outcome, Refusal), outcome
        assert story.output.state == LEADS_TO[state, command]
        assert story.output.state in MOVES[State(state), command].to
    else:
        assert isinstance(outcome, Refusal)
        assert (outcome.code, outcome.state, outcome.content_hash) == (
            REFUSED_WITH[state],
            state,
            story.output.content_hash,
        )
        assert outcome.message
        assert len(story.events) == before


@pytest.mark.parametrize("pair", sorted(LEADS_TO, key=str), ids=lambda pair: f"{pair[0]}-{pair[1].__name__}")
def test_nobody_does_what_their_role_does_not_let_them(pair: tuple[str, type[Command]]) -> None:
    """A person without the role is refused whatever else holds; what machines ask needs none."""
    state, command = pair
    story = arrive(state)
    if command is Expire:
        story.now = DEADLINE
    asking = replace(asked(command, story.output), roles=frozenset({"viewer"}))
    if command is Release:
        story.when(asked(Claim, story.output))
    outcome = story.when(asking)
    if command.by_person:
        assert isinstance(outcome, Refusal)
        assert (outcome.code, outcome.exit_code) == ("ROLE", 4)
    else:
        assert not isinstance(outcome, Refusal), outcome


@pytest.mark.parametrize("command", ALL, ids=lambda command: command.__name__)
def test_what_a_rule_rejects_hears_no_other_command(command: type[Command]) -> None:
    """The first command on a revision that a rule rejects is refused and does nothing; opening it rejects it."""
    story = Story(draft())
    asking = replace(asked(command, story.output), judgement=Judgement(decides="reject", because="rule 1 denies it"))
    outcome = story.when(asking)
    if command in (Open, AutoDecide):
        assert not isinstance(outcome, Refusal)
        assert [type(event).__name__ for event in outcome] == ["ReviewOpened", "ReviewRejected"]
        assert story.output.state == "rejected"
    else:
        assert isinstance(outcome, Refusal)
        assert outcome.code == ("DENIED" if ("pending", command) in LEADS_TO else "STATE")
        assert len(story.events) == 1


def test_the_table_is_the_documented_one() -> None:
    """The table has the documented moves, and no other."""
    assert {(state.value, command) for state, command in MOVES} == set(LEADS_TO)


@pytest.mark.parametrize("command", ALL, ids=lambda command: command.__name__)
def test_nothing_is_decided_about_what_was_not_drafted(command: type[Command]) -> None:
    """Without a draft there is no output: not found, also when something was said about its id."""
    early = Story().given(OutputRevised(output_id="o1", body="x"))
    other = Story(draft()).output
    for output in (None, early.output):
        outcome = decide(output, asked(command, other), NOON)
        assert isinstance(outcome, Refusal)
        assert (outcome.code, outcome.exit_code) == ("NOT_FOUND", 5)


AGENT_MAY = {"pending", "changes_requested", "approved", "publish_failed"}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(
    ("said", "by", "leads_to", "code"),
    [
        (draft(), "agent", None, "SECOND_DRAFT"),
        (draft(), "other", None, "SECOND_DRAFT"),
        (OutputRevised(output_id="o1", body="Revised."), "agent", "pending", None),
        (OutputRevised(output_id="o1", body="Revised."), "other", None, "OWNER"),
        (OutputWithdrawn(output_id="o1"), "agent", "withdrawn", None),
        (OutputWithdrawn(output_id="o1"), "other", None, "OWNER"),
    ],
    ids=["draft", "draft by another", "revised", "revised by another", "withdrawn", "withdrawn by another"],
)
def test_everything_an_agent_can_say_in_every_state(
    state: str, said: Event, by: str, leads_to: str | None, code: str | None
) -> None:
    """The owner may revise and withdraw until sending begins; everything else only adds to `ignored`."""
    story = arrive(state)
    before = story.output
    story.given(said, agent_id=by)
    after, position = story.output, len(story.events)
    if leads_to is not None and state in AGENT_MAY:
        assert after.state == leads_to
        assert after.ignored == ()
        assert after.votes == ()
    else:
        assert after.ignored == ((position, code or REFUSED_WITH[state]),)
        unchanged = {"ignored": (), "position": before.position, "updated_at": before.updated_at}
        assert after.model_copy(update=unchanged) == before


@pytest.mark.parametrize("state", STATES)
def test_no_agent_approves(state: str) -> None:
    """Nothing that an agent says leads to `approved`, or to an approval more."""
    for said in (draft(), OutputRevised(output_id="o1", body="Ahoy."), OutputWithdrawn(output_id="o1")):
        for by in ("agent", "other", "ana"):
            story = arrive(state)
            votes = len(story.output.votes)
            story.given(said, agent_id=by)
            assert len(story.output.votes) <= votes
            assert story.output.state != "approved" or state == "approved"


def test_a_withdrawal_before_its_draft_counts() -> None:
    """What its agent took back before the draft was there is born withdrawn."""
    story = Story().given(OutputWithdrawn(output_id="o1", reason="wrong")).given(draft())
    assert story.output.state == "withdrawn"
    assert story.output.decided is not None
    assert (story.output.decided.by, story.output.decided.note) == ("agent", "wrong")
    assert story.output.ignored == ()


def test_a_withdrawal_by_another_before_the_draft_does_not_count() -> None:
    """Who does not own the output does not withdraw it, early or late."""
    story = Story().given(OutputWithdrawn(output_id="o1"), agent_id="other").given(draft())
    assert story.output.state == "pending"
    assert story.output.ignored == ((1, "OWNER"),)


def test_a_revision_before_the_draft_is_ignored() -> None:
    """There is nothing to revise yet; the draft is what counts, and the revision is told."""
    story = Story().given(OutputRevised(output_id="o1", body="Early.")).given(draft())
    assert (story.output.state, story.output.body) == ("pending", "Ahoy.")
    assert story.output.ignored == ((1, "NO_DRAFT"),)


def test_events_about_other_things_change_nothing() -> None:
    """`evolve` is total: what is not about outputs leaves the output, and None, as they are."""
    story = Story(draft())
    for event in (SocialPostDrafted, OutputRevised):
        assert issubclass(event, Event)
    from capture.vocabulary import MemoryLearned

    fact = recorded(MemoryLearned(key="k", value=1, kind="fact"), 9)
    assert evolve(story.output, fact) is story.output
    assert evolve(None, fact) is None


@pytest.mark.parametrize("state", STATES)
def test_an_output_survives_json(state: str) -> None:
    """The value of the keyed fold comes back from its JSON text equal."""
    output = arrive(state).given(draft(), agent_id="other").output
    assert Output.model_validate_json(output.model_dump_json()) == output


def test_final_states_are_final() -> None:
    """No move leads out of a final state."""
    assert not [state for state, _ in MOVES if state in FINAL]


def test_the_first_event_on_each_revision_opens_it() -> None:
    """`review.opened` comes first on every revision, once, whatever the first command is."""
    story = Story(draft())
    types = [event.event_type for event in _events(story.when(asked(Edit, story.output)))]
    assert types == ["review.opened", "review.edited"]
    assert not story.output.opened
    types = [event.event_type for event in _events(story.when(asked(Show, story.output)))]
    assert types == ["review.opened", "review.shown"]
    assert story.when(asked(Show, story.output)) == ()
    assert [event.event_type for event in _events(story.when(asked(Approve, story.output)))] == ["review.approved"]


def test_a_refused_command_opens_nothing() -> None:
    """A refusal appends nothing, not even the opening."""
    story = Story(draft())
    refused = story.when(replace(asked(Reject, story.output), reason_code=None))  # type: ignore[call-arg] # Reject has it
    assert isinstance(refused, Refusal)
    assert not story.output.opened


def _events(outcome: tuple[Event, ...] | Refusal) -> tuple[Event, ...]:
    assert not isinstance(outcome, Refusal), outcome
    return outcome


def test_a_draft_is_a_draft_whatever_its_type() -> None:
    """A draft type of a module's own goes through the same table."""

    class BannerDrafted(Draft, type="banner.drafted", version=1, stream="output_id"):
        """A banner."""

    story = Story(BannerDrafted(output_id="o1", channel="web", identity="acme", body="Sale"))
    assert (story.output.state, story.output.kind) == ("pending", "banner")
