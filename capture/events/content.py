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

Middle = tuple[str, int, str, str, str | None, str | None, str | None, str | None]
"""The fields of `Prepared` from the type to the trace id."""

_plans: dict[type[Event], tuple[tuple[str, ...], tuple[str, ...] | None]] = {}
_new_tuple = tuple.__new__
_LENGTHS = struct.Struct("<11i")
_TIME_LENGTH = 27
_ID_LENGTH = 36
_PAYLOAD_LENGTH_AT = _LENGTHS.size - 4
_LENGTHS_OF_MIDDLE = struct.Struct("<8i")
# What `surroundings` makes of the fields between the id and the time, and the way back.
_middles: dict[tuple[object, ...], tuple[bytes, bytes]] = {}
_fields: dict[tuple[bytes, bytes], Middle] = {}
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


class Encoded(Prepared):
    """A prepared event that was read back from its encoding, and still has it.

    Attributes:
        encoded: What `encode` made.
    """

    encoded: bytes


def encode(event: Prepared) -> bytes:
    """The bytes that a journal keeps and that the digest is taken over."""
    if event.__class__ is Encoded:
        return event.encoded
    lengths, middle = surroundings(event[1:9])
    head, end = event[0].encode(), event[9].encode()
    payload = event[10]
    if len(head) == _ID_LENGTH and len(end) == _TIME_LENGTH:
        return b"".join((lengths, len(payload).to_bytes(4, "little"), head, middle, end, payload))
    lengths = _LENGTHS.pack(len(head), *_LENGTHS_OF_MIDDLE.unpack_from(lengths, 4), len(end), len(payload))
    return b"".join((lengths, head, middle, end, payload))


def surroundings(middle: Middle) -> tuple[bytes, bytes]:
    """What stands around the id, the time and the payload of an encoded event, all of them of the usual length.

    Args:
        middle: The fields from the type to the trace id.

    Returns:
        The first ten lengths, and what lies between the id and the time.
    """
    known = _middles.get(middle)
    if known is None:
        fields = [None if field is None else str(field).encode() for field in middle]
        lengths = (-1 if field is None else len(field) for field in fields)
        known = _LENGTHS.pack(_ID_LENGTH, *lengths, _TIME_LENGTH, 0)[:-4], b"".join(filter(None, fields))
        # The same for all events of one type that one run of an agent puts out into the agent's own stream.
        if middle[2] == f"agent-{middle[3]}":
            if len(_middles) >= _MAX_MIDDLES:
                _middles.clear()
            _middles[middle] = known
    return known


def decode(data: bytes) -> Encoded:
    """Read what `encode` wrote.

    Raises:
        ValueError: The bytes are no encoded event.
    """
    if len(data) < _LENGTHS.size:
        raise ValueError("an encoded event is longer than its eleven lengths")
    lengths = data[:_PAYLOAD_LENGTH_AT]
    stop = len(data) - int.from_bytes(data[_PAYLOAD_LENGTH_AT : _LENGTHS.size], "little")
    start = _LENGTHS.size + _ID_LENGTH
    known = _fields.get((lengths, data[start : stop - _TIME_LENGTH]))
    if known is None:
        event = _new_tuple(Encoded, _decode_any(data))
    else:
        event_id, at = data[_LENGTHS.size : start].decode(), data[stop - _TIME_LENGTH : stop].decode()
        event = _new_tuple(Encoded, (event_id, *known, at, data[stop:]))
    event.encoded = data
    return event


def _decode_any(data: bytes) -> tuple[object, ...]:
    lengths = _LENGTHS.unpack_from(data)
    start, fields = _LENGTHS.size, []
    for length in lengths:
        if length < -1:
            raise ValueError("a length is negative")
        fields.append(None if length < 0 else data[start : start + length])
        start += max(length, 0)
    if start != len(data):
        raise ValueError(f"the lengths add up to {start} bytes, the record has {len(data)}")
    event_id, event_type, version, stream_id, agent_id, run_id, correlation_id, causation_id, trace_id, at = (
        None if field is None else field.decode() for field in fields[:10]
    )
    payload = fields[10]
    if event_id is None or event_type is None or version is None or stream_id is None or agent_id is None:
        raise ValueError("a field that every event has is missing")
    if at is None or payload is None:
        raise ValueError("the time or the payload, which every event has, is missing")
    middle = (event_type, int(version), stream_id, agent_id, run_id, correlation_id, causation_id, trace_id)
    if stream_id == f"agent-{agent_id}" and lengths[0] == _ID_LENGTH and lengths[9] == _TIME_LENGTH:
        if len(_fields) >= _MAX_MIDDLES:
            _fields.clear()
        start, stop = _LENGTHS.size + _ID_LENGTH, len(data) - lengths[10] - _TIME_LENGTH
        _fields[data[:_PAYLOAD_LENGTH_AT], data[start:stop]] = middle
    return event_id, *middle, at, payload


def digest(event: Prepared) -> bytes:
    """SHA-256 over the length-prefixed fields and the payload's stored bytes: 32 bytes."""
    return hashlib.sha256(encode(event)).digest()
