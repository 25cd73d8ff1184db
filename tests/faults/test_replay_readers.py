"""A slice of scripts/campaign/replay_readers.py: readers of all kinds during a few replays."""

from __future__ import annotations

from pathlib import Path

from capture import DatabaseManager
from tests.faults.replay_readers import ROWS, Watch, begin, faults, reading, reads, replays


def test_no_reader_notices_a_replay(database_url: str, tmp_path: Path) -> None:
    """Threads, prepared statements and snapshots see whole tables while a column comes and another goes."""
    with DatabaseManager(database_url) as manager:
        begin(manager)
    with reading(database_url, tmp_path, seconds=0.2) as saw, DatabaseManager(database_url) as manager:
        wrong = replays(manager, 3)
    assert wrong + faults(saw) == []
    assert reads(saw).keys() == {"threads", "prepared", "snapshots"}
    assert min(reads(saw).values()) > 10


def test_a_reader_tells_what_it_should_not_see() -> None:
    """The judge has teeth: a missing, an empty, a half, a mixed and an older table are faults, each of its own."""
    watch = Watch()

    def rows(count: int, *rounds: int) -> list[tuple[int, int]]:
        return [(number, rounds[number % len(rounds)]) for number in range(count)]

    def missing() -> list[tuple[int, int]]:
        raise ValueError("no such table")

    assert watch.see(lambda: rows(ROWS, 2)) == 2
    assert not watch.faults
    for read in (missing, lambda: rows(0, 2), lambda: rows(ROWS - 1, 2), lambda: rows(ROWS, 2, 3)):
        watch.see(read)
    watch.see(lambda: rows(ROWS, 1))
    watch.see(lambda: rows(ROWS, 4), same=3)
    assert sum(watch.faults.values()) == len(watch.faults) == 6
