"""What can't go into the log: kept as raw bytes with the error, so that nothing an agent said is lost.

It goes through the journal like any event. The raw bytes are a CloudEvents line wherever copydesk made them, so that
they can be tried again by the same way in as an import.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

from capture import clock
from capture.events.content import Prepared
from capture.identifiers import new_id

MAX_RAW = 4 * 1024 * 1024
"""The most raw bytes that are kept of one refused event; the error says when it was cut."""

_MAX_BITS = 14_000
"""Whole numbers up to here have fewer digits than Python refuses to write (4,300)."""

MAX_ERROR = 2_000
"""The longest error text that is kept, in characters."""


class Quarantined(NamedTuple):
    """An event, or what should have been one, that the log does not take.

    Attributes:
        quarantine_id: A UUID in its usual text form.
        received_at: When it came, as `clock.to_text` writes it.
        source: The way in: `processor`, `emit`, `import` …
        agent_id: Who put it out, if that is known.
        event_type: Its type, if it names one.
        raw: The bytes, as nearly as they came.
        error: Why it was refused.
    """

    quarantine_id: str
    received_at: str
    source: str
    agent_id: str | None
    event_type: str | None
    raw: bytes
    error: str


def quarantined(
    raw: bytes, error: str, *, source: str, agent_id: str | None = None, event_type: str | None = None
) -> Quarantined:
    """Make a record of something that was refused.

    Args:
        raw: The bytes as they came; at most `MAX_RAW` of them are kept.
        error: Why.
        source: The way in that it came by.
        agent_id: Who put it out.
        event_type: The type that it names.
    """
    if len(raw) > MAX_RAW:
        error = f"{error} (only the first {MAX_RAW:,} of {len(raw):,} bytes are kept)"
        raw = raw[:MAX_RAW]
    return Quarantined(
        str(new_id()),
        clock.to_text(clock.utc_now()),
        source,
        _plain(agent_id),
        _plain(event_type),
        raw,
        _plain(error[:MAX_ERROR]) or "no reason was given",
    )


def refused(event: Prepared, error: str, *, source: str) -> Quarantined:
    """Make a record of a prepared event that the log refused."""
    raw = as_line(
        event.payload.decode(),
        id=event.event_id,
        agent_id=event.agent_id,
        type=event.event_type,
        time=event.occurred_at,
        subject=event.stream_id,
        schemaversion=event.schema_version,
        runid=event.run_id,
        correlationid=event.correlation_id,
        causationid=event.causation_id,
        traceid=event.trace_id,
    )
    return quarantined(raw, error, source=source, agent_id=event.agent_id, event_type=event.event_type)


def as_line(data: str, *, agent_id: str, **attributes: str | int | None) -> bytes:
    """A CloudEvents line with this JSON text as its data.

    Args:
        data: JSON text, copied as it is.
        agent_id: Who put it out.
        attributes: Context attributes by name; None is left out.
    """
    from capture.events.cloudevents import source_of

    present = {"specversion": "1.0", "source": source_of(agent_id)}
    present |= {name: str(value) if name == "id" else value for name, value in attributes.items() if value is not None}  # type: ignore[misc]
    head = json.dumps(present, ensure_ascii=False, separators=(",", ":"))
    return f'{head[:-1]},"data":{data}}}'.encode(errors="backslashreplace")


def encode(record: Quarantined) -> bytes:
    """The bytes that a journal keeps: JSON, in which no byte can look like a frame's marker."""
    return json.dumps([*record[:5], record.raw.decode("latin-1"), record.error]).encode()


def decode(data: bytes) -> Quarantined:
    """Read what `encode` wrote.

    Raises:
        ValueError: The bytes are no quarantined record.
    """
    fields = json.loads(data)
    if not isinstance(fields, list) or len(fields) != len(Quarantined._fields):
        raise ValueError("a quarantined record has seven fields")
    identifier, received_at, source, agent_id, event_type, raw, error = fields
    return Quarantined(identifier, received_at, source, agent_id, event_type, raw.encode("latin-1"), error)


def _plain(text: str | None) -> str | None:
    """Text that both databases keep: no NUL, no lone surrogate."""
    return None if text is None else text.replace("\0", "\\0").encode(errors="backslashreplace").decode()


def as_json(value: object) -> str:
    """Any value as JSON text; what JSON has no form for stands there as its `repr`, cut to 1,000 characters."""
    return json.dumps(json_ready(value), ensure_ascii=False, separators=(",", ":"), allow_nan=True)


def json_ready(value: object, depth: int = 0) -> object:
    """Any value as JSON values; what JSON has no form for becomes its `repr`, cut to 1,000 characters.

    A text beyond `MAX_RAW` characters is cut, and a number that no reader takes becomes a text that says so.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return _bounded(value)
    if depth < 100:
        if isinstance(value, Mapping):
            return {str(key): json_ready(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [json_ready(item, depth + 1) for item in value]
    try:
        return f"{value!r:.1000}"
    except Exception:  # noqa: BLE001 - any object can come from an agent, and its repr may do anything
        return f"<{type(value).__name__}>"


def _bounded(value: bool | float | str | None) -> object:
    # What is too large is refused anyway, and would be there four times over before its record is cut.
    if isinstance(value, str) and len(value) > MAX_RAW:
        return f"{value[:MAX_RAW]}… ({len(value):,} characters in all)"
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        return f"<a whole number of {value.bit_length():,} bits>"
    return value
