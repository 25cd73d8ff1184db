"""From a stored row to a typed event: the one path by which every reader gets its payloads.

Runner, replay, diff, verify, as-of and export all decode here: an upcaster can't run on some paths and not on others.
"""

from __future__ import annotations

import json
from typing import cast

from pydantic import ValidationError

from capture.errors import InvalidEvent
from capture.events import registry
from capture.events.event import Event, JsonObject
from capture.events.recorded import AnyRecorded, Recorded, Stored, UnknownEvent
from capture.events.upcasting import upcast
from capture.identifiers import as_uuid

_new_tuple = tuple.__new__
_LONGEST_PATH, _LONGEST_INPUT = 200, 100


def decode_payload(event_type: str, schema_version: int, payload: str | bytes) -> Event | UnknownEvent:
    """Decode a stored payload with the code at hand, brought up to date by the upcasters.

    Raises:
        InvalidEvent: The type is known, but this payload does not decode.
    """
    event_class = registry.find(event_type)
    if event_class is None:
        return UnknownEvent(event_type, cast("JsonObject", json.loads(payload)))
    try:
        if schema_version == event_class.schema_version:
            return cast("Event", event_class.__pydantic_validator__.validate_json(payload))
        old = cast("JsonObject", json.loads(payload))
        new = upcast(event_type, old, from_version=schema_version, to_version=event_class.schema_version)
        return event_class.model_validate(new)
    except ValidationError as error:
        raise InvalidEvent(explain(event_type, error)) from None


def decode(row: Stored) -> AnyRecorded:
    """Decode a stored row.

    Raises:
        InvalidEvent: The type is known, but the payload does not decode.
    """
    event_class = registry.find(row[2])
    if event_class is not None and row[3] == event_class.schema_version:
        # What `decode_payload` does with the newest version, without the call: every event that is read comes here.
        try:
            payload: Event | UnknownEvent = event_class.__pydantic_validator__.validate_json(row[12])
        except ValidationError as error:
            raise InvalidEvent(explain(row[2], error)) from None
    else:
        payload = decode_payload(row[2], row[3], row[12])
    return _new_tuple(Recorded, (row[0], as_uuid(row[1]), *row[2:12], payload, row[13]))


def explain(event_type: str, error: ValidationError) -> str:
    """Say in one line what is wrong with an event's fields: the field, what was expected, what was found."""
    faults = []
    for fault in error.errors(include_url=False, include_context=False)[:5]:
        where = ".".join(str(part) for part in fault["loc"]) or "the event"
        if len(where) > _LONGEST_PATH:
            where = f"{where[:_LONGEST_PATH]}…"
        if fault["type"] == "recursion_loop":
            faults.append(f"{where}: nested too deep, or a part of itself")
            continue
        found = "" if fault["type"] == "missing" else f", found {_shown(fault['input'])}"
        faults.append(f"{where}: {fault['msg'][:1].lower()}{fault['msg'][1:]}{found}")
    more = error.error_count() - len(faults)
    return f"{event_type}: " + "; ".join(faults) + (f"; and {more} more" if more > 0 else "")


def _shown(value: object) -> str:
    # The repr of a text of 64 MiB would take as much again, and more where it is not ASCII.
    if isinstance(value, str | bytes):
        return f"{value[:_LONGEST_INPUT]!a:.60}"
    try:
        return f"{value!a:.60}"
    except (RecursionError, ValueError):  # nested without end, or a number of too many digits
        return f"a {type(value).__name__}"
