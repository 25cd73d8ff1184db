"""A runner, a replay and a swap that end at any statement leave what a fresh fold up to the checkpoint gives."""

from __future__ import annotations

import pytest

from capture import DatabaseManager
from projections import ProjectionRunner, replay, status
from tests.fixtures.killing import is_whole, killed_everywhere
from tests.fixtures.projectors import ALL, Notes, append, some_events


def test_a_runner_killed_at_any_statement(manager: DatabaseManager) -> None:
    """After a runner ended at any statement or commit each table equals a fresh fold up to its checkpoint."""
    manager.ensure_schema()
    assert killed_everywhere(manager, ProjectionRunner(manager, ALL, batch_size=5).run_once) > 20
    assert all(one.state == "current" for one in status(manager, ALL))
    assert all(is_whole(manager, projector) for projector in ALL)


def test_a_replay_killed_at_any_statement(manager: DatabaseManager) -> None:
    """A replay and its swap that ended anywhere leave the old tables or the new ones, and the next run finishes."""
    append(manager, some_events(30, poison_at=[7]))
    runner = ProjectionRunner(manager, [Notes])
    runner.run_once()

    def work() -> None:
        runner.run_once()
        replay(manager, "all", projectors=[Notes], skip_dead=True, commit_seconds=0)

    assert killed_everywhere(manager, work) > 40
    (after,) = status(manager, [Notes])
    assert (after.state, after.rebuilding) == ("current", None)
    assert is_whole(manager, Notes)


@pytest.mark.parametrize("gone", ["agents_checkpoints", "rows"])
def test_the_oracle_sees_a_difference(manager: DatabaseManager, gone: str) -> None:
    """The comparison that the tests above rest on fails when a checkpoint or a row is not what the log makes."""
    append(manager, some_events(30))
    ProjectionRunner(manager, ALL).run_once()
    assert all(is_whole(manager, projector) for projector in ALL)
    if gone == "rows":
        manager.execute_write("DELETE FROM agents_tested_notes")
        manager.execute_write("UPDATE agents_tested_parities SET keys = keys + 1")
        manager.execute_write("UPDATE agents_tested_errors SET occurrences = occurrences + 1")
    else:
        manager.execute_write("UPDATE agents_checkpoints SET position = position - 20")
    assert not any(is_whole(manager, projector) for projector in ALL)
