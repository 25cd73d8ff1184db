"""`DatabaseManager`: one object per process for the one database.

A running transaction belongs to the thread and the asyncio task that opened it. It is found by that identity and not by
a context variable alone: `asyncio.to_thread` and a new task copy their caller's context, and would write into a
transaction that another thread is about to commit.
"""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, TypeVar

import sqlalchemy
from sqlalchemy import Connection

from capture.database import migrations, retry
from capture.database.backend import Backend
from capture.database.parameters import Parameters, bind, bind_query
from capture.database.transaction import Transaction
from capture.database.url import parse, redact
from capture.errors import (
    CommitUnknown,
    DatabaseUnavailable,
    MissingDriver,
    RolledBack,
    WouldDeadlock,
)
from capture.settings import Settings

__all__ = ["DatabaseManager", "Transaction"]

T = TypeVar("T")


class DatabaseManager:
    """The database: queries, writes, transactions, and the schema.

    It connects when it is first used. Safe to use from any number of threads and tasks.

    Args:
        url: As `sqlite:///file.db` or `postgresql://user:password@host/database`; the settings' when left out.
        settings: The settings; read from the environment when left out.

    Attributes:
        url: The URL without its password, for display.
        backend: What this kind of database does in its own way; `backend.name` is `sqlite` or `postgresql`.
        settings: The settings.

    Raises:
        BadDatabaseUrl: The URL does not parse or names another kind of database.
        MissingDriver: The driver is not installed.
    """

    _instance: DatabaseManager | None = None
    _starting = threading.Lock()

    def __init__(self, url: str | None = None, *, settings: Settings | None = None) -> None:
        self.settings = Settings.from_environment() if settings is None else settings
        parsed = parse(self.settings.database_url if url is None else url)
        self.url = redact(parsed)
        self.backend = _backend(parsed, self.settings)
        self._running: dict[object, Transaction] = {}
        self._schema_is_current = False
        self._closed = False
        _MANAGERS.add(self)

    @classmethod
    def get(cls) -> DatabaseManager:
        """The manager of this process, made from the settings at the first call.

        Raises:
            BadDatabaseUrl: See the class; nothing is left half-made, and the next call tries again.
            MissingDriver: See the class.
        """
        with cls._starting:
            if cls._instance is None:
                cls._instance = cls()
            return cls._instance

    @classmethod
    def reset(cls) -> None:
        """Close and forget the manager of this process: the next `get` makes another."""
        with cls._starting:
            instance, cls._instance = cls._instance, None
        if instance is not None:
            instance.close()

    def close(self) -> None:
        """Close all connections; the manager can't be used any more."""
        self._closed = True
        self.backend.close()

    def __enter__(self) -> DatabaseManager:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def execute_query(self, sql: str, params: Parameters = None) -> list[dict[str, Any]]:
        """Run one statement that only reads.

        Inside a transaction of the same thread and task it sees that transaction's writes.

        Args:
            sql: One statement with `?` or `:name` as placeholders; `??` is PostgreSQL's operator `?`.
            params: A sequence for `?`, a mapping for `:name`.

        Returns:
            A dict a row, in the order of the columns; of two columns with one name, the last.

        Raises:
            ReadOnlyViolation: The statement would write; the database itself refused it.
            BadStatement: The statement and the parameters do not fit together.
        """
        running = self._running.get(_who())
        if running is not None:
            return running.execute_query(sql, params)
        statement = bind_query(sql, params, self.backend.name)

        def read() -> list[dict[str, Any]]:
            with self.connect() as connection:
                return self.backend.query(connection, statement, joined=False)

        return retry.repeating(read, retry.transient)

    def execute_write(self, sql: str, params: Parameters = None) -> int:
        """Run one statement in a transaction of its own, or in the running one of this thread and task.

        Outside of a larger transaction it is repeated when the database says that the failure was transient.

        Args:
            sql: See `execute_query`.
            params: See `execute_query`.

        Returns:
            The count of rows that were inserted, updated or deleted.
        """
        statement = bind(sql, params, self.backend.name)
        return self.retrying(lambda transaction: transaction.write(statement))

    @contextmanager
    def transaction(self, *, durable: bool = False) -> Iterator[Transaction]:
        """Several statements that take place together or not at all.

        Nested in one thread and task it joins the running transaction; an error that leaves an inner block rolls the
        whole back, even if it is caught further out. On SQLite it begins with BEGIN IMMEDIATE.

        Args:
            durable: Whether the commit must survive a power cut, whatever the settings say.

        Raises:
            DatabaseBusy: Another writer held the database for as long as this one may wait (SQLite).
            DatabaseUnavailable: The database can't be reached or opened.
            WouldDeadlock: Another task of this thread holds SQLite's one transaction, and waiting would stop that task.
            RolledBack: An inner block failed, and its error was caught before it reached this block.
            CommitUnknown: The connection broke during the commit.
        """
        who = _who()
        running = self._running.get(who)
        if running is not None:
            with running.joined(durable=durable):
                yield running
            return
        if self._closed:
            raise DatabaseUnavailable(f"the connections to {self.url} were closed", hint="make a new DatabaseManager")
        self._refuse_to_wait_for_this_thread()
        transaction = Transaction(self, self.backend.begin(durable=durable))
        self._running[who] = transaction
        try:
            try:
                yield transaction
            except BaseException:
                _roll_back(transaction)
                raise
            self._commit(transaction)
        finally:
            if self._running.get(who) is transaction:
                del self._running[who]
                self.backend.end(transaction.connection)
        transaction.committed()

    def _refuse_to_wait_for_this_thread(self) -> None:
        if not self.backend.one_writer or not self._running:
            return
        thread = threading.get_ident()
        if any(transaction.thread == thread for transaction in list(self._running.values())):
            raise WouldDeadlock(
                "another task of this thread has a transaction open, and SQLite has one writer at a time",
                hint="await nothing inside a transaction, or run it in a thread (asyncio.to_thread)",
            )

    def _commit(self, transaction: Transaction) -> None:
        if transaction.process != os.getpid():
            raise RolledBack(
                "this process was forked inside a transaction, which is the parent's to end",
                hint="fork outside of transactions",
            )
        if transaction.failure is not None:
            _roll_back(transaction)
            raise RolledBack(
                f"nothing of this transaction was kept, since a part of it failed: {transaction.failure}",
                hint="let the error leave the outermost transaction, or try that part before it",
            ) from transaction.failure
        try:
            transaction.connection.commit()
        except sqlalchemy.exc.DBAPIError as error:
            if retry.lost(error):
                raise CommitUnknown(
                    f"the connection to {self.url} broke during a commit, which may or may not have taken place",
                    hint="look whether it did before doing it again",
                ) from error
            _roll_back(transaction)
            raise
        except BaseException:
            # A Ctrl-C in the middle: the transaction may still be open, and must not go back to the pool with it.
            transaction.connection.invalidate()
            raise

    def in_transaction(self) -> bool:
        """Whether this thread and task have a transaction open."""
        return _who() in self._running

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection for reads, each statement a short transaction of its own (READ COMMITTED).

        Inside a transaction of the same thread and task it is that transaction's connection. On SQLite it can't write.

        Raises:
            DatabaseUnavailable: The database can't be reached or opened.
        """
        running = self._running.get(_who())
        if running is not None:
            yield running.connection
            return
        if self._closed:
            raise DatabaseUnavailable(f"the connections to {self.url} were closed", hint="make a new DatabaseManager")
        with self.backend.open() as connection:
            yield connection

    def retrying(self, work: Callable[[Transaction], T], *, durable: bool = False) -> T:
        """Run work in a transaction, and repeat both while the database says that the failure was transient.

        Inside a running transaction the work is done once: a failure there ends the whole of it.

        Args:
            work: What to do; it may be called several times, each time after a complete rollback.
            durable: See `transaction`.
        """

        def whole() -> T:
            with self.transaction(durable=durable) as transaction:
                return work(transaction)

        if self.in_transaction():
            return whole()
        return retry.repeating(whole, retry.transient)

    def ensure_schema(self) -> None:
        """See that the database has the tables of this version; make them if it is empty.

        Cheap to call often: it looks once. Processes that come at the same time wait for the first of them.

        Raises:
            SchemaMissing: The database is empty and this role may not make tables.
            OlderDatabase: `copydesk db upgrade` is due.
            NewerDatabase: The database is of a later version; nothing was written.
        """
        if not self._schema_is_current:
            migrations.ensure(self)

    def upgrade(self) -> tuple[str | None, str]:
        """Bring the database's tables up to this version.

        Returns:
            The revision before (None for an empty database) and after.

        Raises:
            SchemaMissing: This role may not make tables.
            NewerDatabase: The database is of a later version; nothing was written.
        """
        return migrations.upgrade(self)

    def schema_is_current(self) -> None:
        """Remember that the schema was found current; `capture.database.migrations` calls it."""
        self._schema_is_current = True

    def dispose_after_fork(self) -> None:
        """Leave the parent's connections and transactions to it. Runs by itself in every forked child."""
        _LEFT_TO_THE_PARENT.extend(self._running.values())
        self._running = {}
        self.backend.forget()


