"""The writer's thread against a log in memory: order, waiting, refusals, and when the journal is given up."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import types
from collections.abc import Sequence
from pathlib import Path

import pytest

from capture.errors import EventConflict, JournalFull, WouldDeadlock
from capture.eventlog import inside
from capture.events.content import Prepared
from capture.identifiers import new_id
from capture.writer import journal
from capture.writer.adoption import adopt
from capture.writer.batching import BatchingWriter
from capture.writer.draining import Drain
from capture.writer.owner import DAMAGED
from capture.writer.quarantine import quarantined
from capture.writer.segment import Segment
from capture.writer.segments import Segments
from tests.fixtures.writer import MemoryLog, note, segments_in, waiting_in, writing


def test_events_are_committed_in_the_order_of_submit(tmp_path: Path) -> None:
    """The order of commits is the order of emit, over batches of any size."""
    log = MemoryLog()
    with writing(log, tmp_path, batch_events=7) as writer:
        for number in range(100):
            writer.submit(note(number))
        assert writer.flush(10)
        assert log.values() == list(range(100))
        assert max(size for size, _ in log.commits) <= 7


def test_events_of_one_thread_keep_their_order_beside_others(tmp_path: Path) -> None:
    """Four threads that emit at once each find their own events in order, and none twice."""
    log = MemoryLog()
    with writing(log, tmp_path) as writer:

        def work(thread: int) -> None:
            for number in range(200):
                writer.submit(note([thread, number]))

        threads = [threading.Thread(target=work, args=(thread,)) for thread in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert writer.flush(10)
    values = log.values()
    for thread in range(4):
        assert [value for value in values if value[0] == thread] == [[thread, number] for number in range(200)]  # type: ignore[index]


def test_an_event_is_in_the_journal_when_submit_returns(tmp_path: Path) -> None:
    """With the database away, what was submitted stands in the journal's files."""
    log = MemoryLog()
    log.go_away()
    with writing(log, tmp_path) as writer:
        for number in range(5):
            writer.submit(note(number))
        assert waiting_in(tmp_path) == 5
        log.away = None


def test_flush_tells_whether_everything_before_it_is_committed(tmp_path: Path) -> None:
    """False while the database holds a commit up, True once it is through."""
    log = MemoryLog()
    log.gate.clear()
    with writing(log, tmp_path) as writer:
        writer.submit(note(1))
        assert writer.flush(0.05) is False
        log.gate.set()
        assert writer.flush(10) is True
        assert log.values() == [1]


def test_a_durable_event_is_committed_so_before_submit_returns(tmp_path: Path) -> None:
    """`durable` waits for a commit that survives a power cut, with all that was emitted before."""
    log = MemoryLog()
    with writing(log, tmp_path) as writer:
        writer.submit(note(1))
        writer.submit(note(2), durable=True)
        assert log.values() == [1, 2]
        assert log.commits[-1][1] is True


def test_the_database_may_be_away_for_long(tmp_path: Path) -> None:
    """Events wait in order while attempts fail, and are committed once when the database is back."""
    log = MemoryLog()
    with writing(log, tmp_path) as writer:
        writer.submit(note(0))
        assert writer.flush(10)
        log.go_away()
        for number in range(1, 50):
            writer.submit(note(number))
        assert writer.flush(0.3) is False
        stats = writer.stats()
        assert stats.failures > 0
        assert stats.last_error is not None
        log.away = None
        assert writer.flush(10)
        assert log.values() == list(range(50))
        assert writer.stats().last_error is None


def test_what_waits_is_read_back_from_the_journal(tmp_path: Path) -> None:
    """Memory holds no record that waits for the database, and none is lost."""
    log = MemoryLog()
    log.go_away()
    with writing(log, tmp_path) as writer:
        for number in range(40):
            writer.submit(note(number))
        writer.submit_quarantine(quarantined(b"raw", "error", source="test"))
        log.away = None
        assert writer.flush(10)
    assert log.values() == list(range(40))
    assert [record.raw for record in log.records] == [b"raw"]


