"""From an event to what the log will store: who, when, which stream, and the bytes."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from capture import clock
from capture.errors import InvalidEvent
from capture.events.content import Prepared, payload_bytes
from capture.events.event import Event
from capture.stamp import stamp

MAX_ID = 200
"""The longest agent, run, correlation, causation or trace id, in characters."""

MAX_STREAM = 255
"""The longest stream id, in characters."""

_new_tuple = tuple.__new__
# Type, version, and how the stream id is made, by class: what `Event.stream_id` works out, kept.
_kinds: dict[type, tuple[str, int, str | None, str]] = {}
_checked: set[str] = set()


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
    kind = _kinds.get(event.__class__)
    if kind is None:
        kind = _kind_of(event)
    event_type, version, stream_field, prefix = kind
    _check_once("agent_id", agent_id)
    if run_id is not None:
        _check_once("run_id", run_id)
    if correlation_id is not None:
        check_id("correlation_id", correlation_id)
    if causation_id is not None:
        check_id("causation_id", causation_id)
    if trace_id is not None:
        check_id("trace_id", trace_id)
    if stream_field is None:
        stream_id = prefix + agent_id
    else:
        stream_id = f"{prefix}{getattr(event, stream_field)}"
        if not (len(stream_id) <= MAX_STREAM and stream_id.isprintable()):
            raise InvalidEvent(
                f"{stream_field} makes the stream id, of at most {MAX_STREAM} printable characters, "
                f"found {stream_id!a:.80}"
            )
    new_id, now = stamp()
    # tuple.__new__ and not Prepared(…): half the time, and every event needs one.
    return _new_tuple(
        Prepared,
        (
            new_id if event_id is None else _id_text(event_id),
            event_type,
            version,
            stream_id,
            agent_id,
            run_id,
            correlation_id,
            causation_id,
            trace_id,
            now if occurred_at is None else _time_text(occurred_at),
            payload_bytes(event),
        ),
    )


def check_ids(
    agent_id: object, run_id: object, correlation_id: object, causation_id: object, trace_id: object
) -> tuple[str, str | None, str | None, str | None, str | None]:
    """The ids of an event as they are, once they are checked.

    Raises:
        InvalidEvent: One of them can't be stored.
    """
    ids = agent_id, run_id, correlation_id, causation_id, trace_id
    for name, value in zip(("agent_id", "run_id", "correlation_id", "causation_id", "trace_id"), ids, strict=True):
        if value is not None or name == "agent_id":
            check_id(name, value)
    return ids  # type: ignore[return-value]


def check_id(name: str, value: object) -> None:
    """Refuse an id that would not survive a database, a file name or a screen.

    Raises:
        InvalidEvent: Empty, longer than 200 characters, padded with blanks, or with unprintable characters.
    """
    if not isinstance(value, str) or not 0 < len(value) <= MAX_ID or not value.isprintable() or value != value.strip():
        raise InvalidEvent(
            f"{name} is a text of 1 to {MAX_ID} printable characters without blanks around it, found {value!r:.80}",
            hint=f"set {name} to a plain name",
        )


def _kind_of(event: Event) -> tuple[str, int, str | None, str]:
    kind = type(event)
    if Event not in kind.__mro__ or not kind.event_type:
        raise InvalidEvent(f"an instance of an Event class with a type was expected, found {kind.__name__}")
    field = kind.stream_field
    known = (
        kind.event_type,
        kind.schema_version,
        field,
        "agent-" if field is None else f"{field.removesuffix('_id')}-",
    )
    _kinds[kind] = known
    return known


def _check_once(name: str, value: str) -> None:
    # An agent and a run put out many events under one id.
    try:
        if value in _checked:
            return
    except TypeError:
        pass  # not even hashable: check_id says what was expected
    check_id(name, value)
    if len(_checked) >= 1000:
        _checked.clear()
    _checked.add(value)


def _id_text(event_id: UUID | str) -> str:
    if isinstance(event_id, UUID):
        return str(event_id)
    try:
        return str(UUID(event_id))
    except (ValueError, AttributeError, TypeError):
        raise InvalidEvent(f"event_id is a UUID, found {event_id!r:.60}") from None


def _time_text(time: datetime) -> str:
    try:
        return clock.to_text(time)
    except (ValueError, AttributeError) as error:
        raise InvalidEvent(f"occurred_at: {error}") from None
