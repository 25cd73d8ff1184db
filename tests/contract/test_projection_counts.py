"""What a projection counts: how many events its table took in, skipped, and could not handle, and how fast it went."""

from __future__ import annotations

import pytest

from capture import DatabaseManager
from projections import ProjectionRunner, Status, dead_letters_of, replay, status
from projections import lease as leases
from projections.folding import Plan
from tests.fixtures.projectors import ALL, Notes, append, some_events

POISON = [1, 20, 50]


def _counts(manager: DatabaseManager) -> dict[str, tuple[int, int, int, int]]:
    return {one.projection: (one.handled, one.skipped, one.dead, one.dead_letters) for one in status(manager, ALL)}


def _own_events(manager: DatabaseManager, projector: type) -> int:
    types = sorted(Plan(projector).types)
    marks = ", ".join("?" * len(types))
    (row,) = manager.execute_query(f"SELECT count(*) AS n FROM agents_events WHERE event_type IN ({marks})", types)
    return int(row["n"])


@pytest.mark.parametrize("batch_size", [1, 7, 10_000])
def test_every_event_of_its_types_is_counted_once(manager: DatabaseManager, batch_size: int) -> None:
    """Handled, skipped and dead events add up to those of the projector's types, whatever the batches."""
    append(manager, some_events(50, poison_at=POISON))
    ProjectionRunner(manager, ALL, batch_size=batch_size).run_once()
    assert _counts(manager) == {
        projector.name: (_own_events(manager, projector) - len(POISON), 0, len(POISON), len(POISON))
        for projector in ALL
    }


def test_what_a_replay_passes_is_skipped(manager: DatabaseManager) -> None:
    """A replay counts anew: the dead letters that `--skip-dead` passed are skipped, and what fails later is dead."""
    append(manager, some_events(2_500, poison_at=[1, 20, 2_500]))
    ProjectionRunner(manager, ALL).run_once()
    replay(manager, "all", projectors=ALL, skip_dead=True, commit_seconds=0)
    live = {projector.name: _own_events(manager, projector) - 3 for projector in ALL}
    assert _counts(manager) == {name: (handled, 3, 0, 3) for name, handled in live.items()}
    append(manager, some_events(3, poison_at=[3]))
    ProjectionRunner(manager, ALL).run_once()
    assert {counts[1:] for counts in _counts(manager).values()} == {(3, 1, 4)}
    assert {one.dead_letters for one in status(manager, ALL)} == {4}
    assert len(dead_letters_of(manager)) == 4 * len(ALL)


def _status(manager: DatabaseManager) -> Status:
    (one,) = status(manager, [Notes])
    return one


def test_status_says_how_fast_and_how_long(manager: DatabaseManager) -> None:
    """The rate of the last run is told, and while a runner holds a projection that is behind, the time left at it."""
    append(manager, some_events(300))
    assert (_status(manager).rate, _status(manager).seconds_left) == (0.0, None)
    ProjectionRunner(manager, [Notes]).run_once()
    after = _status(manager)
    assert after.rate > 0
    assert (after.state, after.seconds_left, after.lag_seconds) == ("current", None, 0.0)
    append(manager, some_events(30))
    assert (_status(manager).lag, _status(manager).state, _status(manager).seconds_left) == (30, "behind", None)
    held = leases.acquire(manager, Notes.name, "elsewhere:1:a")
    assert held is not None
    behind = _status(manager)
    assert (behind.holder, behind.seconds_left) == ("elsewhere:1:a", 30 / behind.rate)


def test_status_says_who_replays(manager: DatabaseManager) -> None:
    """While a process rebuilds a projection, status names it and the position that it has committed."""
    append(manager, some_events(2_500))
    ProjectionRunner(manager, [Notes]).run_once()
    seen: list[Status] = []
    replay(manager, "all", lambda _: seen.append(_status(manager)), projectors=[Notes], commit_seconds=0)
    assert {one.replayed_by is not None for one in seen} == {True}
    committed = [one.rebuilding or 0 for one in seen]
    assert committed == sorted(committed)
    assert 0 < committed[0] < committed[-1] == 2_500
    assert _status(manager).replayed_by is None
