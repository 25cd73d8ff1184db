"""SQLite: one file, WAL, many readers, one writer at a time.

Every connection gets the same pragmas and one of two authorizers of `capture.database.readonly`: reading connections
can only read, writing ones can't touch what holds the log append-only.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import sqlalchemy
from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.dialects.sqlite import Insert, insert
from sqlalchemy.engine import URL
from sqlalchemy.pool import ConnectionPoolEntry

from capture.database import readonly
from capture.database.parameters import Statement
from capture.errors import (
    CopydeskError,
    DatabaseBusy,
    DatabaseUnavailable,
    NotADatabase,
    ReadOnlyViolation,
)

BUSY_SECONDS = 5.0
"""How long one try waits for another writer, in seconds."""

_PREFIXES = ("agents_", "modules_", "foundups_", "sqlite_")
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_PROTOCOL)
_ONLY_READS = "only reads"
_UNAVAILABLE = {
    sqlite3.SQLITE_CANTOPEN: "SQLite can't open it or a file beside it",
    sqlite3.SQLITE_READONLY: "the file, or the folder that its -wal file needs, may not be written",
    sqlite3.SQLITE_PERM: "its permissions forbid it",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "reading or writing it failed",
}


class SqliteBackend:
    """One SQLite file.

    Args:
        url: As `capture.database.url.parse` gives it.
        synchronous: `normal` or `full`: what a commit waits for when it was not asked to be durable.
    """

    name = "sqlite"
    one_writer = True

    def __init__(self, url: URL, *, synchronous: str) -> None:
        self.path = Path(cast("str", url.database))
        self._synchronous = synchronous.upper()
        self._writing = threading.Lock()
        self._reads = self._engine(url, reading=True)
        self._writes = self._engine(url, reading=False)
        event.listen(self._writes, "begin", _begin_immediate)
        event.listen(self._writes, "handle_error", _note_that_it_only_reads)

    def _engine(self, url: URL, *, reading: bool) -> Engine:
        engine = create_engine(
            url,
            isolation_level="AUTOCOMMIT" if reading else None,
            pool_size=8 if reading else 2,
            max_overflow=-1,
            connect_args={"timeout": BUSY_SECONDS, "isolation_level": None, "cached_statements": 256},
        )
        guard = readonly.allow_reads_only if reading else readonly.keep_the_log

        def prepare(raw: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
            self._refuse_a_foreign_file(raw)
            _write_ahead(raw)
            raw.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
            raw.execute("PRAGMA foreign_keys = ON")
            raw.execute(f"PRAGMA synchronous = {self._synchronous}")
            if reading:
                raw.execute("PRAGMA query_only = ON")
            raw.set_authorizer(guard)

        event.listen(engine, "connect", prepare)
        return engine

    def _refuse_a_foreign_file(self, raw: sqlite3.Connection) -> None:
        """Switching to WAL writes to the file, so look first whose it is: a wrong URL must change nothing."""
        if raw.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
            return
        names = [row[0] for row in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        foreign = [name for name in names if not name.startswith(_PREFIXES)]
        if foreign:
            raise NotADatabase(
                f"{self.path} is a SQLite file of another program: it has the table {foreign[0]!a:.60}",
                hint="set DATABASE_URL to a file of its own for copydesk",
            )

    def open(self) -> Connection:
        """Open a connection that the authorizer keeps from anything but reading."""
        return self._checked_out(self._reads)

    def begin(self, *, durable: bool) -> Connection:
        """Wait for the other writers, then BEGIN IMMEDIATE."""
        # Threads of one process queue on a lock: SQLite's own waiting sleeps up to 100 ms a time and is not fair.
        if not self._writing.acquire(timeout=BUSY_SECONDS):
            raise self._busy("another thread of this process")
        try:
            connection = self._checked_out(self._writes)
            try:
                self._set_synchronous(connection, "FULL" if durable else self._synchronous)
                connection.begin()
            except BaseException as error:
                if _code(error) == sqlite3.SQLITE_READONLY:
                    connection.invalidate()
                connection.close()
                raise
        except (sqlalchemy.exc.DBAPIError, sqlite3.Error) as error:
            self._writing.release()
            raise self.explain(error) or error from error
        except BaseException:
            self._writing.release()
            raise
        return connection

    def end(self, connection: Connection) -> None:
        """Close the connection and let the next writer of this process in."""
        try:
            # What a Ctrl-C ended in the middle is invalid already: to ask it would hide the Ctrl-C by another error.
            if not (connection.closed or connection.invalidated) and connection.info.get(_ONLY_READS):
                connection.invalidate()
            connection.close()
        finally:
            self._writing.release()

    def _checked_out(self, engine: Engine) -> Connection:
        try:
            return engine.connect()
        except (sqlalchemy.exc.DBAPIError, sqlite3.Error) as error:
            raise self.explain(error) or error from error

    @staticmethod
    def _set_synchronous(connection: Connection, level: str) -> None:
        """The pragma has no effect inside a transaction, so it is set before; most transactions need no change."""
        if connection.info.get("synchronous", None) != level:
            _raw(connection).execute(f"PRAGMA synchronous = {level}")
            connection.info["synchronous"] = level

    def make_durable(self, connection: Connection) -> None:
        """Refuse, unless it is: SQLite can't change `synchronous` inside a transaction."""
        if connection.info.get("synchronous") != "FULL":
            raise CopydeskError(
                "a durable transaction was asked for inside one that is not, which SQLite can't change half-way",
                hint="open the outer one with transaction(durable=True)",
            )

    def query(self, connection: Connection, statement: Statement, *, joined: bool) -> list[dict[str, Any]]:
        """Run one statement under the reading authorizer."""
        readonly.refuse_what_is_no_query(statement.tokens, self.name)
        raw = _raw(connection)
        if joined:
            # Changing the authorizer expires the cached statements too, so none slips through that was prepared before.
            raw.set_authorizer(readonly.allow_reads_only)
        try:
            cursor = raw.execute(statement.sql, statement.values)
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor]
        except sqlite3.Error as error:
            if _code(error) in (sqlite3.SQLITE_AUTH, sqlite3.SQLITE_READONLY):
                raise ReadOnlyViolation(
                    f"a statement that only reads was expected: {error}",
                    hint="execute_write runs statements that write",
                ) from error
            raise _wrapped(error, statement) from error
        except (sqlite3.Warning, OverflowError, UnicodeEncodeError) as error:
            raise _wrapped(error, statement) from error
        finally:
            if joined:
                raw.set_authorizer(readonly.keep_the_log)

    def write(self, connection: Connection, statement: Statement) -> int:
        """Run one statement; its changes without those of triggers."""
        raw = _raw(connection)
        before = raw.total_changes
        try:
            cursor = raw.execute(statement.sql, statement.values)
            if cursor.description is not None:
                cursor.fetchall()
        except (sqlite3.Error, sqlite3.Warning, OverflowError, UnicodeEncodeError) as error:
            if _code(error) == sqlite3.SQLITE_READONLY:
                connection.info[_ONLY_READS] = True
            raise _wrapped(error, statement) from error
        if cursor.rowcount >= 0:
            return cursor.rowcount
        # Python counts only what begins with INSERT, UPDATE, DELETE or REPLACE, and misses WITH … INSERT.
        return cast("int", raw.execute("SELECT changes()").fetchone()[0]) if raw.total_changes > before else 0

    def insert(self, table: Table) -> Insert:
        """An INSERT that can say ON CONFLICT."""
        return insert(table)

    def schema_version(self, connection: Connection) -> str | None:
        """The one row of alembic's table."""
        table = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'agents_schema_version'"
        if connection.exec_driver_sql(table).first() is None:
            return None
        return connection.exec_driver_sql("SELECT version_num FROM agents_schema_version").scalar()

    def lock_definitions(self, connection: Connection) -> None:
        """Nothing to do: BEGIN IMMEDIATE let this transaction in alone."""

    @contextmanager
    def migrating(self, connection: Connection) -> Iterator[None]:
        """Take the authorizer off for a migration."""
        raw = _raw(connection)
        raw.set_authorizer(None)
        try:
            yield
        finally:
            raw.set_authorizer(readonly.keep_the_log)

    def after_migration(self) -> None:
        """Checkpoint: with `synchronous=NORMAL` a power cut before the first one would take the schema itself."""
        connection = self._checked_out(self._writes)
        try:
            _raw(connection).execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            connection.close()

    def announce(self, connection: Connection) -> None:
        """Nothing to do: who reads a file looks at it again."""

    def listen(self) -> None:
        """There is nothing to hear."""

    def explain(self, error: BaseException) -> CopydeskError | None:
        """What is wrong with the file, for the errors that are about the file."""
        code = _code(error)
        if code in _BUSY:
            return self._busy("another process")
        if code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            state = "is not a SQLite database" if code == sqlite3.SQLITE_NOTADB else "is damaged"
            return NotADatabase(
                f"{self.path} {state}; nothing was written",
                hint="set DATABASE_URL to another file, or restore this one from a backup",
            )
        if code == sqlite3.SQLITE_CANTOPEN and not self.path.parent.is_dir():
            return DatabaseUnavailable(
                f"the folder of the database does not exist: {self.path.parent}",
                hint="make the folder, or set DATABASE_URL to another file",
            )
        if code in _UNAVAILABLE:
            return DatabaseUnavailable(
                f"the database {self.path} can't be used: {_UNAVAILABLE[code]}",
                hint="mend that and try again; what agents emit waits in the journal",
            )
        return None

    def _busy(self, who: str) -> DatabaseBusy:
        return DatabaseBusy(
            f"{who} has been writing to {self.path} for more than {BUSY_SECONDS:g} s",
            hint="try again; if it lasts, look for a process with a long transaction on this file",
        )

    def close(self) -> None:
        """Close all connections; the last one of all processes folds the WAL into the file."""
        self._reads.dispose()
        self._writes.dispose()

    def forget(self) -> None:
        """Leave the parent's connections alone: closing one here could drop the parent's WAL.

        https://www.sqlite.org/howtocorrupt.html#_carrying_an_open_database_file_across_a_fork_
        """
        _LEFT_TO_THE_PARENT.extend((self._reads.pool, self._writes.pool))
        self._reads.dispose(close=False)
        self._writes.dispose(close=False)
        self._writing = threading.Lock()


