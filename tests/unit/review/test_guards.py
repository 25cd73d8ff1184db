"""What a guard refuses, and what it says."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from capture.vocabulary import ActionProposed, Finding, Media, OutputRevised, OutputWithdrawn, SocialPostDrafted
from review.commands import (
    Approve,
    Claim,
    Confirm,
    Edit,
    Expire,
    Fail,
    Lose,
    Reject,
    Release,
    RequestChanges,
    Resolve,
    Retract,
    Retry,
    Revoke,
    Start,
    Supersede,
    Withdraw,
)
from review.output import Output
from review.policy.rules import REASONS
from review.policy.verdict import Judgement
from review.refusals import EXIT_CODES, Refusal
from review.testing import NOON, Story

TWO = Judgement(needed=2)
DUPLICATE = Judgement(findings=(Finding(code="DUPLICATE", message="o0 says the same", output_id="o0"),))


def draft(**more: Any) -> SocialPostDrafted:
    return SocialPostDrafted(output_id="o1", channel="x", identity="@acme", body="Ahoy.", **more)


def refused(outcome: object) -> Refusal:
    assert isinstance(outcome, Refusal), outcome
    assert outcome.exit_code == EXIT_CODES[outcome.code]
    return outcome


def taken(outcome: object) -> None:
    assert not isinstance(outcome, Refusal), outcome


def approve(output: Output, actor: str = "ana", **more: Any) -> Approve:
    return Approve(output_id="o1", content_hash=output.content_hash, actor=actor, **more)


def start(output: Output, **more: Any) -> Start:
    return Start(output_id="o1", content_hash=output.content_hash, actor="w", **more)


def edit(output: Output, body: str, actor: str = "bob", **more: Any) -> Edit:
    return Edit(output_id="o1", content_hash=output.content_hash, body=body, actor=actor, **more)


def approved(judgement: Judgement | None = None) -> Story:
    story = Story(draft())
    taken(story.when(approve(story.output)))
    return story


def test_an_approval_of_other_content_is_stale() -> None:
    """Who approves what they did not see learns the new hash and who edited, and when."""
    story = Story(draft())
    seen = story.output
    taken(story.when(edit(story.output, "Ahoy, all.")))
    refusal = refused(story.after(timedelta(minutes=3)).when(approve(seen)))
    assert (refusal.code, refusal.exit_code, refusal.content_hash) == ("STALE", 3, story.output.content_hash)
    assert f"bob edited it 3 m ago; revision 2 has the hash {story.output.content_hash}" in refusal.message
    for command in (
        edit(seen, "Again."),
        Reject(output_id="o1", content_hash=seen.content_hash, reason_code="tone", actor="ana"),
        RequestChanges(output_id="o1", content_hash=seen.content_hash, reason_code="tone", actor="ana"),
    ):
        assert refused(story.when(command)).code == "STALE"


def test_a_refusal_by_state_says_who_and_when() -> None:
    """Who comes too late is told who decided, and how long ago."""
    story = Story(draft())
    taken(story.when(Reject(output_id="o1", content_hash=story.output.content_hash, reason_code="tone", actor="bob")))
    refusal = refused(story.after(timedelta(minutes=3)).when(approve(story.output)))
    assert (refusal.code, refusal.exit_code) == ("STATE", 3)
    assert "already rejected by bob 3 m ago" in refusal.message
    story = Story(draft()).given(OutputWithdrawn(output_id="o1"))
    refusal = refused(story.after(timedelta(days=2)).when(approve(story.output)))
    assert "already withdrawn by agent 2 d ago" in refusal.message
    assert refusal.code == "FINAL"


def test_an_edit_voids_the_votes_and_keeps_the_original() -> None:
    """After an edit an approved output is pending, without votes, and its first content can still be read."""
    story = approved()
    original = story.output
    taken(story.when(edit(story.output, "Ahoy, all.")))
    output = story.output
    assert (output.state, output.votes, output.revision, output.opened) == ("pending", (), 2, False)
    assert [(revision.body, revision.made_by, revision.edited) for revision in output.revisions] == [
        ("Ahoy.", "agent", False),
        ("Ahoy, all.", "bob", True),
    ]
    assert output.revisions[0].content_hash == original.content_hash


def test_an_edit_that_changes_nothing_does_nothing() -> None:
    """A save without a change voids no approval and appends no event."""
    story = approved()
    before = len(story.events)
    assert story.when(edit(story.output, "Ahoy.")) == ()
    assert story.output.state == "approved"
    assert len(story.events) == before


def test_an_edit_keeps_what_it_leaves_out() -> None:
    """Media and arguments that an edit does not name stay; media that it names replace the old ones."""
    picture = Media(sha256="a" * 64, media_type="image/png", alt="a ship")
    action = ActionProposed(
        output_id="o1", channel="x", identity="@a", action="like", arguments={"b": 1, "a": 2}, media=(picture,)
    )
    story = Story(action)
    taken(story.when(edit(story.output, "now")))
    assert (story.output.content.media, story.output.content.arguments) == ((picture,), {"b": 1, "a": 2})
    taken(story.when(edit(story.output, "now", media=(), arguments={"a": 2})))
    assert (story.output.content.media, story.output.content.arguments) == ((), {"a": 2})
    story.given(OutputRevised(output_id="o1", body="later"))
    assert story.output.content.arguments == {"a": 2}


def test_content_that_comes_back_needs_a_new_approval() -> None:
    """An approval is of a revision: when the approved text comes back as a later revision, it is not approved."""
    story = approved()
    once = story.output.content_hash
    story.given(OutputRevised(output_id="o1", body="Other.")).given(OutputRevised(output_id="o1", body="Ahoy."))
    assert story.output.content_hash == once
    assert (story.output.state, story.output.votes) == ("pending", ())
    assert refused(story.when(start(story.output))).code == "STATE"


def test_two_must_approve_where_two_are_needed() -> None:
    """The first of two approvals leaves the output pending; the same person does not give the second."""
    story = Story(draft())
    taken(story.when(approve(story.output, judgement=TWO)))
    assert (story.output.state, len(story.output.votes), story.output.needed) == ("pending", 1, 2)
    refusal = refused(story.when(approve(story.output, judgement=TWO)))
    assert (refusal.code, refusal.exit_code) == ("DUPLICATE_VOTE", 3)
    assert "1 of 2" in refusal.message
    taken(story.when(approve(story.output, "bob", judgement=TWO)))
    assert story.output.state == "approved"


def test_nobody_approves_their_own_text_where_two_are_needed() -> None:
    """Author and editors of a content do not count among its two approvals, also of an edit of an edit."""
    story = Story(draft(), owner="ana")
    assert refused(story.when(approve(story.output, "ana", judgement=TWO))).code == "SELF"
    taken(story.when(edit(story.output, "One.", "bob", judgement=TWO)))
    taken(story.when(edit(story.output, "Two.", "cleo", judgement=TWO)))
    for actor in ("bob", "cleo", "ana"):
        refusal = refused(story.when(approve(story.output, actor, judgement=TWO)))
        assert (refusal.code, refusal.exit_code) == ("SELF", 4)
    taken(story.when(approve(story.output, "dan", judgement=TWO)))
    story.given(OutputRevised(output_id="o1", body="Three."))
    taken(story.when(approve(story.output, "bob", judgement=TWO)))


def test_one_person_may_edit_and_approve_where_one_is_enough() -> None:
    """Where one approval is needed, an editor may give it."""
    story = Story(draft())
    taken(story.when(edit(story.output, "One.", "bob")))
    taken(story.when(approve(story.output, "bob")))
    assert story.output.state == "approved"


def test_the_approvals_needed_never_fall() -> None:
    """No edit, revision, revocation or milder policy lowers the number of approvals that an output needs."""
    story = Story(draft())
    taken(story.when(approve(story.output, judgement=TWO)))
    story.given(OutputRevised(output_id="o1", body="Other."))
    taken(story.when(edit(story.output, "Third.")))
    taken(story.when(approve(story.output)))
    assert (story.output.state, story.output.needed) == ("pending", 2)
    taken(story.when(approve(story.output, "cleo")))
    taken(story.when(Revoke(output_id="o1", actor="bob")))
    assert story.output.votes == ()
    taken(story.when(approve(story.output)))
    assert story.output.state == "pending"


def test_a_stricter_policy_holds_at_once() -> None:
    """Votes are counted against what is needed now as well: one of two is not approved, and is not sent."""
    story = Story(draft())
    taken(story.when(approve(story.output, judgement=TWO)))
    assert story.output.state == "pending"
    story = approved()
    refusal = refused(story.when(start(story.output, judgement=TWO)))
    assert (refusal.code, refusal.exit_code, refusal.message) == ("NOT_APPROVED", 4, "1 of 2 approvals")


@pytest.mark.parametrize("code", ["DENIED", "LIMIT"])
def test_what_a_rule_forbids_is_not_approved_nor_sent(code: Any) -> None:
    """A finding refuses an approval, and the start of what was approved before; no note overrules it."""
    found = Judgement(findings=(Finding(code=code, message="no"),))
    story = Story(draft())
    refusal = refused(story.when(approve(story.output, judgement=found, note="but", overrides_duplicate="o0")))
    assert (refusal.code, refusal.exit_code) == (code, 4)
    story = approved()
    assert refused(story.when(start(story.output, judgement=found))).code == code


def test_a_duplicate_is_approved_only_in_spite_of_it() -> None:
    """Who repeats an earlier output names it and says why; the start then takes it too."""
    story = Story(draft())
    assert refused(story.when(approve(story.output, judgement=DUPLICATE))).code == "DUPLICATE"
    for spite in ({"overrides_duplicate": "o0"}, {"overrides_duplicate": "o9", "note": "why"}, {"note": "why"}):
        assert refused(story.when(approve(story.output, judgement=DUPLICATE, **spite))).code == "DUPLICATE"
    taken(story.when(approve(story.output, judgement=DUPLICATE, overrides_duplicate="o0", note="once more")))
    taken(story.when(start(story.output, judgement=DUPLICATE)))


@pytest.mark.parametrize("kind", [Reject, RequestChanges])
def test_a_refusal_of_content_has_a_reason(kind: type[Reject | RequestChanges]) -> None:
    """Without a reason code that the policy knows nothing is rejected; `other` needs a note as well."""
    story = Story(draft())
    seen: dict[str, Any] = {"output_id": "o1", "content_hash": story.output.content_hash, "actor": "ana"}
    for given in ({}, {"reason_code": "because"}, {"reason_code": "other"}, {"reason_code": ""}, {"note": "no"}):
        refusal = refused(story.when(kind(**seen, **given)))
        assert (refusal.code, refusal.exit_code) == ("REASON_REQUIRED", 2)
        assert all(reason in refusal.hint for reason in REASONS)
    own = Judgement(reasons=(*REASONS, "because"))
    taken(story.when(kind(**seen, reason_code="because", judgement=own)))


def test_who_works_on_it_keeps_others_out_until_the_claim_ends() -> None:
    """A live claim of another refuses verdicts; one that has run out does not; a verdict ends it."""
    story = Story(draft())
    taken(story.when(Claim(output_id="o1", actor="bob")))
    for command in (approve(story.output), edit(story.output, "x", "ana"), Claim(output_id="o1", actor="ana")):
        refusal = refused(story.when(command))
        assert (refusal.code, refusal.exit_code) == ("LEASE", 3)
        assert "bob" in refusal.message
    assert refused(story.when(Release(output_id="o1", actor="ana"))).code == "LEASE"
    taken(story.when(Claim(output_id="o1", actor="bob")))
    assert story.output.leases == 1
    story.after(timedelta(minutes=15))
    refusal = refused(story.when(approve(story.output, "bob", generation=1)))
    assert (refusal.code, refusal.message) == ("LEASE", "your claim has ended")
    taken(story.when(Claim(output_id="o1", actor="ana")))
    assert story.output.leases == 2
    taken(story.when(approve(story.output, generation=2)))
    assert story.output.lease is None


def test_a_release_frees_it() -> None:
    """After its release anybody may decide."""
    story = Story(draft())
    taken(story.when(Claim(output_id="o1", actor="bob")))
    taken(story.when(Release(output_id="o1", actor="bob")))
    taken(story.when(approve(story.output)))


@pytest.mark.parametrize(
    ("times", "now", "code"),
    [
        ({"publish_after": NOON + timedelta(hours=1)}, NOON, "NOT_DUE"),
        ({"publish_after": NOON + timedelta(hours=1)}, NOON + timedelta(hours=1), None),
        ({"not_after": NOON + timedelta(hours=1)}, NOON + timedelta(minutes=59), None),
        ({"not_after": NOON + timedelta(hours=1)}, NOON + timedelta(hours=1), "NOT_DUE"),
    ],
)
def test_it_is_sent_when_it_is_due(times: dict[str, Any], now: Any, code: str | None) -> None:
    """Nothing is sent before `publish_after`, nor from `not_after` on."""
    story = Story(draft(**times))
    taken(story.when(approve(story.output)))
    story.now = now
    outcome = story.when(start(story.output))
    assert (outcome.code if isinstance(outcome, Refusal) else None) == code


def test_a_passed_deadline_keeps_it_from_being_sent() -> None:
    """Once the deadline of the rule has passed, the output expires and is not sent."""
    hour = Judgement(deadline=NOON + timedelta(hours=1))
    story = Story(draft())
    taken(story.when(approve(story.output, judgement=hour)))
    assert refused(story.when(Expire(output_id="o1"))).code == "NOT_DUE"
    story.after(timedelta(hours=1))
    assert refused(story.when(start(story.output, judgement=hour))).code == "NOT_DUE"
    taken(story.when(Expire(output_id="o1")))
    assert story.output.state == "expired"


@pytest.mark.parametrize(
    ("found", "code"), [({"stopped": "an incident"}, "STOPPED"), ({"missing_media": ("a" * 64,)}, "MEDIA")]
)
def test_it_is_not_sent_while_something_is_in_the_way(found: dict[str, Any], code: str) -> None:
    """A stop of publication and missing media refuse the start."""
    story = approved()
    refusal = refused(story.when(start(story.output, **found)))
    assert (refusal.code, refusal.exit_code) == (code, 4)


def test_what_the_hash_does_not_name_is_not_started() -> None:
    """A worker that holds another content than the approved one does not begin to send."""
    story = approved()
    refusal = refused(story.when(Start(output_id="o1", content_hash="0" * 64, actor="w")))
    assert refusal.code == "STALE"


def test_a_machine_does_not_send_again_what_may_have_gone_out() -> None:
    """After an uncertain attempt only a person has it sent again, under the same key."""
    story = approved()
    taken(story.when(start(story.output)))
    taken(story.when(Lose(output_id="o1", attempt=1, error="no answer")))
    assert refused(story.when(start(story.output))).exit_code == 7
    taken(story.when(Resolve(output_id="o1", outcome="failed", note="it is not there", actor="ana")))
    seen: dict[str, Any] = {"output_id": "o1", "content_hash": story.output.content_hash, "actor": "w"}
    refusal = refused(story.when(Retry(**seen)))
    assert (refusal.code, refusal.exit_code) == ("UNCERTAIN", 7)
    taken(story.when(Retry(**seen, operator="ana")))
    first, second = story.output.attempts
    assert (second.number, second.idempotency_key) == (2, first.idempotency_key)


def test_a_late_word_about_an_earlier_attempt_changes_nothing() -> None:
    """A worker that was slow can't confirm or fail the attempt that came after its own."""
    story = approved()
    taken(story.when(start(story.output)))
    taken(story.when(Fail(output_id="o1", attempt=1, error="refused")))
    taken(story.when(Retry(output_id="o1", content_hash=story.output.content_hash, actor="w")))
    for late in (
        Confirm(output_id="o1", attempt=1, external_id="4"),
        Fail(output_id="o1", attempt=1, error="x"),
        Lose(output_id="o1", attempt=1, error="x"),
    ):
        assert refused(story.when(late)).code == "STALE"


