"""Leases say who works, so that others need not; they never decide what is true."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta

from capture import DatabaseManager
from projections import ProjectionRunner, status
from projections import lease as leases
from tests.fixtures.projectors import Notes, append, some_events

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


def test_a_lease_has_one_holder(manager: DatabaseManager) -> None:
    """While a lease holds, another does not get it; its holder renews it; given back or run out, it is free."""
    manager.ensure_schema()
    clock = Clock()
    held = leases.acquire(manager, "work", "far:1:a", clock)
    assert held is not None
    assert leases.acquire(manager, "work", "far:2:b", clock) is None
    clock.now += leases.DURATION / 2
    renewed = leases.acquire(manager, "work", "far:1:a", clock)
    assert renewed is not None
    assert renewed.expires_at > held.expires_at
    clock.now += leases.DURATION + timedelta(seconds=1)
    assert leases.acquire(manager, "work", "far:2:b", clock) is not None
    assert leases.acquire(manager, "work", "far:1:a", clock) is None
    leases.release(manager, renewed)  # it is the other's now, so this does nothing
    assert manager.execute_query("SELECT holder, generation FROM agents_leases") == [
        {"holder": "far:2:b", "generation": 2}
    ]


def test_the_lease_of_a_process_that_is_gone_is_free(manager: DatabaseManager) -> None:
    """A process of this host that ended without giving its lease back does not keep others waiting."""
    manager.ensure_schema()
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    host = socket.gethostname()
    assert leases.acquire(manager, "work", f"{host}:{ended.pid}:x", Clock()) is not None
    assert leases.acquire(manager, "work", f"{host}:{os.getpid()}:y", Clock()) is not None


def test_a_runner_stays_away_from_what_another_keeps_current(manager: DatabaseManager) -> None:
    """`Held` gives the names that are held, tries the others again after a while, and takes them over when free."""
    manager.ensure_schema()
    clock = Clock()
    first = leases.Held(manager, ["a", "b"], "far:1:a", clock)
    second = leases.Held(manager, ["b", "c"], "far:2:b", clock)
    assert first.renewed() == ["a", "b"]
    assert second.renewed() == ["c"]
    first.release()
    assert second.renewed() == ["c"]
    clock.now += leases.RETRY
    assert second.renewed() == ["b", "c"]


def test_run_once_asks_for_no_lease(manager: DatabaseManager) -> None:
    """Who calls `run_once` wants the table current now: a lease of another runner does not keep it from that."""
    append(manager, some_events(20))
    assert leases.acquire(manager, Notes.name, "far:1:a") is not None
    assert ProjectionRunner(manager, [Notes]).run_once() > 0
    (stands,) = status(manager, [Notes])
    assert (stands.state, stands.holder) == ("current", "far:1:a")
