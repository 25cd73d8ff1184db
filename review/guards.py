"""The guards of the table in `review.states`: each is one sentence that must hold, or says why it does not.

A guard takes the output, the command and the time. It returns None, or the refusal.
"""
# ruff: noqa: ARG001 - every guard has the signature that the table calls it with

from __future__ import annotations

from datetime import datetime
from typing import Any

from review.commands import (
    Acknowledge,
    Approve,
    AutoDecide,
    Claim,
    Command,
    Edit,
    Expire,
    Flag,
    OfAttempt,
    Rehearse,
    Reject,
    Release,
    RequestChanges,
    Resolve,
    Retry,
    Start,
    Supersede,
)
from review.output import Output
from review.policy.rules import BY_ITSELF, EVERYTHING
from review.refusals import Refusal, ago, no_role, refuse, stale

Verdict = Edit | Approve | RequestChanges | Reject


def content_is_current(output: Output, command: Any, now: datetime) -> Refusal | None:
    """The hash that the command names is the hash of the present content, computed now."""
    if command.content_hash is None or command.content_hash == output.content.hash():
        return None
    return stale(output, command.content_hash, now)


def lease_is_not_lost(output: Output, command: Verdict, now: datetime) -> Refusal | None:
    """Nobody else works on it, and the claim that the command names still holds."""
    lease = output.lease_at(now)
    if lease is not None and lease.holder != command.actor:
        return refuse(
            output,
            "LEASE",
            f"{lease.holder} works on it until {lease.expires_at:%H:%M:%S} UTC",
            "take the next one, or wait until the claim ends",
        )
    if command.generation is not None and (lease is None or lease.generation != command.generation):
        return refuse(output, "LEASE", "your claim has ended", "claim it again, look at it again, then decide")
    return None


def lease_is_free_or_own(output: Output, command: Claim, now: datetime) -> Refusal | None:
    """Nobody else works on it."""
    lease = output.lease_at(now)
    if lease is None or lease.holder == command.actor:
        return None
    return refuse(
        output, "LEASE", f"{lease.holder} works on it until {lease.expires_at:%H:%M:%S} UTC", "take the next one"
    )


def lease_is_own(output: Output, command: Release, now: datetime) -> Refusal | None:
    """There is a claim, and it is the actor's own."""
    lease = output.lease_at(now)
    if lease is not None and lease.holder == command.actor:
        return None
    held = "nobody" if lease is None else lease.holder
    return refuse(output, "LEASE", f"{command.actor} holds no claim on it; {held} does")


def is_not_an_author(output: Output, command: Approve, now: datetime) -> Refusal | None:
    """Where two or more must approve, nobody approves their own text."""
    if _needed(output, command) < 2 or command.actor not in output.current.authors:
        return None
    return refuse(
        output,
        "SELF",
        f"{command.actor} wrote or edited this content, which needs {_needed(output, command)} approvals by others",
        "let somebody else approve it",
    )


def is_a_new_voter(output: Output, command: Approve, now: datetime) -> Refusal | None:
    """Each person has one vote."""
    given = next((vote for vote in output.votes if vote.actor == command.actor), None)
    if given is None:
        return None
    return refuse(
        output,
        "DUPLICATE_VOTE",
        f"{command.actor} approved it {ago(given.at, now)}: {len(output.votes)} of {_needed(output, command)} votes",
        "it waits for somebody else",
    )


def nobody_works_on_it(output: Output, command: AutoDecide, now: datetime) -> Refusal | None:
    """Nobody has claimed it: what a person is looking at, that person decides."""
    lease = output.lease_at(now)
    if lease is None:
        return None
    return refuse(output, "LEASE", f"{lease.holder} works on it until {lease.expires_at:%H:%M:%S} UTC", "wait")


