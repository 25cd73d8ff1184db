"""Broken runners, each of which the tests of the promise that it breaks must catch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import pytest
import sqlalchemy as sa

from capture import DatabaseManager
from capture.vocabulary import MemoryLearned
from projections import ProjectionRunner, bulk, checkpoint, dead_letters_of, replay
from projections.folding import Folded
from projections.rebuild import Rebuild
from projections.runner import Standing
from projections.shadow import Shadow
from tests.fixtures.killing import Killed, is_whole, killed_everywhere
from tests.fixtures.projectors import ALL, Errors, Notes, append, by_hand, live, some_events


class CommitsRowsFirst(ProjectionRunner):
    """Commits the rows, and the checkpoint in a transaction of its own."""

    def _write(self, target: Any, before: Any, folded: Folded, end: int) -> Any:
        with self.manager.transaction() as transaction:
            for table, rows, keys in folded.working.changed_rows():
                if rows:
                    bulk.upsert(transaction.connection, target.tables[table.full_name], rows)
                if keys:
                    bulk.delete(transaction.connection, target.tables[table.full_name], keys)
        with self.manager.transaction() as transaction:
            checkpoint.move(transaction, before, end, self._clock())
        return before._replace(position=end)


class CommitsTheCheckpointFirst(ProjectionRunner):
    """Commits the checkpoint, and the rows in a transaction of its own."""

    def _write(self, target: Any, before: Any, folded: Folded, end: int) -> Any:
        with self.manager.transaction() as transaction:
            checkpoint.move(transaction, before, end, self._clock())
        with self.manager.transaction() as transaction:
            for table, rows, keys in folded.working.changed_rows():
                if rows:
                    bulk.upsert(transaction.connection, target.tables[table.full_name], rows)
                if keys:
                    bulk.delete(transaction.connection, target.tables[table.full_name], keys)
        return before._replace(position=end)


class WritesBlindly(ProjectionRunner):
    """Sets the checkpoint without comparing it: two runners apply one batch twice."""

    def _write(self, target: Any, before: Any, folded: Folded, end: int) -> Any:
        with self.manager.transaction() as transaction:
            now = checkpoint.find(transaction.connection, target.plan.name)
            if now is not None:
                checkpoint.move(transaction, now, end, self._clock())
            for table, rows, keys in folded.working.changed_rows():
                if rows:
                    bulk.upsert(transaction.connection, target.tables[table.full_name], rows)
                if keys:
                    bulk.delete(transaction.connection, target.tables[table.full_name], keys)
        return before._replace(position=end)


class PassesWhatFailed(ProjectionRunner):
    """Moves the checkpoint on although a batch could not be written."""

    def _advance(self, target: Any, before: Any, entries: Any, end: int) -> Any:
        try:
            return super()._advance(target, before, entries, end)
        except sa.exc.DBAPIError:
            with self.manager.transaction() as transaction:
                checkpoint.move(transaction, before, end, self._clock())
            return before._replace(position=end), 0


class JumpsToTheHead(ProjectionRunner):
    """Checkpoints by the head that it has seen, although the page ends before it (commanded, pull request 327)."""

    def _page(self, group: Sequence[Standing], head: int, standing: dict[str, Standing]) -> int:
        handled = super()._page(group, head, standing)
        for name, one in list(standing.items()):
            with self.manager.transaction() as transaction:
                checkpoint.move(transaction, one.at, head, self._clock())
            standing[name] = one._replace(at=one.at._replace(position=head))
        return handled


@pytest.mark.parametrize("mutant", [CommitsRowsFirst, CommitsTheCheckpointFirst])
def test_two_transactions_are_caught(manager: DatabaseManager, mutant: type[ProjectionRunner]) -> None:
    """A runner that commits rows and checkpoint apart is caught by ending it at every statement."""
    manager.ensure_schema()
    with pytest.raises(AssertionError):
        killed_everywhere(manager, mutant(manager, ALL, batch_size=5).run_once)


class _InTwoTransactions(Shadow):
    """Commits its checkpoint first, and the rows in a transaction of their own; the process dies in between, once."""

    dies: ClassVar[bool] = True

    def write(self, rebuild: Rebuild, rate: float | None = None) -> None:
        if not type(self).dies:
            super().write(rebuild, rate)
            return
        type(self).dies = False
        with self.manager.transaction() as transaction:
            checkpoint.move(transaction, self.at, rebuild.position, self.at.updated_at)
        raise Killed


def test_a_replay_in_two_transactions_is_caught(manager: DatabaseManager, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replay that commits the shadow's checkpoint and its rows apart goes on behind rows that were never written."""
    append(manager, some_events(30))
    ProjectionRunner(manager, [Notes]).run_once()
    monkeypatch.setattr(_InTwoTransactions, "dies", True)
    monkeypatch.setattr("projections.replaying.Shadow", _InTwoTransactions)
    with pytest.raises(Killed):
        replay(manager, "all", projectors=[Notes])
    assert is_whole(manager, Notes)
    replay(manager, "all", projectors=[Notes])
    assert not is_whole(manager, Notes)


def test_a_checkpoint_that_is_not_compared_is_caught(manager: DatabaseManager) -> None:
    """A runner that does not compare the checkpoint writes an old batch over what another one has written since."""
    append(manager, some_events(60))

    class Late(WritesBlindly):
        overtaken = False

        def _write(self, target: Any, before: Any, folded: Folded, end: int) -> Any:
            if not self.overtaken:
                self.overtaken = True
                append(manager, some_events(60))
                ProjectionRunner(manager, ALL).run_once()
            return super()._write(target, before, folded, end)

    Late(manager, ALL).run_once()
    assert not all(is_whole(manager, projector) for projector in ALL)


def test_a_checkpoint_past_a_failure_is_caught(manager: DatabaseManager) -> None:
    """A runner whose checkpoint passes what it could not write leaves a table that is not what the log makes."""
    append(manager, some_events(20))
    ProjectionRunner(manager, [Errors]).run_once()
    away = "ALTER TABLE agents_tested_errors RENAME TO agents_tested_away"
    back = "ALTER TABLE agents_tested_away RENAME TO agents_tested_errors"
    for mutant, whole in ((ProjectionRunner, True), (PassesWhatFailed, False)):
        append(manager, some_events(20))
        manager.execute_write(away)
        mutant(manager, [Errors]).run_once()
        manager.execute_write(back)
        assert dead_letters_of(manager) == []
        assert is_whole(manager, Errors) is whole


def test_a_jump_to_the_head_is_caught(manager: DatabaseManager) -> None:
    """A runner that checkpoints by the head after a page that ended before it loses what lies between."""
    append(manager, [MemoryLearned(key=f"k{number}", value=number, kind="fact") for number in range(50)])
    JumpsToTheHead(manager, ALL, batch_size=10).run_once()
    assert live(manager) != by_hand(manager)
