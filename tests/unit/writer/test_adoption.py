"""Orphan journals: adopted once, into their own log, whatever state they are in."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from filelock import FileLock

from capture.events import content
from capture.events.prepare import prepare
from capture.vocabulary import ReviewApproved
from capture.writer import journal, owner, quarantine
from capture.writer.adoption import Adopted, adopt
from capture.writer.owner import DAMAGED, LOCK, Owner
from capture.writer.quarantine import quarantined
from capture.writer.segment import SUFFIX, UNBORN, Segment
from tests.fixtures.writer import LOG_ID, MemoryLog, note

ANOTHER = bytes(reversed(range(16)))


def orphan(folder: Path, *numbers: int, log_id: bytes = LOG_ID, name: str = "17-aa") -> Path:
    """A journal whose process is gone."""
    folder.mkdir(exist_ok=True)
    (folder / (name + LOCK)).touch()
    segment = Segment.create(folder / f"{name}.000001{SUFFIX}", 1, 8192, log_id)
    for number in numbers:
        segment.append(journal.EVENT, content.encode(note(number)))
    segment.close()
    return segment.path


def adopted(folder: Path, log: MemoryLog) -> Adopted:
    done = list(adopt(folder, log))
    return Adopted(sum(one.events for one in done), sum(one.quarantined for one in done))


def test_an_orphan_is_adopted_once_and_removed(tmp_path: Path) -> None:
    """Its records are in the log in order, a sync follows, and its files are gone."""
    orphan(tmp_path, 1, 2, 3)
    log = MemoryLog()
    assert adopted(tmp_path, log) == Adopted(3, 0)
    assert log.values() == [1, 2, 3]
    assert log.syncs == 1
    assert list(tmp_path.iterdir()) == []
    assert adopted(tmp_path, log) == Adopted(0, 0)


def test_a_crash_after_the_commit_brings_nothing_in_twice(tmp_path: Path) -> None:
    """When the adopter dies before it removes the files, the next adoption changes nothing."""
    path = orphan(tmp_path, 1, 2, 3)
    data, log = path.read_bytes(), MemoryLog()
    adopted(tmp_path, log)
    path.write_bytes(data)
    adopted(tmp_path, log)
    assert log.values() == [1, 2, 3]
    assert list(tmp_path.iterdir()) == []


def test_a_living_process_keeps_its_journal(tmp_path: Path) -> None:
    """While the lock is held nothing is read and nothing removed."""
    path = orphan(tmp_path, 1)
    log = MemoryLog()
    with FileLock(path.with_name("17-aa" + LOCK), thread_local=False):
        assert adopted(tmp_path, log) == Adopted(0, 0)
        assert path.exists()
    assert adopted(tmp_path, log) == Adopted(1, 0)


def test_an_own_journal_is_no_orphan(tmp_path: Path) -> None:
    """A process that adopts leaves what it is itself writing."""
    own = Owner(tmp_path)
    segment = Segment.create(own.segment(1), 1, 8192, LOG_ID)
    segment.append(journal.EVENT, content.encode(note(1)))
    log = MemoryLog()
    assert adopted(tmp_path, log) == Adopted(0, 0)
    segment.close()
    own.release()
    assert adopted(tmp_path, log) == Adopted(1, 0)


def test_a_journal_of_another_log_is_told_and_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Records for another log are not brought in here; the message names the file."""
    path = orphan(tmp_path, 1, log_id=ANOTHER)
    log = MemoryLog()
    with caplog.at_level(logging.WARNING, "copydesk.writer"):
        assert adopted(tmp_path, log) == Adopted(0, 0)
    assert path.exists()
    assert str(path) in caplog.text
    assert adopted(tmp_path, MemoryLog(ANOTHER)) == Adopted(1, 0)


def test_a_journal_that_knew_no_log_is_for_any(tmp_path: Path) -> None:
    """A process that never reached its database leaves records that the next one may take."""
    orphan(tmp_path, 1, log_id=journal.UNKNOWN_LOG)
    assert adopted(tmp_path, MemoryLog()) == Adopted(1, 0)


