"""`evolve`: from an output and the next event of its stream to the output afterwards. Total: no event is an error.

What an agent emits is a fact that was never refused. Where the rules do not allow it (a second draft, another agent's
revision or withdrawal, anything once sending has begun) it changes nothing but `ignored`. What the desk appended was
decided under the log's lock and always applies; only an approval, or an opening, of other content than the present one
is ignored too, as the last line of the promise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from capture import Event, Recorded
from capture.vocabulary import (
    Draft,
    OutputRevised,
    OutputWithdrawn,
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
from review.commands import SYSTEM
from review.output import Attempt, Content, Early, Entry, Ignored, Lease, Output, Revision, State, Vote
from review.policy.rules import BY_ITSELF
from review.refusals import code_of_state

OPEN_TO_ITS_AGENT = frozenset({State.PENDING, State.CHANGES_REQUESTED, State.APPROVED, State.PUBLISH_FAILED})
"""States in which the owner may still revise or withdraw: nothing is being sent, nothing may have gone out."""

Changes = dict[str, Any]


def evolve(output: Output | None, recorded: Recorded[Any]) -> Output | None:
    """The output after one more event.

    Args:
        output: What the events before it made; None when there were none.
        recorded: The next event, in the order of positions. One that is not about outputs changes nothing.
    """
    event = recorded.payload
    if isinstance(event, Draft):
        return _drafted(output, event, recorded)
    if type(event) not in APPLIES:
        return output
    if output is None:
        output = Output(output_id=event.output_id)
    if not output.drafted:
        return _before_the_draft(output, event, recorded)
    if isinstance(event, OutputRevised | OutputWithdrawn):
        code = refused_to_agent(output, recorded.agent_id)
        if code is not None:
            return _ignore(output, recorded, code)
    elif isinstance(event, ReviewApproved | ReviewOpened) and (event.revision, event.content_hash) != (
        output.revision,
        output.content_hash,
    ):
        return _ignore(output, recorded, "STALE")
    changes = APPLIES[type(event)](output, event, recorded)
    return _applied(output, changes, event, recorded)


def opened(output: Output, event: ReviewOpened) -> Changes:
    """What `review.opened` changes; `decide` needs it before the event has a position."""
    return {
        "opened": True,
        "policy": event.policy,
        "mode": event.mode,
        "needed": max(output.needed, event.needed),
        "deadline": event.deadline,
        "publisher": event.publisher,
        "findings": event.findings,
        "for_person": output.for_person or event.mode not in BY_ITSELF or bool(event.findings),
    }


def refused_to_agent(output: Output, agent_id: str) -> str | None:
    """Why an agent may not revise or withdraw the output now, as a code; None when it may."""
    if agent_id != output.agent_id:
        return "OWNER"
    return None if output.state in OPEN_TO_ITS_AGENT else code_of_state(output.state)


def _drafted(output: Output | None, draft: Draft, recorded: Recorded[Any]) -> Output:
    if output is not None and output.drafted:
        return _ignore(output, recorded, "SECOND_DRAFT")
    awaited = output or Output(output_id=draft.output_id)
    content = Content.of(draft)
    revision = Revision(
        number=1,
        content_hash=content.hash(),
        body=content.body,
        media=content.media,
        arguments=content.arguments,
        made_by=recorded.agent_id,
        edited=False,
        authors=(recorded.agent_id,),
        position=recorded.position,
        made_at=recorded.recorded_at,
    )
    born = awaited.model_copy(
        update={
            "agent_id": recorded.agent_id,
            "content": content,
            "content_hash": revision.content_hash,
            "revision": 1,
            "revisions": (revision,),
            "submitted_at": recorded.recorded_at,
            "tone": draft.tone,
            "trigger_context": draft.trigger_context,
            "confidence": draft.confidence,
            "risk_flags": draft.risk_flags,
            "publish_after": draft.publish_after,
            "not_after": draft.not_after,
            "dedupe_key": draft.dedupe_key,
            "supersedes": draft.supersedes,
            "metadata": draft.metadata,
            "early": (),
        }
    )
    born = _applied(born, {"state": State.PENDING}, draft, recorded)
    for early in awaited.early:
        if early.agent_id != born.agent_id or born.state is State.WITHDRAWN:
            born = born.model_copy(update={"ignored": (*born.ignored, Ignored(early.position, "OWNER"))})
        else:
            entry = Entry(
                position=early.position,
                at=early.at,
                what=OutputWithdrawn.event_type,
                by=early.agent_id,
                state=State.WITHDRAWN,
                revision=born.revision,
                content_hash=born.content_hash,
                note=early.note,
            )
            closed = {"state": State.WITHDRAWN, "decided": entry, "history": (*born.history, entry)}
            born = born.model_copy(update=closed)
    return born


def _before_the_draft(output: Output, event: Event, recorded: Recorded[Any]) -> Output:
    if not isinstance(event, OutputWithdrawn):
        return _ignore(output, recorded, "NO_DRAFT")
    early = Early(recorded.position, recorded.agent_id, recorded.recorded_at, event.reason)
    return output.model_copy(update={"early": (*output.early, early), **_seen(recorded)})


def _ignore(output: Output, recorded: Recorded[Any], code: str) -> Output:
    ignored = (*output.ignored, Ignored(recorded.position, code))
    return output.model_copy(update={"ignored": ignored, **_seen(recorded)})


def _applied(output: Output, changes: Changes, event: Any, recorded: Recorded[Any]) -> Output:
    state = changes.get("state", output.state)
    after = output.model_copy(update={**changes, **_seen(recorded)})
    entry = Entry(
        position=recorded.position,
        at=recorded.recorded_at,
        what=recorded.event_type,
        by=_who(event, recorded),
        state=state,
        revision=after.revision,
        content_hash=after.content_hash,
        reason_code=getattr(event, "reason_code", None),
        note=getattr(event, "note", None) or getattr(event, "reason", None) or getattr(event, "error", None),
    )
    decided = entry if state is not output.state or "revisions" in changes else output.decided
    return after.model_copy(update={"history": (*output.history, entry), "decided": decided})


def _who(event: Any, recorded: Recorded[Any]) -> str:
    if isinstance(event, Draft | OutputRevised | OutputWithdrawn):
        return recorded.agent_id
    if isinstance(event, PublicationStarted | PublicationRehearsed):
        return event.worker
    if isinstance(event, ReviewOpened):
        return event.policy
    return getattr(event, "actor", None) or getattr(event, "publisher", None) or SYSTEM


def _seen(recorded: Recorded[Any]) -> Changes:
    return {"updated_at": recorded.recorded_at, "position": recorded.position}


def _new_content(output: Output, event: Any, made_by: str, recorded: Recorded[Any], *, edited: bool) -> Changes:
    content = output.content.with_parts(event.body, event.media, event.arguments)
    revision = Revision(
        number=output.revision + 1,
        content_hash=content.hash(),
        body=content.body,
        media=content.media,
        arguments=content.arguments,
        made_by=made_by,
        edited=edited,
        authors=(*output.current.authors, made_by) if edited else (made_by,),
        position=recorded.position,
        made_at=recorded.recorded_at,
        note=event.note,
    )
    return {
        "state": State.PENDING,
        "content": content,
        "content_hash": revision.content_hash,
        "revision": revision.number,
        "revisions": (*output.revisions, revision),
        "votes": (),
        "opened": False,
        "findings": (),
        "shown_to": (),
    }


def _revised(output: Output, event: OutputRevised, recorded: Recorded[Any]) -> Changes:
    return _new_content(output, event, recorded.agent_id, recorded, edited=False)


def _edited(output: Output, event: ReviewEdited, recorded: Recorded[Any]) -> Changes:
    return {**_new_content(output, event, event.actor, recorded, edited=True), "for_person": True}


def _approved(output: Output, event: ReviewApproved, recorded: Recorded[Any]) -> Changes:
    vote = Vote(
        actor=event.actor,
        position=recorded.position,
        at=recorded.recorded_at,
        overrides_duplicate=event.overrides_duplicate,
    )
    votes, needed = (*output.votes, vote), max(output.needed, event.needed)
    state = State.APPROVED if len(votes) >= needed else output.state
    by_person = output.for_person or not vote.by_rule
    return {"votes": votes, "needed": needed, "state": state, "lease": None, "for_person": by_person}


def _to(state: State) -> Callable[[Output, Any, Recorded[Any]], Changes]:
    def change(output: Output, event: Any, recorded: Recorded[Any]) -> Changes:  # noqa: ARG001 - as all of APPLIES
        return {
            "state": state,
            "votes": (),
            "lease": None,
            "superseded_by": getattr(event, "superseded_by", None),
            "for_person": output.for_person or isinstance(event, ReviewChangesRequested | ReviewRevoked),
        }

    return change


def _claimed(output: Output, event: ReviewClaimed, recorded: Recorded[Any]) -> Changes:  # noqa: ARG001 - as all of APPLIES
    lease = Lease(holder=event.actor, generation=event.generation, expires_at=event.expires_at)
    return {"lease": lease, "leases": event.generation}


def _started(output: Output, event: PublicationStarted, recorded: Recorded[Any]) -> Changes:
    attempt = Attempt(
        number=event.attempt,
        revision=event.revision,
        content_hash=event.content_hash,
        publisher=event.publisher,
        idempotency_key=event.idempotency_key,
        worker=event.worker,
        state="publishing",
        started_position=recorded.position,
        started_at=recorded.recorded_at,
        was_uncertain=False,
    )
    return {"state": State.PUBLISHING, "attempts": (*output.attempts, attempt)}


def _finished(output: Output, event: Any, recorded: Recorded[Any], outcome: str, **more: Any) -> tuple[Attempt, ...]:
    return tuple(
        attempt.model_copy(update={"state": outcome, "finished_at": recorded.recorded_at, **more})
        if attempt.number == event.attempt
        else attempt
        for attempt in output.attempts
    )


def _confirmed(output: Output, event: PublicationConfirmed | PublicationResolved, recorded: Recorded[Any]) -> Changes:
    attempts = _finished(output, event, recorded, "published", external_id=event.external_id, url=event.url)
    return {"state": State.PUBLISHED, "attempts": attempts, "published_at": recorded.recorded_at}


def _failed(output: Output, event: PublicationFailed, recorded: Recorded[Any]) -> Changes:
    return {
        "state": State.PUBLISH_FAILED,
        "attempts": _finished(output, event, recorded, "failed", error=event.error),
    }


def _lost(output: Output, event: PublicationLost, recorded: Recorded[Any]) -> Changes:
    attempts = _finished(output, event, recorded, "uncertain", error=event.error, was_uncertain=True)
    return {"state": State.UNCERTAIN, "attempts": attempts}


def _resolved(output: Output, event: PublicationResolved, recorded: Recorded[Any]) -> Changes:
    if event.outcome == "published":
        return _confirmed(output, event, recorded)
    attempts = _finished(output, event, recorded, "failed", error=event.note)
    return {"state": State.PUBLISH_FAILED, "attempts": attempts}


APPLIES: dict[type[Event], Callable[[Output, Any, Recorded[Any]], Changes]] = {
    OutputRevised: _revised,
    OutputWithdrawn: _to(State.WITHDRAWN),
    ReviewOpened: lambda output, event, _: opened(output, event),
    ReviewShown: lambda output, event, _: {"shown_to": (*output.shown_to, event.actor)},
    ReviewClaimed: _claimed,
    ReviewReleased: lambda *_: {"lease": None},
    ReviewEdited: _edited,
    ReviewApproved: _approved,
    ReviewChangesRequested: _to(State.CHANGES_REQUESTED),
    ReviewRejected: _to(State.REJECTED),
    ReviewRevoked: _to(State.PENDING),
    ReviewExpired: _to(State.EXPIRED),
    ReviewWithdrawn: _to(State.WITHDRAWN),
    ReviewSuperseded: _to(State.SUPERSEDED),
    ReviewAcknowledged: lambda *_: {"acknowledged": True},
    ReviewFlagged: lambda *_: {"flagged": True},
    PublicationStarted: _started,
    PublicationRehearsed: lambda _, event, __: {"rehearsed": event.revision},
    PublicationConfirmed: _confirmed,
    PublicationFailed: _failed,
    PublicationLost: _lost,
    PublicationResolved: _resolved,
    PublicationRetractionStarted: lambda *_: {"state": State.RETRACTING},
    PublicationRetracted: lambda *_: {"state": State.RETRACTED},
    PublicationRetractionFailed: lambda *_: {"state": State.PUBLISHED},
}
"""What each event changes."""
