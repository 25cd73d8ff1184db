"""Checkpoints: how far a projection has come and what it counted, written in one transaction with its rows.

A checkpoint moves by compare-and-set over position and generation. So of two runners with the same batch one writes it
and the other's transaction comes to nothing, and code that a replay has overtaken can't write into the new table.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from capture import Transaction, tables

_TABLE = tables.checkpoints


class Checkpoint(NamedTuple):
    """A row of `agents_checkpoints`.

    Attributes:
        projection: The projection's name; `@shadow` behind it for a table that is being rebuilt.
        version: The version of the projector that made the table.
        fingerprint: Of the columns and the version that made the table.
        generation: How often the table was replaced, from 1; its index names carry the number.
        position: Every event up to here is in the table, or among the dead letters.
        updated_at: When it moved last.
        handled: How many events up to here the table took in.
        skipped: How many a replay passed since they were dead letters already.
        dead: How many were passed since the code could not handle them.
        rate: Positions a second, in the run or the replay that moved it last.
    """

    projection: str
    version: int
    fingerprint: str
    generation: int
    position: int
    updated_at: datetime
    handled: int = 0
    skipped: int = 0
    dead: int = 0
    rate: float = 0.0


class Counted(NamedTuple):
    """What a move of a checkpoint adds to its counts.

    Attributes:
        handled: Events that the table took in.
        skipped: Events that a replay passed since they were dead letters already.
        dead: Events that the code could not handle.
        rate: Positions a second of the run so far; None leaves it as it is.
    """

    handled: int = 0
    skipped: int = 0
    dead: int = 0
    rate: float | None = None


NOTHING = Counted()
"""A move past events that the projection does not handle."""

_COLUMNS = [_TABLE.c[name] for name in Checkpoint._fields]
_MOVED = ("position", "updated_at", *Counted._fields)


def find(connection: sa.Connection, projection: str, *, lock: bool = False) -> Checkpoint | None:
    """The checkpoint of a projection, or None before its table is made.

    Args:
        connection: Where to read.
        projection: The projection's name.
        lock: Hold the row until the transaction ends; on SQLite the transaction holds everything already.
    """
    query = sa.select(*_COLUMNS).where(_TABLE.c.projection == projection)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return None if row is None else Checkpoint(*row)


def every(connection: sa.Connection) -> dict[str, Checkpoint]:
    """All checkpoints, by projection."""
    query = sa.select(*_COLUMNS).order_by(_TABLE.c.projection)
    return {row.projection: Checkpoint(*row) for row in connection.execute(query)}


def begin(transaction: Transaction, checkpoint: Checkpoint) -> bool:
    """Enter a checkpoint that is not there yet.

    Returns:
        False when another process entered one; on PostgreSQL this waits for that process's transaction to end.
    """
    insert = postgresql.insert if transaction.manager.backend.name == "postgresql" else sqlite.insert
    statement = insert(_TABLE).values(checkpoint._asdict()).on_conflict_do_nothing()
    return transaction.connection.execute(statement.returning(_TABLE.c.projection)).first() is not None


def move(
    transaction: Transaction, before: Checkpoint, position: int, now: datetime, counted: Counted = NOTHING
) -> Checkpoint | None:
    """Move a checkpoint from where it was read to a new position, if it still stands there.

    Args:
        transaction: The one that writes the rows too.
        before: The checkpoint as it was read.
        position: Where it is to stand.
        now: When.
        counted: What lies between the two.

    Returns:
        The checkpoint after it; None when it does not: another runner was here first, or a replay replaced the table.
    """
    after = before._replace(
        position=position,
        updated_at=now,
        handled=before.handled + counted.handled,
        skipped=before.skipped + counted.skipped,
        dead=before.dead + counted.dead,
        rate=before.rate if counted.rate is None else counted.rate,
    )
    statement = (
        sa.update(_TABLE)
        .where(
            _TABLE.c.projection == before.projection,
            _TABLE.c.position == before.position,
            _TABLE.c.generation == before.generation,
        )
        .values({name: getattr(after, name) for name in _MOVED})
    )
    return after if transaction.connection.execute(statement).rowcount == 1 else None


def replace(transaction: Transaction, checkpoint: Checkpoint) -> None:
    """Overwrite the checkpoint of a projection, whose row the transaction holds."""
    values = checkpoint._asdict()
    statement = sa.update(_TABLE).where(_TABLE.c.projection == values.pop("projection")).values(values)
    transaction.connection.execute(statement)


def forget(transaction: Transaction, projection: str) -> None:
    """Take a checkpoint away."""
    transaction.connection.execute(sa.delete(_TABLE).where(_TABLE.c.projection == projection))
