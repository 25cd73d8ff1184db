"""The agent's way into the journal in one function: it keeps every promise of the longer way."""

from __future__ import annotations

import json
import os
import threading
import zlib
from pathlib import Path

import pytest

from capture.events.content import encode
from capture.writer import journal, lane
from tests.fixtures.writer import MemoryLog, note, segments_in, value_of, waiting_in, writing


def test_the_lane_writes_the_documented_format(tmp_path: Path) -> None:
    """Records that took the lane are read back from the file as any others."""
    log = MemoryLog()
    log.go_away()
    with writing(log, tmp_path) as writer:
        sent = [encode(note(number)) for number in range(5)]
        for data in sent:
            writer.put_encoded(data)
        assert getattr(writer.put_encoded, "__name__", "") == "put"
        found = journal.scan(segments_in(tmp_path)[0].read_bytes())
        assert [(record.kind, record.sequence, record.payload) for record in found.records] == [
            (journal.EVENT, number, data) for number, data in enumerate(sent, start=1)
        ]
        assert not found.faults
        log.away = None
        assert writer.flush(10)
    assert log.values() == list(range(5))


def test_a_full_segment_leads_to_the_next(tmp_path: Path) -> None:
    """The lane ends with its segment; the next event goes the longer way and finds the next one, and order is kept."""
    log = MemoryLog()
    with writing(log, tmp_path, segment_bytes=8192) as writer:
        for number in range(300):
            writer.put_encoded(encode(note(number)))
        assert writer.flush(10)
    assert log.values() == list(range(300))


def test_threads_share_the_lane(tmp_path: Path) -> None:
    """Events of four threads are committed once each, those of a thread in its order."""
    log = MemoryLog()

    def put(name: int) -> None:
        for number in range(500):
            writer.put_encoded(encode(note([name, number])))

    with writing(log, tmp_path, segment_bytes=65_536, batch_age=0) as writer:
        threads = [threading.Thread(target=put, args=(name,)) for name in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert writer.flush(20)
    for name in range(4):
        assert [value for value in log.values() if value[0] == name] == [[name, n] for n in range(500)]  # type: ignore[index]


def test_a_signal_in_the_middle_of_the_lane_is_safe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler that emits while a record is half written gets a segment of its own; both are committed."""
    log = MemoryLog()
    interrupted: list[bool] = []

    def interrupt(data: bytes, start: int) -> int:
        if not interrupted:
            interrupted.append(True)
            writer.put_encoded(encode(note("inner")))
        return zlib.crc32(data, start)

    monkeypatch.setattr(lane, "crc32", interrupt)
    with writing(log, tmp_path) as writer:
        writer.put_encoded(encode(note("first")))
        writer.put_encoded(encode(note("outer")))
        writer.put_encoded(encode(note("last")))
        assert writer.flush(10)
    assert interrupted
    assert sorted(map(str, log.values())) == ["first", "inner", "last", "outer"]


def test_without_room_an_event_is_counted(tmp_path: Path) -> None:
    """A journal that is full is told as a gap; the lane neither waits nor raises."""
    log = MemoryLog()
    log.go_away()
    with writing(log, tmp_path, segment_bytes=8192, journal_bytes=16_384) as writer:
        for number in range(300):
            writer.put_encoded(encode(note(number)))
        dropped = writer.stats().dropped
        assert 0 < dropped < 300
        log.away = None
        assert writer.flush(10)
    kept = [value_of(event) for event in log.events if event.event_type == "memory.learned"]
    assert kept == list(range(300 - dropped))
    gaps = [json.loads(event.payload)["count"] for event in log.events if event.event_type == "capture.gapped"]
    assert sum(gaps) == dropped


def test_after_an_end_the_next_event_begins_anew(tmp_path: Path) -> None:
    """A closed writer takes the next event with another thread and another segment."""
    log = MemoryLog()
    with writing(log, tmp_path) as writer:
        for number in range(3):
            writer.put_encoded(encode(note(number)))
        old = writer.put_encoded
        assert writer.close(10)
        old(encode(note(3)))
        writer.put_encoded(encode(note(4)))
        assert writer.flush(10)
    assert log.values() == list(range(5))


def test_a_child_writes_no_file_of_its_parent(tmp_path: Path) -> None:
    """After a fork the lane of the parent is not the child's: its event lies in a file of its own."""
    log = MemoryLog()
    log.go_away()
    with writing(log, tmp_path) as writer:
        writer.put_encoded(encode(note(0)))
        writer.put_encoded(encode(note(1)))
        parents = segments_in(tmp_path)
        child = os.fork()
        if child == 0:
            writer.put_encoded(encode(note(2)))
            os._exit(0)
        os.waitpid(child, 0)
        assert waiting_in(tmp_path) == 3
        assert len(journal.scan(parents[0].read_bytes()).records) == 2
        log.away = None
        assert writer.flush(10)
