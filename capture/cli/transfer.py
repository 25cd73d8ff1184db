"""`copydesk events import` and `export`: CloudEvents, one event a line."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from capture.cli.command import command
from capture.cli.events import After, Stream, Types, Upcast, events
from capture.cli.options import Database
from capture.cli.output import ExitCode, Screen
from capture.errors import InvalidEvent

if TYPE_CHECKING:
    from capture.database.manager import DatabaseManager

AFTER_TRUSTED: list[Callable[[DatabaseManager], object]] = []
"""Called after a trusted import: what keeps tables of its own beside the log makes them again from it."""

_SHOWN = 20


@command(
    events,
    "import",
    example="copydesk events import events.jsonl\n"
    "copydesk events import - --json < events.jsonl\n"
    "copydesk events import export.jsonl --trusted --database-url sqlite:///new.db",
)
def import_(
    screen: Screen,
    database: Database,
    *,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A file of CloudEvents lines; - for standard input.")],
    trusted: Annotated[
        bool,
        typer.Option(
            "--trusted", help="Your own whole export, into an empty log: positions and verdicts are taken over."
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check every line, and import nothing.")] = False,
) -> int | None:
    """Take events from a file; what can't be taken is reported with its line number, and the rest goes in."""
    from capture.sources.cloudevents import import_lines

    log = database.log
    with _reading(file) as (source, size), screen.progress("importing", size) as advance:
        report = import_lines(log, source, trusted=trusted, dry_run=dry_run, advance=advance)
    if trusted and report.imported and not dry_run:
        for restore in AFTER_TRUSTED:
            restore(log.manager)
    if screen.json:
        screen.value(report.as_object())
        return ExitCode.FAILURE if report.refused else None
    would = "would be " if dry_run else ""
    screen.say(
        f"{report.read:,} lines read, {report.imported:,} {would}imported, {report.duplicates:,} duplicates, "
        f"{report.refused:,} refused"
    )
    shown = report.errors[:_SHOWN] if screen.terminal else report.errors
    for error in shown:
        screen.say_parts((f"line {error.line}: ", "red"), (error.error, ""))
    if report.refused > len(shown):
        screen.say(f"and {report.refused - len(shown):,} more; --json lists the first 1,000")
    return ExitCode.FAILURE if report.refused else None


@command(
    events,
    "export",
    example="copydesk events export events.jsonl\ncopydesk events export --type comment.drafted | gzip > comments.gz",
)
def export(
    screen: Screen,
    database: Database,
    *,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where to write; standard output when left out.")] = "-",
    after: After = 0,
    types: Types = None,
    stream: Stream = None,
    upcast: Upcast = False,
) -> int | None:
    """Write events as CloudEvents lines, with the payloads byte for byte as they are stored."""
    from capture.sources.cloudevents import export_lines

    log = database.log
    whole = not (types or stream)
    lines = export_lines(log, after=after, types=types, stream=stream, upcast=upcast)
    try:
        count = _write(screen, lines, file, max(log.head() - after, 0) if whole else None)
    except InvalidEvent as error:
        # Nothing was typed wrongly: an old event and the code at hand do not fit together.
        screen.error(error)
        return ExitCode.FAILURE
    if file == "-":
        return None
    if screen.json:
        screen.value({"exported": count, "file": file})
    else:
        screen.say(f"{count:,} events written to {file}")
    return None


def _write(screen: Screen, lines: Iterator[str], file: str, total: int | None) -> int:
    count = 0
    if file == "-":
        for count, line in enumerate(lines, start=1):  # noqa: B007 - the last one is what is told
            screen.raw_line(line)
        return count
    with screen.progress("exporting", total) as advance, _writing(file) as out:
        for count, line in enumerate(lines, start=1):  # noqa: B007 - as above
            out.write(line.encode() + b"\n")
            advance(1)
    return count


@contextmanager
def _reading(file: str) -> Iterator[tuple[BinaryIO, int | None]]:
    if file == "-":
        yield sys.stdin.buffer, None
        return
    with Path(file).open("rb") as source:
        yield source, os.fstat(source.fileno()).st_size or None


@contextmanager
def _writing(file: str) -> Iterator[BinaryIO]:
    """The file is there whole or not at all: half an export would be imported as a whole one."""
    path = Path(file)
    if path.exists() and not path.is_file():  # a pipe or a device, which no other file may replace
        with path.open("wb") as out:
            yield out
        return
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with unfinished.open("wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