def test_damage_is_recovered_around_kept_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Records before and after the damage are in the log; the file is kept aside, and the lost one is named."""
    path = orphan(tmp_path, 1, 2, 3, 4)
    data = bytearray(path.read_bytes())
    second = journal.read_frame(bytes(data), journal.RECORDS_AT, len(data))
    assert second is not None
    data[second[1] + 30] ^= 0xFF
    path.write_bytes(data)
    log = MemoryLog()
    with caplog.at_level(logging.ERROR, "copydesk.writer"):
        assert adopted(tmp_path, log) == Adopted(3, 0)
    assert log.values() == [1, 3, 4]
    assert [entry.suffix for entry in tmp_path.iterdir()] == [DAMAGED]
    assert path.with_suffix(DAMAGED).read_bytes() == data
    assert "numbers 2" in caplog.text
    assert adopted(tmp_path, log) == Adopted(0, 0)


@pytest.mark.parametrize("content_of_file", [b"", b"\0" * 8192, b"no journal at all" * 100])
def test_a_file_that_is_no_journal_stops_nothing(tmp_path: Path, content_of_file: bytes) -> None:
    """An empty, zeroed or foreign file is set aside, and the other orphans are adopted."""
    orphan(tmp_path, 1, name="17-aa").write_bytes(content_of_file)
    orphan(tmp_path, 2, name="18-bb")
    log = MemoryLog()
    assert adopted(tmp_path, log) == Adopted(1, 0)
    assert [entry.suffix for entry in tmp_path.iterdir()] == [DAMAGED]


def test_a_newer_format_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A journal of a later copydesk is told and kept for it."""
    path = orphan(tmp_path, 1)
    data = path.read_bytes()
    header = journal.write_header(journal.Header(1, LOG_ID, len(data), format=journal.FORMAT + 1))
    path.write_bytes(header + data[len(header) : -len(header)] + header)
    assert adopted(tmp_path, MemoryLog()) == Adopted(0, 0)
    assert path.exists()
    assert "newer" in caplog.text


def test_a_segment_that_was_never_finished_is_removed(tmp_path: Path) -> None:
    """What a kill leaves while a segment is made never held a record."""
    path = orphan(tmp_path, 1)
    path.with_name(f"17-aa.000002{UNBORN}").write_bytes(b"\0" * 4096)
    assert adopted(tmp_path, MemoryLog()) == Adopted(1, 0)
    assert list(tmp_path.iterdir()) == []


def test_quarantined_records_go_to_quarantine(tmp_path: Path) -> None:
    """What was on its way to quarantine arrives there, once."""
    path = orphan(tmp_path)
    record = quarantined(b"raw", "why", source="processor")
    segment = Segment.create(path.with_name(f"17-aa.000002{SUFFIX}"), 2, 8192, LOG_ID)
    segment.append(journal.QUARANTINED, quarantine.encode(record))
    segment.append(journal.EVENT, b"no event")
    segment.close()
    log = MemoryLog()
    assert adopted(tmp_path, log) == Adopted(0, 2)
    assert log.records[0] == record
    assert log.records[1].raw == b"no event"


def test_a_reserved_type_in_a_journal_is_refused(tmp_path: Path) -> None:
    """A file can't approve anything: such a record goes to quarantine."""
    approval = ReviewApproved(output_id="o", revision=1, content_hash="0" * 64, actor="mallory")
    path = orphan(tmp_path)
    segment = Segment.create(path.with_name(f"17-aa.000002{SUFFIX}"), 2, 8192, LOG_ID)
    segment.append(journal.EVENT, content.encode(prepare(approval, agent_id="desk")))
    segment.close()
    log = MemoryLog()
    assert adopted(tmp_path, log) == Adopted(0, 1)
    assert not log.events
    assert log.records[0].event_type == "review.approved"


def test_another_user_s_journal_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A journal that belongs to another user is named in the log of diagnostics, and left alone."""
    path = orphan(tmp_path, 1)
    monkeypatch.setattr(owner.os, "geteuid", lambda: path.stat().st_uid + 1000)
    with caplog.at_level(logging.WARNING, "copydesk.writer"):
        assert adopted(tmp_path, MemoryLog()) == Adopted(0, 0)
    assert path.exists()
    assert "belongs to user id" in caplog.text


def test_an_adoption_that_fails_keeps_everything(tmp_path: Path) -> None:
    """When the database goes away in the middle, the journal is as it was."""
    path = orphan(tmp_path, 1, 2)
    data, log = path.read_bytes(), MemoryLog()
    steps = adopt(tmp_path, log)
    log.gate.set()
    log.on_append = lambda events, durable: (_ for _ in ()).throw(ConnectionError("gone"))
    with pytest.raises(ConnectionError):
        next(steps)
    assert path.read_bytes() == data
    log.on_append = lambda events, durable: None
    assert adopted(tmp_path, log) == Adopted(2, 0)
