"""Dead letters: events that a projector could not handle, per version of its code.

A row is committed with the checkpoint that passes its event. It is cured by new code and a replay, never by applying
one event late.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from capture import DatabaseManager, EventLog, NotFound, Stored, Transaction, tables
from projections.folding import Dead

_TABLE = tables.dead_letters

MAX_ERROR = 2_000
"""The longest error text that is kept, in characters."""


class DeadLetter(NamedTuple):
    """A row of `agents_dead_letters`.

    Attributes:
        projection: The projection whose code failed.
        version: The version of that code.
        position: Where the event stands in the log.
        event_id: The event's id.
        event_type: The event's type.
        error: What went wrong.
        created_at: When it was passed.
    """

    projection: str
    version: int
    position: int
    event_id: str
    event_type: str
    error: str
    created_at: datetime


_COLUMNS = [_TABLE.c[name] for name in DeadLetter._fields]


def record(transaction: Transaction, projection: str, version: int, dead: Sequence[Dead], now: datetime) -> None:
    """Write a row for each event, unless it is there already under this version."""
    if not dead:
        return
    insert = postgresql.insert if transaction.manager.backend.name == "postgresql" else sqlite.insert
    rows = [
        DeadLetter(
            projection,
            version,
            one.fact.position,
            str(one.fact.event_id),
            one.fact.event_type,
            described(one.error),
            now,
        )._asdict()
        for one in dead
    ]
    transaction.connection.execute(insert(_TABLE).on_conflict_do_nothing(), rows)


def described(error: BaseException) -> str:
    """An error in a form that both databases keep: its class and message, without NUL and lone surrogates."""
    error = getattr(error, "orig", None) or error  # the driver's own words, without the statement and its values
    text = f"{type(error).__name__}: {error}"[:MAX_ERROR]
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()


def dead_letters_of(
    manager: DatabaseManager, projection: str | None = None, version: int | None = None, limit: int | None = None
) -> list[DeadLetter]:
    """The dead letters, by projection and position.

    Args:
        manager: The database.
        projection: Only of this projection.
        version: Only of this version of its code.
        limit: At most so many.
    """
    manager.ensure_schema()
    query = sa.select(*_COLUMNS).order_by(_TABLE.c.projection, _TABLE.c.version, _TABLE.c.position)
    if projection is not None:
        query = query.where(_TABLE.c.projection == projection)
    if version is not None:
        query = query.where(_TABLE.c.version == version)
    with manager.connect() as connection:
        return [DeadLetter(*row) for row in connection.execute(query.limit(limit))]


def dead_letter(
    manager: DatabaseManager, projection: str, position: int, version: int | None = None
) -> tuple[DeadLetter, Stored]:
    """One dead letter and its event as it is stored.

    Args:
        manager: The database.
        projection: The projection whose code failed.
        position: Where the event stands in the log.
        version: The version of that code; the newest that failed when left out.

    Raises:
        NotFound: There is no such dead letter.
    """
    found = [one for one in dead_letters_of(manager, projection, version) if one.position == position]
    if not found:
        raise NotFound(
            f"a dead letter was expected, {projection!r:.80} has none at position {position}",
            hint="`copydesk projections dead-letters list` lists them",
        )
    (event,) = EventLog(manager).read_stored(after=position - 1, limit=1)
    return found[-1], event


def counts(connection: sa.Connection) -> dict[tuple[str, int], int]:
    """How many there are, by projection and version."""
    query = sa.select(_TABLE.c.projection, _TABLE.c.version, sa.func.count()).group_by(
        _TABLE.c.projection, _TABLE.c.version
    )
    return {(row[0], row[1]): row[2] for row in connection.execute(query)}


def forget(transaction: Transaction, projection: str, *, keep: Sequence[int], version: int) -> None:
    """Take away what a replay has cured: all of the projection but the events that it passed under this version."""
    cured = sa.delete(_TABLE).where(_TABLE.c.projection == projection)
    transaction.connection.execute(cured.where(_TABLE.c.version != version))
    passed = set(keep)
    at = sa.select(_TABLE.c.position).where(_TABLE.c.projection == projection)
    gone = [row[0] for row in transaction.connection.execute(at) if row[0] not in passed]
    for start in range(0, len(gone), 500):
        transaction.connection.execute(cured.where(_TABLE.c.position.in_(gone[start : start + 500])))
