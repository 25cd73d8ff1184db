"""From an event to what the log will store: who, when, which stream, and the bytes."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from capture import clock
from capture.errors import InvalidEvent
from capture.events.content import Prepared, payload_bytes
from capture.events.event import Event
from capture.identifiers import new_id

MAX_ID = 200
"""The longest agent, run, correlation, causation or trace id, in characters."""


def prepare(
    event: Event,
    *,
    agent_id: str,
    run_id: str | None = None,
    correlation_id: str | None = None,
    causation_id: str | None = None,
    trace_id: str | None = None,
    event_id: UUID | str | None = None,
    occurred_at: datetime | None = None,
) -> Prepared:
    """Make an event ready for the log.

    Args:
        event: An instance of a class with a type.
        agent_id: Who puts it out; 1 to 200 characters, none of them a control character.
        run_id: The run of the agent.
        correlation_id: What the event belongs to.
        causation_id: The event that caused it.
        trace_id: The trace that it was part of.
        event_id: A UUID; a new one of version 7 when left out. The same id with the same content is stored once.
        occurred_at: An aware time; now when left out.

    Raises:
        InvalidEvent: The event or one of the arguments can't be stored; the message says which and why.
    """
    if not isinstance(event, Event) or not event.event_type:
        raise InvalidEvent(f"an instance of an Event class with a type was expected, found {type(event).__name__}")
    check_id("agent_id", agent_id)
    for name, value in (
        ("run_id", run_id),
        ("correlation_id", correlation_id),
        ("causation_id", causation_id),
        ("trace_id", trace_id),
    ):
        if value is not None:
            check_id(name, value)
    if event_id is None:
        event_id = new_id()
    elif not isinstance(event_id, UUID):
        try:
            event_id = UUID(event_id)
        except (ValueError, AttributeError, TypeError):
            raise InvalidEvent(f"event_id is a UUID, found {event_id!r:.60}") from None
    try:
        time = clock.to_text(datetime.now(UTC) if occurred_at is None else occurred_at)
    except (ValueError, AttributeError) as error:
        raise InvalidEvent(f"occurred_at: {error}") from None
    return Prepared(
        str(event_id),
        event.event_type,
        event.schema_version,
        event.stream_id(agent_id),
        agent_id,
        run_id,
        correlation_id,
        causation_id,
        trace_id,
        time,
        payload_bytes(event),
    )


def check_id(name: str, value: str) -> None:
    """Refuse an id that would not survive a database, a file name or a screen.

    Raises:
        InvalidEvent: Empty, longer than 200 characters, padded with blanks, or with unprintable characters.
    """
    if not isinstance(value, str) or not 0 < len(value) <= MAX_ID or not value.isprintable() or value != value.strip():
        raise InvalidEvent(
            f"{name} is a text of 1 to {MAX_ID} printable characters without blanks around it, found {value!r:.80}",
            hint=f"set {name} to a plain name",
        )
