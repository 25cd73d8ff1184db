"""PostgreSQL, by psycopg 3.

Statements of callers run by the extended protocol, which takes one statement at a time; reads run in a READ ONLY
transaction that a query has begun, so that nothing can switch it back.
"""

from __future__ import annotations

import select
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, cast

import psycopg
import sqlalchemy
from psycopg import pq
from psycopg.types.string import TextLoader
from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.dialects.postgresql import Insert, insert
from sqlalchemy.engine import URL
from sqlalchemy.pool import ConnectionPoolEntry

from capture.database import readonly
from capture.database.backends.listening import CHANNEL, PostgresqlListener
from capture.database.backends.patience import LIMITS, PatientConnection, keep_alive
from capture.database.parameters import Statement
from capture.database.url import redact
from capture.errors import CopydeskError, DatabaseUnavailable, ReadOnlyViolation, SchemaMissing

_DEFINITIONS = 0x636F7079_6465736B
"""The key of the advisory lock under which tables are made or changed: `copydesk` in ASCII."""

NOTICE_SECONDS = 0.05
"""A process announces no more often, in seconds. Who was woken looks again after 5, 10, 20 … ms anyway."""

_READ_ONLY = ("25006", "25001")
_COUNTED = ("INSERT", "UPDATE", "DELETE", "MERGE")
_IDLE_SECONDS = 30.0


