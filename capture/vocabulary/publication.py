"""What the publishing worker records, through the desk: the ledger of everything that was sent or may have been."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from capture.events.event import Event, OutputId
from capture.vocabulary.drafts import Channel, Line, Sha256, Url
from capture.vocabulary.outputs import Note
from capture.vocabulary.review import Actor, ActorSource, Revision


class _OfAttempt(Event):
    output_id: OutputId
    revision: Revision
    content_hash: Sha256
    attempt: Annotated[int, Field(ge=1)]
    publisher: Line


class PublicationStarted(_OfAttempt, type="publication.started", version=1, stream="output_id"):
    """Sending begins. Committed durably before the first byte leaves; the database refuses it without an approval."""

    idempotency_key: Line
    worker: Line


class PublicationConfirmed(_OfAttempt, type="publication.confirmed", version=1, stream="output_id"):
    """The platform has it: its own id for the output, and where it can be seen."""

    external_id: Line
    url: Url | None = None
    published_at: AwareDatetime | None = None


class PublicationFailed(_OfAttempt, type="publication.failed", version=1, stream="output_id"):
    """Nothing was sent, or the publisher knows that the platform did not accept it."""

    error: Note


class PublicationLost(_OfAttempt, type="publication.lost", version=1, stream="output_id"):
    """It may have gone out and may not: no answer, an answer that proves nothing, or a worker that died."""

    error: Note


class PublicationResolved(_OfAttempt, type="publication.resolved", version=1, stream="output_id"):
    """A person found out what became of an uncertain send. `note` says how."""

    outcome: Literal["published", "failed"]
    actor: Actor
    actor_source: ActorSource = "api"
    note: Note
    external_id: Line | None = None
    url: Url | None = None


class PublicationRetractionStarted(_OfAttempt, type="publication.retraction_started", version=1, stream="output_id"):
    """An admin has the output taken back from the platform. `note` says why."""

    actor: Actor
    actor_source: ActorSource = "api"
    note: Note


class PublicationRetracted(_OfAttempt, type="publication.retracted", version=1, stream="output_id"):
    """The platform has it no more."""


class PublicationRetractionFailed(_OfAttempt, type="publication.retraction_failed", version=1, stream="output_id"):
    """The platform still has it."""

    error: Note


class PublicationRehearsed(Event, type="publication.rehearsed", version=1, stream="output_id"):
    """Everything was ready to be sent, and under `dry_run` nothing was. Once for each output, revision and hash."""

    output_id: OutputId
    revision: Revision
    content_hash: Sha256
    publisher: Line
    worker: Line


class _OfAllPublication(Event):
    """What holds for every worker stands in one stream, `desk-orders`. Without agent and channel it holds for all."""

    desk: Literal["orders"] = "orders"
    actor: Actor
    actor_source: ActorSource = "api"
    agent: Line | None = None
    channel: Channel | None = None
    reason: Note | None = None


class PublicationStopped(_OfAllPublication, type="publication.stopped", version=1, stream="desk"):
    """A person stopped publication everywhere, of an agent, or on a channel. Each start looks at it."""


class PublicationResumed(_OfAllPublication, type="publication.resumed", version=1, stream="desk"):
    """A person let publication go on: of this agent, on this channel, or all of it."""


class PublicationResumedAfterRestore(Event, type="publication.resumed_after_restore", version=1, stream="desk"):
    """An admin looked at a database that is not the one that was published from, and lets a machine publish by it.

    `held` says why publication held, `machine` where.
    """

    desk: Literal["orders"] = "orders"
    actor: Actor
    actor_source: ActorSource = "api"
    reason: Note
    held: Note
    machine: Line
