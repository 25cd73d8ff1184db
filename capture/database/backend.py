"""What a database must be able to do for copydesk: the port behind `DatabaseManager`."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, Protocol

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

from capture.database.parameters import Statement
from capture.errors import CopydeskError


class Listener(Protocol):
    """Hears of commits to the log."""

    def wait(self, seconds: float) -> bool:
        """Wait for a notice; True when one came.

        Raises:
            Exception: Nothing will be heard any more.
        """
        ...

    def close(self) -> None:
        """Listen no more."""
        ...


class Backend(Protocol):
    """One kind of database. Every method that takes a connection works on a connection that this backend opened."""

    name: str
    """`sqlite` or `postgresql`."""

    one_writer: bool
    """True when an open transaction keeps every other one waiting."""

    def open(self) -> Connection:
        """Open a connection for reads, in which each statement is a transaction of its own."""
        ...

    def begin(self, *, durable: bool) -> Connection:
        """Open a connection and begin a transaction that may write.

        Args:
            durable: Whether its commit must survive a power cut, whatever the settings say.

        Raises:
            DatabaseBusy: Another writer held the database for the whole time that this one may wait.
            DatabaseUnavailable: The database can't be reached or opened.
        """
        ...

    def end(self, connection: Connection) -> None:
        """Give back a connection that `begin` opened, after its commit or rollback."""
        ...

    def make_durable(self, connection: Connection) -> None:
        """Make the commit of a running transaction survive a power cut.

        Raises:
            CopydeskError: This database can't change that inside a transaction.
        """
        ...

    def query(self, connection: Connection, statement: Statement, *, joined: bool) -> list[dict[str, Any]]:
        """Run one statement that the database itself keeps from writing.

        Args:
            connection: From `open`, or from `begin` when `joined`.
            statement: The statement and its values.
            joined: Whether the connection is inside a transaction that may write.

        Raises:
            ReadOnlyViolation: The statement would write, or leave the guard.
        """
        ...

    def write(self, connection: Connection, statement: Statement) -> int:
        """Run one statement inside a transaction; the count of rows that it inserted, updated or deleted."""
        ...

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """An INSERT that can say ON CONFLICT, in this backend's words."""
        ...

    def schema_version(self, connection: Connection) -> str | None:
        """The revision that the database's migrations have reached; None for a database without them."""
        ...

    def lock_definitions(self, connection: Connection) -> None:
        """Let one transaction at a time make or change tables; freed at its end."""
        ...

    def migrating(self, connection: Connection) -> AbstractContextManager[None]:
        """Lift what otherwise keeps a connection from changing the log's tables."""
        ...

    def after_migration(self) -> None:
        """Bring a new schema to the disk."""
        ...

    def announce(self, connection: Connection) -> None:
        """Tell those who listen, with the commit of this transaction, that the log has grown: now and then will do."""
        ...

    def listen(self) -> Listener | None:
        """Begin to listen; None where nothing is announced.

        Raises:
            Exception: The database can't be reached.
        """
        ...

    def explain(self, error: BaseException) -> CopydeskError | None:
        """Say in copydesk's words why the database can't be used; None when the error says something else."""
        ...

    def close(self) -> None:
        """Close all connections."""
        ...

    def forget(self) -> None:
        """Leave the connections to the parent process, after a fork, and open new ones from now on."""
        ...
