"""Reading the log: keyset pages, each a short statement of its own.

Dense positions make pages complete. One long snapshot over all of them would slow every append of the head row from
16.7k/s to 3.3k/s (PostgreSQL) and hold the write-ahead log (SQLite).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC
from typing import Any

import sqlalchemy as sa

from capture.database.manager import DatabaseManager
from capture.database.tables import events, head
from capture.errors import LogRewound
from capture.events.recorded import Stored

PAGE = 1000
"""Events a page: larger ones gain nothing and hold more in memory."""

_COLUMNS = [events.c[name] for name in Stored._fields]
_new_tuple = tuple.__new__


def pages(
    manager: DatabaseManager, after: int, limit: int | None, types: frozenset[str] | None, stream: str | None
) -> Iterator[Stored]:
    """Yield stored rows after a position, page by page.

    Raises:
        LogRewound: `after` lies beyond the head.
    """
    query = sa.select(*_COLUMNS).where(events.c.position > sa.bindparam("after")).order_by(events.c.position)
    if types is not None:
        query = query.where(events.c.event_type.in_(sorted(types)))
    if stream is not None:
        query = query.where(events.c.stream_id == stream)
    if after > 0:
        refuse_beyond_head(manager, after)
    left = limit
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        with manager.connect() as connection:
            page = [_stored(row) for row in connection.execute(query.limit(size), {"after": after})]
        yield from page
        if len(page) < size:
            return
        after = page[-1].position
        if left is not None:
            left -= len(page)


def refuse_beyond_head(manager: DatabaseManager, after: int) -> None:
    """Refuse a reader that has seen more than the log holds.

    Raises:
        LogRewound: The head lies before `after`.
    """
    with manager.connect() as connection:
        position = connection.execute(sa.select(head.c.position).where(head.c.id == 1)).scalar_one()
    if after > position:
        raise LogRewound(
            f"a reader stands at position {after}, the log ends at {position}: the database is older than what was "
            "read from it",
            hint="it was restored or promoted; replay the projections that are ahead of it",
            after=after,
            head=position,
        )


def by_event_id(connection: sa.Connection, event_id: str) -> Stored | None:
    """The stored row with this id, or None."""
    row = connection.execute(sa.select(*_COLUMNS).where(events.c.event_id == event_id)).one_or_none()
    return None if row is None else _stored(row)


def of_stream(connection: sa.Connection, stream: str, after: int) -> list[Stored]:
    """All stored rows of a stream after a position, in one statement."""
    query = (
        sa.select(*_COLUMNS).where(events.c.stream_id == stream, events.c.position > after).order_by(events.c.position)
    )
    return [_stored(row) for row in connection.execute(query)]


def end_of_stream(connection: sa.Connection, stream: str) -> int:
    """The position of the newest event of a stream; 0 when it has none."""
    query = sa.select(sa.func.max(events.c.position)).where(events.c.stream_id == stream)
    return connection.execute(query).scalar_one() or 0


def positions_of(connection: sa.Connection, event_ids: Sequence[str]) -> dict[str, tuple[int, bytes]]:
    """Position and digest of the ids that are in the log already."""
    found: dict[str, tuple[int, bytes]] = {}
    query = sa.select(events.c.event_id, events.c.position, events.c.digest)
    for start in range(0, len(event_ids), 500):
        some = query.where(events.c.event_id.in_(event_ids[start : start + 500]))
        found.update({row.event_id: (row.position, bytes(row.digest)) for row in connection.execute(some)})
    return found


def _stored(row: Any) -> Stored:
    stored = _new_tuple(Stored, row)
    if stored.recorded_at.tzinfo is not UTC or type(stored.digest) is not bytes:
        return stored._replace(
            occurred_at=stored.occurred_at.astimezone(UTC),
            recorded_at=stored.recorded_at.astimezone(UTC),
            digest=bytes(stored.digest),
        )
    return stored
