"""A server that goes away and comes back, and a file that another process holds."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

import psycopg
import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from capture.database import retry
from capture.database.backends import sqlite
from capture.database.manager import DatabaseManager
from capture.errors import CommitUnknown, DatabaseBusy, DatabaseUnavailable
from tests.conftest import MakeDatabase

INSERT = "INSERT INTO modules_test_notes (id) VALUES (?)"
END_ALL = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    " WHERE pid <> pg_backend_pid() AND datname = current_database()"
)


@pytest.fixture
def url(make_database: MakeDatabase) -> str:
    """A database on PostgreSQL with a table `modules_test_notes`."""
    url = make_database("postgresql")
    with DatabaseManager(url) as manager:
        manager.execute_write("CREATE TABLE modules_test_notes (id INTEGER PRIMARY KEY)")
    return url


@pytest.fixture
def end_all_sessions(url: str) -> Callable[[], None]:
    """Ends every session of the database, as a restart of the server does."""

    def end() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(END_ALL.encode())

    return end


def ids(manager: DatabaseManager) -> list[int]:
    """What the table has."""
    return [row["id"] for row in manager.execute_query("SELECT id FROM modules_test_notes ORDER BY id")]


def test_connections_that_died_while_idle_are_replaced(url: str, end_all_sessions: Callable[[], None]) -> None:
    """Only a server can go away: after a restart reads, writes and transactions go on without an error."""
    with DatabaseManager(url) as manager:
        with manager.connect(), manager.connect(), manager.connect():
            pass  # three connections in the pool
        end_all_sessions()
        with manager.transaction() as transaction:
            transaction.execute_write(INSERT, (1,))
        end_all_sessions()
        assert manager.execute_write(INSERT, (2,)) == 1
        end_all_sessions()
        assert ids(manager) == [1, 2]


def test_a_connection_lost_before_the_commit_is_repeated(url: str, end_all_sessions: Callable[[], None]) -> None:
    """Only a server can go away: work that loses its connection is done again, and stands once."""
    tries: list[int] = []
    with DatabaseManager(url) as manager:

        def work(_: object) -> None:
            manager.execute_write(INSERT, (1,))
            tries.append(1)
            if len(tries) < 3:
                end_all_sessions()
            manager.execute_write(INSERT, (2,))

        manager.retrying(work)
        assert len(tries) == 3
        assert ids(manager) == [1, 2]


def test_a_connection_lost_during_the_commit_is_not_repeated(url: str, end_all_sessions: Callable[[], None]) -> None:
    """Only a server can go away: when nobody knows whether a commit took place, the work is not done twice."""
    tries: list[int] = []
    with DatabaseManager(url) as manager:

        def work(_: object) -> None:
            tries.append(1)
            manager.execute_write(INSERT, (1,))
            end_all_sessions()

        with pytest.raises(CommitUnknown) as caught:
            manager.retrying(work)
        assert tries == [1]
        assert not retry.transient(caught.value)
        assert not retry.refused(caught.value)
        assert ids(manager) == []


def test_a_server_that_was_never_there_is_told_at_once(make_database: MakeDatabase, tmp_path: object) -> None:
    """Only a server can be away: a mistake in the URL is told without seconds of repeating."""
    with DatabaseManager(f"postgresql://anna@/desk?host={tmp_path}") as manager:
        with pytest.raises(DatabaseUnavailable) as caught:
            manager.execute_write("SELECT 1")
        assert not retry.transient(caught.value)


def test_a_file_that_another_process_holds_is_busy(
    make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only SQLite has one writer: who waits too long gets `DatabaseBusy`, and may write when the other is done."""
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.1)
    url = make_database("sqlite")
    with DatabaseManager(url) as one, DatabaseManager(url) as other:
        with one.transaction() as transaction:
            transaction.execute_write("UPDATE agents_head SET epoch = 2")
            with pytest.raises(DatabaseBusy) as caught, other.transaction():
                pass
            assert retry.transient(caught.value)
            assert other.execute_query("SELECT epoch FROM agents_head") == [{"epoch": 1}]
        other.execute_write("UPDATE agents_head SET epoch = epoch + 1")
        assert one.execute_query("SELECT epoch FROM agents_head") == [{"epoch": 3}]


def test_a_file_that_was_opened_for_reading_only_is_opened_again(make_database: MakeDatabase) -> None:
    """Only SQLite falls back to reading where an open for writing fails: the next transaction has a new connection."""
    url = make_database("sqlite")
    with DatabaseManager(url) as manager:
        manager.execute_write("CREATE TABLE modules_test_notes (id INTEGER PRIMARY KEY)")
    opened: list[bool] = []

    def open_once_for_reading(
        _dialect: object, _entry: object, _arguments: object, options: dict[str, object]
    ) -> object:
        opened.append(True)
        if len(opened) > 1:
            return None  # as usual
        path = url.removeprefix("sqlite:///")
        return sqlite3.connect(f"file:{path}?mode=ro", uri=True, **options)  # type: ignore[call-overload]

    with DatabaseManager(url) as manager:
        event.listen(manager.backend._writes, "do_connect", open_once_for_reading)  # type: ignore[attr-defined]
        for opens in (1, 2):
            opened.clear()
            with pytest.raises(OperationalError, match="readonly"):
                _write(manager, by_hand=opens == 1)
            assert _write(manager, by_hand=opens == 1) == 1
            manager.backend._writes.dispose()  # type: ignore[attr-defined]
        assert ids(manager) == [1, 2]


def _write(manager: DatabaseManager, *, by_hand: bool) -> int:
    if by_hand:
        return manager.execute_write("INSERT INTO modules_test_notes (id) VALUES (1)")
    with manager.transaction() as transaction:
        return transaction.connection.exec_driver_sql("INSERT INTO modules_test_notes (id) VALUES (2)").rowcount
