"""What an accepted command appends: the second half of each move in `review.states`.

An empty tuple means that there was nothing to do.
"""
# ruff: noqa: ARG001 - every effect has the signature that the table calls it with

from __future__ import annotations

from datetime import datetime
from typing import Any

from capture import Event, derived_id
from capture.vocabulary import (
    PublicationConfirmed,
    PublicationFailed,
    PublicationLost,
    PublicationRehearsed,
    PublicationResolved,
    PublicationRetracted,
    PublicationRetractionFailed,
    PublicationRetractionStarted,
    PublicationStarted,
    ReviewAcknowledged,
    ReviewApproved,
    ReviewAutomationPaused,
    ReviewChangesRequested,
    ReviewClaimed,
    ReviewEdited,
    ReviewExpired,
    ReviewFlagged,
    ReviewOpened,
    ReviewRejected,
    ReviewReleased,
    ReviewRevoked,
    ReviewShown,
    ReviewSuperseded,
    ReviewWithdrawn,
)
from review.commands import (
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
    Revoke,
    Show,
    Start,
    Supersede,
    Withdraw,
)
from review.output import Output
from review.policy.rules import BY_ITSELF


def idempotency_key(output_id: str, revision: int, content_hash: str) -> str:
    """The key under which exactly this content of exactly this output is sent, however often it is tried."""
    return str(derived_id("publication", output_id, str(revision), content_hash))


def opening(output: Output, command: Command) -> ReviewOpened:
    """Take the present revision up as the policy says now; the approvals needed never fall."""
    judged = command.judgement
    return ReviewOpened(
        **_revision(output),
        policy=judged.policy,
        mode=judged.mode,
        needed=max(output.needed, judged.needed),
        deadline=judged.deadline,
        publisher=judged.publisher,
        findings=judged.findings,
    )


def open_once(output: Output, command: Open, now: datetime) -> tuple[Event, ...]:
    """Each revision is opened once. What a rule rejects is rejected there at once."""
    if output.opened:
        return ()
    rejected = (_rejected_by_rule(output, command),) if command.judgement.decides == "reject" else ()
    return (opening(output, command), *rejected)


def auto_decide(output: Output, command: AutoDecide, now: datetime) -> tuple[Event, ...]:
    """What the rules say, under the name of the policy and its version."""
    if command.judgement.decides == "reject":
        return (_rejected_by_rule(output, command),)
    return (ReviewApproved(**_revision(output), **_by_rule(command), needed=output.needed),)


def show_once(output: Output, command: Show, now: datetime) -> tuple[ReviewShown, ...]:
    """Each reviewer sees each revision for the first time once."""
    return () if command.actor in output.shown_to else (ReviewShown(**_revision(output), **_actor(command)),)


def claim(output: Output, command: Claim, now: datetime) -> tuple[ReviewClaimed]:
    """A renewal keeps the generation; a new claim gets the next."""
    own = output.lease_at(now)
    return (
        ReviewClaimed(
            **_revision(output),
            **_actor(command),
            generation=output.leases + 1 if own is None else own.generation,
            expires_at=now + command.duration,
        ),
    )


def release(output: Output, command: Release, now: datetime) -> tuple[ReviewReleased]:
    """The claim ends."""
    return (ReviewReleased(**_revision(output), **_actor(command), generation=output.leases),)


def edit(output: Output, command: Edit, now: datetime) -> tuple[ReviewEdited, ...]:
    """A new revision, with the whole content; nothing when the content stays as it is."""
    media = output.content.media if command.media is None else command.media
    edited = output.content.with_parts(command.body, media, command.arguments)
    if edited.hash() == output.content_hash:
        return ()
    return (
        ReviewEdited(
            output_id=output.output_id,
            revision=output.revision + 1,
            content_hash=edited.hash(),
            **_actor(command),
            seen_hash=command.content_hash,
            body=edited.body,
            media=edited.media,
            arguments=edited.arguments,
        ),
    )


def vote(output: Output, command: Approve, now: datetime) -> tuple[ReviewApproved]:
    """One of the approvals that are needed."""
    return (
        ReviewApproved(
            **_revision(output),
            **_actor(command),
            needed=max(output.needed, command.judgement.needed),
            overrides_duplicate=command.overrides_duplicate,
        ),
    )


def request_changes(output: Output, command: RequestChanges, now: datetime) -> tuple[ReviewChangesRequested]:
    """Back to the agent."""
    return (ReviewChangesRequested(**_revision(output), **_actor(command), reason_code=command.reason_code or ""),)


def reject(output: Output, command: Reject, now: datetime) -> tuple[Event, ...]:
    """Never to be published. A rule that would have approved it stands down for the identity."""
    judged = command.judgement
    paused = (_stood_down(output, command),) if judged.would_approve and not judged.stands_down else ()
    return (*paused, ReviewRejected(**_revision(output), **_actor(command), reason_code=command.reason_code or ""))


def revoke(output: Output, command: Revoke, now: datetime) -> tuple[ReviewRevoked]:
    """The votes are void."""
    return (ReviewRevoked(**_revision(output), **_actor(command)),)


