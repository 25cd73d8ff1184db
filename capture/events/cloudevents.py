"""CloudEvents 1.0 JSON, one event a line: the form in which events leave the log and come into it.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md. `id` is the event id, `source` is
`/agents/{agent_id}`, `subject` the stream, `time` the agent's clock, `data` the payload; the rest of the record stands
in extension attributes. The payload's bytes are copied, never written anew.

A line is somebody's claim. `read_line` believes it as much as an agent's `emit`: no verdicts, no positions, no recorded
times, and the agent's own stream only. `read_trusted` believes all of it, for a log that is still empty.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import cast
from urllib.parse import quote, unquote
from uuid import UUID

from pydantic import JsonValue, ValidationError

from capture import clock
from capture.errors import InvalidEvent, ReservedEventType
from capture.events import registry
from capture.events.content import MAX_DEPTH, Prepared, digest, payload_bytes, refuse_unstorable
from capture.events.decoding import decode_payload, explain
from capture.events.event import Event
from capture.events.prepare import check_id, prepare
from capture.events.recorded import Stored
from capture.events.strict_json import Member, read_object
from capture.identifiers import derived_id

_SOURCE = "/agents/"
_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_TYPE = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
_ATTRIBUTE = re.compile(r"[a-z0-9]{1,200}")
_JSON_CONTENT = re.compile(r"[\w.+-]+/(?:[\w.+-]+\+)?json(?:\s*;.*)?", re.IGNORECASE)
_EXTERNAL = "externalid"
_IDS = ("runid", "correlationid", "causationid", "traceid")
_KNOWN = frozenset(
    {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data", "schemaversion"}
    | {"recordedat", "position", *_IDS}
)

Members = dict[str, Member]


def to_line(row: Stored, *, upcast: bool = False) -> str:
    """Write a stored event as one line, without its line end.

    Args:
        row: A row of the log. Its payload is copied as it is stored.
        upcast: Bring the payload up to the newest version that the code at hand knows.

    Raises:
        InvalidEvent: With `upcast`: the payload does not decode.
    """
    if upcast:
        row = upcasted(row)
    attributes: dict[str, JsonValue] = {
        "specversion": "1.0",
        "id": row.event_id,
        "source": source_of(row.agent_id),
        "type": row.event_type,
        "subject": row.stream_id,
        "time": clock.to_text(row.occurred_at),
        "datacontenttype": "application/json",
        "schemaversion": row.schema_version,
        "runid": row.run_id,
        "correlationid": row.correlation_id,
        "causationid": row.causation_id,
        "traceid": row.trace_id,
        "recordedat": clock.to_text(row.recorded_at),
        "position": row.position,
        _EXTERNAL: _external_id(row),
    }
    present = {name: value for name, value in attributes.items() if value is not None}
    return f'{json.dumps(present, ensure_ascii=False, separators=(",", ":"))[:-1]},"data":{row.payload}}}'


def upcasted(row: Stored) -> Stored:
    """A row with its payload in the newest version that the code at hand knows; the digest stays the stored one's.

    Raises:
        InvalidEvent: The payload does not decode.
    """
    event = decode_payload(row.event_type, row.schema_version, row.payload)
    if isinstance(event, Event) and event.schema_version != row.schema_version:
        return row._replace(schema_version=event.schema_version, payload=payload_bytes(event).decode())
    return row


def source_of(agent_id: str) -> str:
    """The `source` of an agent's events: `/agents/` and its id, percent-encoded."""
    name = quote(agent_id, safe="@:!$&'()*+,;=~")
    return _SOURCE + (name.replace(".", "%2E") if name in (".", "..") else name)


