"""A forked child leaves its parent's connections and transactions alone, and has its own."""

from __future__ import annotations

import os

import pytest

from capture.database.manager import DatabaseManager
from capture.errors import RolledBack
from tests.fixtures.children import in_children

INSERT = "INSERT INTO modules_test_notes (id) VALUES (?)"


@pytest.fixture
def notes(manager: DatabaseManager) -> DatabaseManager:
    """A manager whose database has a table `modules_test_notes`."""
    manager.execute_write("CREATE TABLE modules_test_notes (id INTEGER PRIMARY KEY)")
    return manager


def ids(manager: DatabaseManager) -> list[int]:
    """What the table has."""
    return [row["id"] for row in manager.execute_query("SELECT id FROM modules_test_notes ORDER BY id")]


def test_a_child_has_connections_of_its_own(notes: DatabaseManager) -> None:
    """Parent and child go on with the same manager, each on its own connections."""
    notes.execute_write(INSERT, (1,))
    with notes.connect() as connection:
        rows = connection.exec_driver_sql("SELECT id FROM modules_test_notes")
        in_children(lambda: [notes.execute_write(INSERT, (n,)) for n in range(2, 20)])
        assert rows.fetchall() == [(1,)]
    notes.execute_write(INSERT, (20,))
    assert ids(notes) == list(range(1, 21))


def test_a_child_opens_new_connections(notes: DatabaseManager) -> None:
    """No connection that the parent's pools hold is used by the child, for reading or for writing."""

    def used() -> set[int]:
        with notes.transaction() as transaction:
            writing = transaction.connection.connection.dbapi_connection
        with notes.connect() as connection:
            return {id(writing), id(connection.connection.dbapi_connection)}

    parents = used()
    assert used() == parents

    def child() -> None:
        assert not used() & parents

    in_children(child)
    assert used() == parents


def test_a_child_is_not_in_its_parents_transaction(notes: DatabaseManager) -> None:
    """Forked inside a transaction, the child sees nothing of it, can't end it, and the parent commits it."""

    def child() -> None:
        assert not notes.in_transaction()
        assert ids(notes) == []

    with notes.transaction() as transaction:
        transaction.execute_write(INSERT, (1,))
        in_children(child)
        transaction.execute_write(INSERT, (2,))
    assert ids(notes) == [1, 2]


def test_a_child_that_leaves_the_block_is_told(notes: DatabaseManager) -> None:
    """A child that runs out of the parent's `with` block gets `RolledBack`, and the parent's transaction stands."""
    child = 0
    told = False
    try:
        with notes.transaction() as transaction:
            transaction.execute_write(INSERT, (1,))
            child = os.fork()
            if child:
                os.waitpid(child, 0)
                transaction.execute_write(INSERT, (2,))
    except RolledBack:
        told = True
    finally:
        if child == 0:
            os._exit(0 if told else 1)
    assert ids(notes) == [1, 2]


def test_a_child_of_a_child(notes: DatabaseManager) -> None:
    """The promise holds at every depth."""

    def child() -> None:
        notes.execute_write(INSERT, (1,))
        in_children(lambda: notes.execute_write(INSERT, (2,)))
        notes.execute_write(INSERT, (3,))

    in_children(child)
    notes.execute_write(INSERT, (4,))
    assert ids(notes) == [1, 2, 3, 4]
