"""Reading the log: keyset pages, each a short statement of its own.

Dense positions make pages complete. One long snapshot over all of them would slow every append of the head row from
16.7k/s to 3.3k/s (PostgreSQL) and hold the write-ahead log (SQLite).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from capture import clock
from capture.database.manager import DatabaseManager
from capture.database.tables import events, head
from capture.database.twin import twin
from capture.errors import LogRewound
from capture.events.recorded import Stored

PAGE = 1000
"""Events a page: larger ones gain nothing and hold more in memory."""

_TIME_LENGTH = 27
_NEVER = datetime.min.replace(tzinfo=UTC)
_TEXTS = {"event_id", "payload"}
# As text, and from the driver's own cursor: through SQLAlchemy's types a row took twice as long as SQLite itself.
_COLUMNS = twin(
    sqlite=", ".join(Stored._fields),
    postgresql=", ".join(f"{name}::text" if name in _TEXTS else name for name in Stored._fields),
)
_MARK = twin(sqlite="?", postgresql="%s")
_MERGED = 12
_new_tuple = tuple.__new__


def pages(
    manager: DatabaseManager, after: int, limit: int | None, types: frozenset[str] | None, stream: str | None
) -> Iterator[Stored]:
    """Yield stored rows after a position, page by page.

    Raises:
        LogRewound: `after` lies beyond the head.
    """
    if after > 0:
        refuse_beyond_head(manager, after)
    left = limit
    while left is None or left > 0:
        size = PAGE if left is None else min(PAGE, left)
        page = stored(stored_rows(manager, after=after, types=types, stream=stream, limit=size))
        yield from page
        if len(page) < size:
            return
        after = page[-1].position
        if left is not None:
            left -= len(page)


def stored_rows(
    manager: DatabaseManager,
    *,
    after: int,
    upto: int | None = None,
    types: Iterable[str] | None = None,
    stream: str | None = None,
    limit: int,
) -> Sequence[Sequence[Any]]:
    """Rows as the driver gives them, in the order of `Stored`, by position, in one short statement.

    Args:
        manager: The database.
        after: From the position after this one.
        upto: To this position.
        types: Only events of these types.
        stream: Only events of this stream.
        limit: At most so many.
    """
    with manager.connect() as connection:
        return _rows(connection, after=after, upto=upto, types=types, stream=stream, limit=limit)


def _rows(
    connection: sa.Connection,
    *,
    after: int = 0,
    upto: int | None = None,
    types: Iterable[str] | None = None,
    stream: str | None = None,
    event_id: str | None = None,
    limit: int | None = None,
) -> Sequence[Sequence[Any]]:
    backend = connection.dialect.name
    mark = _MARK[backend]
    chosen = None if types is None else sorted(types)
    where = f"position > {mark}"
    values: list[object] = [after]
    for condition, value in (("position <=", upto), ("stream_id =", stream), ("event_id =", event_id)):
        if value is not None:
            where += f" AND {condition} {mark}"
            values.append(value)
    sql = f"SELECT {_COLUMNS[backend]} FROM agents_events WHERE {where}"
    if chosen is not None and backend == "sqlite" and stream is None and 0 < len(chosen) <= _MERGED:
        # Of several types SQLite would sort all that is left of the log, for every page. The selects of single types
        # are sorted by their index, and SQLite merges them.
        sql = " UNION ALL ".join([f"{sql} AND event_type = {mark}"] * len(chosen))
        values = [value for one in chosen for value in (*values, one)]
    elif chosen is not None:
        # The + keeps SQLite from the index on the type: among many types, reading in order is what is fast.
        name = "+event_type" if backend == "sqlite" and stream is None else "event_type"
        sql += f" AND {name} IN ({', '.join([mark] * len(chosen)) or 'NULL'})"
        values += chosen
    sql += " ORDER BY position"
    if limit is not None:
        sql += f" LIMIT {mark}"
        values.append(limit)
    return connection.exec_driver_sql(sql, tuple(values)).cursor.fetchall()


def stored(rows: Iterable[Sequence[Any]]) -> list[Stored]:
    """Rows of the driver as `Stored`: times aware and in UTC, the digest as bytes."""
    found = []
    latest: object = None
    recorded_at = _NEVER
    for row in rows:
        occurred_at = row[10]
        # Many events are recorded at one time: those of a batch.
        if row[11] != latest:
            latest = row[11]
            recorded_at = _time(latest)
        digest = row[13]
        found.append(
            _new_tuple(
                Stored,
                (
                    *row[:10],
                    _time(occurred_at),
                    recorded_at,
                    row[12],
                    digest if digest.__class__ is bytes else bytes(digest),
                ),
            )
        )
    return found


def _time(value: Any) -> datetime:
    if value.__class__ is str:
        # What `clock.to_text` wrote needs no look for other forms.
        own = len(value) == _TIME_LENGTH and value[-1] == "Z" and value[10] == "T"
        return datetime.fromisoformat(value) if own else clock.from_text(value)
    return value if value.tzinfo is UTC else value.astimezone(UTC)  # type: ignore[no-any-return]


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
    rows = stored(_rows(connection, event_id=event_id))
    return rows[0] if rows else None


def of_stream(connection: sa.Connection, stream: str, after: int) -> list[Stored]:
    """All stored rows of a stream after a position, in one statement."""
    return stored(_rows(connection, stream=stream, after=after))


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
