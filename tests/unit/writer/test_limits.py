"""The writer at its limits: a full journal, another's folder or log, a failed sync, a signal handler."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from capture.errors import JournalFull, JournalUnavailable
from capture.vocabulary import CaptureGapped
from capture.writer import journal
from capture.writer.owner import LOCK
from capture.writer.segment import SUFFIX, Segment
from tests.fixtures.writer import MemoryLog, note, segments_in, writing


def test_a_full_journal_is_told_and_takes_events_again(tmp_path: Path) -> None:
    """Past the bound `submit` raises JournalFull; with the database back there is room, and nothing taken was lost."""
    log = MemoryLog()
    log.go_away()
    with writing(log, tmp_path, journal_bytes=65_536, full_wait=0.01) as writer:
        taken = []
        with pytest.raises(JournalFull, match="65,536"):
            for number in range(10_000):
                writer.submit(note(number))
                taken.append(number)
        assert writer.stats().journal_bytes <= 65_536
        log.away = None
        assert writer.flush(10)
        writer.submit(note("later"))
        assert writer.flush(10)
        assert log.values() == [*taken, "later"]


def test_submit_waits_for_room(tmp_path: Path) -> None:
    """Within `full_wait` a full journal only delays."""
    log = MemoryLog()
    log.gate.clear()
    with writing(log, tmp_path, journal_bytes=65_536, full_wait=10) as writer:
        opener = threading.Timer(0.2, log.gate.set)
        opener.start()
        for number in range(400):
            writer.submit(note(number))
        assert writer.flush(10)
        opener.join()
    assert log.values() == list(range(400))


def test_dropped_events_are_told_by_an_event(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A source that may not wait drops without room; the log then has `capture.gapped` with count and types."""
    log = MemoryLog()
    log.go_away()
    with writing(log, tmp_path, journal_bytes=65_536, agent_id="agent") as writer:
        taken = sum(writer.submit_or_drop(note(number)) for number in range(1000))
        assert 0 < taken < 1000
        assert "events are dropped" in caplog.text
        log.away = None
        assert writer.flush(10)
        assert writer.close(10)
    gaps = [
        CaptureGapped.model_validate_json(event.payload) for event in log.events if event.event_type == "capture.gapped"
    ]
    assert sum(gap.count for gap in gaps) == 1000 - taken
    assert gaps[0].types.keys() == {"memory.learned"}
    assert len(log.events) - len(gaps) == taken


def test_a_larger_record_gets_a_larger_segment(tmp_path: Path) -> None:
    """A record of a megabyte is kept although segments are small."""
    log = MemoryLog()
    with writing(log, tmp_path, segment_bytes=16_384) as writer:
        writer.submit(note("x" * 1_000_000))
        writer.submit(note("y"))
        assert writer.flush(10)
    assert log.values() == ["x" * 1_000_000, "y"]


def test_the_journal_is_for_its_owner_alone(tmp_path: Path) -> None:
    """The folder has mode 0700, its files 0600, and each owner a lock."""
    log = MemoryLog()
    folder = tmp_path / "journal"
    with writing(log, folder) as writer:
        writer.submit(note(1))
        assert folder.stat().st_mode & 0o777 == 0o700
        names = {path.suffix: path.stat().st_mode & 0o777 for path in folder.iterdir()}
        assert names == {SUFFIX: 0o600, LOCK: 0o600}


def test_a_folder_that_can_not_be_made_is_told(tmp_path: Path) -> None:
    """`submit` raises JournalUnavailable and names the folder; a source that may not raise drops and counts."""
    (tmp_path / "file").write_text("in the way")
    with writing(MemoryLog(), tmp_path / "file" / "journal") as writer:
        with pytest.raises(JournalUnavailable, match="journal"):
            writer.submit(note(1))
        assert writer.submit_or_drop(note(2)) is False
        assert writer.stats().dropped == 1


def test_a_segment_names_its_log_once_it_is_known(tmp_path: Path) -> None:
    """The log id is zero before the first connection, and the log's own after it, in both copies of the header."""
    log = MemoryLog()
    log.go_away()
    with writing(log, tmp_path) as writer:
        writer.submit(note(1))
        data = segments_in(tmp_path)[0].read_bytes()
        assert journal.read_header(data) == journal.Header(1, journal.UNKNOWN_LOG, len(data))
        log.away = None
        assert writer.flush(10)
        data = segments_in(tmp_path)[0].read_bytes()
        expected = journal.Header(1, log.id, len(data))
        assert journal.read_header(data) == journal.read_header(data[-journal.HEADER_SIZE :]) == expected


def test_another_log_behind_the_same_address_gets_nothing(tmp_path: Path) -> None:
    """When the database is another one after a reconnection, the events wait instead of going into the wrong log."""
    log = MemoryLog()
    with writing(log, tmp_path) as writer:
        writer.submit(note(1))
        assert writer.flush(10)
        log.go_away()
        writer.submit(note(2))
        assert writer.flush(0.1) is False
        log.id, log.away = bytes(16), None
        assert writer.flush(0.5) is False
        assert log.values() == [1]
        log.id = bytes(range(16))
        assert writer.flush(10)
        assert log.values() == [1, 2]


def test_emitting_from_a_signal_handler_is_safe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An emit in the middle of another emit of the same thread gets a segment of its own; both are committed."""
    log = MemoryLog()
    append = Segment.append
    interrupted = []

    def interrupt(self: Segment, kind: int, payload: bytes) -> int:
        if not interrupted:
            interrupted.append(True)
            writer.submit(note("inner"))
        return append(self, kind, payload)

    with writing(log, tmp_path) as writer:
        writer.submit(note("first"))
        monkeypatch.setattr(Segment, "append", interrupt)
        writer.submit(note("outer"))
        assert writer.flush(10)
        assert sorted(log.values()) == ["first", "inner", "outer"]  # type: ignore[type-var]


def test_a_failed_sync_retires_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the disk refused a segment its records are written anew into another file."""
    log = MemoryLog()
    log.go_away()
    failed: list[Path] = []
    called = threading.Event()

    def sync(self: Segment) -> None:
        if not failed:
            failed.append(self.path)
            raise OSError(5, "Input/output error")
        called.set()

    monkeypatch.setattr(Segment, "sync", sync)
    monkeypatch.setattr("capture.writer.safekeeping._SYNC_EVERY", 0.0)
    with writing(log, tmp_path) as writer:
        for number in range(5):
            writer.submit(note(number))
        assert called.wait(10)
        newest = journal.scan(segments_in(tmp_path)[-1].read_bytes())
        assert segments_in(tmp_path)[-1] != failed[0]
        assert len(newest.records) == 5
        log.away = None
        assert writer.flush(10)
        assert writer.close(10)
    assert log.values() == list(range(5))
    assert list(tmp_path.iterdir()) == []
