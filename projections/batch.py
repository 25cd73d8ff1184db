"""One batch of one projection: read the rows that it needs, fold, and write rows and checkpoint in one transaction.

Runner and replay both go this way; they differ in the table that they write (the live one, a shadow).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from capture import DatabaseManager, Transaction
from projections import bulk, checkpoint, dead_letters, definitions
from projections.bulk import Physical
from projections.checkpoint import Checkpoint, Counted
from projections.folding import Folded, Plan
from projections.table import Key, Row, Table
from projections.working import Working


class Target(NamedTuple):
    """A projection and the tables that a fold of it is written to.

    Attributes:
        plan: The projector.
        tables: Its tables as they are named in the database, by full name.
    """

    plan: Plan
    tables: dict[str, Physical]


def live(plan: Plan) -> Target:
    """The tables that everyone reads."""
    return Target(plan, {table.full_name: definitions.live(table) for table in plan.tables})


def shadow(plan: Plan) -> Target:
    """The tables that a replay builds."""
    return Target(plan, {table.full_name: definitions.shadow(table) for table in plan.tables})


def working(manager: DatabaseManager, target: Target, *, empty: bool = False) -> Working:
    """Rows to fold upon that are read from the target as they are needed.

    Args:
        manager: The database.
        target: The tables.
        empty: They have no rows yet, so none is looked for until rows were written and let go.
    """

    def read(table: Table, keys: Sequence[Key]) -> Iterator[Row]:
        with manager.connect() as connection:
            yield from bulk.read(connection, target.tables[table.full_name], keys)

    return Working(target.plan.tables, read, empty=empty)


def write(
    transaction: Transaction,
    target: Target,
    before: Checkpoint,
    folded: Folded,
    *,
    position: int,
    now: datetime,
    skipped: int = 0,
    rate: float | None = None,
) -> Checkpoint | None:
    """Move the checkpoint and write what changed: the one statement order that keeps table and checkpoint together.

    Args:
        transaction: Everything or nothing of this.
        target: The tables.
        before: The checkpoint that the rows were read under.
        folded: What the events from there to `position` come to.
        position: Every event up to here is in `folded`, or not handled by the projector.
        now: When.
        skipped: How many events a replay passed since they were dead letters already.
        rate: Positions a second of the run so far.

    Returns:
        The checkpoint after it; None when it does not stand where it was any more: then nothing was written.
    """
    counted = Counted(folded.handled, skipped, len(folded.dead), rate)
    # The checkpoint first: its row is the lock under which the table is written.
    after = checkpoint.move(transaction, before, position, now, counted)
    if after is None:
        return None
    for table, rows, keys in folded.working.changed_rows():
        physical = target.tables[table.full_name]
        if rows:
            bulk.upsert(transaction.connection, physical, rows)
        if keys:
            bulk.delete(transaction.connection, physical, keys)
    dead_letters.record(transaction, target.plan.name, target.plan.projector.version, folded.dead, now)
    return after
