"""`EventLog`: append and read. The only truth: every projection can be dropped and built again from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from capture.clock import Clock
from capture.database.manager import DatabaseManager, Transaction
from capture.database.tables import head as head_table
from capture.errors import ReservedEventType
from capture.eventlog import head, insertion, inside, reading
from capture.eventlog.appending import append_under_lock
from capture.eventlog.condition import AppendCondition
from capture.eventlog.decision import Decision
from capture.eventlog.insertion import Row
from capture.events import registry
from capture.events.content import Prepared
from capture.events.decoding import decode
from capture.events.event import Event
from capture.events.prepare import prepare
from capture.events.recorded import AnyRecorded, Stored

UNNAMED = "unnamed"
"""Who put an event out when nobody said it."""


class EventLog:
    """The append-only log of one database.

    Args:
        manager: The database; `DatabaseManager.get()` when left out.
        clock: Replaces the database's clock for the time of recording: for tests.
    """

    def __init__(self, manager: DatabaseManager | None = None, *, clock: Clock | None = None) -> None:
        self.manager = DatabaseManager.get() if manager is None else manager
        self._clock = clock

    def append(
        self,
        events: Iterable[Event | Prepared],
        condition: AppendCondition | None = None,
        *,
        agent_id: str | None = None,
    ) -> list[int]:
        """Append events in one transaction.

        Args:
            events: Events, or prepared ones with ids of their own.
            condition: Append only if its stream has no event after its position.
            agent_id: Who puts bare events out; `COPYDESK_AGENT_ID` when left out, else `unnamed`.

        Returns:
            The position of each, in the order given. An event that is in the log already, with the same content,
            has the position that it got first.

        Raises:
            ReservedEventType: `review.*`, `publication.*` and `capture.*` are written by copydesk alone.
            InvalidEvent: An event can't be stored as it is.
            EventConflict: An event id is in the log already, with other content.
            ConcurrentAppend: The stream has an event after the condition's position.
            LogMoved: The log was moved to another database.
        """
        who = agent_id or self.manager.settings.agent_id or UNNAMED
        ready = [event if isinstance(event, Prepared) else prepare(event, agent_id=who) for event in events]
        for event in ready:
            if registry.is_reserved(event.event_type):
                raise ReservedEventType(
                    f"{event.event_type} is written by copydesk alone",
                    hint="decide through ReviewDesk or `copydesk review`",
                )
        return self._append(ready, condition, durable=False)

    def append_prepared(self, events: Sequence[Prepared], *, durable: bool = False) -> list[int]:
        """Append prepared events of any type in one transaction: the writer's way in.

        Args:
            events: What to append, in order.
            durable: Commit so that a power cut can't undo it.

        Returns:
            The position of each, as `append` does.

        Raises:
            EventConflict: An event id is in the log already, with other content.
            LogMoved: The log was moved to another database.
        """
        return self._append(events, None, durable=durable)

    def _append(self, events: Sequence[Prepared], condition: AppendCondition | None, *, durable: bool) -> list[int]:
        if not events:
            return []
        self.manager.ensure_schema()
        batch = insertion.rows(events)
        # The hopeful path inserts at once and learns of known ids from the unique index. It needs a transaction of its
        # own to roll back; a condition, and a transaction that the caller holds already, look first.
        if condition is None and not self.manager.in_transaction():
            try:
                return self.manager.retrying(lambda transaction: self._append_new(transaction, batch), durable=durable)
            except IntegrityError:
                pass
        return self.manager.retrying(
            lambda transaction: self._append_some(transaction, batch, condition, durable=durable), durable=durable
        )

    def _append_new(self, transaction: Transaction, batch: Sequence[Row]) -> list[int]:
        on_server = transaction.manager.backend.name == "postgresql"
        few = on_server and self._clock is None and len(batch) < insertion.COPY_FROM
        positions = insertion.append_few(transaction, batch) if few else []
        if not positions:
            ready = insertion.lines(batch) if on_server else None
            last = head.reserve(transaction, len(batch), self._clock)
            insertion.insert(transaction, batch, last.position, last.now, ready)
            positions = list(range(last.position + 1, last.position + len(batch) + 1))
        transaction.manager.backend.announce(transaction.connection)
        return positions

    def _append_some(
        self, transaction: Transaction, batch: Sequence[Row], condition: AppendCondition | None, *, durable: bool
    ) -> list[int]:
        last = head.lock(transaction, self._clock)
        if durable:
            # What is in the log already may have been committed without a sync, and nothing else may be to write.
            head.touch(transaction)
        return append_under_lock(transaction, batch, last, condition)

    def sync(self) -> None:
        """Make every event that is committed so far survive a power cut.

        One commit with a sync covers the earlier ones without: they stand before it in the same write-ahead log.
        """
        self.manager.ensure_schema()
        self.manager.retrying(head.touch, durable=True)

    def read(
        self,
        after: int = 0,
        limit: int | None = None,
        types: Iterable[str] | None = None,
        stream: str | None = None,
    ) -> Iterator[AnyRecorded]:
        """Read events in the order of their positions, a page at a time: the log is never loaded whole.

        Args:
            after: Read from the position after this one.
            limit: At most so many events; all up to the head when left out.
            types: Only events of these types.
            stream: Only events of this stream.

        Raises:
            LogRewound: `after` lies beyond the head: the database is older than what was read from it.
            InvalidEvent: A stored payload does not decode with the code at hand.
        """
        return map(decode, self.read_stored(after, limit, types, stream))

    def read_stored(
        self,
        after: int = 0,
        limit: int | None = None,
        types: Iterable[str] | None = None,
        stream: str | None = None,
    ) -> Iterator[Stored]:
        """As `read`, but the rows as they are stored: nothing decoded, no upcaster run."""
        self.manager.ensure_schema()
        return reading.pages(self.manager, after, limit, None if types is None else frozenset(types), stream)

    def find(self, event_id: UUID | str) -> AnyRecorded | None:
        """The event with this id, or None."""
        self.manager.ensure_schema()
        with self.manager.connect() as connection:
            row = reading.by_event_id(connection, str(event_id))
        return None if row is None else decode(row)

    def head(self) -> int:
        """The position of the newest event; 0 in an empty log."""
        position: int = self._of_head("position")
        return position

    def log_id(self) -> str:
        """What names this log, through copies and restores."""
        log_id: str = self._of_head("log_id")
        return log_id

    def _of_head(self, column: str) -> Any:
        self.manager.ensure_schema()
        with self.manager.connect() as connection:
            return connection.execute(sa.select(head_table.c[column]).where(head_table.c.id == 1)).scalar_one()

    @contextmanager
    def deciding(self) -> Iterator[Decision]:
        """Take the log's lock, read what a decision needs, and append in the same transaction.

        Decisions are therefore serial, whatever the isolation level. The commit always survives a power cut. Inside,
        waiting for the writer (`flush`, `durable=True`) raises `WouldDeadlock`.

        Raises:
            LogMoved: The log was moved to another database.
        """
        self.manager.ensure_schema()
        with self.manager.transaction(durable=True) as transaction, inside.entered():
            yield Decision(transaction, head.lock(transaction, self._clock))