def _backend(parsed: sqlalchemy.engine.URL, settings: Settings) -> Backend:
    if parsed.get_backend_name() == "sqlite":
        from capture.database.backends.sqlite import SqliteBackend

        return SqliteBackend(parsed, synchronous=settings.synchronous)
    try:
        from capture.database.backends.postgresql import PostgresqlBackend
    except ImportError as error:
        raise MissingDriver(
            f"PostgreSQL needs the driver psycopg 3, which is not installed ({error})",
            hint='pip install "copydesk[postgres]"',
        ) from None
    return PostgresqlBackend(parsed, synchronous=settings.synchronous)


def _who() -> object:
    """The running asyncio task, else the thread."""
    # Without asyncio, or while another thread is in the middle of importing it, no task runs here.
    current_task = getattr(sys.modules.get("asyncio"), "current_task", None)
    if current_task is not None:
        try:
            task = current_task()
        except RuntimeError:
            task = None
        if task is not None:
            return task
    return threading.get_ident()


def _roll_back(transaction: Transaction) -> None:
    """The first error is the one to tell: what the rollback of a broken connection says adds nothing."""
    if transaction.process == os.getpid():
        with suppress(sqlalchemy.exc.DBAPIError):
            transaction.connection.rollback()


_LEFT_TO_THE_PARENT: list[Transaction] = []
"""Kept, since SQLAlchemy rolls a connection back when nobody holds it any more: on the parent's socket."""

_MANAGERS: weakref.WeakSet[DatabaseManager] = weakref.WeakSet()


def _after_fork_in_child() -> None:
    DatabaseManager._starting = threading.Lock()  # noqa: SLF001  (this module's own class; the parent's may be held)
    for manager in list(_MANAGERS):
        manager.dispose_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
