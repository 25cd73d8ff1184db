"""`copydesk run` rebuilds read tables that other code made, in a process of its own, and leaves the others alone."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from capture import DatabaseManager
from tests.acceptance.conftest import Copydesk, append_newer, draft
from tests.conftest import MakeDatabase

STALE = "UPDATE agents_checkpoints SET fingerprint = 'of other code', version = 0 WHERE projection = 'agents_memory'"


@contextmanager
def _database(copydesk: Copydesk) -> Iterator[DatabaseManager]:
    with DatabaseManager(copydesk.environment["DATABASE_URL"]) as manager:
        yield manager


def _make_stale(copydesk: Copydesk) -> None:
    with _database(copydesk) as manager:
        assert manager.execute_write(STALE) == 1


def _status(copydesk: Copydesk) -> dict[str, dict[str, Any]]:
    return {line["projection"]: line for line in copydesk("projections", "status", "--json").lines}


def _until(found: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not found():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_only_what_is_stale_is_rebuilt(copydesk: Copydesk) -> None:
    """`run --once` replays the stale table and no other; `--no-replay` leaves it as it is, and status says why."""
    copydesk.import_events(draft())
    assert copydesk("run", "--once", "--json").object["replayed"] == []
    _make_stale(copydesk)
    held = copydesk("run", "--once", "--no-replay", "--json")
    assert (held.code, held.object["replayed"]) == (0, [])
    stale = _status(copydesk)["agents_memory"]
    assert (stale["state"], stale["generation"]) == ("stale", 1)
    assert "replay needed: its tables were made by version 0" in stale["reason"]
    ran = copydesk("run", "--once", "--json")
    assert (ran.code, ran.object["replayed"], ran.object["stopped"]) == (0, ["agents_memory"], {})
    after = _status(copydesk)
    assert {name: one["generation"] for name, one in after.items() if one["generation"] > 1} == {"agents_memory": 2}
    assert {one["state"] for one in after.values()} == {"current"}


def test_a_replay_that_can_not_go_on_is_told(copydesk: Copydesk) -> None:
    """A replay that stops at an event is named with it, the old table serves on, and `run --once` ends with 1."""
    position = append_newer(copydesk.environment["DATABASE_URL"])
    assert copydesk("run", "--once").code == 0
    _make_stale(copydesk)
    ran = copydesk("run", "--once")
    assert ran.code == 1
    assert f"a replay could not go on: the replay of agents_memory stopped at position {position}" in ran.out
    assert _status(copydesk)["agents_memory"]["generation"] == 1


def test_run_replays_beside_its_other_work(copydesk: Copydesk) -> None:
    """While `copydesk run` works on, a table that became stale is replayed, and events are taken in as before."""
    copydesk.import_events(draft())
    assert copydesk("projections", "run", "--once").code == 0
    _make_stale(copydesk)
    process = copydesk.start("run", "--every", "0.1")
    try:
        _until(lambda: _status(copydesk)["agents_memory"]["generation"] == 2)
        copydesk.import_events(draft("o2"), draft("o3"))
        _until(lambda: {one["state"] for one in _status(copydesk).values()} == {"current"})
    finally:
        process.terminate()
        assert process.wait(30) == 0


def test_run_ends_its_replay(make_database: MakeDatabase, alone: Copydesk) -> None:
    """A swap that waits for a reader holds up no end: SIGTERM ends `copydesk run` and its replay, whose lease is free.

    On PostgreSQL alone; the swap of SQLite waits for nobody.
    """
    copydesk = alone
    copydesk.environment["DATABASE_URL"] = make_database("postgresql")
    copydesk.import_events(draft())
    assert copydesk("projections", "run", "--once").code == 0
    _make_stale(copydesk)
    with _database(copydesk) as manager, manager.backend.open() as reader:
        reader.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ")
        reader.exec_driver_sql("SELECT 1")
        process = copydesk.start("run", "--every", "0.1")
        try:
            _until(lambda: bool(_status(copydesk)["agents_memory"]["rebuilding"]))
            holder = _status(copydesk)["agents_memory"]["replayed_by"]
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        replaying = int(holder.split(":")[1])
        assert replaying != process.pid
        with pytest.raises(ProcessLookupError):
            os.kill(replaying, 0)
        reader.exec_driver_sql("ROLLBACK")
        assert manager.execute_query("SELECT name FROM agents_leases WHERE name LIKE '%@replay'") == []
    assert copydesk("run", "--once", "--json").object["replayed"] == ["agents_memory"]
