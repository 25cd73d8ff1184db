"""What the publishing worker records, through the desk: the ledger of everything that was sent or may have been."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, Field

from capture.events.event import Event, OutputId
from capture.vocabulary.drafts import Line, Sha256, Url
from capture.vocabulary.outputs import Note
from capture.vocabulary.review import Revision


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
