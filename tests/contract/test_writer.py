"""The writer against a real database: order, waiting, quarantine, outages, adoption."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from capture import (
    BatchingWriter,
    DatabaseManager,
    EventConflict,
    EventLog,
    Settings,
    WouldDeadlock,
    new_id,
    recover_journals,
)
from capture.errors import DatabaseUnavailable
from capture.eventlog.event_log import EventLog as Log
from capture.vocabulary import MemoryLearned
from capture.writer import journal
from capture.writer.quarantine import quarantined
from capture.writer.segment import SUFFIX
from tests.fixtures.writer import note


@pytest.fixture
def writer(manager: DatabaseManager, tmp_path: Path) -> Iterator[BatchingWriter]:
    writer = BatchingWriter(manager, tmp_path / "journal")
    yield writer
    writer.close(10)


def values(manager: DatabaseManager) -> list[object]:
    return [event.payload.value for event in EventLog(manager).read() if isinstance(event.payload, MemoryLearned)]


def quarantine_of(manager: DatabaseManager) -> list[dict[str, Any]]:
    return manager.execute_query("SELECT * FROM agents_quarantine ORDER BY received_at")


def test_what_is_emitted_is_in_the_log_in_order(writer: BatchingWriter, manager: DatabaseManager) -> None:
    """After a flush every event is in the log, once, in the order of submit."""
    events = [note(number) for number in range(2500)]
    for event in events:
        writer.submit(event)
    assert writer.flush(30)
    assert [str(event.event_id) for event in EventLog(manager).read()] == [event.event_id for event in events]
    stats = writer.stats()
    assert (stats.submitted, stats.committed, stats.waiting) == (2500, 2500, 0)


def test_many_threads_lose_nothing(writer: BatchingWriter, manager: DatabaseManager) -> None:
    """Four threads emit at once; each finds its own events in order, positions are dense."""

    def work(thread: int) -> None:
        for number in range(250):
            writer.submit(note([thread, number]))

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert writer.flush(30)
    found: list[Any] = values(manager)
    assert EventLog(manager).head() == len(found) == 1000
    for thread in range(4):
        assert [value[1] for value in found if value[0] == thread] == list(range(250))


def test_a_durable_event_is_readable_at_once(writer: BatchingWriter, manager: DatabaseManager) -> None:
    """When `submit(durable=True)` returns, another connection reads the event."""
    event = note("durable")
    writer.submit(event, durable=True)
    assert EventLog(manager).find(event.event_id) is not None
    assert writer.stats().durable_batches >= 1


def test_an_event_id_with_other_content_goes_to_quarantine(writer: BatchingWriter, manager: DatabaseManager) -> None:
    """The conflict harms no neighbour, is kept with its error, and is raised to who waits for it."""
    event_id = new_id()
    first = note("first", event_id=event_id)
    for event in (note(1), first, note(2), note("second", event_id=event_id), first, note(3)):
        writer.submit(event)
    assert writer.flush(30)
    assert values(manager) == [1, "first", 2, 3]
    (row,) = quarantine_of(manager)
    assert (row["source"], row["agent_id"], row["event_type"]) == ("emit", "agent", "memory.learned")
    assert b'"second"' in bytes(row["raw"])
    assert "EventConflict" in row["error"]
    with pytest.raises(EventConflict):
        writer.submit(note("third", event_id=event_id), durable=True)


def test_quarantined_records_keep_their_bytes(writer: BatchingWriter, manager: DatabaseManager) -> None:
    """Raw bytes of any kind, and an error with any text, come back from the table."""
    record = quarantined(bytes(range(256)), "NUL \0 and surrogate \ud800", source="import", agent_id="a\0b")
    writer.submit_quarantine(record)
    assert writer.flush(30)
    (row,) = quarantine_of(manager)
    assert bytes(row["raw"]) == bytes(range(256))
    assert row["error"] == "NUL \\0 and surrogate \\ud800"
    assert str(row["quarantine_id"]) == record.quarantine_id
    assert writer.stats().quarantined == 1


def test_events_wait_while_the_database_is_away(
    writer: BatchingWriter, manager: DatabaseManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An outage delays events and loses none; it is told once with what to do."""
    writer.submit(note(0))
    assert writer.flush(30)

    def unavailable(*_: object, **__: object) -> list[int]:
        raise DatabaseUnavailable("the server is gone", hint="start it")

    with monkeypatch.context() as outage:
        outage.setattr(Log, "append_prepared", unavailable)
        for number in range(1, 30):
            writer.submit(note(number))
        assert writer.flush(0.3) is False
        assert "the server is gone" in (writer.stats().last_error or "")
    assert writer.flush(30)
    assert values(manager) == list(range(30))


