"""The quarantine as it stands in the database: read it, try a record again, discard it.

Apart from `quarantine`, which every agent imports and which therefore knows no database.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import sqlalchemy as sa

from capture.database.manager import DatabaseManager
from capture.database.tables import quarantine
from capture.errors import EventConflict, InvalidEvent, NotFound
from capture.eventlog.event_log import EventLog
from capture.events.cloudevents import read_line

_PAGE = 200


class SetAside(NamedTuple):
    """A record of `agents_quarantine`.

    Attributes:
        quarantine_id: A UUID in its usual text form.
        received_at: When it came.
        source: The way in: `processor`, `emit`, `import` …
        agent_id: Who put it out, if that is known.
        event_type: Its type, if it names one.
        raw: The bytes, as nearly as they came.
        error: Why it was refused.
    """

    quarantine_id: str
    received_at: datetime
    source: str
    agent_id: str | None
    event_type: str | None
    raw: bytes
    error: str


class Retried(NamedTuple):
    """What became of a record that was tried again.

    Attributes:
        quarantine_id: The record.
        position: Where its event stands in the log now; None when it was refused again.
        refusal: Why it was refused; None when it was taken.
    """

    quarantine_id: str
    position: int | None
    refusal: InvalidEvent | EventConflict | None


def records(manager: DatabaseManager, *, limit: int | None = None) -> Iterator[SetAside]:
    """The records, the oldest first, read a page at a time.

    Args:
        manager: The database.
        limit: The most to read; all when left out.
    """
    manager.ensure_schema()
    query = sa.select(*_COLUMNS).order_by(quarantine.c.quarantine_id)
    after, left = None, limit
    while left is None or left > 0:
        size = _PAGE if left is None else min(_PAGE, left)
        page = query.limit(size) if after is None else query.where(quarantine.c.quarantine_id > after).limit(size)
        with manager.connect() as connection:
            rows = [SetAside(*row) for row in connection.execute(page)]
        yield from rows
        if len(rows) < size:
            return
        after = rows[-1].quarantine_id
        left = None if left is None else left - len(rows)


def record(manager: DatabaseManager, quarantine_id: str) -> SetAside:
    """One record.

    Raises:
        InvalidEvent: The id is no UUID.
        NotFound: There is no such record.
    """
    identifier = _identifier(quarantine_id)
    manager.ensure_schema()
    with manager.connect() as connection:
        row = connection.execute(sa.select(*_COLUMNS).where(quarantine.c.quarantine_id == identifier)).one_or_none()
    if row is None:
        raise _missing(identifier)
    return SetAside(*row)


def count(manager: DatabaseManager) -> int:
    """How many records there are."""
    manager.ensure_schema()
    with manager.connect() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(quarantine)).scalar_one()


def retry(manager: DatabaseManager, quarantine_id: str) -> Retried:
    """Try a record again, by the way in of an untrusted import: what it says is validated anew, and redaction stays.

    The event goes in and the record goes away in one transaction. Refused again, the record stays as it is.

    Raises:
        NotFound: There is no such record.
        LogMoved: The log was moved to another database.
    """
    kept = record(manager, quarantine_id)
    try:
        event = read_line(kept.raw)
        with manager.transaction(durable=True) as transaction:
            # The log's lock first, then the row: the order of locks is the same everywhere.
            (position,) = EventLog(manager).append_prepared([event], durable=True)
            transaction.connection.execute(_delete(kept.quarantine_id))
    except (InvalidEvent, EventConflict) as error:
        return Retried(kept.quarantine_id, None, error)
    return Retried(kept.quarantine_id, position, None)


def discard(manager: DatabaseManager, quarantine_id: str) -> None:
    """Delete one record for good.

    Raises:
        InvalidEvent: The id is no UUID.
        NotFound: There is no such record.
    """
    identifier = _identifier(quarantine_id)
    manager.ensure_schema()
    with manager.transaction() as transaction:
        if transaction.connection.execute(_delete(identifier)).rowcount == 0:
            raise _missing(identifier)


def discard_all(manager: DatabaseManager, expected: int) -> int:
    """Delete every record, if there are as many as expected.

    Args:
        manager: The database.
        expected: How many the caller saw.

    Returns:
        How many there were; when that is not `expected`, none was deleted.
    """
    manager.ensure_schema()
    with manager.transaction() as transaction:
        identifiers = list(transaction.connection.execute(sa.select(quarantine.c.quarantine_id)).scalars())
        if len(identifiers) == expected:
            # By their ids: a record that comes in meanwhile was seen by nobody.
            for start in range(0, expected, _PAGE):
                some = identifiers[start : start + _PAGE]
                transaction.connection.execute(sa.delete(quarantine).where(quarantine.c.quarantine_id.in_(some)))
    return len(identifiers)


_COLUMNS = tuple(quarantine.c[name] for name in SetAside._fields)


def _delete(identifier: str) -> sa.Delete:
    return sa.delete(quarantine).where(quarantine.c.quarantine_id == identifier)


def _identifier(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        raise InvalidEvent(
            f"the id of a quarantined record (a UUID) was expected, found {text[:80]!a}",
            hint="`copydesk events quarantine list` shows the ids",
        ) from None


def _missing(identifier: str) -> NotFound:
    return NotFound(
        f"there is no record {identifier} in quarantine", hint="`copydesk events quarantine list` shows what there is"
    )
