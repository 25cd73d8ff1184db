"""Canonical bytes, and the digest over them. Made once, when an event is emitted; never made again.

A prepared event is encoded as eleven lengths (signed 32-bit, little-endian; -1 for None) and then the eleven fields in
UTF-8, in the order of `Prepared`. The same bytes are the body of a journal record and what the digest is taken over, so
that two events are equal if and only if their digests are.
"""

from __future__ import annotations

import hashlib
import re
import struct
from math import isfinite
from typing import NamedTuple

from pydantic_core import PydanticSerializationError

from capture.errors import InvalidEvent
from capture.events.event import Event
from capture.events.shape import number_fields, open_fields

MAX_PAYLOAD = 1024 * 1024
"""The largest payload, in bytes of its canonical form."""

MAX_DEPTH = 64
"""The deepest nesting of objects and lists in a payload."""

MAX_DIGITS = 4300
"""The longest whole number, in digits: what Python reads (`sys.int_info.default_max_str_digits`). The time that reading
one takes grows with the square of its digits."""

FLAT = frozenset({str, bool, type(None)})
"""The classes of values that nest nothing, and are no number that JSON lacks or no reader takes."""

_plans: dict[type[Event], tuple[tuple[str, ...], tuple[str, ...] | None]] = {}
_LENGTHS = struct.Struct("<11i")
_TIME_LENGTH = 27
_ID_LENGTH = 36
# The lengths of the first ten fields, and the texts between the id and the time: the same for all events of one type
# that one run of an agent puts out into the agent's own stream.
_middles: dict[tuple[object, ...], tuple[bytes, str, int]] = {}
_MAX_MIDDLES = 1000
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_NOT_A_NUMBER = re.compile(rb'"(?:[^"\\]|\\.)*"|(NaN|Infinity)')
_LONG_NUMBER = re.compile(rb'"(?:[^"\\]|\\.)*"|([0-9]{%d})' % (MAX_DIGITS + 1))
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*"|([\[{])|([\]}])')


class Prepared(NamedTuple):
    """An event as the log will store it: everything but its position and the time of recording.

    Attributes:
        event_id: A UUID in its usual text form.
        event_type: As `social_post.drafted`.
        schema_version: The version of the class that made the payload.
        stream_id: As `output-01a2…`.
        agent_id: Who put it out.
        run_id: The run of the agent, if it names one.
        correlation_id: What the event belongs to.
        causation_id: The event that caused it.
        trace_id: The trace that it was part of.
        occurred_at: The agent's clock, as `clock.to_text` writes it.
        payload: The canonical JSON bytes.
    """

    event_id: str
    event_type: str
    schema_version: int
    stream_id: str
    agent_id: str
    run_id: str | None
    correlation_id: str | None
    causation_id: str | None
    trace_id: str | None
    occurred_at: str
    payload: bytes


def payload_bytes(event: Event) -> bytes:
    """The canonical bytes of an event: UTF-8 JSON, fields in declared order, object keys as given, no blanks.

    Raises:
        InvalidEvent: Larger than 1 MiB, deeper than 64 levels, or with NUL, a lone surrogate, NaN or an infinity.
    """
    try:
        payload = type(event).__pydantic_serializer__.to_json(event)
    except (PydanticSerializationError, UnicodeEncodeError) as error:
        raise InvalidEvent(
            f"{event.event_type}: the content can't be written as UTF-8 JSON ({str(error)!a:.200})",
            hint="a lone surrogate or a value that is no JSON is in it",
        ) from None
    # The whole search takes twice the time of the encoding. It is left out where nothing can nest and no number hides:
    # each of those was checked when the event was made, but `model_copy` and `model_construct` check nothing.
    plan = _plans.get(event.__class__)
    open_names, number_names = _plan(event.__class__) if plan is None else plan
    for name in open_names:
        value = getattr(event, name)
        if value.__class__ not in FLAT and not (value.__class__ is dict and FLAT.issuperset(map(type, value.values()))):
            number_names = None
            break
    if number_names is not None:
        for name in number_names:
            value = getattr(event, name)
            if value.__class__ is float and not isfinite(value):
                number_names = None
                break
    if number_names is None or len(payload) > MAX_DIGITS or (b"\\" in payload and b"\\u0000" in payload):
        refuse_unstorable(payload, event.event_type)
    return payload


def _plan(kind: type[Event]) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    plan = _plans[kind] = open_fields(kind), number_fields(kind)
    return plan