def test_a_person_says_how_they_know() -> None:
    """To resolve, withdraw and retract takes a note; to resolve as published takes the platform's id."""
    story = approved()
    assert refused(story.when(Withdraw(output_id="o1", actor="ana", note=" "))).code == "REASON_REQUIRED"
    taken(story.when(start(story.output)))
    taken(story.when(Lose(output_id="o1", attempt=1, error="no answer")))
    for given in ({"outcome": "failed"}, {"outcome": "published", "note": "seen"}):
        assert refused(story.when(Resolve(output_id="o1", actor="ana", **given))).code == "REASON_REQUIRED"
    taken(story.when(Resolve(output_id="o1", actor="ana", outcome="published", note="seen", external_id="4")))
    assert refused(story.when(Retract(output_id="o1", actor="ana"))).code == "REASON_REQUIRED"


def test_an_output_is_superseded_by_a_later_one_of_its_own_agent() -> None:
    """Another agent's draft, and an earlier one, take nobody's place."""
    story = Story(draft())
    other: dict[str, Any] = {"output_id": "o1", "superseded_by": "o2"}
    assert refused(story.when(Supersede(**other, agent_id="other", drafted_at=9))).code == "OWNER"
    assert refused(story.when(Supersede(**other, agent_id="agent", drafted_at=1))).code == "STATE"
    taken(story.when(Supersede(**other, agent_id="agent", drafted_at=9)))
    assert (story.output.state, story.output.superseded_by) == ("superseded", "o2")
