"""Workers that crash, are killed, stopped or overtaken at any step, and platforms that answer anything or nothing.

The long campaign is `scripts/campaign/publishing.py`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import publishing, publishing_kill


def test_no_schedule_sends_twice_or_what_was_not_approved(sqlite_template: Path, tmp_path: Path) -> None:
    """Whatever comes between two steps: one request each, of what has the votes, after its start.

    SQLite alone: a fresh database for every few schedules; both backends decide by the same code, and the steps lie
    outside of transactions.
    """
    told = publishing.run(sqlite_template, tmp_path, range(16))
    assert told["requests"] > 10
    assert len([name for name in told if name.startswith("something came")]) > 8


@pytest.mark.parametrize("kind", publishing.MUTANTS.values(), ids=publishing.MUTANTS)
def test_a_worker_that_sends_again_or_too_early_is_caught(
    sqlite_template: Path, tmp_path: Path, kind: type[publishing.PublishingWorker]
) -> None:
    """Workers that retry after an uncertain send, send too early, or take "not found" for "not sent" are caught."""
    with pytest.raises(AssertionError, match="sent more than once"):
        publishing.run(sqlite_template, tmp_path, range(60), kind)


def test_workers_that_are_killed_and_stopped_send_once(sqlite_template: Path, tmp_path: Path) -> None:
    """Two processes at once, killed or stopped at any step of theirs: one request for each output."""
    told = publishing_kill.rounds(sqlite_template, tmp_path, range(3))
    assert told["killed"] > 0
    assert told["requests"] > 0
