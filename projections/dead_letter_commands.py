"""`copydesk projections dead-letters`: the events that a projection passed because its code could not handle them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import JsonValue

from capture import to_text
from capture.cli import Column, Database, Screen, command, group

if TYPE_CHECKING:
    from projections import DeadLetter

dead_letters = group("dead-letters", "Look at events that a projection passed because its code could not handle them.")

_LABELS = {
    "projection": "Projection",
    "version": "Version",
    "position": "Position",
    "event_id": "Event",
    "event_type": "Type",
    "agent_id": "Agent",
    "created_at": "Passed",
    "error": "Error",
}


@command(
    dead_letters,
    "list",
    example="copydesk projections dead-letters list\ncopydesk projections dead-letters list agents_memory --json",
    default=True,
)
def list_(
    screen: Screen,
    database: Database,
    name: Annotated[str | None, typer.Argument(metavar="[PROJECTION]", help="One projection; else all.")] = None,
) -> int | None:
    """List them by projection, version of its code, and position."""
    from projections import dead_letters_of

    rows = [_entry(letter) for letter in dead_letters_of(database.manager, name)]
    columns = (
        Column("projection", "PROJECTION"),
        Column("version", "VERSION", right=True),
        Column("position", "POSITION", right=True),
        Column("event_type", "TYPE"),
        Column("error", "ERROR", elastic=True),
    )
    screen.table(rows, columns, empty="there are no dead letters")
    return None


@command(
    dead_letters,
    "show",
    example="copydesk projections dead-letters show agents_memory 42\n"
    "copydesk projections dead-letters show agents_memory 42 --version 1 --json",
)
def show(
    screen: Screen,
    database: Database,
    name: Annotated[str, typer.Argument(metavar="PROJECTION", help="Whose code failed.")],
    position: Annotated[int, typer.Argument(metavar="POSITION", min=1, help="Where the event stands in the log.")],
    *,
    version: Annotated[
        int | None, typer.Option("--version", min=1, help="Of which version of the code; the newest when left out.")
    ] = None,
) -> int | None:
    """Show one of them: what the code said, and the event as it is stored."""
    from projections.dead_letters import dead_letter

    letter, event = dead_letter(database.manager, name, position, version)
    entry = {**_entry(letter), "agent_id": event.agent_id, "schema_version": event.schema_version}
    payload: JsonValue = json.loads(event.payload)
    if screen.json:
        screen.value({**entry, "payload": payload})
        return None
    screen.object(entry, _LABELS)
    screen.json_content(payload)
    screen.note("new code under a higher version cures it, with a replay; `replay --skip-dead` passes it again")
    return None


def _entry(letter: DeadLetter) -> dict[str, JsonValue]:
    return {**letter._asdict(), "created_at": to_text(letter.created_at)}
