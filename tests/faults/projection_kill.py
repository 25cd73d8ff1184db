"""Kills a process of its own at the k-th statement of a runner, a replay or a swap, and judges what it left behind.

Everything is judged against rows that are made by hand from the log (tests/fixtures/projectors.py), never against
copydesk's own fold: after the kill up to the checkpoint, and after the next run, which has to finish the work.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from capture import DatabaseManager, EventLog, utc_now
from projections import ProjectionRunner, Projector, dead_letters_of, replay, status
from projections.dead_letters import DeadLetter
from projections.folding import Plan
from projections.lease import DURATION
from projections.shadow import Shadow
from projections.swap import swap
from tests.faults.nursery import born, end_of
from tests.fixtures.projectors import ALL, Notes, append, by_hand, rows_of, some_events

LOG = 1_100
"""Events that are there at the start: a replay takes them in more than one page."""

NEW = 12
"""Events that come before each kill, the seventh of them poison."""

BATCH = 5


def first_run(manager: DatabaseManager) -> None:
    """A runner that has to make the tables."""
    ProjectionRunner(manager, ALL).run_once()


def run(manager: DatabaseManager) -> None:
    """A runner that finds a few new events."""
    ProjectionRunner(manager, ALL, batch_size=BATCH).run_once()


def replay_all(manager: DatabaseManager) -> None:
    """A replay, from the first event to its swaps."""
    replay(manager, "all", projectors=ALL, skip_dead=True, commit_seconds=0)


def swap_alone(manager: DatabaseManager) -> None:
    """The swap of a shadow that is a few events behind the live table."""
    shadow = Shadow(manager, Plan(Notes))
    shadow.begin()
    dead = frozenset(letter.position for letter in _letters(manager, Notes))
    swap(manager, EventLog(manager), shadow, known_dead=dead)


WORKS: dict[str, Callable[[DatabaseManager], None]] = {
    "first run": first_run,
    "runner": run,
    "replay": replay_all,
    "swap": swap_alone,
}


def prepare(manager: DatabaseManager, work: str) -> None:
    """Bring a database to where the work begins: the events before it are in every table."""
    append(manager, some_events(NEW, poison_at=[7]))
    if work == "first run":
        with manager.transaction() as transaction:
            for projector in ALL:
                for table in projector.tables:
                    transaction.connection.exec_driver_sql(f'DROP TABLE IF EXISTS "{table.full_name}"')
            transaction.connection.exec_driver_sql("DELETE FROM agents_checkpoints")
            transaction.connection.exec_driver_sql("DELETE FROM agents_dead_letters")
        return
    if work == "replay":
        run(manager)
    if work == "swap":
        dead = frozenset(letter.position for letter in _letters(manager, Notes))
        shadow = Shadow(manager, Plan(Notes))
        shadow.begin(anew=True)
        shadow.catch_up(EventLog(manager), EventLog(manager).head() - NEW, dead)
        run(manager)


def begin(manager: DatabaseManager) -> None:
    """The log that all of it begins with."""
    append(manager, some_events(LOG, poison_at=[7, 500]))
    first_run(manager)


class _Counter:
    def __init__(self, then: Callable[[], None], at: int) -> None:
        self.count = 0
        self._then, self._at = then, at
        self._lock = threading.Lock()
        sa.event.listen(sa.Engine, "before_cursor_execute", self._one)
        sa.event.listen(sa.Engine, "commit", self._one)

    def _one(self, *_: Any) -> None:
        with self._lock:
            self.count += 1
            if self.count == self._at:
                self._then()


def _live(url: str, work: str, at: int, told: Path) -> None:
    counter = _Counter(lambda: os.kill(os.getpid(), signal.SIGKILL), at)
    with DatabaseManager(url) as manager:
        WORKS[work](manager)
    told.write_text(str(counter.count))


def killed(url: str, work: str, at: int, folder: Path) -> int | None:
    """Let a process do the work and kill it before its k-th statement or commit.

    Returns:
        How many there were, when it came to its end before that; None when it was killed.

    Raises:
        AssertionError: It ended in another way.
    """
    told = folder / "told"
    ended = end_of(born(partial(_live, url, work, at, told)))
    if ended == -signal.SIGKILL:
        return None
    assert ended == 0, f"{work} at {at} ended with {ended}"
    return int(told.read_text())


def faults(manager: DatabaseManager) -> list[str]:
    """What is not as the log makes it, up to the checkpoint of each projection."""
    found = []
    known = {one.projection: one for one in status(manager, ALL)}
    hands: dict[int, Any] = {}
    for projector in ALL:
        one = known[projector.name]
        if one.generation == 0:
            continue
        if one.position not in hands:
            hands[one.position] = by_hand(manager, upto=one.position) if one.position else {}
        for table in projector.tables:
            if rows_of(manager, table) != hands[one.position].get(table.full_name, {}):
                found.append(f"{table.full_name} is not what the log makes up to {one.position}")
        letters = [letter.position for letter in _letters(manager, projector)]
        if any(letter > one.position for letter in letters):
            found.append(f"{projector.name} has a dead letter beyond its checkpoint")
        if len(letters) != one.skipped + one.dead:
            found.append(f"{projector.name} has {len(letters)} dead letters and counts {one.skipped + one.dead}")
        own = _own_events(manager, projector, one.position)
        if own != one.handled + one.skipped + one.dead:
            found.append(f"{projector.name} counts {one.handled + one.skipped + one.dead} events of {own}")
    return found


def unfinished(manager: DatabaseManager, work: str) -> list[str]:
    """Do the work again, without a kill: what is not whole, current and tidy afterwards."""
    WORKS[work](manager)
    if work == "swap":
        run(manager)
    found = faults(manager)
    for one in status(manager, ALL):
        if (one.state, one.rebuilding, one.replayed_by) != ("current", None, None) and work != "replay":
            found.append(f"{one.projection} is {one.state}, rebuilding {one.rebuilding}, by {one.replayed_by}")
    with manager.connect() as connection:
        found += [f"{name} is left" for name in sa.inspect(connection).get_table_names() if "shadow" in name]
    return found


def judged(manager: DatabaseManager, url: str, work: str, at: int, folder: Path) -> tuple[int | None, list[str]]:
    """One kill and the run after it.

    Returns:
        How many statements there were, when it was not killed; and what was wrong.
    """
    prepare(manager, work)
    count = killed(url, work, at, folder)
    wrong = [f"{work} killed at {at}: {fault}" for fault in faults(manager)]
    if count is None:
        if work == "swap" and _is_swapped(manager):
            return None, wrong
        wrong += [f"{work} after the kill at {at}: {fault}" for fault in unfinished(manager, work)]
    return count, wrong


def stopped_and_continued(manager: DatabaseManager, url: str, at: int) -> tuple[bool, bool, list[str]]:
    """Of two runners, stop one before its k-th statement, beyond its lease; continue it later.

    Returns:
        Whether the first was stopped before it came to its end; whether the other one worked meanwhile (it can't
        where the first holds a lock of the database); and what was wrong.
    """
    append(manager, some_events(NEW, poison_at=[7]))
    slow = born(partial(_follow, url, stops_at=at))
    _, state = os.waitpid(slow, os.WUNTRACED)
    if os.WIFEXITED(state):
        return False, False, [*faults(manager), *([] if os.WEXITSTATUS(state) == 0 else ["the runner failed"])]
    before = _positions(manager)
    other = born(partial(_follow, url, ahead=True))
    ended = _ends_within(other, 0.7)
    worked = _positions(manager) != before
    wrong = [f"beside a stopped runner: {fault}" for fault in faults(manager)]
    os.kill(slow, signal.SIGCONT)
    codes = [end_of(slow), ended if ended is not None else end_of(other)]
    if codes != [0, 0]:
        wrong.append(f"the runners ended with {codes}")
    wrong += [f"{one.projection} is {one.state}" for one in status(manager, ALL) if one.state != "current"]
    return True, worked, [f"stopped at {at}: {fault}" for fault in [*wrong, *faults(manager)]]


class _AllCurrent(threading.Event):
    """Set when every table has come to the end of the log."""

    def __init__(self, manager: DatabaseManager) -> None:
        super().__init__()
        self._manager = manager

    def is_set(self) -> bool:
        return all(one.state == "current" for one in status(self._manager, ALL))


def _follow(url: str, stops_at: int = 0, *, ahead: bool = False) -> None:
    if stops_at:
        _Counter(lambda: os.kill(os.getpid(), signal.SIGSTOP), stops_at)
    with DatabaseManager(url) as manager:
        clock = (lambda: utc_now() + 2 * DURATION) if ahead else utc_now
        ProjectionRunner(manager, ALL, batch_size=BATCH, clock=clock).run(_AllCurrent(manager))


def _ends_within(child: int, seconds: float) -> int | None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pid, state = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(state)
        time.sleep(0.01)
    return None


def _positions(manager: DatabaseManager) -> dict[str, int]:
    return {one.projection: one.position for one in status(manager, ALL)}


def _is_swapped(manager: DatabaseManager) -> bool:
    (one,) = status(manager, [Notes])
    return one.rebuilding is None


def _letters(manager: DatabaseManager, projector: type[Projector]) -> list[DeadLetter]:
    return dead_letters_of(manager, projector.name)


def _own_events(manager: DatabaseManager, projector: type[Projector], position: int) -> int:
    types = sorted(Plan(projector).types)
    marks = ", ".join("?" * len(types))
    (row,) = manager.execute_query(
        f"SELECT count(*) AS n FROM agents_events WHERE position <= ? AND event_type IN ({marks})", (position, *types)
    )
    return int(row["n"])