def test_a_commit_that_was_not_heard_of_is_not_repeated(
    writer: BatchingWriter, manager: DatabaseManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the connection breaks after the commit, the second attempt adds nothing."""
    append, lost = Log.append_prepared, []

    def break_after(self: Log, events: Any, *, durable: bool = False) -> list[int]:
        positions = append(self, events, durable=durable)
        if len(lost) < 2:
            lost.append(True)
            raise DatabaseUnavailable("connection reset", hint="")
        return positions

    monkeypatch.setattr(Log, "append_prepared", break_after)
    for number in range(40):
        writer.submit(note(number))
    writer.submit(note(40), durable=True)
    assert len(lost) == 2
    assert values(manager) == list(range(41))


def test_a_moved_log_holds_events_back(
    writer: BatchingWriter, manager: DatabaseManager, caplog: pytest.LogCaptureFixture
) -> None:
    """While the log is marked as moved, events wait in the journal and the message says what to set."""
    writer.submit(note(0))
    assert writer.flush(30)
    manager.execute_write("UPDATE agents_head SET moved_to = ?", ("postgresql://elsewhere/db",))
    with caplog.at_level(logging.WARNING, "copydesk.writer"):
        writer.submit(note(1))
        assert writer.flush(0.3) is False
    assert "DATABASE_URL" in caplog.text
    manager.execute_write("UPDATE agents_head SET moved_to = NULL")
    assert writer.flush(30)
    assert values(manager) == [0, 1]


def test_waiting_inside_a_decision_or_a_transaction_is_refused(
    writer: BatchingWriter, manager: DatabaseManager, backend_name: str
) -> None:
    """Where the writer would wait for the caller's own lock, `flush` and `durable` raise; plain emit goes on."""
    writer.submit(note(0))
    assert writer.flush(30)
    with EventLog(manager).deciding():
        writer.submit(note(1))
        with pytest.raises(WouldDeadlock):
            writer.flush(5)
        with pytest.raises(WouldDeadlock):
            writer.submit(note(2), durable=True)
    with manager.transaction():
        writer.submit(note(3))
        if backend_name == "sqlite":
            with pytest.raises(WouldDeadlock):
                writer.flush(5)
        else:
            assert writer.flush(30)
    assert writer.flush(30)
    assert values(manager) == [0, 1, 3]


def leave_orphan(folder: Path, manager: DatabaseManager, count: int) -> None:
    """A journal as a killed process leaves it: its lock free, its records committed or not."""

    class Away:
        def __call__(self) -> Any:
            raise DatabaseUnavailable("away", hint="")

    writer = BatchingWriter(journal_folder=folder, open_sink=Away())
    for number in range(count):
        writer.submit(note(number))
    writer.submit_quarantine(quarantined(b"raw", "why", source="processor"))
    assert writer.close(0.1) is False
    assert len(list(folder.glob(f"*{SUFFIX}"))) == 1


def test_orphans_are_adopted_exactly_once(manager: DatabaseManager, tmp_path: Path) -> None:
    """Adoption brings in every record once; repeated after a crash, and by several at once, it changes nothing."""
    settings = replace(Settings.from_environment({}), journal=tmp_path / "journal")
    assert recover_journals(manager, settings=settings) == (0, 0)
    leave_orphan(settings.journal, manager, 1500)
    path = next(settings.journal.glob(f"*{SUFFIX}"))
    data = path.read_bytes()
    assert recover_journals(manager, settings=settings) == (1500, 1)
    path.write_bytes(data)
    threads = [threading.Thread(target=recover_journals, args=(manager,), kwargs={"settings": settings}) for _ in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert values(manager) == list(range(1500))
    assert len(quarantine_of(manager)) == 1
    assert list(settings.journal.iterdir()) == []


def test_a_writer_adopts_when_it_starts(writer: BatchingWriter, manager: DatabaseManager, tmp_path: Path) -> None:
    """The next process to start brings in what the last one left."""
    leave_orphan(tmp_path / "journal", manager, 20)
    writer.submit(note("own"))
    assert writer.close(30)
    assert sorted(map(str, values(manager))) == sorted([*map(str, range(20)), "own"])
    assert writer.stats().adopted == 21


def test_the_journal_names_the_log_of_its_database(
    writer: BatchingWriter, manager: DatabaseManager, tmp_path: Path
) -> None:
    """The id in a segment's header is the log's own."""
    writer.submit(note(1), durable=True)
    header = journal.read_header(next((tmp_path / "journal").glob(f"*{SUFFIX}")).read_bytes())
    assert header is not None
    assert header.log_id.hex() == EventLog(manager).log_id().replace("-", "")


def written(manager: DatabaseManager) -> object:
    """What changes with every commit that writes: the content or the place of the write-ahead log."""
    if manager.backend.name == "postgresql":
        return manager.execute_query("SELECT pg_current_wal_insert_lsn()::text AS lsn")
    return Path(manager.url.removeprefix("sqlite:///") + "-wal").read_bytes()


def test_sync_writes_and_changes_nothing(manager: DatabaseManager) -> None:
    """`sync`, and a durable append of what is there already, make a real commit and leave the log as it was."""
    log, event = EventLog(manager), note(1)
    log.append_prepared([event])
    with manager.connect() as connection:
        before = connection.execute(text("SELECT * FROM agents_head")).one()
    for again in (log.sync, lambda: log.append_prepared([event], durable=True)):
        place = written(manager)
        again()
        assert written(manager) != place
    with manager.connect() as connection:
        assert connection.execute(text("SELECT * FROM agents_head")).one() == before


def test_a_first_writer_sets_up_an_empty_database(make_database: Any, backend_name: str, tmp_path: Path) -> None:
    """Who comes first makes the tables; the events that came meanwhile are in the log."""
    url = make_database(backend_name, migrated=False)
    writer = BatchingWriter(url, tmp_path / "journal")
    for number in range(10):
        writer.submit(note(number))
    assert writer.flush(60)
    assert writer.close(30)
    with DatabaseManager(url) as manager:
        assert values(manager) == list(range(10))