def run_and_record(tmp_path: Path, log: MemoryLog, *, mutant: bool = False) -> list[tuple[int, bool]]:
    """Emit over several segments; after each commit, whether a power cut would lose a record from log and journal."""
    losses: list[tuple[int, bool]] = []
    safe: set[str] = set()
    unsafe: set[str] = set()

    def on_append(events: Sequence[Prepared], durable: bool) -> None:
        unsafe.update(event.event_id for event in events)
        if durable:
            safe.update(unsafe)
            unsafe.clear()

    log.on_append = on_append
    with writing(log, tmp_path, segment_bytes=16_384, batch_events=5, batch_age=0) as writer:
        writer.submit(note(-1))
        assert writer.flush(10)
        drain = writer._drain
        assert drain is not None
        for number in range(300):
            writer.submit(note(number))
            if number % 5 == 4:
                assert writer.flush(10)
                if mutant:
                    drain._synced()
                on_disk = set()
                for path in segments_in(tmp_path):
                    # All frames, committed ones too: what a power cut that loses the unsynced commits leaves.
                    data = bytearray(path.read_bytes())
                    data[journal.COMMITTED_AT : journal.COMMITTED_AT + 16] = bytes(16)
                    for record in journal.scan(bytes(data)).records:
                        on_disk.add(record.payload[44:80].decode())
                losses.append((number, bool(unsafe - on_disk)))
    return losses


def test_a_segment_outlives_every_commit_that_a_power_cut_could_undo(tmp_path: Path) -> None:
    """A segment is given up only after a commit at FULL that follows its last record."""
    log = MemoryLog()
    losses = run_and_record(tmp_path, log)
    assert not any(lost for _, lost in losses)
    assert 0 < sum(durable for _, durable in log.commits) < len(log.commits)
    assert segments_in(tmp_path) == []


def test_a_writer_that_gives_up_after_a_plain_commit_is_caught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same check fails for a mutant that takes every commit for one at FULL."""
    monkeypatch.setattr(Drain, "_is_due", lambda drain: False)
    losses = run_and_record(tmp_path, MemoryLog(), mutant=True)
    assert any(lost for _, lost in losses)


def test_full_segments_are_given_up_while_the_writer_runs(tmp_path: Path) -> None:
    """The journal stays small however much goes through it."""
    log = MemoryLog()
    with writing(log, tmp_path, segment_bytes=16_384, journal_bytes=65_536) as writer:
        for number in range(1000):
            writer.submit(note(number))
        assert writer.flush(10)
        assert writer.stats().journal_bytes <= 65_536
    assert log.values() == list(range(1000))


def test_closing_leaves_nothing_behind(tmp_path: Path) -> None:
    """After a close with everything committed the folder is empty, and the last commit was one at FULL."""
    log = MemoryLog()
    with writing(log, tmp_path) as writer:
        for number in range(10):
            writer.submit(note(number))
        assert writer.close(10) is True
    assert list(tmp_path.iterdir()) == []
    assert log.commits[-1][1] or log.syncs


def test_a_closed_writer_opens_again(tmp_path: Path) -> None:
    """What is submitted after a close is committed like any other."""
    log = MemoryLog()
    with writing(log, tmp_path) as writer:
        writer.submit(note(1))
        writer.close(10)
        writer.submit(note(2))
        assert writer.flush(10)
        assert log.values() == [1, 2]


def test_an_event_that_comes_while_the_writer_closes_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An emit between the last commit and the giving up of its segment is kept, for the next process at the latest."""
    log, give_up, late = MemoryLog(), Segments.give_up, []

    def emit_first(self: Segments, segment: Segment) -> None:
        if not late:
            late.append(True)
            writer.submit(note("late"))
        give_up(self, segment)

    with writing(log, tmp_path) as writer:
        writer.submit(note("early"))
        assert writer.flush(10)
        monkeypatch.setattr(Segments, "give_up", emit_first)
        writer.close(10)
    assert late
    list(adopt(tmp_path, log))
    assert log.values() == ["early", "late"]


