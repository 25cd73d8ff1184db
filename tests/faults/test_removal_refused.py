"""A disk that does not remove the files of a journal: told, and no reason to stop or to write anything twice."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from capture import BatchingWriter, DatabaseManager, EventLog, Settings, recover_journals
from capture.writer import draining
from tests.fixtures.writer import note, segments_in

Refuse = Callable[[bool], None]


@pytest.fixture
def refuse(monkeypatch: pytest.MonkeyPatch) -> Refuse:
    """Says whether journals can be removed from now on."""
    refusing, remove = [False], Path.unlink

    def unlink(path: Path, missing_ok: bool = False) -> None:
        if refusing[0] and path.suffix in (".journal", ".lock"):
            raise OSError(errno.EIO, "Input/output error")
        remove(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink)
    monkeypatch.setattr(draining, "DURABLE_EVERY", 0.0)
    return lambda now: refusing.__setitem__(0, now)


def writing(manager: DatabaseManager, folder: Path) -> BatchingWriter:
    """A writer that fills and gives up a segment every few events."""
    return BatchingWriter(manager, folder, segment_bytes=6000, batch_events=5, batch_age=0.001)


def write(writer: BatchingWriter, numbers: range) -> None:
    """Put events out, a batch at a time, and see that they are committed."""
    for number in numbers:
        writer.submit(note("x" * 400 + str(number)))
        if number % 5 == 4:
            assert writer.flush(20)


def test_a_segment_that_can_not_be_removed_stops_nobody(
    manager: DatabaseManager, tmp_path: Path, refuse: Refuse, caplog: pytest.LogCaptureFixture
) -> None:
    """The writer's thread tells of it, goes on, and removes what was left as soon as the disk does it."""
    writer = writing(manager, tmp_path)
    write(writer, range(5))
    thread = writer._drain
    assert thread is not None
    refuse(True)
    with caplog.at_level(logging.WARNING, "copydesk.writer"):
        write(writer, range(5, 60))
    assert len(segments_in(tmp_path)) > 3
    assert sum("can't be removed" in record.message for record in caplog.records) > 2
    assert not any("thread failed" in record.message for record in caplog.records)
    refuse(False)
    write(writer, range(60, 90))
    assert writer._drain is thread
    assert thread.is_alive()
    assert writer.close(20)
    assert segments_in(tmp_path) == []
    assert EventLog(manager).head() == 90


def test_what_could_not_be_removed_is_adopted_without_writing_twice(
    manager: DatabaseManager, tmp_path: Path, refuse: Refuse
) -> None:
    """Segments that stay although the log has all of them are removed by the next process, and add nothing."""
    journal = tmp_path / "journal"
    settings = replace(Settings.from_environment({}), journal=journal)
    writer = writing(manager, journal)
    refuse(True)
    write(writer, range(60))
    assert writer.close(20)
    before = list(EventLog(manager).read_stored())
    assert len(before) == 60
    assert len(segments_in(journal)) > 3
    recover_journals(manager, settings=settings)  # the disk still refuses
    assert len(segments_in(journal)) > 3
    refuse(False)
    recover_journals(manager, settings=settings)
    assert list(journal.iterdir()) == []
    assert list(EventLog(manager).read_stored()) == before
