"""The log is append-only, held by the database itself: the role that an agent has can't change the past."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from capture.database import retry
from capture.database.manager import DatabaseManager
from capture.database.tables import LOG_TABLES
from tests.conftest import MakeDatabase
from tests.fixtures.agent_role import as_an_agent
from tests.fixtures.log_rows import INSERT, row, the_log, write_rows

HOSTILE = [
    line["value"]
    for line in json.loads((Path(__file__).parents[1] / "hostile.json").read_text())
    if line["category"] == "append-only-escape"
]

CHANGES = [
    "UPDATE agents_events SET payload = '{}' WHERE position = 1",
    "DELETE FROM agents_events",
    "DELETE FROM agents_events WHERE position = 2",
    "DROP TABLE agents_events",
    "DROP TABLE agents_approvals",
    "DROP INDEX agents_events_stream",
    "ALTER TABLE agents_events ADD COLUMN extra TEXT",
    "ALTER TABLE agents_events RENAME COLUMN payload TO body",
    "ALTER TABLE agents_head RENAME TO agents_oldhead",
]

ONLY_SQLITE = [
    "DROP TRIGGER agents_events_no_delete",
    "DROP TRIGGER agents_events_dense",
    "DROP TRIGGER agents_events_approved",
    "CREATE TRIGGER modules_x BEFORE INSERT ON agents_events BEGIN SELECT RAISE(IGNORE); END",
    "CREATE TEMP TRIGGER modules_x BEFORE INSERT ON agents_events BEGIN SELECT RAISE(IGNORE); END",
    "CREATE TEMP TABLE agents_events (position INTEGER)",
    "CREATE TEMP VIEW agents_approvals AS SELECT 1 AS output_id",
    "CREATE UNIQUE INDEX modules_x ON agents_events (agent_id)",
    "PRAGMA writable_schema = ON",
    "PRAGMA schema_version = 1",
    "ATTACH DATABASE 'x.db' AS x",
    "DETACH DATABASE main",
    "UPDATE sqlite_master SET sql = '' WHERE name = 'agents_events_no_update'",
    "DELETE FROM sqlite_master WHERE name = 'agents_events_no_update'",
]

ONLY_POSTGRESQL = [
    "DROP TRIGGER agents_events_no_update ON agents_events",
    "ALTER TABLE agents_events DISABLE TRIGGER agents_events_approved",
    "ALTER TABLE agents_events DISABLE TRIGGER USER",
    "CREATE OR REPLACE FUNCTION agents_refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "DROP FUNCTION agents_refuse_change() CASCADE",
    "ALTER TABLE agents_events OWNER TO CURRENT_USER",
    "CREATE TRIGGER modules_x BEFORE INSERT ON agents_events EXECUTE FUNCTION agents_refuse_change()",
    "CREATE RULE modules_x AS ON INSERT TO agents_events DO INSTEAD NOTHING",
    "DROP OWNED BY CURRENT_USER; DROP TABLE agents_events",
    "TRUNCATE agents_events, agents_head CASCADE",
    "SET session_replication_role TO replica",
    "SELECT set_config('session_replication_role', 'replica', false)",
]


@pytest.fixture
def agent(backend_name: str, make_database: MakeDatabase) -> Iterator[DatabaseManager]:
    """A manager with the rights of an agent, on a log with two events."""
    url = make_database(backend_name)
    with DatabaseManager(url) as owner:
        write_rows(owner, row(1), row(2))
    with as_an_agent(url) as manager:
        yield manager


def test_the_past_can_not_be_changed(agent: DatabaseManager) -> None:
    """Every attempt to change, delete, replace, truncate, rename or unguard the log is refused by the database."""
    before = the_log(agent)
    statements = HOSTILE + CHANGES + (ONLY_SQLITE if agent.backend.name == "sqlite" else ONLY_POSTGRESQL)
    for sql in statements:
        with pytest.raises(sa.exc.DBAPIError), agent.transaction() as transaction:
            transaction.connection.exec_driver_sql(sql)
    assert the_log(agent) == before
    # The guards still stand: the next row is taken, and its deletion is refused.
    write_rows(agent, row(3))
    with pytest.raises(sa.exc.DBAPIError):
        agent.execute_write("DELETE FROM agents_events WHERE position = 3")
    assert [one["position"] for one in the_log(agent)] == [1, 2, 3]


@pytest.mark.parametrize("sql", HOSTILE)
def test_hostile_sql_is_refused_as_a_write(agent: DatabaseManager, sql: str) -> None:
    """Each line of hostile.json's `append-only-escape` is refused by the database under the application's role."""
    before = the_log(agent)
    with pytest.raises(sa.exc.DBAPIError):
        agent.execute_write(sql)
    assert the_log(agent) == before


def test_the_owner_is_stopped_by_the_triggers(manager: DatabaseManager) -> None:
    """Also the owner of the tables can't change a row without taking a trigger off first, replica mode or not."""
    write_rows(manager, row(1), row(2))
    before = the_log(manager)
    changes = ["UPDATE agents_events SET payload = '{}'", "DELETE FROM agents_events"]
    if manager.backend.name == "postgresql":
        changes.append("TRUNCATE agents_events")
    for sql in changes:
        with pytest.raises(sa.exc.DBAPIError), manager.transaction() as transaction:
            if manager.backend.name == "postgresql":
                transaction.connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
            transaction.connection.exec_driver_sql(sql)
    assert the_log(manager) == before