def read_line(line: bytes) -> Prepared:
    """Read a line that anybody may have written, as a new event of its agent.

    An `id` that is no UUID becomes one of version 5, derived from `source` and `id`, and is kept as `externalid`, as
    unknown attributes are: in the payload's `metadata`. Where the class has none, it is the correlation id. `position`
    and `recordedat` are the other log's and are left out. A draft without an output id gets the event's own id, so that
    the same line read twice is the same event.

    Args:
        line: UTF-8, without its line end.

    Raises:
        InvalidEvent: The line is no CloudEvent, or no event that the code at hand knows.
        ReservedEventType: The type is one that copydesk alone writes: otherwise a file could approve itself.
    """
    members = _envelope(line)
    event_type, agent_id = _text(members, "type"), _agent(members)
    if registry.is_reserved(event_type):
        raise ReservedEventType(
            f"{event_type} is written by copydesk alone",
            hint="a whole export goes into an empty log with `copydesk events import --trusted`",
        )
    event_class = registry.find(event_type)
    if event_class is None:
        raise InvalidEvent(
            f"a known event type was expected, found {event_type!a:.120}",
            hint="`copydesk events catalogue` lists the types; a module's own need COPYDESK_PLUGINS",
        )
    identifier, occurred_at = _text(members, "id"), _time(members, "time")
    is_uuid = _UUID.fullmatch(identifier) is not None
    event_id = UUID(identifier) if is_uuid else derived_id(_text(members, "source"), identifier)
    data = _data(members)
    version = _whole(members, "schemaversion", default=event_class.schema_version)
    event = read = _typed(event_class, version, data)
    if "output_id" in event_class.model_fields and "output_id" not in cast("dict[str, JsonValue]", data.value):
        event = event.model_copy(update={"output_id": str(event_id)})
    ids = {name: _optional_id(members, name) for name in _IDS}
    extensions = {name: member.value for name, member in members.items() if name not in _KNOWN}
    if not is_uuid:
        check_id("id", identifier)
        extensions[_EXTERNAL] = identifier
    event = _keep(extensions, event, ids)
    prepared = prepare(
        event,
        agent_id=agent_id,
        run_id=ids["runid"],
        correlation_id=ids["correlationid"],
        causation_id=ids["causationid"],
        trace_id=ids["traceid"],
        event_id=event_id,
        occurred_at=occurred_at,
    )
    if version != event_class.schema_version and event is read:
        # The other log's bytes: reading them again is then no conflict, and the upcasters run on every read anyway.
        refuse_unstorable(data.text.encode(), event_type)
        prepared = prepared._replace(schema_version=version, payload=data.text.encode())
    else:
        _refuse_rounding(event_type, data.value, json.loads(prepared.payload))
    subject = members.get("subject")
    if subject is not None and subject.value != prepared.stream_id:
        raise InvalidEvent(
            f"subject is the event's stream, {prepared.stream_id}; found {subject.value!a:.120}", hint="leave it out"
        )
    return prepared


def read_trusted(line: bytes) -> Stored:
    """Read a line of copydesk's own export as the row that it was: position, times and payload bytes included.

    Args:
        line: UTF-8, without its line end.

    Raises:
        InvalidEvent: Something that the log needs is missing or can't be stored.
    """
    members = _envelope(line)
    unknown = sorted(members.keys() - _KNOWN - {_EXTERNAL})
    if unknown:
        raise InvalidEvent(
            f"an export of copydesk was expected, found the attribute {unknown[0]!a}",
            hint="leave out --trusted: the attribute is then kept in the event's metadata",
        )
    event_type, event_id, stream_id = (_text(members, name) for name in ("type", "id", "subject"))
    if not _TYPE.fullmatch(event_type):
        raise InvalidEvent(f"type is noun.past_participle in lower case, found {event_type!a:.120}")
    if not _UUID.fullmatch(event_id):
        raise InvalidEvent(f"id is a UUID in an export of copydesk, found {event_id!a:.120}")
    position, version = _whole(members, "position"), _whole(members, "schemaversion")
    data, occurred_at, recorded_at = _data(members), _time(members, "time"), _time(members, "recordedat")
    payload = data.text.encode()
    refuse_unstorable(payload, event_type)
    run_id, correlation_id, causation_id, trace_id = (_optional_id(members, name) for name in _IDS)
    prepared = Prepared(
        event_id.lower(),
        event_type,
        version,
        stream_id,
        _agent(members),
        run_id,
        correlation_id,
        causation_id,
        trace_id,
        clock.to_text(occurred_at),
        payload,
    )
    return Stored(
        position,
        *prepared[:9],
        occurred_at=occurred_at,
        recorded_at=recorded_at,
        payload=data.text,
        digest=digest(prepared),
    )


def _envelope(line: bytes) -> Members:
    members = read_object(line, max_depth=MAX_DEPTH + 1)
    # "Unset attributes MAY be encoded to the JSON value of null": JSON format, 2.2.
    members = {name: member for name, member in members.items() if member.value is not None or name == "data"}
    specversion = members["specversion"].value if "specversion" in members else None
    if specversion != "1.0":
        raise InvalidEvent(f"a CloudEvent of specversion 1.0 was expected, found {specversion!a:.60}")
    if "data_base64" in members:
        raise InvalidEvent("data is a JSON object, found data_base64")
    for name in members:
        # "SHOULD NOT exceed 20 characters": a longer name is no reason to refuse the event.
        if not _ATTRIBUTE.fullmatch(name):
            raise InvalidEvent(f"an attribute's name is 1 to 200 of a-z and 0-9, found {name!a:.60}")
    content = members.get("datacontenttype")
    if content is not None and not (isinstance(content.value, str) and _JSON_CONTENT.fullmatch(content.value)):
        raise InvalidEvent(f"datacontenttype is application/json or another of JSON, found {content.value!a:.60}")
    return members


