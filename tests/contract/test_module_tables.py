"""How a module's tables come to be: made by the first, owned by one, checked by all, on every backend."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy as sa
from sqlalchemy import (
    Column,
    ForeignKey,
    Integer,
    String,
    Text,
)

from capture.database.manager import DatabaseManager
from capture.errors import InvalidName, NamespaceCollision, SchemaChanged
from capture.names.declaration import table
from capture.names.module_db import ModuleDB
from tests.conftest import MakeDatabase
from tests.fixtures.chat_rules import ChatRules


def test_two_owners_of_one_name_are_told_apart(manager: DatabaseManager) -> None:
    """The second claimant of a full name gets `NamespaceCollision`, which names both, and makes nothing."""

    class Chat(ModuleDB):
        module = "chat"
        notes = table("notes", Column("id", Integer, primary_key=True))
        rules_moderators = table("rules_moderators", Column("id", Integer, primary_key=True))

    ChatRules(manager)
    with pytest.raises(NamespaceCollision) as caught:
        Chat(manager)
    told = caught.value.message
    assert "table rules_moderators of chat " in told
    assert "table moderators of chat_rules " in told
    with manager.connect() as connection:
        assert "modules_chat_notes" not in sa.inspect(connection).get_table_names()


def test_a_collision_is_told_whoever_comes_second(manager: DatabaseManager) -> None:
    """The order does not matter: also the owner of the longer name is told, when it comes second."""

    class Chat(ModuleDB):
        module = "chat"
        mine = table("rules_moderators", Column("user_id", String, primary_key=True), Column("role", String))

    Chat(manager)
    with pytest.raises(NamespaceCollision, match="chat_rules"):
        ChatRules(manager)


def test_a_declaration_can_be_used_again(database_url: str, make_database: MakeDatabase) -> None:
    """One class serves many databases and many instances, and a subclass of another module gets copies."""

    class Copied(ChatRules):
        module = "copied_rules"
        timeouts = None  # type: ignore[assignment]  # its foreign key names the other module's table

    with DatabaseManager(database_url) as one, DatabaseManager(make_database("sqlite")) as two:
        for manager in (one, two, one):
            assert ChatRules(manager).count("moderators") == 0
        ChatRules(one).insert("moderators", {"user_id": "u1", "role": "mod"})
        assert ChatRules(two).count("moderators") == 0
        copied = Copied(two)
        assert copied.full_name("moderators") == "modules_copied_rules_moderators"
        copied.insert("moderators", {"user_id": "u1", "role": "mod"})
        assert ChatRules(two).count("moderators") == 0


def test_a_changed_declaration_says_what_differs_and_what_to_do(manager: DatabaseManager) -> None:
    """Missing, undeclared and retyped columns are named; what ALTER TABLE can add is written out, and then works."""
    ChatRules(manager)

    class Added(ModuleDB):
        module = "chat_rules"
        moderators = table(
            "moderators",
            Column("user_id", String, primary_key=True),
            Column("role", String, nullable=False),
            Column("score", Integer, nullable=False, server_default="0"),
            Column("note", Text),
        )

    with pytest.raises(SchemaChanged, match="note is missing") as caught:
        Added(manager)
    statement = caught.value.hint.split(": ", 1)[1]
    assert statement.startswith("ALTER TABLE modules_chat_rules_moderators ADD COLUMN note")
    manager.execute_write(statement)
    assert Added(manager).count("moderators") == 0

    class Changed(ModuleDB):
        module = "chat_rules"
        moderators = table(
            "moderators",
            Column("user_id", String(7), primary_key=True),
            Column("role", String, primary_key=True),
            Column("score", Text),
        )

    with pytest.raises(SchemaChanged) as caught:
        Changed(manager)
    for part in ("note is not declared", "user_id is declared VARCHAR(7)", "role is not part of the primary key"):
        assert part in caught.value.message
    assert "score is declared TEXT and is INTEGER" in caught.value.message
    assert "score is declared NULL and is NOT NULL" in caught.value.message
    assert "another table name" in caught.value.hint


def test_many_threads_may_be_the_first(make_database: MakeDatabase, backend_name: str) -> None:
    """Eight threads with managers of their own meet an empty database: the tables are made once, and nobody fails."""
    url = make_database(backend_name, migrated=False)
    failures: list[BaseException] = []
    barrier = threading.Barrier(8)

    def begin(number: int) -> None:
        try:
            with DatabaseManager(url) as manager:
                barrier.wait()
                ChatRules(manager).insert("moderators", {"user_id": f"u{number}", "role": "mod"})
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=begin, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with DatabaseManager(url) as manager:
        assert ChatRules(manager).count("moderators") == 8


def test_tables_made_in_a_transaction_that_rolled_back_are_made_again(
    make_database: MakeDatabase, backend_name: str
) -> None:
    """First use inside a transaction makes schema and tables within it; nobody believes in them after its rollback."""
    with DatabaseManager(make_database(backend_name, migrated=False)) as manager:
        with pytest.raises(ValueError, match="no"), manager.transaction():
            ChatRules(manager).insert("moderators", {"user_id": "u1", "role": "mod"})
            raise ValueError("no")
        assert ChatRules(manager).count("moderators") == 0
        with manager.transaction():
            ChatRules(manager).insert("moderators", {"user_id": "u1", "role": "mod"})
        assert ChatRules(manager).count("moderators") == 1


def test_a_class_says_what_it_lacks(manager: DatabaseManager) -> None:
    """A class without a module, a table without columns or a target that nobody declares is told in one line."""

    class Nameless(ModuleDB):
        things = table("things", Column("id", Integer))

    with pytest.raises(InvalidName, match="names no module"):
        Nameless(manager)
    with pytest.raises(InvalidName, match="no column"):
        table("things")
    with pytest.raises(InvalidName, match="made of columns"):
        table("things", "id")  # type: ignore[arg-type]

    class Dangling(ModuleDB):
        module = "dangling"
        things = table("things", Column("id", Integer, ForeignKey("rooms.id"), primary_key=True))

    with pytest.raises(InvalidName, match="rooms"):
        Dangling(manager)


def test_without_a_manager_it_is_the_processes_own(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`ChatRules()` uses `DatabaseManager.get()`."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    DatabaseManager.reset()
    try:
        assert ChatRules().manager is DatabaseManager.get()
    finally:
        DatabaseManager.reset()