def test_an_agent_may_change_its_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative journal folder is one place for the whole process, wherever it goes."""
    log = MemoryLog()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with writing(log, Path("journal"), segment_bytes=16_384) as writer:
        writer.submit(note(0))
        monkeypatch.chdir(tmp_path / "elsewhere")
        for number in range(1, 200):
            writer.submit(note(number))
    assert log.values() == list(range(200))
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_what_a_close_leaves_is_adopted_once(tmp_path: Path) -> None:
    """Closed while the database is away, a writer leaves its journal, and the next one brings it in exactly once."""
    log = MemoryLog()
    log.go_away()
    with writing(log, tmp_path) as writer:
        for number in range(5):
            writer.submit(note(number))
        assert writer.close(0.2) is False
    assert waiting_in(tmp_path) == 5
    log.away = None
    with writing(log, tmp_path) as second:
        second.submit(note(5))
        assert second.close(10)
        assert second.stats().adopted == 5
    assert sorted(log.values()) == list(range(6))  # type: ignore[type-var]
    assert list(tmp_path.iterdir()) == []


def test_a_refused_event_goes_to_quarantine_and_harms_no_other(tmp_path: Path) -> None:
    """One event that the log refuses leaves its batch; the others keep their order."""
    log = MemoryLog()
    events = [note(number) for number in range(20)]
    log.refused = {events[7].event_id, events[13].event_id}
    with writing(log, tmp_path) as writer:
        for event in events:
            writer.submit(event)
        assert writer.flush(10)
        assert log.values() == [number for number in range(20) if number not in (7, 13)]
        assert [record.event_type for record in log.records] == ["memory.learned"] * 2
        assert events[7].event_id.encode() in log.records[0].raw
        assert writer.stats().quarantined == 2


def test_who_waits_for_a_refused_event_is_told(tmp_path: Path) -> None:
    """`durable` raises what the log said, and the event is in quarantine."""
    log = MemoryLog()
    event_id = new_id()
    with writing(log, tmp_path) as writer:
        writer.submit(note(1, event_id=event_id), durable=True)
        with pytest.raises(EventConflict):
            writer.submit(note(2, event_id=event_id), durable=True)
        assert len(log.records) == 1


async def emit_and_flush(log: MemoryLog, folder: Path) -> None:
    with writing(log, folder) as writer:
        with pytest.raises(WouldDeadlock, match="emit_async"):
            writer.submit(note(0), durable=True)
        with pytest.raises(WouldDeadlock):
            writer.flush(1)
        writer.submit(note(1))
        await writer.submit_async(note(2), durable=True)
        assert log.values() == [1, 2]
        await writer.submit_async(note(3))
        assert await writer.flush_async(10)
        assert log.values() == [1, 2, 3]
        log.gate.clear()
        writer.submit(note(4))
        assert await writer.flush_async(0.05) is False
        log.gate.set()
        assert await writer.flush_async(10) is True


def test_an_event_loop_is_never_blocked(tmp_path: Path) -> None:
    """On an event loop's thread waiting raises and names the awaitable; the awaitables work."""
    asyncio.run(emit_and_flush(MemoryLog(), tmp_path))


def test_a_full_journal_does_not_block_an_event_loop(tmp_path: Path) -> None:
    """`emit` raises at once there, `emit_async` waits without blocking."""

    async def fill(log: MemoryLog, writer: BatchingWriter) -> None:
        with pytest.raises(JournalFull):
            for number in range(10_000):
                writer.submit(note(number))
        asyncio.get_running_loop().call_later(0.1, lambda: setattr(log, "away", None))
        await writer.submit_async(note("later"))
        assert await writer.flush_async(10)

    log = MemoryLog()
    log.go_away()
    with writing(log, tmp_path, journal_bytes=65_536, full_wait=10) as writer:
        asyncio.run(fill(log, writer))
    assert log.values()[-1] == "later"


def test_waiting_inside_a_decision_is_refused(tmp_path: Path) -> None:
    """Inside `deciding()` flush and durable raise WouldDeadlock instead of waiting for ever; plain emit works."""
    log = MemoryLog()
    with writing(log, tmp_path) as writer:
        with inside.entered():
            writer.submit(note(1))
            with pytest.raises(WouldDeadlock):
                writer.flush(1)
            with pytest.raises(WouldDeadlock):
                writer.submit(note(2), durable=True)
        assert writer.flush(10)
        assert log.values() == [1]


def test_the_database_is_told_once_and_not_at_every_attempt(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A database that is away makes one warning with its hint, and one line when it is back."""
    log = MemoryLog()
    log.go_away()
    with writing(log, tmp_path) as writer, caplog.at_level(logging.WARNING, "copydesk.writer"):
        writer.submit(note(1))
        for _ in range(3):
            assert writer.flush(0.1) is False
        log.away = None
        assert writer.flush(10)
    told = [record.getMessage() for record in caplog.records if record.name == "copydesk.writer"]
    assert len(told) == 2
    assert "start it" in told[0]
    assert DAMAGED not in "".join(told)


def test_a_flush_beside_an_import_of_asyncio_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another thread is in the middle of importing asyncio, this one simply has no event loop."""
    log = MemoryLog()
    monkeypatch.setitem(sys.modules, "asyncio", types.ModuleType("asyncio"))
    with writing(log, tmp_path) as writer:
        writer.submit(note(1), durable=True)
        assert writer.flush(10)
    assert log.values() == [1]
