"""Append under the log's lock: known ids are compared, a condition is checked, the rest gets its positions."""

from __future__ import annotations

from collections.abc import Sequence

from capture.database.manager import Transaction
from capture.errors import ConcurrentAppend, EventConflict
from capture.eventlog import head, insertion, reading
from capture.eventlog.condition import AppendCondition
from capture.eventlog.head import Head
from capture.eventlog.insertion import Row


def append_under_lock(
    transaction: Transaction, batch: Sequence[Row], last: Head, condition: AppendCondition | None = None
) -> list[int]:
    """Append what is new of a batch.

    Args:
        transaction: It holds the log's lock.
        batch: Events with their digests, in order.
        last: The head under the lock.
        condition: Append only if its stream has no event after its position. A batch that is in the log already as
            a whole passes: it is the repetition of an append that had succeeded.

    Returns:
        The position of each, in the order given.

    Raises:
        EventConflict: An event id is in the log, or stands twice in the batch, with other content.
        ConcurrentAppend: The stream has an event after the condition's position.
    """
    known = reading.positions_of(transaction.connection, [row.event.event_id for row in batch])
    fresh: list[Row] = []
    for row in batch:
        held = known.get(row.event.event_id)
        if held is None:
            fresh.append(row)
            known[row.event.event_id] = (last.position + len(fresh), row.digest)
        elif held[1] != row.digest:
            raise EventConflict(
                f"the event id {row.event.event_id} is in the log at position {held[0]}, with other content",
                hint="give the new event an id of its own",
                event_id=row.event.event_id,
                position=held[0],
            )
    if fresh:
        if condition is not None:
            actual = reading.end_of_stream(transaction.connection, condition.stream)
            if actual > condition.after:
                raise ConcurrentAppend(condition.stream, condition.after, actual)
        insertion.insert(transaction, fresh, last.position, last.now)
        head.advance(transaction, last.position + len(fresh), last.now)
        transaction.manager.backend.announce(transaction.connection)
    return [known[row.event.event_id][0] for row in batch]
