"""How rows get into `agents_events`: one statement a batch, whatever its size.

A row at a time, or `executemany`, gives up the interpreter's lock at every row and starves beside a busy agent: it once
wrote 4.7k events/s while the agent emitted 28k/s, where one statement a batch wrote 25k/s.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy.exc import DBAPIError

from capture import clock
from capture.database.manager import Transaction
from capture.events.content import Middle, Prepared, digest

COLUMNS = (
    "position",
    "recorded_at",
    "event_id",
    "event_type",
    "schema_version",
    "stream_id",
    "agent_id",
    "run_id",
    "correlation_id",
    "causation_id",
    "trace_id",
    "occurred_at",
    "payload",
    "digest",
)
_NAMES = ", ".join(COLUMNS)
_ROW = f"({', '.join('?' * len(COLUMNS))})"

# A few fixed sizes, so that the driver's statement cache holds them all; more than 1,000 rows gain nothing.
_SIZES = (1000, 500, 200, 100, 50, 20, 10, 5, 2, 1)
_VALUES = {size: f"INSERT INTO agents_events ({_NAMES}) VALUES {', '.join([_ROW] * size)}" for size in _SIZES}

_COPY = f"COPY agents_events ({_NAMES}) FROM STDIN"

# PostgreSQL below COPY_FROM rows: the head's update and the insert as one statement, one round trip. The payload goes
# in as `json`, whose text the server keeps to the byte. The WHERE leaves nothing to insert when the log was moved.
_APPEND_FEW = f"""
WITH head AS (
    UPDATE agents_head
       SET position = position + %(count)s, recorded_at = greatest(recorded_at, clock_timestamp())
     WHERE id = 1 AND moved_to IS NULL
    RETURNING position - %(count)s AS base, recorded_at
)
INSERT INTO agents_events ({_NAMES})
SELECT head.base + e.n, head.recorded_at, e.event_id, e.event_type, e.schema_version, e.stream_id, e.agent_id, e.run_id,
       e.correlation_id, e.causation_id, e.trace_id, e.occurred_at, e.payload, decode(e.digest, 'hex')
  FROM head, json_to_recordset(%(events)s::json) AS e(
       n bigint, event_id uuid, event_type text, schema_version integer, stream_id text, agent_id text, run_id text,
       correlation_id text, causation_id text, trace_id text, occurred_at timestamptz, payload json, digest text)
RETURNING position
"""

COPY_FROM = 250
"""From so many rows on COPY under the head's lock is faster than one statement (PostgreSQL 18). One writer with batches
of 100 is as fast by either; eight were half as fast by COPY, which holds the lock for two round trips more."""


class Row(NamedTuple):
    """A prepared event with its digest, made before the lock is taken."""

    event: Prepared
    digest: bytes


def rows(events: Sequence[Prepared]) -> list[Row]:
    """Add each event's digest."""
    return [Row(event, digest(event)) for event in events]


def lines(batch: Sequence[Row]) -> list[bytes]:
    """What COPY will send of each row: to be made before the lock is taken."""
    return list(map(_copy_line, batch))


def insert(
    transaction: Transaction,
    batch: Sequence[Row],
    after: int,
    recorded_at: datetime,
    ready: Sequence[bytes] | None = None,
) -> None:
    """Insert rows at positions `after + 1`, `after + 2` …; the caller holds the log's lock and moves the head.

    Args:
        transaction: It holds the log's lock.
        batch: The rows.
        after: The last position before them.
        recorded_at: The time of recording.
        ready: What `lines` made of them, on PostgreSQL.

    Raises:
        sqlalchemy.exc.IntegrityError: An event id is in the log already.
    """
    if transaction.manager.backend.name == "sqlite":
        _insert_values(transaction, batch, after, clock.to_text(recorded_at))
    else:
        _copy(transaction, lines(batch) if ready is None else ready, after, clock.to_text(recorded_at))


def _insert_values(transaction: Transaction, batch: Sequence[Row], after: int, recorded_at: str) -> None:
    start, position = 0, after
    for size in _SIZES:
        while len(batch) - start >= size:
            values: list[object] = []
            for event, event_digest in batch[start : start + size]:
                position += 1
                values += (position, recorded_at, *event[:10], event[10].decode(), event_digest)
            transaction.connection.exec_driver_sql(_VALUES[size], tuple(values))
            start += size


def _copy(transaction: Transaction, ready: Sequence[bytes], after: int, recorded_at: str) -> None:
    prefix = f"\t{recorded_at}\t".encode()
    block = b"".join([b"%d%s%s" % (position, prefix, line) for position, line in enumerate(ready, start=after + 1)])
    driver: Any = transaction.connection.connection.driver_connection
    dialect = transaction.connection.dialect
    errors = dialect.loaded_dbapi.Error
    try:
        with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
            copy.write(block)
    except errors as error:
        # COPY is the driver's own; its errors are told in SQLAlchemy's terms, as those of all other statements are.
        lost = dialect.is_disconnect(error, driver, None)
        raise DBAPIError.instance(_COPY, None, error, errors, connection_invalidated=lost, dialect=dialect) from error


_MAX_MIDDLES = 1000
_middles: dict[Middle, str] = {}
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def _copy_line(row: Row) -> bytes:
    """One line of COPY's text format (PostgreSQL documentation, COPY, "Text Format"), without position and time."""
    event, event_digest = row
    middle = _middles.get(event[1:9])
    if middle is None:
        middle = _copy_middle(event[1:9])
    head = f"{event[0].translate(_ESCAPES)}\t{middle}\t{event[9].translate(_ESCAPES)}\t".encode()
    # JSON text has no raw control characters: only its backslashes need escaping.
    payload = event[10].replace(b"\\", b"\\\\")
    return b"%s%s\t\\\\x%s\n" % (head, payload, event_digest.hex().encode())


def _copy_middle(middle: Middle) -> str:
    text = "\t".join("\\N" if field is None else str(field).translate(_ESCAPES) for field in middle)
    if middle[2] == f"agent-{middle[3]}":
        # The same for all events of one type that one run of an agent puts out into the agent's own stream.
        if len(_middles) >= _MAX_MIDDLES:
            _middles.clear()
        _middles[middle] = text
    return text


def append_few(transaction: Transaction, batch: Sequence[Row]) -> list[int]:
    """Lock the head, give out positions and insert, in one statement (PostgreSQL).

    Returns:
        The positions, in the order of the batch; none when the log was moved.

    Raises:
        sqlalchemy.exc.IntegrityError: An event id is in the log already.
    """
    parameters = {"count": len(batch), "events": _few_as_json(batch)}
    return sorted(row[0] for row in transaction.connection.exec_driver_sql(_APPEND_FEW, parameters))


def _few_as_json(batch: Sequence[Row]) -> str:
    """A JSON list with each payload's text as it is."""
    from pydantic_core import to_json

    items = []
    for number, (event, event_digest) in enumerate(batch, start=1):
        fields = dict(zip(Prepared._fields[:10], event[:10], strict=True))
        head = to_json({"n": number, "digest": event_digest.hex(), **fields}).decode()
        items.append(f'{head[:-1]},"payload":{event.payload.decode()}}}')
    return f"[{','.join(items)}]"
