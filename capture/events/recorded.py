"""What the log adds around an event."""

from __future__ import annotations

from datetime import datetime
from typing import Generic, NamedTuple, TypeVar
from uuid import UUID

from capture.events.event import Event, JsonObject

E_co = TypeVar("E_co", covariant=True)


class UnknownEvent(NamedTuple):
    """The payload of an event whose type no code at hand knows: kept as raw JSON, never dropped.

    Attributes:
        event_type: The type, as stored.
        data: The payload as JSON values.
    """

    event_type: str
    data: JsonObject


class Recorded(NamedTuple, Generic[E_co]):
    """An event in the log.

    Attributes:
        position: 1, 2, 3 … in the order of commits, without gaps.
        event_id: The event's own id, unique in the log.
        event_type: As `social_post.drafted`.
        schema_version: The version that the payload was stored under; `payload` is of the newest.
        stream_id: The stream that it belongs to, as `output-01a2…`.
        agent_id: Who put it out.
        run_id: The run of the agent, or None.
        correlation_id: What it belongs to, or None.
        causation_id: The event that caused it, or None.
        trace_id: The trace that it was part of, or None.
        occurred_at: The agent's clock; aware, UTC.
        recorded_at: The database's clock once the log's lock was granted; never falls as positions rise.
        payload: The typed event, or an `UnknownEvent`.
        digest: SHA-256 over the stored content, 32 bytes.
    """

    position: int
    event_id: UUID
    event_type: str
    schema_version: int
    stream_id: str
    agent_id: str
    run_id: str | None
    correlation_id: str | None
    causation_id: str | None
    trace_id: str | None
    occurred_at: datetime
    recorded_at: datetime
    payload: E_co
    digest: bytes


class Stored(NamedTuple):
    """A row of `agents_events` as it is stored: the payload still bytes, nothing decoded or upcast."""

    position: int
    event_id: str
    event_type: str
    schema_version: int
    stream_id: str
    agent_id: str
    run_id: str | None
    correlation_id: str | None
    causation_id: str | None
    trace_id: str | None
    occurred_at: datetime
    recorded_at: datetime
    payload: str
    digest: bytes


AnyRecorded = Recorded[Event | UnknownEvent]