def expire(output: Output, command: Expire, now: datetime) -> tuple[ReviewExpired]:
    """Closed, undecided."""
    own = output.not_after is not None and output.not_after <= now
    return (ReviewExpired(**_revision(output), limit="not_after" if own else "deadline"),)


def withdraw(output: Output, command: Withdraw, now: datetime) -> tuple[ReviewWithdrawn]:
    """Closed by an admin."""
    return (ReviewWithdrawn(**_revision(output), **_actor(command)),)


def supersede(output: Output, command: Supersede, now: datetime) -> tuple[ReviewSuperseded]:
    """Closed, since another took its place."""
    return (ReviewSuperseded(**_revision(output), superseded_by=command.superseded_by),)


def start(output: Output, command: Start, now: datetime) -> tuple[PublicationStarted]:
    """The next attempt, under the one key of this output, revision and hash."""
    return (
        PublicationStarted(
            **_revision(output),
            attempt=len(output.attempts) + 1,
            publisher=output.publisher,
            idempotency_key=idempotency_key(output.output_id, output.revision, output.content_hash),
            worker=command.actor,
        ),
    )


def confirm(output: Output, command: Confirm, now: datetime) -> tuple[PublicationConfirmed]:
    """The receipt is kept."""
    return (
        PublicationConfirmed(**_attempt(output), external_id=command.external_id, url=command.url, published_at=now),
    )


def fail(output: Output, command: Fail, now: datetime) -> tuple[PublicationFailed]:
    """Known not to have gone out."""
    return (PublicationFailed(**_attempt(output), error=command.error),)


def lose(output: Output, command: Lose, now: datetime) -> tuple[PublicationLost]:
    """Nobody knows."""
    return (PublicationLost(**_attempt(output), error=command.error),)


def resolve(output: Output, command: Resolve, now: datetime) -> tuple[PublicationResolved]:
    """A person knows."""
    return (
        PublicationResolved(
            **_attempt(output),
            outcome=command.outcome,
            external_id=command.external_id,
            url=command.url,
            **(_actor(command) | {"note": command.note or ""}),
        ),
    )


def acknowledge(output: Output, command: Acknowledge, now: datetime) -> tuple[ReviewAcknowledged, ...]:
    """It may stay; once is enough."""
    if output.acknowledged:
        return ()
    return (ReviewAcknowledged(**_revision(output), **_actor(command)),)


def flag(output: Output, command: Flag, now: datetime) -> tuple[Event, ...]:
    """It should not; once is enough. The rule that let it out stands down for the identity."""
    if output.flagged:
        return ()
    judged = command.judgement
    paused = (_stood_down(output, command),) if judged.mode in BY_ITSELF and not judged.stands_down else ()
    return (*paused, ReviewFlagged(**_revision(output), **_actor(command), reason_code=command.reason_code or ""))


def rehearse(output: Output, command: Rehearse, now: datetime) -> tuple[PublicationRehearsed, ...]:
    """Each revision is rehearsed once."""
    if output.rehearsed == output.revision:
        return ()
    return (PublicationRehearsed(**_revision(output), publisher=output.publisher, worker=command.actor),)


def retract(output: Output, command: Retract, now: datetime) -> tuple[PublicationRetractionStarted]:
    """The platform is asked to take it back."""
    return (PublicationRetractionStarted(**_attempt(output), **(_actor(command) | {"note": command.note or ""})),)


def confirm_retraction(output: Output, command: Confirm, now: datetime) -> tuple[PublicationRetracted]:
    """It is gone."""
    return (PublicationRetracted(**_attempt(output)),)


def fail_retraction(output: Output, command: Fail, now: datetime) -> tuple[PublicationRetractionFailed]:
    """It still stands."""
    return (PublicationRetractionFailed(**_attempt(output), error=command.error),)


def _revision(output: Output) -> dict[str, Any]:
    return {"output_id": output.output_id, "revision": output.revision, "content_hash": output.content_hash}


def _actor(command: Command) -> dict[str, Any]:
    return {"actor": command.actor, "actor_source": command.actor_source, "note": command.note}


def _by_rule(command: Command) -> dict[str, Any]:
    judged = command.judgement
    return {"actor": judged.policy, "actor_source": "policy", "note": judged.because[:4_000] or None}


def _rejected_by_rule(output: Output, command: Command) -> ReviewRejected:
    return ReviewRejected(**_revision(output), **_by_rule(command), reason_code="other")


def _stood_down(output: Output, command: Command) -> ReviewAutomationPaused:
    return ReviewAutomationPaused(
        actor=command.actor,
        actor_source=command.actor_source,
        policy=command.judgement.policy,
        rule=command.judgement.rule,
        identity=output.identity,
        rejected=output.output_id,
    )


def _attempt(output: Output) -> dict[str, Any]:
    attempt = output.attempts[-1]
    return {
        "output_id": output.output_id,
        "revision": attempt.revision,
        "content_hash": attempt.content_hash,
        "attempt": attempt.number,
        "publisher": attempt.publisher,
    }