def _text(members: Members, name: str) -> str:
    value = members[name].value if name in members else None
    if not isinstance(value, str) or not value or "\0" in value:
        raise InvalidEvent(f"{name} is a text that is not empty, found {value!a:.60}")
    return value


def _agent(members: Members) -> str:
    source = _text(members, "source")
    name = source.removeprefix(_SOURCE)
    if not source.startswith(_SOURCE) or not name or name in (".", "..") or re.search(r"[/?#\s]", name):
        raise InvalidEvent(f"source is /agents/ and an agent's id, percent-encoded; found {source!a:.120}")
    try:
        agent_id = unquote(name, errors="strict")
    except UnicodeDecodeError:
        raise InvalidEvent(f"source is percent-encoded UTF-8, found {source!a:.120}") from None
    check_id("the agent's id in source", agent_id)
    return agent_id


def _optional_id(members: Members, name: str) -> str | None:
    if name not in members:
        return None
    value = _text(members, name)
    check_id(name, value)
    return value


def _time(members: Members, name: str) -> datetime:
    if name not in members:
        raise InvalidEvent(f"{name} is missing", hint="an event has a time with a zone, as 2026-11-24T10:00:00Z")
    try:
        return clock.from_text(_text(members, name))
    except ValueError as error:
        raise InvalidEvent(f"{name}: {error}") from None


def _whole(members: Members, name: str, default: int | None = None) -> int:
    value = members[name].value if name in members else default
    if isinstance(value, str) and value.isascii() and value.isdigit():  # the specification's text form of an Integer
        value = int(value[:20])
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 1 << 63:
        raise InvalidEvent(f"{name} is a whole number of 1 or more, found {value!a:.60}")
    return value


def _data(members: Members) -> Member:
    data = members.get("data")
    if data is None or not isinstance(data.value, dict):
        raise InvalidEvent(f"data is a JSON object, found {'nothing' if data is None else ascii(data.text[:60])}")
    return data


def _typed(event_class: type[Event], version: int, data: Member) -> Event:
    if version != event_class.schema_version:
        return cast("Event", decode_payload(event_class.event_type, version, data.text))
    try:
        return event_class.model_validate_json(data.text)
    except ValidationError as error:
        raise InvalidEvent(explain(event_class.event_type, error)) from None


def _keep(extensions: dict[str, JsonValue], event: Event, ids: dict[str, str | None]) -> Event:
    """Put attributes that the log has no column for where they are kept; `ids` may get a correlation id."""
    if not extensions:
        return event
    metadata = getattr(event, "metadata", None)
    if metadata is not None:
        for name, value in extensions.items():
            if metadata.get(name, value) != value:
                raise InvalidEvent(f"the attribute {name} differs from metadata.{name}", hint="leave one of them out")
        return event.model_copy(update={"metadata": {**metadata, **extensions}})
    reference = f"{_EXTERNAL}:{extensions.get(_EXTERNAL)}"
    if extensions.keys() == {_EXTERNAL} and ids["correlationid"] in (None, reference):
        check_id(_EXTERNAL, reference)
        ids["correlationid"] = reference
        return event
    unknown = next(iter(sorted(extensions)))
    raise InvalidEvent(
        f"{event.event_type} has no metadata to keep the attribute {unknown} in",
        hint="give the event a UUID as id" if unknown == _EXTERNAL else f"leave {unknown} out",
    )


def _external_id(row: Stored) -> str | None:
    if row.correlation_id is not None and row.correlation_id.startswith(f"{_EXTERNAL}:"):
        return row.correlation_id.removeprefix(f"{_EXTERNAL}:")
    if f'"{_EXTERNAL}"' not in row.payload:
        return None
    metadata = json.loads(row.payload).get("metadata")
    found = metadata.get(_EXTERNAL) if isinstance(metadata, dict) else None
    return found if isinstance(found, str) else None


def _refuse_rounding(where: str, given: JsonValue, kept: JsonValue) -> None:
    """A number in a field of the class may be kept as another kind of number, but never as another number."""
    if isinstance(given, dict) and isinstance(kept, dict):
        for key in given.keys() & kept.keys():
            _refuse_rounding(f"{where}.{key}", given[key], kept[key])
    elif isinstance(given, list) and isinstance(kept, list):
        for index, (one, other) in enumerate(zip(given, kept, strict=False)):
            _refuse_rounding(f"{where}.{index}", one, other)
    elif isinstance(given, int | float) and isinstance(kept, int | float) and given != kept:
        raise InvalidEvent(f"{where}: a number that is kept exactly was expected, {given} would become {kept}")
