"""A decision: read under the log's lock, append in the same transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from capture.database.manager import Transaction
from capture.eventlog import insertion, reading
from capture.eventlog.appending import append_under_lock
from capture.eventlog.head import Head
from capture.events.content import Prepared
from capture.events.decoding import decode
from capture.events.event import Event
from capture.events.prepare import prepare
from capture.events.recorded import AnyRecorded

DESK = "desk"
"""Who puts out what copydesk itself decides and records."""


class Decision:
    """What `EventLog.deciding()` gives: the log, and nobody else can append to it.

    Attributes:
        transaction: The transaction that holds the lock; for tables that must change with the log.
        now: The database's clock under the lock; what is appended is recorded at this time.
        head: The position of the newest event, what was appended here included.
    """

    def __init__(self, transaction: Transaction, last: Head) -> None:
        self.transaction = transaction
        self._last = last

    @property
    def now(self) -> datetime:
        """The database's clock under the lock."""
        return self._last.now

    @property
    def head(self) -> int:
        """The position of the newest event."""
        return self._last.position

    def read(self, *, stream: str, after: int = 0) -> list[AnyRecorded]:
        """The events of a stream after a position."""
        return [decode(row) for row in reading.of_stream(self.transaction.connection, stream, after)]

    def find(self, event_id: UUID | str) -> AnyRecorded | None:
        """The event with this id, or None."""
        row = reading.by_event_id(self.transaction.connection, str(event_id))
        return None if row is None else decode(row)

    def append(
        self,
        events: Iterable[Event | Prepared],
        *,
        agent_id: str = DESK,
        event_ids: Sequence[UUID | str | None] | None = None,
        causation_id: str | None = None,
        correlation_id: str | None = None,
    ) -> list[int]:
        """Append events of any type; they are committed with the decision or not at all.

        Args:
            events: What was decided, in order.
            agent_id: Who puts bare events out.
            event_ids: An id for each event; None, or leaving them out, makes new ones.
            causation_id: The event or command that caused these.
            correlation_id: What these belong to.

        Returns:
            The position of each.

        Raises:
            EventConflict: An event id is in the log already, with other content.
        """
        events = list(events)
        ids = [None] * len(events) if event_ids is None else event_ids
        ready = [
            event
            if isinstance(event, Prepared)
            else prepare(
                event,
                agent_id=agent_id,
                event_id=event_id,
                occurred_at=self.now,
                causation_id=causation_id,
                correlation_id=correlation_id,
            )
            for event, event_id in zip(events, ids, strict=True)
        ]
        before = self._last.position
        positions = append_under_lock(self.transaction, insertion.rows(ready), self._last)
        self._last = self._last._replace(position=max(before, *positions) if positions else before)
        return positions