class PostgresqlBackend:
    """One PostgreSQL database.

    Args:
        url: As `capture.database.url.parse` gives it.
        synchronous: `normal` leaves `synchronous_commit` as the server has it; `full` makes every commit durable.
    """

    name = "postgresql"
    one_writer = False

    def __init__(self, url: URL, *, synchronous: str) -> None:
        self._shown = redact(url)
        self._always_durable = synchronous == "full"
        arguments: dict[str, Any] = {name: value for name, value in LIMITS.items() if name not in url.query}
        # No prepared statements: a plan kept by the server fails after a replay swapped a table under it, and a pooler
        # in transaction mode hands the next transaction to a session that does not have it.
        arguments["prepare_threshold"] = None
        self._engine: Engine = create_engine(
            url,
            isolation_level="READ COMMITTED",
            pool_size=5,
            max_overflow=10,
            use_native_hstore=False,
            connect_args=arguments,
        )
        self._autocommit = self._engine.execution_options(isolation_level="AUTOCOMMIT")
        self._reached = False
        self._announced_at = -NOTICE_SECONDS
        event.listen(self._engine, "do_connect", _connect)
        event.listen(self._engine, "connect", self._note_that_it_is_there)
        event.listen(self._engine, "checkin", _note_the_time)
        event.listen(self._engine, "checkout", _refuse_a_dead_connection)

    def _note_that_it_is_there(self, raw: psycopg.Connection[Any], _entry: ConnectionPoolEntry) -> None:
        keep_alive(raw)
        self._reached = True

    def open(self) -> Connection:
        """Open a connection in autocommit: a reader that stays idle in a transaction would hold up a table's swap."""
        return self._checked_out(self._autocommit)

    def begin(self, *, durable: bool) -> Connection:
        """Open a connection and begin, READ COMMITTED."""
        connection = self._checked_out(self._engine)
        try:
            connection.begin()
            if durable or self._always_durable:
                self.make_durable(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def end(self, connection: Connection) -> None:
        """Give the connection back."""
        connection.close()

    def _checked_out(self, engine: Engine) -> Connection:
        try:
            return engine.connect()
        except sqlalchemy.exc.TimeoutError as error:
            raise DatabaseUnavailable(
                f"all connections of this process to {self._shown} have been in use for 30 s",
                hint="close connections and transactions sooner, or use fewer threads",
            ) from error
        except (sqlalchemy.exc.DBAPIError, psycopg.Error) as error:
            # A server that was there before may come back, and its error is passed on as one that passes; one that was
            # never reached has most often a mistake in its URL, which no repeating mends.
            raise self.explain(error) or error from (error if self._reached else None)

    def make_durable(self, connection: Connection) -> None:
        """Wait for the disk at commit; where the server waits for more than that already, leave it so."""
        connection.exec_driver_sql(
            "SELECT set_config('synchronous_commit', 'on', true)"
            " WHERE current_setting('synchronous_commit') IN ('off', 'local')"
        )

    def query(self, connection: Connection, statement: Statement, *, joined: bool) -> list[dict[str, Any]]:
        """Run one statement in a READ ONLY transaction, or in a read-only savepoint of the one that runs."""
        readonly.refuse_what_is_no_query(statement.tokens, self.name)
        raw = _raw(connection)
        enter, leave = _JOINED if joined else _ALONE
        cursor = raw.cursor()
        cursor.execute(enter)
        try:
            return self._rows(raw, statement)
        except psycopg.Error as error:
            if error.sqlstate in _READ_ONLY:
                raise ReadOnlyViolation(
                    f"a statement that only reads was expected: {_first_line(error)}",
                    hint="execute_write runs statements that write",
                ) from error
            raise _wrapped(error, statement) from error
        except UnicodeEncodeError as error:
            raise _wrapped(error, statement) from error
        finally:
            # Rolled back, never committed: a SET, a NOTIFY or a lock that slipped through ends here.
            if raw.pgconn.status == pq.ConnStatus.OK:
                cursor.execute(leave)

    def _rows(self, raw: psycopg.Connection[Any], statement: Statement) -> list[dict[str, Any]]:
        cursor = _execute(raw, statement)
        if cursor.description is None:
            return []
        names = [column.name for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def write(self, connection: Connection, statement: Statement) -> int:
        """Run one statement; the count that its command tag has."""
        try:
            cursor = _execute(_raw(connection), statement)
        except (psycopg.Error, UnicodeEncodeError) as error:
            raise _wrapped(error, statement) from error
        return max(cursor.rowcount, 0) if (cursor.statusmessage or "").startswith(_COUNTED) else 0

    def insert(self, table: Table) -> Insert:
        """An INSERT that can say ON CONFLICT."""
        return insert(table)

    def schema_version(self, connection: Connection) -> str | None:
        """The one row of alembic's table."""
        if connection.exec_driver_sql("SELECT to_regclass('agents_schema_version')").scalar() is None:
            return None
        return connection.exec_driver_sql("SELECT version_num FROM agents_schema_version").scalar()

    def lock_definitions(self, connection: Connection) -> None:
        """CREATE TABLE IF NOT EXISTS by eight processes at once fails with "tuple concurrently updated"."""
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_DEFINITIONS})")

    @contextmanager
    def migrating(self, connection: Connection) -> Iterator[None]:  # noqa: ARG002  (the port's signature)
        """Nothing to lift: the role's rights decide."""
        yield

    def after_migration(self) -> None:
        """Nothing to do: the commit brought it to the disk."""

    def announce(self, connection: Connection) -> None:
        """NOTIFY, at most once in `NOTICE_SECONDS`: every notice takes one lock of the whole server at its commit."""
        now = time.monotonic()
        if now - self._announced_at >= NOTICE_SECONDS:
            self._announced_at = now
            connection.exec_driver_sql(f"NOTIFY {CHANNEL}")

    def listen(self) -> PostgresqlListener | None:
        """LISTEN, on a connection that the pool gives away for it; not through a pooler, which drops the notices."""
        pooled = self._engine.raw_connection()
        raw = cast("psycopg.Connection[Any]", pooled.driver_connection)
        pooled.detach()
        try:
            if raw.execute("SELECT pg_backend_pid()").fetchone() == (raw.info.backend_pid,):
                return PostgresqlListener(raw)
        except BaseException:
            raw.close()
            raise
        raw.close()
        return None

    def explain(self, error: BaseException) -> CopydeskError | None:
        """What is wrong with the server, the login or the role."""
        found = _psycopg_error(error)
        if found is None:
            return None
        state = found.sqlstate or ""
        if state == "42501":
            return SchemaMissing(
                f"this role may not do that in {self._shown}: {_first_line(found)}",
                hint="let a role that may make tables run `copydesk db init`, and give this one its rights",
            )
        if isinstance(found, psycopg.OperationalError) or state[:2] in ("28", "3D", "53", "57", "58"):
            return DatabaseUnavailable(
                f"the database {self._shown} can't be used: {_first_line(found)}",
                hint="check DATABASE_URL and that the server runs; what agents emit waits in the journal",
            )
        return None

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def forget(self) -> None:
        """Leave the parent's sockets alone: closing one here would end the parent's session."""
        _LEFT_TO_THE_PARENT.append(self._engine.pool)
        self._engine.dispose(close=False)
        self._autocommit = self._engine.execution_options(isolation_level="AUTOCOMMIT")


