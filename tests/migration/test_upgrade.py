"""Setting a database up and bringing it up to date: whole or not at all, by one at a time, and never backwards."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy import event
from sqlalchemy.engine import make_url

from capture.database import migrations
from capture.database.manager import DatabaseManager
from capture.errors import NewerDatabase, OlderDatabase, SchemaMissing
from tests.conftest import MakeDatabase
from tests.fixtures.children import in_children

NEWEST = migrations.REVISIONS[-1]


class Interrupted(Exception):
    """Stands for whatever ends a migration half-way."""


def tables(manager: DatabaseManager) -> list[str]:
    """All tables there are."""
    with manager.connect() as connection:
        return sorted(sa.inspect(connection).get_table_names())


@contextmanager
def failing_at(statement: int) -> Iterator[list[str]]:
    """Fail before the nth statement that changes something; yields what was run."""
    run: list[str] = []

    def count(_connection: Any, _cursor: Any, sql: str, *_: Any) -> None:
        if sql.lstrip().upper().startswith(("CREATE", "INSERT", "ALTER", "UPDATE", "DO")):
            if len(run) == statement:
                raise Interrupted
            run.append(sql)

    event.listen(sa.Engine, "before_cursor_execute", count)
    try:
        yield run
    finally:
        event.remove(sa.Engine, "before_cursor_execute", count)


def test_an_empty_database_is_set_up_once(make_database: MakeDatabase, backend_name: str) -> None:
    """`upgrade` tells what it found and what it left; the second time there is nothing to do."""
    with DatabaseManager(make_database(backend_name, migrated=False)) as manager:
        assert tables(manager) == []
        assert manager.upgrade() == (None, NEWEST)
        before = tables(manager)
        assert manager.upgrade() == (NEWEST, NEWEST)
        assert tables(manager) == before


def test_a_migration_that_fails_anywhere_leaves_nothing_and_can_be_repeated(
    make_database: MakeDatabase, backend_name: str
) -> None:
    """Stopped before any of its statements, a migration leaves no table behind, and the next try succeeds."""
    with DatabaseManager(make_database(backend_name, migrated=False)) as manager:
        for statement in range(100):
            with failing_at(statement) as run:
                try:
                    manager.ensure_schema()
                except Interrupted:
                    assert tables(manager) == []
                else:
                    break
        assert len(run) > 15
        manager.execute_query("SELECT position FROM agents_head")


KILLED = """
import os, signal, sys
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from capture.database.manager import DatabaseManager

run = []

def count(connection, cursor, sql, *_):
    run.append(sql)
    if len(run) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

sa.event.listen(sa.Engine, "before_cursor_execute", count)
DatabaseManager(sys.argv[1]).ensure_schema()
"""


def test_a_migration_that_is_killed_can_be_repeated(make_database: MakeDatabase, backend_name: str) -> None:
    """`kill -9` in the middle of the migration leaves a database that the next process sets up."""
    url = make_database(backend_name, migrated=False)
    done = subprocess.run([sys.executable, "-c", KILLED, url, "20"], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL
    with DatabaseManager(url) as manager:
        assert tables(manager) == []
        assert manager.upgrade() == (None, NEWEST)


def test_eight_processes_at_once_set_up_one_database(make_database: MakeDatabase, backend_name: str) -> None:
    """Whoever comes first makes the tables, and the other seven wait and find them."""
    url = make_database(backend_name, migrated=False)

    def begin() -> None:
        with DatabaseManager(url) as manager:
            manager.ensure_schema()
            assert manager.upgrade() == (NEWEST, NEWEST)

    in_children(*[begin] * 8)
    with DatabaseManager(url) as manager:
        assert manager.upgrade() == (NEWEST, NEWEST)
        assert len(manager.execute_query("SELECT log_id FROM agents_head")) == 1


def test_a_newer_database_is_refused_and_left_as_it_is(database_url: str) -> None:
    """A database of a later version is `NewerDatabase`, by both doors, and nothing is written to it."""
    with DatabaseManager(database_url) as manager:
        manager.execute_write("UPDATE agents_schema_version SET version_num = '9999'")
    before = _bytes(database_url)
    with DatabaseManager(database_url) as manager:
        for door in (manager.ensure_schema, manager.upgrade):
            with pytest.raises(NewerDatabase, match="9999") as caught:
                door()
            assert "nothing was written" in caught.value.message
            assert "upgrade" in caught.value.hint
        assert manager.execute_query("SELECT version_num FROM agents_schema_version") == [{"version_num": "9999"}]
    assert _bytes(database_url) == before


def _bytes(url: str) -> bytes:
    parsed = make_url(url)
    return Path(parsed.database or "").read_bytes() if parsed.drivername == "sqlite" else b""


def test_an_older_database_names_the_command(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database of an earlier version is not changed by the way: the message names `copydesk db upgrade`."""
    with DatabaseManager(database_url) as manager:
        monkeypatch.setattr(migrations, "REVISIONS", ("0000", "0001"))
        manager.execute_write("UPDATE agents_schema_version SET version_num = '0000'")
        with pytest.raises(OlderDatabase) as caught:
            manager.ensure_schema()
        assert "copydesk db upgrade" in caught.value.hint
        assert manager.execute_query("SELECT version_num FROM agents_schema_version") == [{"version_num": "0000"}]


