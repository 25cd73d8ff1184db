"""The quick way of a log line into the journal: for lines that hold nothing to look into.

Everything here is done by the longer way too (`capture.sources.structlog`), and a test holds the two equal; only that
takes twice the time, most of it in calls from function to function and in an event that nobody looks at, and it is the
agent's. So this is one function that knows what is in it: the class's rules run on the line itself, the ids that are
the same for every event of an agent are encoded once, and the record is put together from bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import copy_context
from typing import Any
from uuid import UUID

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from capture.errors import InvalidEvent
from capture.events.content import FLAT, MAX_DIGITS, surroundings
from capture.events.event import Event
from capture.events.flat import flat
from capture.events.prepare import MAX_STREAM, check_ids
from capture.stamp import stamp
from capture.writer import emit
from capture.writer.identity import IDS, as_id, bound_context, bound_ids

Quick = Callable[[Mapping[str, Any]], bool]
"""Captures a line; False when the line has to go the longer way, which also says what is wrong with it."""

_MAX_KINDS = 1000
_IDS = frozenset(IDS)
_NO_IDS: dict[str, Any] = {}
_NESTING = frozenset({dict, list, tuple})

_Around = tuple[bytes, str, str]
"""The first ten lengths of an encoded event, what stands before its stream id, and what stands behind it."""


class _Held:
    """What is kept for a class while nobody calls `configure`."""

    __slots__ = ("around", "identity", "opens", "redaction")

    def __init__(self, event_class: type[Event], capture: emit.Capture) -> None:
        self.identity = capture.identity
        self.redaction = capture.redaction
        self.opens = self.redaction.opens(event_class)
        self.around: dict[object, _Around] = {}


def quick_way(event_class: type[Event], known: frozenset[str], ids_among_fields: tuple[str, ...]) -> Quick | None:
    """The quick way for a class of events; None when it has rules that only its own objects know.

    Args:
        event_class: The class.
        known: The keys of a line that are fields, or no part of an event.
        ids_among_fields: The fields that may be given as a `UUID`.
    """
    rules = flat(event_class)
    if rules is None or "event" in event_class.model_fields:
        return None
    validate, to_json = rules
    stream_field = event_class.stream_field
    prefix = "" if stream_field is None else f"{stream_field.removesuffix('_id')}-"
    held = _Held(event_class, emit.capture)

    def capture_line(line: Mapping[str, Any]) -> bool:  # noqa: PLR0911, PLR0912 - each is a way out; see above
        nonlocal held
        capture = emit.capture
        if held.identity is not capture.identity or held.redaction is not capture.redaction:
            held = _Held(event_class, capture)
        now = held
        opens = now.opens
        if opens is None:
            return False
        ids = bound_ids() if copy_context() else _NO_IDS
        if not known.issuperset(line):
            given = {key: as_id(line[key]) for key in line if key not in known}
            if not _IDS.issuperset(given):
                bound = bound_context()
                given = {key: given[key] for key in given if key in _IDS or bound.get(key, _NO_IDS) is not line[key]}
                if not _IDS.issuperset(given):
                    return False
            ids = {**ids, **given}
        for name in ids_among_fields:
            if line.get(name).__class__ is UUID:
                line = {**line, name: str(line[name])}
        try:
            fields = validate(line)
            for name in opens:
                value = fields[name]
                if value.__class__ not in FLAT and (value or value.__class__ not in _NESTING):
                    return False  # it may hide a secret, nest without end, or be no number that is read back
            payload = to_json(fields)
        except (ValidationError, PydanticSerializationError, UnicodeEncodeError):
            return False
        size = len(payload)
        # A backslash may be that of an escaped NUL, and a number too long to be read back hides in a long payload.
        if b"\\" in payload or size > MAX_DIGITS:
            return False
        who = tuple(map(ids.get, IDS)) if ids else None
        if stream_field is None:
            stream = ""
            around = now.around.get(who)
        else:
            stream = f"{prefix}{fields[stream_field]}"
            if not (stream.isascii() and stream.isprintable()):
                return False
            around = now.around.get((who, len(stream)))
        if around is None:
            around = _look(now, event_class, who, stream)
            if around is None:
                return False
        event_id, time = stamp()
        lengths, before, behind = around
        data = f"{event_id}{before}{stream}{behind}{time}".encode()
        (capture.taker or capture.take()).put_encoded(b"".join((lengths, size.to_bytes(4, "little"), data, payload)))
        return True

    return capture_line


def _look(held: _Held, event_class: type[Event], who: tuple[Any, ...] | None, stream: str) -> _Around | None:
    """Make what is the same for all events of one agent, run and length of stream id; None when an id is no id."""
    identity = held.identity
    agent_id, run_id, correlation_id, causation_id, trace_id = who or (None,) * len(IDS)
    try:
        ids = check_ids(
            agent_id or identity.agent(),
            run_id or identity.run_id,
            correlation_id or identity.correlation_id,
            causation_id,
            trace_id,
        )
    except InvalidEvent:
        return None
    if len(stream) > MAX_STREAM:
        return None
    kind = event_class.event_type, event_class.schema_version
    lengths, _ = surroundings((*kind, stream or f"agent-{ids[0]}", *ids))
    before = f"{kind[0]}{kind[1]}" + ("" if stream else f"agent-{ids[0]}")
    around = lengths, before, "".join(filter(None, ids))
    if len(held.around) >= _MAX_KINDS:
        held.around.clear()
    held.around[(who, len(stream)) if stream else who] = around
    return around
