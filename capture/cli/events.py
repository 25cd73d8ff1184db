"""`copydesk events`: put an event in, and look at what is there."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, cast
from uuid import UUID

import typer
from pydantic import JsonValue

from capture import clock
from capture.cli import hostile
from capture.cli.command import command, group
from capture.cli.options import Database
from capture.cli.output import ExitCode, Part, Screen
from capture.errors import BadSetting, DatabaseUnavailable, InvalidEvent, NotFound
from capture.events.cloudevents import read_line, source_of, to_line, upcasted
from capture.events.decoding import decode_payload
from capture.events.event import Event
from capture.events.recorded import Stored
from capture.identifiers import new_id
from capture.settings import Settings

events = group("events", "Put events into the log, and look at what is there.")

Types = Annotated[list[str] | None, typer.Option("--type", metavar="TYPE", help="Only this type; may be repeated.")]
Stream = Annotated[str | None, typer.Option("--stream", metavar="STREAM", help="Only this stream.")]
After = Annotated[int, typer.Option("--after", min=0, metavar="POSITION", help="Begin behind this position.")]
Upcast = Annotated[bool, typer.Option("--upcast", help="Bring payloads up to the newest version.")]

_PAGE = 500
_PAUSE = 0.25


@command(
    events,
    "emit",
    example="copydesk events emit memory.learned --agent scribe key=tone value=friendly kind=preference\n"
    'copydesk events emit comment.drafted --agent scribe channel=x identity=@us body="Thanks!" metadata:=\'{"n": 1}\'',
)
def emit(
    screen: Screen,
    database: Database,
    *,
    event_type: Annotated[str, typer.Argument(metavar="TYPE", help="As comment.drafted.")],
    fields: Annotated[
        list[str] | None, typer.Argument(metavar="[FIELD=TEXT | FIELD:=JSON]...", help="The event's fields.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="All fields as one JSON object; - reads it from standard input.")
    ] = None,
    agent: Annotated[str | None, typer.Option(metavar="ID", help="Who puts it out; else COPYDESK_AGENT_ID.")] = None,
    run: Annotated[str | None, typer.Option(metavar="ID", help="The run of the agent.")] = None,
    correlation: Annotated[str | None, typer.Option(metavar="ID", help="What the event belongs to.")] = None,
    causation: Annotated[str | None, typer.Option(metavar="ID", help="The event that caused it.")] = None,
    event_id: Annotated[
        str | None, typer.Option("--id", metavar="ID", help="The event's own id; the same id is stored once.")
    ] = None,
    at: Annotated[str | None, typer.Option("--time", metavar="TIME", help="When it happened; else now.")] = None,
    timeout: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="How long to wait for the database.")] = 10.0,
) -> int | None:
    """Put one event into the log, as an agent would."""
    import capture

    settings = Settings.from_environment()
    agent = agent or settings.agent_id
    if agent is None:
        raise BadSetting(
            "the id of an agent was expected", hint="say who puts the event out: --agent ID, or COPYDESK_AGENT_ID"
        )
    attributes = {
        "specversion": "1.0",
        "id": event_id or str(new_id()),
        "source": source_of(agent),
        "type": event_type,
        "time": at or clock.to_text(datetime.now(UTC)),
        "runid": run,
        "correlationid": correlation,
        "causationid": causation,
    }
    envelope = json.dumps({name: value for name, value in attributes.items() if value is not None}, ensure_ascii=False)
    line = f'{envelope[:-1]},"data":{_payload(data, fields or [])}}}'.encode()
    try:
        prepared = read_line(line)
    except InvalidEvent as error:
        # As an import's refused line: the event was not taken, whatever else went well.
        screen.error(error)
        return ExitCode.FAILURE
    event = cast("Event", decode_payload(prepared.event_type, prepared.schema_version, prepared.payload))
    capture.configure(agent_id=agent, database_url=database.url)
    capture.emit(
        event,
        run_id=prepared.run_id,
        correlation_id=prepared.correlation_id,
        causation_id=prepared.causation_id,
        event_id=UUID(prepared.event_id),
        occurred_at=clock.from_text(prepared.occurred_at),
    )
    if not capture.flush(timeout):
        raise DatabaseUnavailable(
            f"the event {prepared.event_id} is kept in the journal {settings.journal} and not yet in the log",
            hint="the next command that reaches the database takes it over; `copydesk db status` says what is wrong",
        )
    row = _find(database, prepared.event_id)
    if screen.json:
        screen.raw_line(hostile.json_embedded(to_line(row)))
    else:
        screen.say(f"{row.event_type} stands at position {row.position}, in the stream {row.stream_id}")
    return None


@command(
    events, "tail", example="copydesk events tail -n 50\ncopydesk events tail --follow --type comment.drafted --json"
)
def tail(
    screen: Screen,
    database: Database,
    *,
    count: Annotated[int, typer.Option("-n", "--limit", min=0, help="How many of the newest to begin with.")] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as events come, until Ctrl-C.")] = False,
    after: Annotated[
        int | None, typer.Option("--after", min=0, metavar="POSITION", help="Begin behind this position.")
    ] = None,
    types: Types = None,
    stream: Stream = None,
    upcast: Upcast = False,
) -> int | None:
    """Show the newest events, and those that come."""
    log = database.log
    position = log.head() if after is None else after
    if after is None and (types or stream):
        rows: Iterable[Stored] = deque(log.read_stored(0, types=types, stream=stream), maxlen=count)
    else:
        rows = log.read_stored(max(position - count, 0) if after is None else after, types=types, stream=stream)
    for row in rows:
        position = row.position
        _show_line(screen, row, upcast=upcast)
    if not follow:
        return None
    from capture.eventlog.news import News

    news = News(log.manager)
    while True:
        screen.flush()
        page = list(log.read_stored(position, _PAGE, types, stream))
        for row in page:
            position = row.position
            _show_line(screen, row, upcast=upcast)
        if not page:
            news.wait(_PAUSE)


@command(
    events, "show", example="copydesk events show 42\ncopydesk events show 01933a8e-7f5c-7c3a-9d54-0f6a3c1e2b90 --json"
)
def show(
    screen: Screen,
    database: Database,
    event: Annotated[str, typer.Argument(metavar="EVENT", help="A position, or an event id.")],
    *,
    upcast: Upcast = False,
) -> int | None:
    """Show one event with everything that the log knows of it."""
    row = _find(database, event)
    if upcast:
        row = _upcasted(screen, row)
    if screen.json:
        screen.raw_line(hostile.json_embedded(to_line(row)))
        return None
    facts: dict[str, JsonValue] = {
        **{name: value for name, value in row._asdict().items() if isinstance(value, str | int)},
        "type": f"{row.event_type}, version {row.schema_version}",
        "occurred_at": clock.to_text(row.occurred_at),
        "recorded_at": clock.to_text(row.recorded_at),
        "digest": row.digest.hex(),
    }
    labels = {
        "position": "Position",
        "event_id": "Id",
        "type": "Type",
        "stream_id": "Stream",
        "agent_id": "Agent",
        "run_id": "Run",
        "correlation_id": "Correlation",
        "causation_id": "Causation",
        "trace_id": "Trace",
        "occurred_at": "Occurred",
        "recorded_at": "Recorded",
        "digest": "Digest",
    }
    screen.object(facts, labels)
    screen.json_content(json.loads(row.payload))
    return None


@command(events, "stats", example="copydesk events stats\ncopydesk events stats --json | jq .by_type")
def stats(screen: Screen, database: Database) -> int | None:
    """Count what is in the log."""
    from capture.eventlog.statistics import statistics

    found = statistics(database.manager)
    if screen.json:
        screen.value(
            {
                "count": found.count,
                "head": found.head,
                "by_type": dict(found.by_type),
                "quarantined": found.quarantined,
            }
        )
        return None
    screen.say(f"{found.count:,} events, the newest at position {found.head:,}; {found.quarantined:,} in quarantine")
    room = max((len(name) for name in found.by_type), default=0)
    for name, count in found.by_type.items():
        screen.say(f"{name:<{room}}  {count:>10,}")
    return None


def _payload(data: str | None, fields: list[str]) -> str:
    """The JSON text of the payload; what is wrong with it, `read_line` says."""
    if data is not None:
        if fields:
            raise BadSetting(
                "the fields were expected one way, found both --data and FIELD=TEXT", hint="use one of them"
            )
        return typer.get_text_stream("stdin").read() if data == "-" else data
    values: dict[str, JsonValue] = {}
    for item in fields:
        name, separator, value = item.partition("=")
        if not separator or not name.removesuffix(":"):
            raise BadSetting(f"FIELD=TEXT or FIELD:=JSON was expected, found {item[:80]!a}")
        if name.endswith(":"):
            try:
                values[name[:-1]] = json.loads(value)
            except ValueError:
                raise BadSetting(
                    f"{name[:-1]}:= takes JSON, found {value[:80]!a}", hint=f"for a text: {name[:-1]}=…"
                ) from None
        else:
            values[name] = value
    return json.dumps(values)


def _find(database: Database, event: str) -> Stored:
    from capture.eventlog.reading import by_event_id

    log = database.log
    if event.isascii() and event.isdigit():
        position = int(event[:20])
        rows = list(log.read_stored(position - 1, 1)) if 0 < position <= log.head() else []
    else:
        try:
            event_id = str(UUID(event))
        except ValueError:
            raise InvalidEvent(f"a position or an event id (a UUID) was expected, found {event[:80]!a}") from None
        log.manager.ensure_schema()
        with log.manager.connect() as connection:
            row = by_event_id(connection, event_id)
        rows = [] if row is None else [row]
    if not rows:
        raise NotFound(f"there is no event {event}", hint=f"the log ends at position {log.head()}")
    return rows[0]


def _upcasted(screen: Screen, row: Stored) -> Stored:
    try:
        return upcasted(row)
    except InvalidEvent as error:
        screen.note(f"position {row.position} is shown as it is stored: {error.message}")
        return row


def _show_line(screen: Screen, row: Stored, *, upcast: bool) -> None:
    if upcast:
        row = _upcasted(screen, row)
    if screen.json:
        screen.raw_line(hostile.json_embedded(to_line(row)))
        return
    when = clock.to_text(row.recorded_at)
    if not screen.terminal:
        screen.columns(row.position, when, row.event_type, row.agent_id, row.stream_id, _summary(row))
        return
    left = f"{row.position:>7}  {when[:19].replace('T', ' ')}  "
    screen.say_parts(
        Part(left, "dim"),
        Part(row.event_type, "cyan", 22),
        Part("  "),
        Part(row.agent_id, "", 16),
        Part("  "),
        Part(_summary(row), "", max(screen.width - len(left) - 42, 10)),
    )


def _summary(row: Stored) -> str:
    """The fields that say something, as `name=value`."""
    payload = json.loads(row.payload)
    said = {name: value for name, value in payload.items() if value not in (None, "", [], {})}
    return " ".join(f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in said.items())