def refuse_unstorable(payload: bytes, event_type: str) -> None:
    """Refuse JSON bytes that one of the databases would not keep as they are.

    Raises:
        InvalidEvent: See `payload_bytes`.
    """
    if len(payload) > MAX_PAYLOAD:
        raise InvalidEvent(
            f"{event_type}: {len(payload):,} bytes are more than the {MAX_PAYLOAD:,} that an event may have"
        )
    if b"\\u0000" in payload and _NUL.search(payload):
        raise InvalidEvent(f"{event_type}: the content has a NUL character (U+0000), which PostgreSQL can't store")
    if (b"NaN" in payload or b"Infinity" in payload) and any(m[1] for m in _NOT_A_NUMBER.finditer(payload)):
        raise InvalidEvent(f"{event_type}: NaN and infinities are no JSON numbers")
    if len(payload) > MAX_DIGITS and _has_long_number(payload):
        raise InvalidEvent(f"{event_type}: a number has more than {MAX_DIGITS:,} digits", hint="keep it as a text")
    if payload.count(b"{") + payload.count(b"[") > MAX_DEPTH and _depth(payload) > MAX_DEPTH:
        raise InvalidEvent(f"{event_type}: the content is nested more than {MAX_DEPTH} levels deep")


def _has_long_number(payload: bytes) -> bool:
    # Such a number covers one of these places; a search of all bytes would take 10 ns for each.
    places = range(0, len(payload), MAX_DIGITS + 1)
    return any(payload[place : place + 1].isdigit() for place in places) and any(
        found[1] for found in _LONG_NUMBER.finditer(payload)
    )


def _depth(payload: bytes) -> int:
    depth = deepest = 0
    for match in _BRACKETS.finditer(payload):
        if match[1]:
            depth += 1
            deepest = max(deepest, depth)
        elif match[2]:
            depth -= 1
    return deepest


def encode(event: Prepared) -> bytes:
    """The bytes that a journal keeps and that the digest is taken over."""
    known = _middles.get(event[1:9])
    if known is not None:
        lengths, middle, size = known
        data = f"{event[0]}{middle}{event[9]}".encode()
        if len(data) == size and len(event[9]) == _TIME_LENGTH and event[9].isascii():
            payload = event[10]
            return b"".join((lengths, len(payload).to_bytes(4, "little"), data, payload))
    return _encode_any(event)


def _encode_any(event: Prepared) -> bytes:
    # Spelled out, since it runs for every event on the agent's thread: one encoding of all texts together, 1.3 µs
    # instead of 2.8 for one of each.
    event_id, event_type, version, stream_id, agent_id, run_id, correlation_id, causation_id, trace_id, at, payload = (
        event
    )
    number = str(version)
    text = (
        f"{event_id}{event_type}{number}{stream_id}{agent_id}"
        f"{run_id or ''}{correlation_id or ''}{causation_id or ''}{trace_id or ''}{at}"
    )
    data = text.encode()
    if len(data) == len(text):  # ASCII, where a length in characters is one in bytes
        lengths = _LENGTHS.pack(
            len(event_id),
            len(event_type),
            len(number),
            len(stream_id),
            len(agent_id),
            -1 if run_id is None else len(run_id),
            -1 if correlation_id is None else len(correlation_id),
            -1 if causation_id is None else len(causation_id),
            -1 if trace_id is None else len(trace_id),
            len(at),
            len(payload),
        )
        if stream_id == f"agent-{agent_id}" and len(event_id) == _ID_LENGTH and len(at) == _TIME_LENGTH:
            if len(_middles) >= _MAX_MIDDLES:
                _middles.clear()
            _middles[event[1:9]] = lengths[:-4], text[_ID_LENGTH:-_TIME_LENGTH], len(text)
    else:
        lengths = _LENGTHS.pack(
            *(-1 if field is None else len(str(field).encode()) for field in event[:10]), len(payload)
        )
    return b"".join((lengths, data, payload))


def decode(data: bytes) -> Prepared:
    """Read what `encode` wrote.

    Raises:
        ValueError: The bytes are no encoded event.
    """
    if len(data) < _LENGTHS.size:
        raise ValueError("an encoded event is longer than its eleven lengths")
    lengths = _LENGTHS.unpack_from(data)
    start, fields = _LENGTHS.size, []
    for length in lengths:
        if length < -1:
            raise ValueError("a length is negative")
        fields.append(None if length < 0 else bytes(data[start : start + length]))
        start += max(length, 0)
    if start != len(data):
        raise ValueError(f"the lengths add up to {start} bytes, the record has {len(data)}")
    texts = [None if field is None else field.decode() for field in fields[:10]]
    event_id, event_type, version, stream_id, agent_id, run_id, correlation_id, causation_id, trace_id, at = texts
    payload = fields[10]
    if event_id is None or event_type is None or version is None or stream_id is None or agent_id is None:
        raise ValueError("a field that every event has is missing")
    if at is None or payload is None:
        raise ValueError("the time or the payload, which every event has, is missing")
    return Prepared(
        event_id,
        event_type,
        int(version),
        stream_id,
        agent_id,
        run_id,
        correlation_id,
        causation_id,
        trace_id,
        at,
        payload,
    )


def digest(event: Prepared) -> bytes:
    """SHA-256 over the length-prefixed fields and the payload's stored bytes: 32 bytes."""
    return hashlib.sha256(encode(event)).digest()
