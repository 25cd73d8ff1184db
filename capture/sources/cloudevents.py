"""Events from a file of CloudEvents lines into the log, and back: streaming, a batch at a time.

A line that can't be taken harms no other: it is in the report, with its number. A trusted import is all or nothing,
since a log with a hole in it would be no log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import BinaryIO, NamedTuple

from pydantic import JsonValue

from capture.errors import EventConflict, InvalidEvent
from capture.eventlog.event_log import EventLog
from capture.eventlog.trusted import import_trusted
from capture.events.cloudevents import read_line, read_trusted, to_line
from capture.events.content import MAX_PAYLOAD, Prepared, digest
from capture.events.recorded import Stored

MAX_LINE = 8 * MAX_PAYLOAD
"""The longest line, in bytes: a payload in which every character is an escape, and the attributes around it."""

MAX_ERRORS = 1000
"""How many refused lines a report describes; `refused` counts them all."""

BATCH = 500
"""Lines that are appended in one transaction."""


class LineError(NamedTuple):
    """A line that was refused.

    Attributes:
        line: Its number, from 1.
        error: Why, in one sentence.
    """

    line: int
    error: str


@dataclass
class ImportReport:
    """What became of a file.

    Attributes:
        read: Lines that were read; empty ones do not count.
        imported: Events that are new in the log.
        duplicates: Events that the log had already, with the same content.
        refused: Lines that are no event, or contradict one in the log.
        errors: The first thousand of the refused lines.
    """

    read: int = 0
    imported: int = 0
    duplicates: int = 0
    refused: int = 0
    errors: list[LineError] = field(default_factory=list)

    def refuse(self, line: int, error: InvalidEvent | EventConflict) -> None:
        """Count a refused line and keep the reason."""
        self.refused += 1
        if len(self.errors) < MAX_ERRORS:
            self.errors.append(LineError(line, f"{error.message}; {error.hint}" if error.hint else error.message))

    def as_object(self) -> dict[str, JsonValue]:
        """The report as `copydesk events import --json` writes it."""
        return {
            "read": self.read,
            "imported": self.imported,
            "duplicates": self.duplicates,
            "refused": self.refused,
            "errors": [{"line": error.line, "error": error.error} for error in self.errors],
        }


def import_lines(
    log: EventLog,
    source: BinaryIO,
    *,
    trusted: bool = False,
    dry_run: bool = False,
    advance: Callable[[int], None] = lambda _: None,
) -> ImportReport:
    """Append the events of a file to the log.

    Args:
        log: The log; an empty one where `trusted`.
        source: One CloudEvent a line, UTF-8.
        trusted: Take the lines as copydesk's own export: positions, times and verdicts included.
        dry_run: Check every line, and append none.
        advance: Called with the number of bytes read since the last call.

    Raises:
        LogNotEmpty: A trusted import, and the log has events.
        LogMoved: The log was moved to another database.
    """
    report = ImportReport()
    lines = _lines(source, report, advance)
    if trusted:
        _import_trusted(log, lines, report, dry_run=dry_run)
        return report
    prepared = _prepared(lines, report)
    while batch := list(islice(prepared, BATCH)):
        if dry_run:
            _compare(log, batch, report)
        else:
            _append(log, batch, report)
    report.errors.sort()  # a conflict is found later than a line that can't be read
    return report


def export_lines(
    log: EventLog,
    *,
    after: int = 0,
    types: Iterable[str] | None = None,
    stream: str | None = None,
    upcast: bool = False,
) -> Iterator[str]:
    """The events of the log as CloudEvents lines, without line ends; payloads as they are stored.

    Args:
        log: The log.
        after: Begin with the position after this one.
        types: Only events of these types.
        stream: Only events of this stream.
        upcast: Bring payloads up to the newest version that the code at hand knows.

    Raises:
        InvalidEvent: With `upcast`: a payload does not decode.
    """
    for row in log.read_stored(after, types=types, stream=stream):
        try:
            yield to_line(row, upcast=upcast)
        except InvalidEvent as error:
            raise InvalidEvent(f"position {row.position}: {error.message}", hint=error.hint) from error


Lines = Iterator[tuple[int, bytes]]


def _lines(source: BinaryIO, report: ImportReport, advance: Callable[[int], None]) -> Lines:
    number = 0
    while piece := source.readline(MAX_LINE):
        number += 1
        size = len(piece)
        advance(size)
        if size == MAX_LINE and not piece.endswith(b"\n"):
            while piece and not piece.endswith(b"\n"):
                piece = source.readline(MAX_LINE)
                size += len(piece)
                advance(len(piece))
            report.read += 1
            report.refuse(number, InvalidEvent(f"a line of at most {MAX_LINE:,} bytes was expected, found {size:,}"))
            continue
        line = piece.removesuffix(b"\n").removesuffix(b"\r")
        if line:
            report.read += 1
            yield number, line


def _prepared(lines: Lines, report: ImportReport) -> Iterator[tuple[int, Prepared]]:
    for number, line in lines:
        try:
            event = read_line(line)
        except InvalidEvent as error:
            report.refuse(number, error)
        else:
            yield number, event


def _append(log: EventLog, batch: list[tuple[int, Prepared]], report: ImportReport) -> None:
    before = log.head()
    try:
        positions = log.append_prepared([event for _, event in batch])
    except EventConflict as error:
        if len(batch) == 1:
            report.refuse(batch[0][0], error)
            return
        # One of them contradicts the log: each is tried alone, and the others go in.
        for one in batch:
            _append(log, [one], report)
        return
    new = {position for position in positions if position > before}
    report.imported += len(new)
    report.duplicates += len(batch) - len(new)


def _compare(log: EventLog, batch: list[tuple[int, Prepared]], report: ImportReport) -> None:
    for number, event in batch:
        found = log.find(event.event_id)
        if found is None:
            report.imported += 1
        elif found.digest == digest(event):
            report.duplicates += 1
        else:
            report.refuse(
                number, EventConflict(f"the event {event.event_id} is in the log already, with other content")
            )


def _import_trusted(log: EventLog, lines: Lines, report: ImportReport, *, dry_run: bool) -> None:
    number = 0

    def rows() -> Iterator[Stored]:
        nonlocal number
        for number, line in lines:  # noqa: B007 - a refused row names the line it stands in
            yield read_trusted(line)

    try:
        report.imported = sum(1 for _ in rows()) if dry_run else import_trusted(log.manager, rows())
    except InvalidEvent as error:
        report.refuse(number, error)