def test_sqlites_authorizer_holds_without_the_triggers(make_database: MakeDatabase) -> None:
    """Only SQLite: a connection that copydesk hands out can't change a row even where the triggers are gone."""
    with DatabaseManager(make_database("sqlite")) as manager:
        write_rows(manager, row(1))
        with manager.transaction() as transaction, manager.backend.migrating(transaction.connection):
            for name in ("no_update", "no_delete", "dense"):
                transaction.execute_write(f"DROP TRIGGER agents_events_{name}")
        for sql in (
            "UPDATE agents_events SET payload = '{}'",
            "DELETE FROM agents_events",
            "delete from AGENTS_EVENTS",
        ):
            with pytest.raises(sa.exc.DBAPIError, match="not authorized"):
                manager.execute_write(sql)
        assert len(the_log(manager)) == 1


@pytest.mark.parametrize("verb", ["INSERT OR REPLACE", "REPLACE", "INSERT OR IGNORE", "INSERT OR ROLLBACK"])
@pytest.mark.parametrize("replaced", ["the position", "the id", "both"])
def test_nothing_is_replaced(make_database: MakeDatabase, verb: str, replaced: str) -> None:
    """Only SQLite: REPLACE deletes the old row without a DELETE trigger; no position and no id can be taken again."""
    with DatabaseManager(make_database("sqlite")) as manager:
        write_rows(manager, row(1), first := row(2))
        before = the_log(manager)
        again = row(3 if replaced == "the id" else 2)
        if replaced != "the position":
            again["event_id"] = first["event_id"]
        with pytest.raises(sa.exc.DBAPIError) as caught:
            manager.execute_write(INSERT.replace("INSERT", verb), again)
        assert retry.refused(caught.value)
        assert the_log(manager) == before


def test_the_mutant_without_the_insert_trigger_loses_a_row(make_database: MakeDatabase) -> None:
    """Only SQLite: with the triggers on UPDATE and DELETE alone, REPLACE puts another row in place of a row."""
    with DatabaseManager(make_database("sqlite")) as manager:
        write_rows(manager, row(1), row(2))
        before = the_log(manager)
        with manager.transaction() as transaction, manager.backend.migrating(transaction.connection):
            transaction.execute_write("DROP TRIGGER agents_events_dense")
        manager.execute_write(INSERT.replace("INSERT", "INSERT OR REPLACE"), row(2))
        assert the_log(manager) != before


