"""A slice of scripts/campaign/projection_kill.py: real processes, killed or stopped at some of their statements."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from capture import DatabaseManager
from tests.faults.projection_kill import WORKS, begin, faults, judged, stopped_and_continued
from tests.fixtures.projectors import ALL

SEED = 5
FAR = 100_000


@pytest.fixture
def begun(manager: DatabaseManager) -> DatabaseManager:
    """A database with a log and tables."""
    begin(manager)
    return manager


@pytest.mark.parametrize("work", list(WORKS))
def test_a_killed_process_leaves_whole_tables(
    begun: DatabaseManager, database_url: str, tmp_path: Path, work: str
) -> None:
    """Killed before some of its statements, a process leaves what the log makes, and the next run finishes the work."""
    count, wrong = judged(begun, database_url, work, FAR, tmp_path)
    assert count is not None
    assert count > 20
    for at in sorted(random.Random(SEED).sample(range(1, count), 2)):
        ended, found = judged(begun, database_url, work, at, tmp_path)
        assert ended is None, f"{work} was not killed at {at}"
        wrong += found
    assert wrong == []


def test_a_runner_stopped_beyond_its_lease_does_nothing_twice(begun: DatabaseManager, database_url: str) -> None:
    """A runner that is stopped, loses its leases and is continued adds nothing to what the other one has written."""
    worked = 0
    for at in random.Random(SEED).sample(range(12, 60), 3):
        stopped, did, wrong = stopped_and_continued(begun, database_url, at)
        assert stopped
        assert wrong == []
        worked += did
    assert worked > 0


def test_the_judge_sees_what_is_not_whole(begun: DatabaseManager) -> None:
    """The judge has teeth: a lost row, a count too many and a checkpoint too far are told, each for its projection."""
    assert faults(begun) == []
    begun.execute_write("DELETE FROM agents_tested_kinds WHERE kind = 'kind1'")
    assert len(faults(begun)) == 1
    begun.execute_write("UPDATE agents_checkpoints SET handled = handled + 1")
    assert len(faults(begun)) == 1 + len(ALL)
    begun.execute_write("UPDATE agents_checkpoints SET position = 1")
    assert len([fault for fault in faults(begun) if "is not what the log makes up to 1" in fault]) >= len(ALL)
