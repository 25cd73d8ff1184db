"""`copydesk projections`: how the read tables stand, and what brings them up to date."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import JsonValue

from capture import BadSetting, to_text
from capture.cli import Column, Database, ExitCode, Screen, command, group, stopping
from projections.dead_letter_commands import dead_letters

if TYPE_CHECKING:
    from projections import Difference, Progress

projections = group("projections", "See how the read tables stand, rebuild them, and compare them with the log.")
projections.add_typer(dead_letters)

Names = Annotated[
    list[str] | None, typer.Argument(metavar="[PROJECTION]...", help="Some projections; all when left out.")
]
Name = Annotated[str | None, typer.Argument(metavar="[PROJECTION]", help="One projection; all when left out.")]

_STATES = {"current": "green", "behind": "yellow", "stale": "magenta", "stopped": "bold red"}


@command(projections, "status", example="copydesk projections status\ncopydesk projections status --json | jq .lag")
def status(screen: Screen, database: Database) -> int | None:
    """Show how far each projection has come, and what holds it up."""
    from projections import status as standing

    rows: list[dict[str, JsonValue]] = [
        {
            "projection": one.projection,
            "position": one.position,
            "head": one.head,
            "lag": one.lag,
            "state": one.state,
            "holder": one.holder,
            "reason": one.reason or None,
            "lag_seconds": one.lag_seconds,
            "rate": round(one.rate, 1),
            "seconds_left": None if one.seconds_left is None else round(one.seconds_left, 1),
            "version": one.version,
            "generation": one.generation,
            "tables": list(one.tables),
            "handled": one.handled,
            "skipped": one.skipped,
            "dead": one.dead,
            "dead_letters": one.dead_letters,
            "rebuilding": one.rebuilding,
            "replayed_by": one.replayed_by,
            "updated_at": None if one.updated_at is None else to_text(one.updated_at),
        }
        for one in standing(database.manager)
    ]
    columns = (
        Column("projection", "PROJECTION"),
        Column("position", "POSITION", right=True),
        Column("head", "HEAD", right=True),
        Column("lag", "LAG", right=True),
        Column("lag_seconds", "SECONDS", right=True),
        Column("rate", "RATE/S", right=True),
        Column("state", "STATE", _STATES),
        Column("dead_letters", "DEAD", right=True),
        Column("holder", "HOLDER"),
        Column("reason", "REASON", elastic=True),
    )
    screen.table(rows, columns, empty="there are no projections")
    return None


@command(projections, "run", example="copydesk projections run --once\ncopydesk projections run agents_memory --once")
def run(
    screen: Screen,
    database: Database,
    names: Names = None,
    *,
    once: Annotated[bool, typer.Option("--once", help="Up to the end of the log, then end.")] = False,
) -> int | None:
    """Bring the read tables up to date with the log; without --once, until Ctrl-C or SIGTERM."""
    from projections import ProjectionRunner

    runner = ProjectionRunner(database.manager)
    if once:
        handled = runner.run_once(names or None)
        if screen.json:
            screen.value({"handled": handled, "stopped": dict(runner.stopped)})
        else:
            screen.say(f"{handled:,} events handled")
            for name, reason in runner.stopped.items():
                screen.say_parts((f"{name} can't go on: ", "bold red"), (reason, ""))
        return ExitCode.FAILURE if runner.stopped else None
    if names:
        raise BadSetting("all projections run, or some of them --once; found names without --once")
    screen.note(f"working on {database.manager.url}; Ctrl-C ends it")
    with stopping() as stop:
        runner.run(stop)
    return stop.exit_code


@command(
    projections,
    "replay",
    example="copydesk projections replay\ncopydesk projections replay agents_memory\ncopydesk projections replay --all",
)
def replay(
    screen: Screen,
    database: Database,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[PROJECTION]...", help="Some; those that are stale when left out.")
    ] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Every projection, stale or not.")] = False,
    skip_dead: Annotated[bool, typer.Option("--skip-dead", help="Pass events that are dead letters already.")] = False,
    anew: Annotated[bool, typer.Option("--anew", help="Do not go on with an interrupted replay.")] = False,
    patience: Annotated[
        float | None, typer.Option(min=0, metavar="SECONDS", help="How long the swap may wait for readers.")
    ] = None,
) -> int | None:
    """Build read tables anew beside the live ones, and swap them in; the old ones serve meanwhile."""
    from projections import replay as rebuild

    position, told = 0, ""
    chosen = "all" if everything else names or None
    with screen.progress("replaying", database.log.head()) as advance:

        def tell(progress: Progress) -> None:
            nonlocal position, told
            advance(max(progress.position - position, 0))
            position = max(progress.position, position)
            if progress.message not in ("", told):
                screen.note(progress.message)
            told = progress.message

        done = rebuild(database.manager, chosen, tell, skip_dead=skip_dead, anew=anew, patience=patience)
    rows: list[dict[str, JsonValue]] = [dict(one._asdict()) for one in done]
    columns = (
        Column("projection", "PROJECTION"),
        Column("position", "POSITION", right=True),
        Column("events", "EVENTS", right=True),
        Column("passed", "PASSED", right=True),
        Column("generation", "GENERATION", right=True),
    )
    screen.table(rows, columns, empty="no table is stale; --all replays them all the same")
    return None


@command(projections, "diff", example="copydesk projections diff\ncopydesk projections diff agents_memory --json")
def diff(screen: Screen, database: Database, name: Name = None) -> int | None:
    """Show which rows a replay with the code at hand would change; exit 3 when there are any."""
    from projections import diff as compare

    found = compare(database.manager, name)
    for one in found:
        _show_difference(screen, one)
    return None if all(one.empty for one in found) else ExitCode.CONFLICT


@command(
    projections, "verify", example="copydesk projections verify\ncopydesk projections verify agents_outputs --json"
)
def verify(screen: Screen, database: Database, name: Name = None) -> int | None:
    """Rebuild beside the live tables and compare, row by row; exit 1 when one differs."""
    from projections import verify as check

    found = check(database.manager, name)
    rows: list[dict[str, JsonValue]] = [
        {
            "projection": one.projection,
            "position": one.position,
            "ok": one.ok,
            "differing": one.difference.added + one.difference.changed + one.difference.gone,
        }
        for one in found
    ]
    columns = (
        Column("projection", "PROJECTION"),
        Column("position", "POSITION", right=True),
        Column("ok", "OK", {"yes": "green", "no": "bold red"}),
        Column("differing", "DIFFERING", right=True),
    )
    screen.table(rows, columns, empty="there are no projections")
    return None if all(one.ok for one in found) else ExitCode.FAILURE


@command(
    projections,
    "as-of",
    example="copydesk projections as-of agents_memory 1000\n"
    "copydesk projections as-of agents_outputs 2026-11-24T10:00:00Z --json",
)
def as_of(
    screen: Screen,
    database: Database,
    name: Annotated[str, typer.Argument(metavar="PROJECTION", help="Which.")],
    at: Annotated[str, typer.Argument(metavar="POSITION|TIME", help="A position, or a time with a zone.")],
    *,
    build: Annotated[bool, typer.Option("--build", help="Write the rows to tables beside the live ones, too.")] = False,
) -> int | None:
    """Show a read table as it was."""
    from projections import as_of as fold_to

    found = fold_to(database.manager, name, _point(at), build=build)
    if screen.json:
        screen.value(
            {
                "projection": found.projection,
                "position": found.position,
                "dead": found.dead,
                "built": list(found.built),
                "tables": {table: [dict(row) for row in rows] for table, rows in found.rows.items()},
            }
        )
        return None
    for table, rows in found.rows.items():
        screen.note(f"{table} at position {found.position}: {len(rows):,} rows")
        names = list(rows[0]) if rows else []
        screen.table([_plain(row) for row in rows], [Column(name, name.upper()) for name in names], empty="no rows")
    for table in found.built:
        screen.note(f"written to {table}")
    return None


def _show_difference(screen: Screen, one: Difference) -> None:
    if screen.json:
        screen.value(
            {
                **{name: value for name, value in one._asdict().items() if isinstance(value, str | int)},
                "new_columns": list(one.new_columns),
                "old_columns": list(one.old_columns),
                "sample": [
                    {
                        "table": row.table,
                        "key": _plain(row.key),
                        "before": None if row.before is None else _plain(row.before),
                        "after": None if row.after is None else _plain(row.after),
                    }
                    for row in one.sample
                ],
            }
        )
        return
    counts = f"{one.added:,} added, {one.changed:,} changed, {one.gone:,} gone"
    screen.say_parts(
        (f"{one.projection} at position {one.position}: ", "bold"),
        ("no difference" if one.empty else counts, "green" if one.empty else "yellow"),
    )
    for column in one.new_columns:
        screen.say_parts(("+ ", "green"), (column, ""))
    for column in one.old_columns:
        screen.say_parts(("- ", "red"), (column, ""))
    for row in one.sample:
        screen.say(f"  {row.table} {row.key}")
        screen.say_parts(("  - ", "red"), (str(row.before), ""))
        screen.say_parts(("  + ", "green"), (str(row.after), ""))


def _plain(row: Mapping[str, object]) -> dict[str, JsonValue]:
    return {name: value if isinstance(value, str | int | float | None) else str(value) for name, value in row.items()}


def _point(at: str) -> int | datetime:
    if at.isascii() and at.isdigit():
        return int(at[:20])
    try:
        return datetime.fromisoformat(at)
    except ValueError:
        raise BadSetting(
            f"a position or a time was expected, found {at[:60]!a}", hint="write a time as 2026-11-24T10:00:00Z"
        ) from None
