"""Import of a whole exported log into an empty one: positions, times of recording and digests are kept.

Only this way in takes `review.*`, `publication.*` and `capture.*` from a file. It is for one's own export: whoever
wrote the file could have approved anything in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import groupby, islice

import sqlalchemy as sa

from capture import clock
from capture.database.manager import DatabaseManager, Transaction
from capture.database.tables import approvals
from capture.errors import CopydeskError, InvalidEvent
from capture.eventlog import head, insertion
from capture.events.content import Prepared
from capture.events.recorded import Stored

_BATCH = 1000


class LogNotEmpty(CopydeskError):
    """A trusted import needs an empty log: positions and times of recording are taken over as they are."""

    code = "LOG_NOT_EMPTY"


def import_trusted(manager: DatabaseManager, rows: Iterable[Stored]) -> int:
    """Append the rows of an export to an empty log as they were, in one transaction.

    Args:
        manager: The database.
        rows: Positions 1, 2, 3 … in order; the digests are made anew from the content.

    Returns:
        How many were imported.

    Raises:
        LogNotEmpty: The log has events.
        InvalidEvent: A position is missing or out of order, or a time of recording falls.
    """
    manager.ensure_schema()
    with manager.transaction(durable=True) as transaction:
        last = head.lock(transaction)
        if last.position:
            raise LogNotEmpty(
                f"a trusted import needs an empty log, this one has {last.position} events",
                hint="import into a new database, or without --trusted",
            )
        count, recorded_at = 0, last.now
        approved: dict[tuple[str, int, str], Stored] = {}
        in_order = _in_order(rows)
        while batch := list(islice(in_order, _BATCH)):
            for recorded_at, group in groupby(batch, key=lambda row: row.recorded_at):
                some = list(group)
                for row in some:
                    _restore_approval(transaction, row, approved)
                prepared = insertion.rows([_prepared(row) for row in some])
                insertion.insert(transaction, prepared, count, recorded_at)
                count += len(some)
        if count:
            head.advance(transaction, count, recorded_at)
    return count


def _in_order(rows: Iterable[Stored]) -> Iterator[Stored]:
    before: Stored | None = None
    for expected, row in enumerate(rows, start=1):
        if row.position != expected:
            raise InvalidEvent(
                f"a trusted import takes positions 1, 2, 3 … in order; {expected} was expected, {row.position} found",
                hint="export the whole log, without filters",
            )
        if before is not None and row.recorded_at < before.recorded_at:
            raise InvalidEvent(f"the time of recording falls at position {row.position}")
        before = row
        yield row


def _prepared(row: Stored) -> Prepared:
    return Prepared(*row[1:10], clock.to_text(row.occurred_at), row.payload.encode())


def _restore_approval(transaction: Transaction, row: Stored, approved: dict[tuple[str, int, str], Stored]) -> None:
    # The database refuses a `publication.started` whose approval is not in agents_approvals. That table is the desk's
    # and not in the export; the votes are, so the row is made again from the last of them.
    if row.event_type not in ("review.approved", "publication.started"):
        return
    payload = json.loads(row.payload)
    key = (payload["output_id"], payload["revision"], payload["content_hash"])
    if row.event_type == "review.approved":
        approved[key] = row
    elif (vote := approved.pop(key, None)) is not None:
        output_id, revision, content_hash = key
        transaction.connection.execute(
            sa.insert(approvals).values(
                output_id=output_id,
                revision=revision,
                content_hash=content_hash,
                position=vote.position,
                approved_at=vote.recorded_at,
            )
        )