_LEFT_TO_THE_PARENT: list[object] = []


def _note_that_it_only_reads(context: sqlalchemy.engine.ExceptionContext) -> None:
    """Keep a connection out of the pool that can't write.

    Where SQLite can't open a file for writing (for want of a descriptor, or on a disk that fails) it opens it for
    reading, says nothing until the first write, and stays so. Of the -wal file BEGIN says so already.
    """
    if context.connection is not None and _code(context.original_exception) == sqlite3.SQLITE_READONLY:
        context.connection.info[_ONLY_READS] = True


def _begin_immediate(connection: Connection) -> None:
    # On the driver's connection: a statement through SQLAlchemy costs a fifth of a short transaction.
    _raw(connection).execute("BEGIN IMMEDIATE")


def _write_ahead(raw: sqlite3.Connection) -> None:
    """Switch the file to WAL, once. SQLite does not wait for its busy timeout when two connections switch at once."""
    if raw.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
        return
    until = time.monotonic() + BUSY_SECONDS
    while True:
        with suppress(sqlite3.OperationalError):
            if raw.execute("PRAGMA journal_mode = WAL").fetchone()[0] == "wal":
                return
        if time.monotonic() > until:
            raw.execute("PRAGMA journal_mode = WAL")
            raise DatabaseUnavailable(
                "this file can't be switched to write-ahead logging, which copydesk needs",
                hint="put the database on a local disk: network file systems can't share it",
            )
        time.sleep(0.005)


def _raw(connection: Connection) -> sqlite3.Connection:
    return cast("sqlite3.Connection", connection.connection.dbapi_connection)


def _code(error: BaseException | None) -> int | None:
    """SQLite's primary result code, wherever it stands among the causes."""
    while error is not None:
        code = getattr(error, "sqlite_errorcode", None)
        if isinstance(code, int):
            return code & 0xFF
        error = getattr(error, "orig", None) or error.__cause__
    return None


def _wrapped(error: BaseException, statement: Statement) -> BaseException:
    """The error as SQLAlchemy's own statements raise it, so that callers catch one kind on every backend."""
    return sqlalchemy.exc.DBAPIError.instance(
        statement.sql, statement.values, error, sqlite3.Error, hide_parameters=True
    )
