"""A running transaction: what a block of `DatabaseManager.transaction()` works with."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from capture.database.parameters import Parameters, Statement, bind, bind_query
from capture.errors import BadStatement

_NOT_HERE = frozenset(
    {"abort", "begin", "commit", "copy", "end", "prepare", "release", "rollback", "savepoint", "start"}
)
"""What would end the transaction under its block, or (COPY) leave the connection waiting for rows."""

if TYPE_CHECKING:
    from capture.database.manager import DatabaseManager


class Transaction:
    """A transaction of one thread and task.

    Attributes:
        connection: For SQLAlchemy Core statements and `exec_driver_sql`.
        manager: The database that it is a transaction of.
        thread: The thread that opened it.
        process: The process that opened it: a forked child must not end it.
        failure: What went wrong in it; set, it can only be rolled back.
    """

    __slots__ = ("_afterwards", "connection", "failure", "manager", "process", "thread")

    def __init__(self, manager: DatabaseManager, connection: Connection) -> None:
        self.manager = manager
        self.connection = connection
        self.thread = threading.get_ident()
        self.process = os.getpid()
        self.failure: BaseException | None = None
        self._afterwards: list[Callable[[], None]] = []

    def execute_query(self, sql: str, params: Parameters = None) -> list[dict[str, Any]]:
        """Run one statement that only reads; see `DatabaseManager.execute_query`."""
        statement = bind_query(sql, params, self.manager.backend.name)
        return self.manager.backend.query(self.connection, statement, joined=True)

    def execute_write(self, sql: str, params: Parameters = None) -> int:
        """Run one statement; see `DatabaseManager.execute_write`. An error ends the transaction, on every backend."""
        return self.write(bind(sql, params, self.manager.backend.name))

    def write(self, statement: Statement) -> int:
        """Run a statement that is bound already."""
        first = statement.tokens[0].text
        if first in _NOT_HERE:
            raise BadStatement(
                f"a statement that takes part in a transaction was expected, found {first.upper()}",
                hint="transaction() begins and ends transactions",
            )
        try:
            return self.manager.backend.write(self.connection, statement)
        except BaseException as error:
            # PostgreSQL would refuse every further statement; SQLite would go on, and commit what is left.
            self.failure = error
            raise

    def after_commit(self, call: Callable[[], None]) -> None:
        """Have something called once the transaction is committed; not at all if it is rolled back."""
        self._afterwards.append(call)

    @contextmanager
    def joined(self, *, durable: bool) -> Iterator[None]:
        """An inner block: it asks for what it needs, and an error that leaves it ends the whole."""
        if durable:
            self.manager.backend.make_durable(self.connection)
        try:
            yield
        except BaseException as error:
            self.failure = error
            raise

    def committed(self) -> None:
        """Call what waits for the commit; the manager calls it."""
        for call in self._afterwards:
            call()
