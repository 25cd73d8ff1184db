"""The swap: a rebuilt table takes the place of the live one, in one transaction, and readers never notice.

A reader sees the old table or the new one, never none, half, or one that is older than what it has seen:

- the new table holds everything up to the live checkpoint, whose row is held meanwhile;
- on PostgreSQL a snapshot older than the shadow's last commit would see the new table without its last rows, so none
  such may be left; and the exclusive lock is asked for 50 ms at a time, since every later reader waits behind it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import sqlalchemy as sa

from capture import DatabaseManager, EventLog, Transaction
from projections import checkpoint, dead_letters, definitions, dependents
from projections.checkpoint import Checkpoint
from projections.errors import ReplayRunning, SwapHeldUp
from projections.rehearsal import legacy_renames, own_definitions, refuse_what_would_be_lost
from projections.shadow import Shadow

LOCK_TIMEOUT = "50ms"
"""How long one try may keep later readers waiting behind it."""

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
"""Seconds between two tries: the pause doubles from the one to the other."""

HOLD = 1.0
"""How long one try may keep the projection's runner waiting for old snapshots to end, in seconds."""

_LOCK_NOT_AVAILABLE = "55P03"

# A REPEATABLE READ transaction that began before the rows were committed has its snapshot from then, or none yet.
_OLDER = """
SELECT pid, coalesce(usename, '?') AS role, coalesce(application_name, '') AS application, state, xact_start AS since
FROM pg_stat_activity
WHERE backend_xmin IS NOT NULL AND xact_start <= :committed_at AND pid <> pg_backend_pid()
  AND datname = current_database() AND backend_type IN ('client backend', 'parallel worker')
ORDER BY xact_start
"""

_HOLDERS = """
SELECT DISTINCT a.pid, coalesce(a.usename, '?') AS role, coalesce(a.application_name, '') AS application, a.state,
  a.xact_start AS since
FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
WHERE l.relation = ANY(:tables) AND l.granted AND a.pid <> pg_backend_pid()
"""

Tell = Callable[[str], None]
"""Told who holds the swap up, in a sentence."""


class _NotNow(Exception):
    """Ends one try of the swap, never shown: somebody was in the way."""

    def __init__(self, holders: list[str]) -> None:
        super().__init__(holders)
        self.holders = holders