def test_a_role_that_may_not_make_tables_names_the_command(make_database: MakeDatabase) -> None:
    """Only PostgreSQL has roles: one without the right is told that `copydesk db init` is for another."""
    url = make_database("postgresql", migrated=False)
    role = f"copydesk_reader_{uuid4().hex[:12]}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN PASSWORD '{role}'".encode())
        connection.execute(b"REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    try:
        as_reader = make_url(url).set(username=role, password=role).render_as_string(hide_password=False)
        with DatabaseManager(as_reader) as manager:
            for door in (manager.ensure_schema, manager.upgrade):
                with pytest.raises(SchemaMissing) as caught:
                    door()
                assert "copydesk db init" in caught.value.hint
                assert role not in caught.value.message.replace(f"{role}:***@", "").replace(f"{role}@", "")
            assert tables(manager) == []
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"DROP ROLE {role}".encode())


def test_the_new_schema_is_on_the_disk(make_database: MakeDatabase, tmp_path: Path) -> None:
    """Only SQLite: the upgrade ends with a checkpoint, else a power cut could take the tables with the WAL."""
    url = make_database("sqlite", migrated=False)
    with DatabaseManager(url) as manager:
        manager.ensure_schema()
        copy = tmp_path / "copy.db"  # the file alone, as a power cut would leave it
        copy.write_bytes(_bytes(url))
        with DatabaseManager(f"sqlite:///{copy}") as left:
            assert "agents_events" in tables(left)


def test_the_guards_are_back_after_a_migration(make_database: MakeDatabase) -> None:
    """Only SQLite: the connection that migrated has its authorizer again, also when the migration failed."""
    with DatabaseManager(make_database("sqlite", migrated=False)) as manager:
        with failing_at(10), pytest.raises(Interrupted):
            manager.ensure_schema()
        with pytest.raises(sa.exc.DBAPIError, match="not authorized"):
            manager.execute_write("ATTACH DATABASE 'x.db' AS x")
        manager.ensure_schema()
        with pytest.raises(sa.exc.DBAPIError, match="not authorized"):
            manager.execute_write("DROP TRIGGER agents_events_dense")


def test_what_was_sent_before_is_counted_after_the_upgrade(make_database: MakeDatabase, backend_name: str) -> None:
    """Revision 0002 fills in, from the drafts in the log, what a policy's limits look at of earlier publications."""
    drafted = '{"output_id":"o1","channel":"x","identity":"@acme","body":"Ahoy.","target_url":"https://x.example/1"}'
    at = "2026-11-24T10:00:00.000000Z"
    with DatabaseManager(make_database(backend_name, migrated=False)) as manager:
        config = Config()
        config.set_main_option("script_location", str(Path(migrations.__file__).parent))
        config.set_main_option("path_separator", "os")
        with manager.transaction() as transaction, manager.backend.migrating(transaction.connection):
            config.attributes["connection"] = transaction.connection
            command.upgrade(config, "0001")
        for position in (1, 2):
            manager.execute_write(
                "INSERT INTO agents_events (position, event_id, event_type, schema_version, stream_id, agent_id, "
                "occurred_at, recorded_at, payload, digest) "
                "VALUES (?, ?, 'comment.drafted', 1, 'output-o1', ?, ?, ?, ?, ?)",
                (position, str(uuid4()), f"agent {position}", at, at, drafted, b"\0" * 32),
            )
        manager.execute_write(
            "INSERT INTO agents_publications (output_id, revision, content_hash, attempt, idempotency_key, publisher, "
            "worker, state, started_position, started_at) "
            "VALUES ('o1', 1, 'h', 1, 'k', 'folder', 'w', 'published', 3, ?)",
            (at,),
        )
        assert manager.upgrade() == ("0001", NEWEST)
        columns = ("channel", "kind", "identity", "target_url", "agent_id")
        [row] = manager.execute_query(f"SELECT {', '.join(columns)} FROM agents_publications")
        assert tuple(row.values()) == ("x", "comment", "@acme", "https://x.example/1", "agent 1")
