"""The database as the writer's thread sees it. SQLAlchemy is first imported here, never on the agent's thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from capture import clock
from capture.events.content import Prepared
from capture.writer.quarantine import Quarantined

if TYPE_CHECKING:
    from capture.database.manager import DatabaseManager


class DatabaseSink:
    """The log and the quarantine of one database.

    Args:
        database: The database; its URL, of which an own manager is made; or None for the process's own.
    """

    def __init__(self, database: DatabaseManager | str | None) -> None:
        from capture.database.manager import DatabaseManager
        from capture.eventlog.event_log import EventLog

        self._own = isinstance(database, str)
        if isinstance(database, str):
            database = DatabaseManager(database)
        self.manager = DatabaseManager.get() if database is None else database
        self._log = EventLog(self.manager)

    def log_id(self) -> bytes:
        """What names the log."""
        return UUID(self._log.log_id()).bytes

    def append(self, events: Sequence[Prepared], *, durable: bool) -> None:
        """Append events in one transaction."""
        self._log.append_prepared(events, durable=durable)

    def quarantine(self, records: Sequence[Quarantined], *, durable: bool) -> None:
        """Insert what is not there yet."""
        import sqlalchemy as sa

        from capture.database.tables import quarantine

        self.manager.ensure_schema()
        rows = [
            record._replace(received_at=clock.from_text(record.received_at))._asdict()  # type: ignore[arg-type]
            for record in records
        ]
        with self.manager.transaction(durable=durable) as transaction:
            known = sa.select(quarantine.c.quarantine_id).where(
                quarantine.c.quarantine_id.in_([record.quarantine_id for record in records])
            )
            held = set(transaction.connection.execute(known).scalars())
            fresh = [row for row in rows if row["quarantine_id"] not in held]
            if fresh:
                transaction.connection.execute(sa.insert(quarantine), fresh)
        if durable and not fresh:
            self._log.sync()

    def sync(self) -> None:
        """Commit something so that it survives a power cut, and all before it does too."""
        self._log.sync()

    def refuses(self, error: Exception) -> bool:
        """Whether the database refused what was sent."""
        from capture.database import retry

        return retry.refused(error)

    def waits_for_caller(self) -> bool:
        """Whether the calling thread holds SQLite's one transaction."""
        return self.manager.backend.one_writer and self.manager.in_transaction()

    def close(self) -> None:
        """Close the manager if it was made here."""
        if self._own:
            self.manager.close()
