"""A runner, a replay and a swap that end at any statement leave what a fresh fold up to the checkpoint gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import pytest
import sqlalchemy as sa

from capture import DatabaseManager
from projections import ProjectionRunner, Projector, dead_letters_of, replay, status
from tests.fixtures.projectors import ALL, Notes, TableRows, append, by_hand, rows_of, some_events


class Killed(BaseException):
    """Ends the work as a kill does: nothing of copydesk's own handles it."""


class Killer:
    """Ends whatever runs at the k-th statement or commit of all engines."""

    def __init__(self, at: int) -> None:
        self.left = at
        self.statements: list[str] = []

    def statement(self, _connection: object, _cursor: object, sql: str, *_: object) -> None:
        self._count(sql)

    def commit(self, _connection: object) -> None:
        self._count("COMMIT")

    def _count(self, what: str) -> None:
        self.statements.append(what)
        self.left -= 1
        if self.left == 0:
            raise Killed(what)


@contextmanager
def _killing(at: int) -> Iterator[Killer]:
    killer = Killer(at)
    sa.event.listen(sa.Engine, "before_cursor_execute", killer.statement)
    sa.event.listen(sa.Engine, "commit", killer.commit)
    try:
        yield killer
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", killer.statement)
        sa.event.remove(sa.Engine, "commit", killer.commit)


def _is_whole(manager: DatabaseManager, projector: type[Projector]) -> bool:
    """Whether the tables are what the log makes up to the checkpoint, and the dead letters those up to there."""
    found = manager.execute_query("SELECT position FROM agents_checkpoints WHERE projection = ?", (projector.name,))
    if not found:
        return True
    position = found[0]["position"]
    hand = _by_hand(manager, position)
    letters = [one.position for one in dead_letters_of(manager, projector.name)]
    return all(rows_of(manager, table) == hand[table.full_name] for table in projector.tables) and all(
        one <= position for one in letters
    )


@cache
def _by_hand(manager: DatabaseManager, position: int) -> dict[str, TableRows]:
    if position == 0:
        return {table.full_name: {} for projector in ALL for table in projector.tables}
    return by_hand(manager, upto=position)


def _killed_everywhere(manager: DatabaseManager, work: Callable[[], object]) -> int:
    """Run work over and over, ended one statement later each time, until it ends by itself; how many statements."""
    at = 0
    while True:
        at += 1
        append(manager, some_events(12, poison_at=[7])[at % 4 * 3 :][:3])
        try:
            with _killing(at) as killer:
                work()
        except Killed:
            # A lease ends with its process, which here is this one.
            manager.execute_write("DELETE FROM agents_leases")
            assert all(_is_whole(manager, projector) for projector in ALL), killer.statements
            continue
        assert at > len(killer.statements)
        return at


def test_a_runner_killed_at_any_statement(manager: DatabaseManager) -> None:
    """After a runner ended at any statement or commit each table equals a fresh fold up to its checkpoint."""
    manager.ensure_schema()
    assert _killed_everywhere(manager, ProjectionRunner(manager, ALL, batch_size=5).run_once) > 20
    assert all(one.state == "current" for one in status(manager, ALL))
    assert all(_is_whole(manager, projector) for projector in ALL)


def test_a_replay_killed_at_any_statement(manager: DatabaseManager) -> None:
    """A replay and its swap that ended anywhere leave the old tables or the new ones, and the next run finishes."""
    append(manager, some_events(30, poison_at=[7]))
    runner = ProjectionRunner(manager, [Notes])
    runner.run_once()

    def work() -> None:
        runner.run_once()
        replay(manager, "all", projectors=[Notes], skip_dead=True, commit_seconds=0)

    assert _killed_everywhere(manager, work) > 40
    (after,) = status(manager, [Notes])
    assert (after.state, after.rebuilding) == ("current", None)
    assert _is_whole(manager, Notes)


@pytest.mark.parametrize("gone", ["agents_checkpoints", "rows"])
def test_the_oracle_sees_a_difference(manager: DatabaseManager, gone: str) -> None:
    """The comparison that the tests above rest on fails when a checkpoint or a row is not what the log makes."""
    append(manager, some_events(30))
    ProjectionRunner(manager, ALL).run_once()
    assert all(_is_whole(manager, projector) for projector in ALL)
    if gone == "rows":
        manager.execute_write("DELETE FROM agents_tested_notes")
        manager.execute_write("UPDATE agents_tested_parities SET keys = keys + 1")
        manager.execute_write("UPDATE agents_tested_errors SET occurrences = occurrences + 1")
    else:
        manager.execute_write("UPDATE agents_checkpoints SET position = position - 20")
    assert not any(_is_whole(manager, projector) for projector in ALL)
