"""A damaged journal, as its adoption meets it: the slice of `scripts/campaign/journal_damage.py` that runs each time.

Every single bit, cut and frame, without adoption, is in tests/unit/writer/test_journal.py.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

import pytest

from capture.writer import journal
from tests.faults import journal_damage


@pytest.fixture
def whole(tmp_path: Path) -> bytes:
    return journal_damage.make(tmp_path)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Thousands of errors are told here, as they must be."""
    logger = logging.getLogger("copydesk.writer")
    before, logger.propagate = logger.propagate, False
    yield
    logger.propagate = before


def test_no_damage_forges_a_record_or_loses_one_in_silence(whole: bytes, tmp_path: Path) -> None:
    """Whatever happened to a journal: the start is not refused, what comes back was written, what is lost is told."""
    rng = random.Random(4)
    exhaustive = (damaged for damaged in journal_damage.every(whole) if rng.random() < 0.005)
    for damaged in chain(exhaustive, islice(journal_damage.some(whole, rng), 150)):
        assert journal_damage.broken(damaged, journal_damage.adopted(damaged, tmp_path)) == [], damaged.how


def test_a_frame_without_a_check_is_caught(whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that does not compare the CRC gives back what nobody wrote."""
    header = journal.FRAME

    def unchecked(data: bytes | memoryview, at: int, end: int) -> tuple[journal.Record, int] | None:
        if at + header.size > end or data[at : at + 4] != journal.MARKER:
            return None
        _, _, length, kind, sequence = header.unpack_from(data, at)
        stop = at + header.size + length
        return None if stop > end else (journal.Record(sequence, kind, bytes(data[at + header.size : stop])), stop)

    monkeypatch.setattr(journal, "read_frame", unchecked)
    flips = [damaged for damaged in journal_damage.every(whole) if damaged.how.startswith("bit 0")]
    assert any(journal_damage.broken(one, journal_damage.adopted(one, tmp_path)) for one in flips[128:400])
