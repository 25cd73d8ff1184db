"""`copydesk events quarantine`: look at what could not be taken as an event, try it again, or discard it."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import JsonValue

from capture import clock
from capture.cli.command import command, group
from capture.cli.events import events
from capture.cli.options import Database
from capture.cli.output import Column, ExitCode, Screen
from capture.errors import BadSetting

if TYPE_CHECKING:
    from capture.writer.set_aside import SetAside

quarantine = group("quarantine", "Look at what could not be taken as an event, try it again, or discard it.")
events.add_typer(quarantine)

Ids = Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Records, by their ids.")]

_LABELS = {
    "quarantine_id": "Id",
    "received_at": "Received",
    "source": "Came by",
    "agent_id": "Agent",
    "event_type": "Type",
    "bytes": "Bytes",
    "error": "Refused",
}


@command(
    quarantine,
    "list",
    example="copydesk events quarantine list\ncopydesk events quarantine list --json | jq -r .quarantine_id",
)
def list_(
    screen: Screen,
    database: Database,
    *,
    limit: Annotated[int | None, typer.Option("-n", "--limit", min=1, help="The most to list; else all.")] = None,
) -> int | None:
    """List what is in quarantine, the oldest first."""
    from capture.writer.set_aside import records

    columns = (
        Column("quarantine_id", "ID"),
        Column("received_at", "RECEIVED"),
        Column("source", "CAME BY"),
        Column("agent_id", "AGENT"),
        Column("event_type", "TYPE"),
        Column("error", "REFUSED", elastic=True),
    )
    rows = (_entry(record) for record in records(database.manager, limit=limit))
    screen.table(rows, columns, empty="nothing is in quarantine")
    return None


@command(
    quarantine,
    "show",
    example="copydesk events quarantine show 01933a8e-7f5c-7c3a-9d54-0f6a3c1e2b90",
)
def show(
    screen: Screen,
    database: Database,
    identifier: Annotated[str, typer.Argument(metavar="ID", help="A record, by its id.")],
) -> int | None:
    """Show one record with its bytes; what is no UTF-8 in them is shown as escapes, and as `raw_base64` with --json."""
    from capture.writer.set_aside import record

    found = record(database.manager, identifier)
    entry = _entry(found)
    if screen.json:
        try:
            entry["raw"] = found.raw.decode()
        except UnicodeDecodeError:
            entry["raw_base64"] = b64encode(found.raw).decode()
        screen.value(entry)
        return None
    screen.object(entry, _LABELS)
    screen.content(found.raw.decode(errors="backslashreplace"))
    return None


@command(
    quarantine,
    "retry",
    example="copydesk events quarantine retry 01933a8e-7f5c-7c3a-9d54-0f6a3c1e2b90\n"
    "copydesk events quarantine retry --all --json",
)
def retry(
    screen: Screen,
    database: Database,
    *,
    identifiers: Ids = None,
    everything: Annotated[bool, typer.Option("--all", help="Every record.")] = False,
) -> int | None:
    """Try records again with the code at hand; what is taken leaves the quarantine, and the rest stays."""
    from capture.writer import set_aside

    _one_way(identifiers, everything=everything)
    manager = database.manager
    chosen = [record.quarantine_id for record in set_aside.records(manager)] if everything else identifiers or []
    refused = 0
    for identifier in chosen:
        outcome = set_aside.retry(manager, identifier)
        error = outcome.refusal
        refused += error is not None
        if screen.json:
            told: dict[str, JsonValue] = {"quarantine_id": outcome.quarantine_id, "position": outcome.position}
            if error is not None:
                told["error"] = {"code": error.code, "message": error.message, "hint": error.hint}
            screen.value(told)
        elif error is None:
            screen.say(f"{outcome.quarantine_id} stands at position {outcome.position}")
        else:
            screen.say(f"{outcome.quarantine_id} stays: {error.message}")
    if not chosen:
        screen.note("nothing is in quarantine")
        return ExitCode.NOTHING_TO_DO
    return ExitCode.FAILURE if refused else None


@command(
    quarantine,
    "discard",
    example="copydesk events quarantine discard 01933a8e-7f5c-7c3a-9d54-0f6a3c1e2b90\n"
    "copydesk events quarantine discard --all --expect-count 12",
)
def discard(
    screen: Screen,
    database: Database,
    *,
    identifiers: Ids = None,
    everything: Annotated[bool, typer.Option("--all", help="Every record; needs --expect-count.")] = False,
    expected: Annotated[
        int | None, typer.Option("--expect-count", min=0, metavar="N", help="How many you saw; else nothing is done.")
    ] = None,
) -> int | None:
    """Delete records for good."""
    from capture.writer import set_aside

    _one_way(identifiers, everything=everything)
    manager = database.manager
    if everything:
        if expected is None:
            raise BadSetting(
                f"--expect-count was expected beside --all: {set_aside.count(manager):,} records are in quarantine",
                hint="look at them first: `copydesk events quarantine list`",
            )
        found = set_aside.discard_all(manager, expected)
        if found != expected:
            screen.failure(
                "COUNT", f"{expected:,} records were expected, found {found:,}; none was discarded", "list them again"
            )
            return ExitCode.CONFLICT
        discarded = found
    else:
        for identifier in identifiers or []:
            set_aside.discard(manager, identifier)
        discarded = len(identifiers or [])
    if screen.json:
        screen.value({"discarded": discarded})
    else:
        screen.say(f"{discarded:,} discarded")
    return None


def _one_way(identifiers: list[str] | None, *, everything: bool) -> None:
    if bool(identifiers) == everything:
        raise BadSetting("the ids of records or --all were expected, one of both")


def _entry(record: SetAside) -> dict[str, JsonValue]:
    return {
        "quarantine_id": record.quarantine_id,
        "received_at": clock.to_text(record.received_at),
        "source": record.source,
        "agent_id": record.agent_id,
        "event_type": record.event_type,
        "bytes": len(record.raw),
        "error": record.error,
    }