def swap(
    manager: DatabaseManager,
    log: EventLog,
    shadow: Shadow,
    *,
    known_dead: frozenset[int] = frozenset(),
    patience: float | None = None,
    tell: Tell | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Checkpoint:
    """Put a shadow in the place of the live table.

    Args:
        manager: The database.
        log: The log, for the last events.
        shadow: The shadow, folded nearly to the head.
        known_dead: Positions of events that the replay passed by.
        patience: How many seconds to try; without end when left out.
        tell: Told who holds the swap up.
        sleep: Waits for a count of seconds.

    Returns:
        The live checkpoint after the swap.

    Raises:
        SwapHeldUp: Readers were in the way for all that time; the old table serves on, and the shadow stays.
        ReplayRunning: Another replay swapped first.
        ReplayStopped: One of the last events can't be handled.
    """
    if manager.backend.name != "postgresql":
        return _in_one(manager, log, shadow, known_dead)
    began, pause = time.monotonic(), FIRST_PAUSE
    while True:
        try:
            _wait_for_snapshots(manager, shadow.committed_at, 0.0)
            return _beside(manager, log, shadow, known_dead)
        except _NotNow as held:
            message = f"{shadow.plan.name}: the swap waits for {'; '.join(held.holders) or 'a lock'}"
            if tell is not None:
                tell(message)
            if patience is not None and time.monotonic() - began >= patience:
                raise SwapHeldUp(
                    f"{message}; the old table serves on",
                    hint="end that transaction and replay again: what is rebuilt is kept",
                    projection=shadow.plan.name,
                ) from None
        sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
        shadow.catch_up(log, log.head(), known_dead)


def _in_one(manager: DatabaseManager, log: EventLog, shadow: Shadow, known_dead: frozenset[int]) -> Checkpoint:
    """SQLite: the one writer's transaction holds the checkpoint; readers keep the snapshot that they have."""

    def work(transaction: Transaction) -> Checkpoint:
        before = shadow.at
        try:
            live = _live(transaction, shadow)
            shadow.catch_up(log, _goal(log, live), known_dead)
            for table in shadow.plan.tables:
                kept = own_definitions(transaction.connection, table.full_name)
                definitions.drop(transaction, definitions.live(table))
                with legacy_renames(transaction.connection):
                    old, new = definitions.shadow(table).name, table.full_name
                    transaction.connection.exec_driver_sql(f'ALTER TABLE "{old}" RENAME TO "{new}"')
                for definition in kept:
                    transaction.connection.exec_driver_sql(definition)
            return _finish(transaction, shadow, known_dead)
        except BaseException:
            shadow.at = before
            raise

    return manager.retrying(work)


def _beside(manager: DatabaseManager, log: EventLog, shadow: Shadow, known_dead: frozenset[int]) -> Checkpoint:
    """PostgreSQL: one try, of which the last events are committed first, while the live checkpoint stands still."""
    try:
        with manager.transaction() as transaction:
            connection = transaction.connection
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
            live = _live(transaction, shadow)
            goal = _goal(log, live)
            if shadow.at.position < goal:
                # In a transaction of its own, on a thread of its own: rows of this one would be invisible to every
                # snapshot that is taken until it commits, and such a reader would see the new table without them.
                with ThreadPoolExecutor(1) as beside:
                    beside.submit(shadow.catch_up, log, goal, known_dead).result()
                _wait_for_snapshots(manager, shadow.committed_at, HOLD)
            tables = [oid for table in shadow.plan.tables if (oid := dependents.oid_of(connection, table.full_name))]
            try:
                return _exchange(transaction, shadow, tables, known_dead)
            except sa.exc.DBAPIError as error:
                if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
                    raise
                with manager.backend.open() as other:
                    raise _NotNow(_people(other, _HOLDERS, tables=tables)) from error
    except sa.exc.DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
            raise _NotNow(["the projection's runner, which is writing"]) from error
        raise


def _exchange(transaction: Transaction, shadow: Shadow, tables: list[int], known_dead: frozenset[int]) -> Checkpoint:
    connection = transaction.connection
    # In the order in which a reader takes them. With the table first, whoever reads a view meanwhile would hold that
    # and wait for the table, and neither would come on: under steady readers of a view no try would ever succeed.
    for view in reversed(dependents.views(connection, tables)):
        dependents.lock_view(connection, view)
    for table in shadow.plan.tables:
        if dependents.oid_of(connection, table.full_name) is not None:
            connection.exec_driver_sql(f'LOCK TABLE "{table.full_name}" IN ACCESS EXCLUSIVE MODE')
    refuse_what_would_be_lost(connection, shadow.plan, tables)
    views = dependents.views(connection, tables)
    kept = [dependents.relation(connection, oid) for oid in tables]
    for view in reversed(views):
        dependents.drop_view(connection, view)
    for table in shadow.plan.tables:
        definitions.drop(transaction, definitions.live(table))
        old, new = definitions.shadow(table).name, table.full_name
        connection.exec_driver_sql(f'ALTER TABLE "{old}" RENAME TO "{new}"')
    for relation in kept:
        dependents.give_back(connection, relation, relation.name)
        for index in relation.indexes:
            if not definitions.is_own_index(relation.plain, index.name):
                dependents.run(connection, index.definition)
        if relation.options:
            dependents.run(connection, f"ALTER TABLE {relation.name} SET ({relation.options})")
        dependents.say_again(connection, relation)
    for view in views:
        dependents.make_view(connection, view)
    return _finish(transaction, shadow, known_dead)


def _live(transaction: Transaction, shadow: Shadow) -> Checkpoint:
    """The live checkpoint, held until the transaction ends: the projection's runner waits or comes to nothing."""
    live = checkpoint.find(transaction.connection, shadow.plan.name, lock=True)
    held = checkpoint.find(transaction.connection, shadow.name)
    if live is None or live.generation != shadow.at.generation - 1 or held is None:
        raise ReplayRunning(
            f"the table of {shadow.plan.name} was replaced by another replay meanwhile",
            hint="`copydesk projections status` shows how it stands",
        )
    return live


def _goal(log: EventLog, live: Checkpoint) -> int:
    # A database that was restored may hold less than its checkpoints say: then its head is all there is to reach.
    return min(live.position, log.head())


def _finish(transaction: Transaction, shadow: Shadow, known_dead: frozenset[int]) -> Checkpoint:
    after = shadow.at._replace(projection=shadow.plan.name)
    checkpoint.forget(transaction, shadow.name)
    checkpoint.replace(transaction, after)
    dead_letters.forget(transaction, shadow.plan.name, keep=sorted(known_dead), version=after.version)
    return after


def _wait_for_snapshots(manager: DatabaseManager, committed_at: datetime | None, seconds: float) -> None:
    """Wait until no transaction is left that may see the shadow without its last rows.

    Raises:
        _NotNow: One was left after that time.
    """
    until = time.monotonic() + seconds
    while True:
        with manager.backend.open() as other:
            people = _people(other, _OLDER, committed_at=committed_at)
        if not people:
            return
        if time.monotonic() >= until:
            raise _NotNow(people)
        time.sleep(0.01)


def _people(connection: sa.Connection, sql: str, **parameters: object) -> list[str]:
    return [
        f"process {row.pid} ({row.role}{', ' + row.application if row.application else ''}, {row.state}, in a "
        f"transaction since {row.since:%H:%M:%S})"
        for row in connection.execute(sa.text(sql), parameters)
    ]