def the_rules_decide_it(output: Output, command: AutoDecide, now: datetime) -> Refusal | None:
    """A rule rejects it; or approves it, when it was taken up, and now, and no person has had a hand in it."""
    judged = command.judgement
    if judged.decides == "reject":
        return None
    if output.for_person or output.mode not in BY_ITSELF:
        return refuse(output, "NOT_APPROVED", "it waits for a person, so a person decides", "wait for a verdict")
    if judged.decides == "approve" and _needed(output, command) == 1:
        return None
    because = judged.because if judged.decides is None else f"{_needed(output, command)} approvals are needed"
    return refuse(output, "NOT_APPROVED", because, "let a person decide")


def nothing_was_found_in_it(output: Output, command: Approve | Start, now: datetime) -> Refusal | None:
    """No rule forbids the content; a duplicate may have been overridden, with a reason."""
    overridden = {vote.overrides_duplicate for vote in output.votes}
    if isinstance(command, Approve) and command.note and command.note.strip():
        overridden.add(command.overrides_duplicate)
    overridden.discard(None)
    for finding in command.judgement.findings:
        if finding.code != "DUPLICATE" or finding.output_id not in overridden:
            hint = (
                f"edit it, or approve it in spite of {finding.output_id} and note why"
                if finding.code == "DUPLICATE"
                else "edit it, or reject it"
            )
            return refuse(output, finding.code, finding.message, hint)
    return None


def an_override_has_a_reason(output: Output, command: Approve, now: datetime) -> Refusal | None:
    """Who approves in spite of a duplicate says why."""
    if command.overrides_duplicate is None or (command.note and command.note.strip()):
        return None
    return refuse(output, "REASON_REQUIRED", "a note that says why it may repeat another was expected", "give a note")


def a_reason_is_given(output: Output, command: RequestChanges | Reject | Flag, now: datetime) -> Refusal | None:
    """A refusal has a reason code that the policy knows; `other` has a note."""
    reasons = command.judgement.reasons
    if command.reason_code in reasons and (command.reason_code != "other" or command.note):
        return None
    if command.reason_code == "other":
        message = "the reason `other` needs a note that says why"
    elif command.reason_code:
        message = f"{command.reason_code!r:.60} is no reason code"
    else:
        message = "a reason code was expected, none was given"
    return refuse(output, "REASON_REQUIRED", message, "give one of: " + ", ".join(reasons))


def a_note_is_given(output: Output, command: Command, now: datetime) -> Refusal | None:
    """The note says why."""
    if command.note and command.note.strip():
        return None
    return refuse(output, "REASON_REQUIRED", "a note that says why was expected, none was given", "give a note")


def its_time_is_over(output: Output, command: Expire, now: datetime) -> Refusal | None:
    """`not_after` or the deadline has passed."""
    limits = [limit for limit in (output.not_after, output.deadline) if limit is not None]
    if any(limit <= now for limit in limits):
        return None
    until = f"until {min(limits).isoformat()}" if limits else "without end"
    return refuse(output, "NOT_DUE", f"it may wait {until}")


def is_the_owner(output: Output, command: Supersede, now: datetime) -> Refusal | None:
    """Only its own agent puts another output in its place."""
    if command.agent_id == output.agent_id:
        return None
    return refuse(output, "OWNER", f"it belongs to {output.agent_id}, not to {command.agent_id}")


def the_other_is_newer(output: Output, command: Supersede, now: datetime) -> Refusal | None:
    """An output takes the place of an earlier one: two can't take each other's."""
    if output.revisions[0].position < command.drafted_at:
        return None
    return refuse(output, "STATE", f"{command.superseded_by} was drafted before it")


def is_due(output: Output, command: Start, now: datetime) -> Refusal | None:
    """`publish_after` has come, and neither `not_after` nor the deadline has."""
    if output.publish_after is not None and now < output.publish_after:
        return refuse(output, "NOT_DUE", f"it goes out from {output.publish_after.isoformat()} on", "wait until then")
    for limit in (output.not_after, output.deadline):
        if limit is not None and limit <= now:
            return refuse(output, "NOT_DUE", f"it was to go out before {limit.isoformat()}", "it will expire")
    return None


def it_is_to_be_sent(output: Output, command: Start, now: datetime) -> Refusal | None:
    """Neither when it was taken up nor now a rule asks for a dry run."""
    if not _is_dry_run(output, command):
        return None
    return refuse(output, "DRY_RUN", "a rule asks for a dry run, so nothing is sent", "copydesk review policy show")