_LEFT_TO_THE_PARENT: list[object] = []


def _connect(_dialect: object, _entry: object, _arguments: object, options: dict[str, Any]) -> PatientConnection:
    return PatientConnection.along(options)


def _note_the_time(_raw: psycopg.Connection[Any] | None, entry: ConnectionPoolEntry) -> None:
    entry.info["back_at"] = time.monotonic()


def _refuse_a_dead_connection(raw: psycopg.Connection[Any], entry: ConnectionPoolEntry, _proxy: object) -> None:
    """Have the pool make a new connection in place of one that died while nobody used it.

    A server that goes away says so, or at least closes its end: then there is something to read, which costs a
    microsecond to see. A ping (SQLAlchemy's `pool_pre_ping`) costs a round trip, a fifth of a short transaction: it is
    left for a connection with something to read, and for one so long idle that the network may have dropped it.
    """
    try:
        poll = select.poll()
        poll.register(raw.fileno(), select.POLLIN)
        if poll.poll(0) or time.monotonic() - entry.info.get("back_at", time.monotonic()) > _IDLE_SECONDS:
            with raw.cursor() as cursor:
                cursor.execute("")
            raw.rollback()
    except psycopg.Error as error:
        raise sqlalchemy.exc.InvalidatePoolError from error


# A query first: from then on PostgreSQL itself refuses to make the transaction writable again.
_ALONE = ("BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; SELECT 1", "ROLLBACK")
_JOINED = (
    "SAVEPOINT copydesk_read; SET LOCAL transaction_read_only = on; SELECT 1",
    "ROLLBACK TO SAVEPOINT copydesk_read; RELEASE SAVEPOINT copydesk_read",
)


def _execute(raw: psycopg.Connection[Any], statement: Statement) -> psycopg.RawCursor[Any]:
    """Run one statement by the extended protocol.

    psycopg takes the simple protocol, which runs several statements at once, when there are no parameters. A parameter
    that the statement does not use makes the difference: PostgreSQL takes it, since an int comes with its type.
    """
    cursor = psycopg.RawCursor(raw)
    # JSON as text, as SQLite gives it: parsing would lose key order, duplicates and how a number was written.
    cursor.adapters.register_loader("json", TextLoader)
    cursor.adapters.register_loader("jsonb", TextLoader)
    cursor.execute(statement.sql.encode(), statement.values or (0,))
    return cursor


def _raw(connection: Connection) -> psycopg.Connection[Any]:
    return cast("psycopg.Connection[Any]", connection.connection.dbapi_connection)


def _psycopg_error(error: BaseException | None) -> psycopg.Error | None:
    """The driver's error, wherever it stands among the causes."""
    while error is not None:
        if isinstance(error, psycopg.Error):
            return error
        error = getattr(error, "orig", None) or error.__cause__
    return None


def _first_line(error: BaseException) -> str:
    with suppress(IndexError):
        return str(error).strip().splitlines()[0]
    return type(error).__name__


def _wrapped(error: Exception, statement: Statement) -> BaseException:
    """The error as SQLAlchemy's own statements raise it, so that callers catch one kind on every backend."""
    return sqlalchemy.exc.DBAPIError.instance(
        statement.sql, statement.values, error, psycopg.Error, hide_parameters=True
    )