@pytest.mark.parametrize("position", [0, -1, 2, 4, None])
def test_a_gap_is_refused(make_database: MakeDatabase, position: int | None) -> None:
    """Only SQLite: a row that is not the next one is refused (on PostgreSQL the head's lock gives positions out)."""
    with DatabaseManager(make_database("sqlite")) as manager:
        write_rows(manager, row(1), row(2))
        with pytest.raises(sa.exc.IntegrityError):
            manager.execute_write(INSERT, row(3) | {"position": position})
        assert [one["position"] for one in the_log(manager)] == [1, 2]


def test_the_same_position_or_id_is_refused(manager: DatabaseManager) -> None:
    """A position and an event id are there once, on every backend."""
    write_rows(manager, row(1), first := row(2))
    for again in (row(2), row(3) | {"event_id": first["event_id"]}):
        with pytest.raises(sa.exc.IntegrityError) as caught:
            manager.execute_write(INSERT, again)
        assert retry.refused(caught.value)
    assert [one["position"] for one in the_log(manager)] == [1, 2]


APPROVE = (
    "INSERT INTO agents_approvals (output_id, revision, content_hash, position, approved_at, revoked_position)"
    " VALUES (:output_id, :revision, :content_hash, 1, :at, :revoked_position)"
)


def started(output_id: str = "o1", revision: int = 1, content_hash: str = "h1") -> dict[str, object]:
    """The row of a publication's start."""
    payload = {"output_id": output_id, "revision": revision, "content_hash": content_hash}
    return row(1, event_type="publication.started", payload=json.dumps(payload))  # type: ignore[no-any-return]


def test_a_publication_starts_only_with_a_live_approval_of_its_content(manager: DatabaseManager) -> None:
    """`publication.started` needs an approval of the same output, revision and hash that was not revoked."""
    live = {"output_id": "o1", "revision": 1, "content_hash": "h1", "at": row(1)["at"], "revoked_position": None}
    with pytest.raises(sa.exc.DBAPIError) as caught:
        manager.execute_write(INSERT, started())
    assert retry.refused(caught.value)
    manager.execute_write(APPROVE, live)
    manager.execute_write(APPROVE, live | {"output_id": "o2", "revoked_position": 5})
    for other in (started("o3"), started(revision=2), started(content_hash="h2"), started("o2")):
        with pytest.raises(sa.exc.DBAPIError):
            manager.execute_write(INSERT, other)
    with pytest.raises(sa.exc.DBAPIError):
        manager.execute_write(INSERT, row(1, event_type="publication.started", payload="{}"))
    assert manager.execute_write(INSERT, started()) == 1


def test_a_temporary_table_of_approvals_approves_nothing(make_database: MakeDatabase) -> None:
    """Only PostgreSQL: a session's own `agents_approvals` does not stand in for the desk's."""
    with (
        DatabaseManager(make_database("postgresql")) as manager,
        pytest.raises(sa.exc.DBAPIError, match="live approval"),
        manager.transaction() as transaction,
    ):
        transaction.execute_write("CREATE TEMP TABLE agents_approvals (LIKE public.agents_approvals)")
        transaction.execute_write("INSERT INTO pg_temp.agents_approvals VALUES ('o1', 1, 'h1', 1, now(), NULL)")
        transaction.execute_write(INSERT, started())


def test_a_modules_tables_are_its_own(manager: DatabaseManager) -> None:
    """What guards the log leaves other tables alone: they are made, renamed, emptied and dropped as before."""
    assert "agents_memory" not in LOG_TABLES
    with manager.transaction() as transaction:
        transaction.execute_write("CREATE TABLE agents_memory_shadow (id INTEGER PRIMARY KEY)")
        transaction.execute_write("CREATE INDEX agents_memory_shadow_id ON agents_memory_shadow (id)")
        transaction.execute_write("INSERT INTO agents_memory_shadow (id) VALUES (1), (2)")
        transaction.execute_write("ALTER TABLE agents_memory_shadow RENAME TO agents_memory")
        assert transaction.execute_write("UPDATE agents_memory SET id = 3 WHERE id = 2") == 1
        assert transaction.execute_write("DELETE FROM agents_memory") == 2
        transaction.execute_write("DROP TABLE agents_memory")