def it_is_a_dry_run(output: Output, command: Rehearse, now: datetime) -> Refusal | None:
    """When it was taken up, or now, a rule asks for a dry run."""
    return None if _is_dry_run(output, command) else refuse(output, "STATE", "no rule asks for a dry run")


def limits_are_kept(output: Output, command: Start, now: datetime) -> Refusal | None:
    """No limit on how much is sent in a day, or how soon after the last, is reached."""
    for finding in command.judgement.held:
        return refuse(output, finding.code, finding.message, "it waits until the limit allows it")
    return None


def publication_is_not_stopped(output: Output, command: Start, now: datetime) -> Refusal | None:
    """Nobody has stopped publication for its agent or channel."""
    if command.stopped is None:
        return None
    return refuse(output, "STOPPED", f"publication is stopped: {command.stopped}", "copydesk publish resume")


def enough_have_approved(output: Output, command: Start, now: datetime) -> Refusal | None:
    """The live votes are as many as were needed when it was opened, and now; a rule's counts while it would give it."""
    needed = _needed(output, command)
    votes = sum(not vote.by_rule or command.judgement.decides == "approve" for vote in output.votes)
    if votes >= needed:
        return None
    return refuse(
        output,
        "NOT_APPROVED",
        f"{votes} of {needed} approvals"
        + (", since the rule that approved it no longer does" if votes < len(output.votes) else ""),
        "revoke the approval, then let as many people approve it",
    )


def media_are_whole(output: Output, command: Start, now: datetime) -> Refusal | None:
    """The bytes of all its media are there, unaltered."""
    if not command.missing_media:
        return None
    missing = ", ".join(digest[:12] for digest in command.missing_media)
    return refuse(
        output, "MEDIA", f"media are missing or altered: {missing}", "put the files back into the media folder"
    )


def a_machine_may_retry(output: Output, command: Retry, now: datetime) -> Refusal | None:
    """After an uncertain send only a person has it sent again."""
    if command.operator is not None and not command.roles & EVERYTHING:
        return no_role(output, command.operator, "have it sent again", sorted(EVERYTHING))
    if command.operator is not None or not any(
        attempt.was_uncertain for attempt in output.attempts if attempt.revision == output.revision
    ):
        return None
    return refuse(
        output,
        "UNCERTAIN",
        "an earlier attempt may have gone out; a machine does not send it again",
        "look at the platform, then edit it or have it sent again yourself",
    )


def attempt_is_current(output: Output, command: OfAttempt, now: datetime) -> Refusal | None:
    """It is about the newest attempt."""
    newest = output.attempt
    if newest is not None and newest.number == command.attempt:
        return None
    last = 0 if newest is None else newest.number
    return refuse(output, "STALE", f"it is about attempt {command.attempt}; the newest is {last}")


def it_was_sent_from_here(output: Output, command: Command, now: datetime) -> Refusal | None:
    """There is an attempt in the ledger; what was imported as published has none."""
    if output.attempts:
        return None
    return refuse(output, "STATE", "it was not sent by copydesk, so there is no receipt of it", "act on the platform")


def a_receipt_is_given(output: Output, command: Resolve, now: datetime) -> Refusal | None:
    """Who says that it was published says under which id of the platform."""
    if command.outcome == "failed" or command.external_id:
        return None
    return refuse(
        output,
        "REASON_REQUIRED",
        "the platform's id of the output was expected, none was given",
        "give its external id",
    )


def is_posthoc(output: Output, command: Acknowledge | Flag, now: datetime) -> Refusal | None:
    """A rule let it out before anybody looked."""
    if output.mode == "posthoc":
        return None
    return refuse(output, "STATE", "it was reviewed before it was published", "an admin can retract it")


def _is_dry_run(output: Output, command: Start) -> bool:
    return "dry_run" in (output.mode, command.judgement.mode)


def _needed(output: Output, command: Command) -> int:
    return max(output.needed, command.judgement.needed)
