"""`copydesk events catalogue` and `check`: which events the code knows, and whether it can read what is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import typer
from pydantic import JsonValue
from pydantic.json_schema import models_json_schema

from capture.cli.command import command
from capture.cli.events import events
from capture.cli.options import Database
from capture.cli.output import Column, ExitCode, Screen
from capture.errors import CopydeskError, NotFound
from capture.events import registry
from capture.events.decoding import decode_payload
from capture.events.event import Event
from capture.events.recorded import UnknownEvent
from capture.events.upcasting import known_steps

JsonSchema = dict[str, Any]
"""A JSON Schema, or a part of one."""

HANDLED_BY: list[Callable[[], Mapping[str, Sequence[str]]]] = []
"""Each says, by event type, what handles it: filled by who knows handlers, from above."""

_LIMITS = {"minLength": "at least", "maxLength": "at most", "minimum": "from", "maximum": "to"}
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_LABELS = {
    "type": "Type",
    "version": "Version",
    "stream": "Stream",
    "reserved": "Reserved",
    "handled_by": "Handled by",
    "upcasters": "Read from",
    "about": "About",
}


@command(
    events,
    "catalogue",
    example="copydesk events catalogue\ncopydesk events catalogue comment.drafted\n"
    "copydesk events catalogue --json | jq 'select(.handled_by == [])'\n"
    "copydesk events catalogue --schema > events.schema.json",
)
def catalogue(
    screen: Screen,
    database: Database,  # noqa: ARG001 - the types are the code's; every command takes --database-url
    *,
    event_type: Annotated[str | None, typer.Argument(metavar="[TYPE]", help="One type, with its fields.")] = None,
    schema: Annotated[
        bool, typer.Option("--schema", help="Write the JSON Schema of an export's lines, or of one type's data.")
    ] = False,
) -> int | None:
    """List the event types that the code at hand knows, what handles each, and which old versions it reads."""
    known = registry.known()
    if event_type is not None and event_type not in known:
        raise NotFound(
            f"a known event type was expected, found {event_type[:120]!a}",
            hint="`copydesk events catalogue` lists them; a module's own need COPYDESK_PLUGINS",
        )
    if schema:
        screen.value(_lines_schema(known) if event_type is None else _schema(known[event_type]))
        return None
    handled = _handled()
    if event_type is None:
        columns = (
            Column("type", "TYPE"),
            Column("version", "VERSION", right=True),
            Column("upcasters", "READ FROM"),
            Column("handled_by", "HANDLED BY"),
            Column("fields", "FIELDS", elastic=True),
        )
        entries = (_entry(each, handled, schema=screen.json) for each in known.values())
        screen.table(entries if screen.json else map(_in_words, entries), columns)
        return None
    entry = _entry(known[event_type], handled, schema=screen.json)
    if screen.json:
        screen.value(entry)
        return None
    screen.object(_in_words(entry), _LABELS)
    screen.say()
    fields = known[event_type].model_json_schema()
    for name, field in fields["properties"].items():
        needed = "required" if name in fields.get("required", ()) else "optional"
        screen.say_parts((f"{name:<20} ", "bold"), (f"{needed:<9} ", "dim"), (_kind(field), ""))
    return None


@command(events, "check", example="copydesk events check && deploy\ncopydesk events check --all --json")
def check(
    screen: Screen,
    database: Database,
    *,
    every: Annotated[bool, typer.Option("--all", help="Decode every event, not one of each version.")] = False,
) -> int | None:
    """Decode one event of every stored type and version with the code at hand, and name what it can't read."""
    from capture.eventlog.statistics import stored_versions

    log = database.log
    found = stored_versions(database.manager)
    faults: dict[tuple[str, int], tuple[int, str]] = {}
    stored = (next(log.read_stored(version.newest - 1, 1)) for version in found)
    with screen.progress("decoding", log.head() if every else len(found)) as advance:
        for row in log.read_stored() if every else stored:
            kind = (row.event_type, row.schema_version)
            problem = None if kind in faults else _problem(*kind, row.payload)
            if problem is not None:
                faults[kind] = (row.position, problem)
            advance(1)
    rows: list[dict[str, JsonValue]] = []
    for version in found:
        position, problem = faults.get((version.event_type, version.schema_version), (None, None))
        rows.append(
            {
                "type": version.event_type,
                "version": version.schema_version,
                "count": version.count,
                "ok": problem is None,
                "problem": problem,
                "position": position,
            }
        )
    columns = (
        Column("type", "TYPE"),
        Column("version", "VERSION", right=True),
        Column("count", "EVENTS", right=True),
        Column("ok", "READABLE", {"yes": "green", "no": "bold red"}),
        Column("position", "AT", right=True),
        Column("problem", "PROBLEM", elastic=True),
    )
    screen.table(rows, columns, empty="the log is empty")
    return ExitCode.FAILURE if faults else None


def _handled() -> dict[str, list[str]]:
    handled: dict[str, list[str]] = {}
    for told in HANDLED_BY:
        for event_type, names in told().items():
            handled.setdefault(event_type, []).extend(names)
    return handled


def _entry(event_class: type[Event], handled: Mapping[str, list[str]], *, schema: bool) -> dict[str, JsonValue]:
    about = (event_class.__doc__ or "").strip().partition("\n")[0]
    entry: dict[str, JsonValue] = {
        "type": event_class.event_type,
        "version": event_class.schema_version,
        "stream": event_class.stream_field or "agent_id",
        "reserved": registry.is_reserved(event_class.event_type),
        "upcasters": list(known_steps(event_class.event_type)),
        "handled_by": [*sorted(handled.get(event_class.event_type, ()))],
        "fields": list(event_class.model_fields),
        "about": about,
    }
    if schema:
        entry["schema"] = event_class.model_json_schema()
    return entry


def _in_words(entry: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    return {
        name: ", ".join(map(str, value)) or None if isinstance(value, list) else value for name, value in entry.items()
    }


def _schema(event_class: type[Event]) -> JsonSchema:
    return {"$schema": _DIALECT, **event_class.model_json_schema()}


def _lines_schema(known: Mapping[str, type[Event]]) -> JsonSchema:
    """What a line of `events export --upcast` is: a CloudEvent whose data has the shape that its type says."""
    references, definitions = models_json_schema([(each, "validation") for each in known.values()])
    return {
        "$schema": _DIALECT,
        "title": "Events of copydesk, as CloudEvents",
        "type": "object",
        "required": ["specversion", "id", "source", "type", "time", "data"],
        "oneOf": [
            {"properties": {"type": {"const": event_type}, "data": references[each, "validation"]}}
            for event_type, each in known.items()
        ],
        **definitions,
    }


def _problem(event_type: str, version: int, payload: str) -> str | None:
    try:
        found = decode_payload(event_type, version, payload)
    except CopydeskError as error:
        return error.message
    return "no code at hand knows this type" if isinstance(found, UnknownEvent) else None


def _kind(schema: JsonSchema) -> str:
    """What a field takes, in words; the exact rules are in the JSON Schema."""
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"] if one.get("type") != "null")
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    kind = str(schema.get("format") or schema.get("type") or "any JSON")
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    limits = [f"{word} {schema[name]:,}" for name, word in _LIMITS.items() if name in schema]
    return f"{kind}, {', '.join(limits)}" if limits else kind
