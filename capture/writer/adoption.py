"""Orphans: journals whose process is gone. The next process to start brings their records into the log.

Exactly once, since the log knows an event by its id. Only into the log that a journal names; one whose process never
reached a database is for any.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from capture.events import content, registry
from capture.events.content import Prepared
from capture.settings import Settings
from capture.writer import journal, owner, quarantine
from capture.writer.committing import Sink, commit
from capture.writer.quarantine import Quarantined, quarantined, refused
from capture.writer.removal import Removal

if TYPE_CHECKING:
    from capture.database.manager import DatabaseManager

_BATCH = 1000
_log = logging.getLogger("copydesk.writer")


class Adopted(NamedTuple):
    """What was brought in.

    Attributes:
        events: Events that are in the log now.
        quarantined: Records that are in quarantine now.
    """

    events: int = 0
    quarantined: int = 0


def recover_journals(database: DatabaseManager | None = None, *, settings: Settings | None = None) -> Adopted:
    """Bring the events of processes that are gone into the log, now.

    Every writer does so when it starts; `copydesk run` and the review commands call this.

    Args:
        database: The database; the process's own when left out.
        settings: They name the journal folder; the database's when left out.

    Returns:
        What was brought in; nothing when there are no orphans, or their processes are alive.

    Raises:
        CopydeskError: The database is away. The journals are as they were.
    """
    if settings is None:
        settings = Settings.from_environment() if database is None else database.settings
    if not settings.journal.is_dir():
        return Adopted()
    from capture.writer.sink import DatabaseSink

    sink = DatabaseSink(database)
    events = records = 0
    for adopted in adopt(settings.journal, sink):
        events += adopted.events
        records += adopted.quarantined
    return Adopted(events, records)


def adopt(folder: Path, sink: Sink) -> Iterator[Adopted]:
    """Adopt the orphans of a folder, batch by batch.

    Args:
        folder: The journal folder.
        sink: The database.

    Yields:
        What each batch brought in, once it is committed.

    Raises:
        Exception: The database is away. What is not in the log yet is still in the journals.
    """
    log_id = sink.log_id()
    for orphan in owner.orphans(folder):
        for path in orphan.segments:
            yield from _adopt_segment(path, log_id, sink)


def _adopt_segment(path: Path, log_id: bytes, sink: Sink) -> Iterator[Adopted]:
    found = journal.scan(path.read_bytes())
    header = found.header
    if header is not None and header.format > journal.FORMAT:
        _log.warning("the journal %s was written by a newer copydesk and is left alone; start that one", path)
        return
    if header is not None and header.log_id not in (journal.UNKNOWN_LOG, log_id):
        if found.records:
            _log.warning(
                "the journal %s holds %d records for another log (%s) and is left alone; "
                "`copydesk run --once` on that database adopts it",
                path,
                len(found.records),
                header.log_id.hex(),
            )
        return
    records = iter(found.records)
    while some := list(islice(records, _BATCH)):
        events: list[Prepared] = []
        others: list[Quarantined] = []
        for record in some:
            read = _read(record)
            if isinstance(read, Prepared):
                events.append(read)
            else:
                others.append(read)
        errors = commit(sink, events, others, durable=False, source="journal")
        yield Adopted(len(events) - len(errors), len(others) + len(errors))
    if found.records:
        sink.sync()
    if not found.faults and not found.lost:
        Removal().remove(path)
        return
    aside = path.with_suffix(owner.DAMAGED)
    path.rename(aside)
    _log.error(
        "the journal %s was damaged: %s; %d records were recovered, %s; the file is kept as %s",
        path,
        "; ".join(found.faults) or "records are missing",
        len(found.records),
        f"{len(found.lost)} are lost (numbers {_numbers(found.lost)})" if found.lost else "no other is known",
        aside,
    )


def _read(record: journal.Record) -> Prepared | Quarantined:
    try:
        if record.kind == journal.QUARANTINED:
            return quarantine.decode(record.payload)
        event = content.decode(record.payload)
    except ValueError as error:
        return quarantined(record.payload, f"a journal record does not decode: {error}", source="journal")
    if registry.is_reserved(event.event_type):
        return refused(event, f"{event.event_type} is written by copydesk alone", source="journal")
    return event


def _numbers(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:10])) + (" …" if len(numbers) > 10 else "")
