"""`copydesk events catalogue` and `check`: which events the code knows, and whether it can read what is stored."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from pydantic import JsonValue

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

_LIMITS = {"minLength": "at least", "maxLength": "at most", "minimum": "from", "maximum": "to"}


@command(
    events,
    "catalogue",
    example="copydesk events catalogue\ncopydesk events catalogue comment.drafted\n"
    "copydesk events catalogue comment.drafted --json | jq .schema",
)
def catalogue(
    screen: Screen,
    database: Database,  # noqa: ARG001 - the types are the code's; every command takes --database-url
    *,
    event_type: Annotated[str | None, typer.Argument(metavar="[TYPE]", help="One type, with its fields.")] = None,
) -> int | None:
    """List the event types that the code at hand knows; with --json each has its JSON Schema."""
    known = registry.known()
    if event_type is None:
        columns = (
            Column("type", "TYPE"),
            Column("version", "VERSION", right=True),
            Column("about", "ABOUT", elastic=True),
        )
        screen.table((_entry(event_class, schema=screen.json) for event_class in known.values()), columns)
        return None
    if event_type not in known:
        raise NotFound(
            f"a known event type was expected, found {event_type[:120]!a}",
            hint="`copydesk events catalogue` lists them; a module's own need COPYDESK_PLUGINS",
        )
    entry = _entry(known[event_type], schema=screen.json)
    if screen.json:
        screen.value(entry)
        return None
    labels = {"type": "Type", "version": "Version", "stream": "Stream", "reserved": "Reserved", "about": "About"}
    screen.object(entry, labels)
    screen.say()
    schema = known[event_type].model_json_schema()
    for name, field in schema["properties"].items():
        needed = "required" if name in schema.get("required", ()) else "optional"
        screen.say_parts((f"{name:<20} ", "bold"), (f"{needed:<9} ", "dim"), (_kind(field), ""))
    return None


@command(events, "check", example="copydesk events check && deploy")
def check(screen: Screen, database: Database) -> int | None:
    """Decode one event of every stored type and version with the code at hand, and name what it can't read."""
    from capture.eventlog.statistics import stored_versions

    log = database.log
    rows: list[dict[str, JsonValue]] = []
    for stored in stored_versions(database.manager):
        newest = next(log.read_stored(stored.newest - 1, 1))
        problem = _problem(newest.event_type, newest.schema_version, newest.payload)
        rows.append(
            {
                "type": stored.event_type,
                "version": stored.schema_version,
                "count": stored.count,
                "ok": problem is None,
                "problem": problem,
            }
        )
    columns = (
        Column("type", "TYPE"),
        Column("version", "VERSION", right=True),
        Column("count", "EVENTS", right=True),
        Column("ok", "READABLE", {"yes": "green", "no": "bold red"}),
        Column("problem", "PROBLEM", elastic=True),
    )
    screen.table(rows, columns, empty="the log is empty")
    return None if all(row["ok"] for row in rows) else ExitCode.FAILURE


def _entry(event_class: type[Event], *, schema: bool) -> dict[str, JsonValue]:
    about = (event_class.__doc__ or "").strip().partition("\n")[0]
    entry: dict[str, JsonValue] = {
        "type": event_class.event_type,
        "version": event_class.schema_version,
        "stream": event_class.stream_field or "agent_id",
        "reserved": registry.is_reserved(event_class.event_type),
        "upcasters": list(known_steps(event_class.event_type)),
        "fields": list(event_class.model_fields),
        "about": about,
    }
    if schema:
        entry["schema"] = event_class.model_json_schema()
    return entry


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
