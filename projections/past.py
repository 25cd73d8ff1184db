"""`as_of`: a read table as it was at a position, or at a time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from capture import CopydeskError, DatabaseManager, EventLog, Transaction, tables
from projections import bulk, definitions, rebuild, registry
from projections.bulk import Physical
from projections.columns import WireValue
from projections.rebuild import Rebuild
from projections.registry import ProjectorLike
from projections.table import Row, Table
from projections.working import Working

BESIDE = "_shadow_as_of"
"""What the name of a table that is built beside the live one ends with; the word `shadow` keeps it free."""


class BeyondTheLog(CopydeskError):
    """A position or a time at which the log had not begun, or that it has not reached."""

    code = "BEYOND_THE_LOG"
    exit_code = 5


class AsOf(NamedTuple):
    """A projection as it was.

    Attributes:
        projection: Its name.
        position: The position.
        rows: Per table its rows, by key, each by column; times and decimals as text, JSON as its text.
        built: The names of the tables that were built beside the live ones.
        dead: How many events up to there can't be handled.
    """

    projection: str
    position: int
    rows: dict[str, list[dict[str, WireValue]]]
    built: tuple[str, ...]
    dead: int


def as_of(
    manager: DatabaseManager,
    projection: str,
    at: int | datetime,
    *,
    build: bool = False,
    projectors: Iterable[ProjectorLike] | None = None,
) -> AsOf:
    """Fold a projection up to a point of the past, with the code at hand.

    Args:
        manager: The database.
        projection: Its name.
        at: A position, or an aware time: then the last position that was recorded up to it.
        build: Also write the rows to tables beside the live ones, `{table}_shadow_as_of`, replacing older ones.
        projectors: Projectors or their classes; every installed one when left out.

    Raises:
        UnknownProjection: There is no such projection.
        BeyondTheLog: The position is negative or beyond the head, or the time has no zone.
    """
    manager.ensure_schema()
    (plan,) = registry.select(registry.ready(projectors), [projection])
    log = EventLog(manager)
    position = position_at(manager, log, at) if isinstance(at, datetime) else at
    head = log.head()
    if not 0 <= position <= head:
        raise BeyondTheLog(
            f"a position from 0 to {head} was expected, found {position}", hint="`copydesk events stats`"
        )
    one = Rebuild(plan, Working(plan.tables, None), passes_dead=True)
    rebuild.run(log, [one], position)
    found = {table.full_name: _sorted(table, one.working) for table in plan.tables}
    built: list[str] = []
    if build:

        def work(transaction: Transaction) -> None:
            manager.backend.lock_definitions(transaction.connection)
            for table in plan.tables:
                physical = Physical(table, table.full_name + BESIDE)
                definitions.drop(transaction, physical)
                definitions.create(transaction, physical, 0)
                bulk.upsert(transaction.connection, physical, found[table.full_name])

        manager.retrying(work)
        built = [table.full_name + BESIDE for table in plan.tables]
    rows = {
        table.full_name: [dict(zip(table.names, row, strict=True)) for row in found[table.full_name]]
        for table in plan.tables
    }
    return AsOf(plan.name, position, rows, tuple(built), len(one.dead))


def position_at(manager: DatabaseManager, log: EventLog, time: datetime) -> int:
    """The last position that was recorded up to a time; 0 when there was none yet.

    Times of recording never fall as positions rise, so halving finds it in a few look-ups by the primary key.

    Raises:
        BeyondTheLog: The time has no zone.
    """
    if time.utcoffset() is None:
        raise BeyondTheLog(
            f"a time with a zone was expected, {time.isoformat()} has none", hint="write it as 2026-11-24T10:00:00Z"
        )
    low, high = 0, log.head()
    with manager.connect() as connection:
        while low < high:
            middle = (low + high + 1) // 2
            query = sa.select(tables.events.c.recorded_at).where(tables.events.c.position == middle)
            if connection.execute(query).scalar_one() <= time:
                low = middle
            else:
                high = middle - 1
    return low


def _sorted(table: Table, working: Working) -> list[Row]:
    found = [row for row in working.rows[table.full_name].values() if row is not None]
    return sorted(
        found, key=lambda row: [(value is None, str(type(value)), value) for value in row[: len(table.key_names)]]
    )
