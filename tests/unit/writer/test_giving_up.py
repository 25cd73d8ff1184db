"""When the journal may be given up: behind a commit that survives a power cut, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from capture.writer import draining
from tests.fixtures.writer import MemoryLog, note, writing


def test_a_flush_alone_makes_nothing_durable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flush behind a commit without a sync commits nothing itself: a sync must follow before the journal goes."""
    log = MemoryLog()
    monkeypatch.setattr(draining, "DURABLE_EVERY", 1e9)
    with writing(log, tmp_path) as writer:
        for number in range(2):
            writer.submit(note(number))
            assert writer.flush(5)
        assert [durable for _, durable in log.commits] == [True, False]
        assert log.syncs == 0
        monkeypatch.setattr(draining, "DURABLE_EVERY", 0)
        assert writer.flush(5)
        writer.close(5)
        assert log.syncs >= 1
    assert list(tmp_path.glob("*.journal")) == []
