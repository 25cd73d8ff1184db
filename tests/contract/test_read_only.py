"""Nothing leaves `execute_query`: what it runs can't write, inside a transaction and outside, on every backend."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from capture.database import readonly
from capture.database.manager import DatabaseManager
from capture.database.parameters import Statement
from capture.errors import CopydeskError, ReadOnlyViolation
from tests.fixtures.log_rows import row, write_rows

HOSTILE = [
    line["value"]
    for line in json.loads((Path(__file__).parents[1] / "hostile.json").read_text())
    if line["category"] == "sql-read-escape"
]

WRITES = [
    "DELETE FROM agents_events",
    "INSERT INTO agents_leases (name, holder, generation, expires_at) VALUES ('a', 'b', 1, '2026-11-24T10:00:00Z')",
    "UPDATE agents_head SET epoch = 9",
    "UPDATE agents_head SET epoch = 9 RETURNING epoch",
    "CREATE TABLE modules_test_x (id INTEGER)",
    "CREATE TEMP TABLE modules_test_x (id INTEGER)",
    "DROP TABLE agents_leases",
    "ALTER TABLE agents_leases ADD COLUMN x INTEGER",
    "BEGIN",
    "COMMIT",
    "SAVEPOINT x",
    "/* SELECT */ DELETE FROM agents_events",
    "SELECT 1; UPDATE agents_head SET epoch = 9",
    "SELECT 1 /* ; */ ; -- \nUPDATE agents_head SET epoch = 9",
    "WITH n AS (UPDATE agents_head SET epoch = 9 RETURNING epoch) SELECT epoch FROM n",
    "WITH n AS (INSERT INTO agents_leases SELECT * FROM agents_leases RETURNING name) SELECT name FROM n",
]

ONLY_SQLITE = [
    "PRAGMA journal_mode = DELETE",
    "PRAGMA user_version = 7",
    "PRAGMA foreign_keys = OFF",
    "VACUUM",
    "REINDEX",
    "ANALYZE",
    "DETACH DATABASE main",
    "SELECT writefile('leak.txt', 'x')",
    "REPLACE INTO agents_head (id, log_id, epoch, position, recorded_at) VALUES (1, 'x', 9, 0, 'x')",
]

ONLY_POSTGRESQL = [
    "EXPLAIN ANALYZE UPDATE agents_head SET epoch = 9",
    "SELECT * FROM agents_head FOR UPDATE",
    "SELECT * INTO modules_test_x FROM agents_head",
    "CREATE TABLE modules_test_x AS SELECT 1 AS a",
    "DO $$ BEGIN UPDATE agents_head SET epoch = 9; END $$",
    "CALL pg_catalog.nothing()",
    "SET statement_timeout = 1",
    "SET LOCAL transaction_read_only = off",
    "RESET ALL",
    "DISCARD ALL",
    "LISTEN x",
    "NOTIFY x",
    "LOCK TABLE agents_head",
    "PREPARE x AS SELECT 1",
    "DECLARE x CURSOR FOR SELECT 1",
    "COPY agents_head TO STDOUT",
    "EXPLAIN (ANALYZE) DELETE FROM agents_leases",
    "SELECT nextval('modules_test_numbers')",
    "SELECT pg_catalog.set_config('transaction_read_only', 'off', true)",
    "SELECT \"set_config\"('transaction_read_only', 'off', true)",
    "SELECT U&\"\\0073et_config\"('transaction_read_only', 'off', true)",
    "SELECT set_config /* ( */ ('transaction_read_only', 'off', true)",
    "SELECT pg_cancel_backend(pg_backend_pid())",
    "SELECT pg_advisory_lock(1)",
    "SELECT pg_try_advisory_xact_lock(1)",
    "SELECT pg_read_file('postgresql.conf')",
    "SELECT lo_create(7)",
    "SELECT lo_import('/etc/hostname')",
    "SELECT pg_notify('x', 'y')",
    "SELECT pg_export_snapshot()",
    "SELECT pg_switch_wal()",
    "SELECT * FROM dblink('dbname=x', 'DELETE FROM agents_events') AS t(a int)",
    "SELECT query_to_xml('SELECT pg_terminate_backend(pg_backend_pid())', true, true, '')",
]


def state(manager: DatabaseManager) -> dict[str, Any]:
    """What must not change."""
    tables = ("agents_head", "agents_events", "agents_leases")
    rows: dict[str, Any] = {name: manager.execute_query(f"SELECT * FROM {name}") for name in tables}
    with manager.connect() as connection:
        rows["tables"] = sorted(sa.inspect(connection).get_table_names())
    return rows


@pytest.fixture
def log(manager: DatabaseManager) -> DatabaseManager:
    """A manager whose log has two rows."""
    write_rows(manager, row(1), row(2))
    return manager


@pytest.fixture(params=["alone", "in a transaction"])
def where(request: pytest.FixtureRequest) -> str:
    """A statement of its own, or inside a transaction that may write."""
    return str(request.param)


def statements(backend: str) -> list[str]:
    """What is tried on a backend."""
    return HOSTILE + WRITES + (ONLY_SQLITE if backend == "sqlite" else ONLY_POSTGRESQL)


def test_no_statement_leaves_the_guard(log: DatabaseManager, where: str) -> None:
    """Each hostile statement is refused by an error that says so, and the database is as it was."""
    if log.backend.name == "postgresql":
        log.execute_write("CREATE SEQUENCE modules_test_numbers")
    before = state(log)
    with log.transaction() if where != "alone" else nullcontext():
        for sql in statements(log.backend.name):
            with pytest.raises(ReadOnlyViolation):
                log.execute_query(sql)
    assert state(log) == before


def test_a_refused_read_leaves_the_transaction_writable(log: DatabaseManager) -> None:
    """Inside a transaction a refused read ends nothing: the guard is for one statement, and is lifted behind it."""
    with log.transaction() as transaction:
        transaction.execute_write("UPDATE agents_head SET epoch = 2")
        assert transaction.execute_query("SELECT epoch FROM agents_head") == [{"epoch": 2}]
        with pytest.raises(ReadOnlyViolation):
            transaction.execute_query("UPDATE agents_head SET epoch = 3")
        with pytest.raises(sa.exc.DBAPIError):
            transaction.execute_query("SELECT nothing FROM nowhere")
        assert transaction.execute_write("UPDATE agents_head SET epoch = epoch + 2") == 1
    assert log.execute_query("SELECT epoch FROM agents_head") == [{"epoch": 4}]


def test_a_statement_that_wrote_before_is_refused_as_a_read(log: DatabaseManager) -> None:
    """The same text that was just run as a write is refused as a read: no cache of the driver lets it through."""
    sql = "UPDATE agents_head SET epoch = epoch + 1 RETURNING epoch"
    with log.transaction() as transaction:
        for _ in range(7):
            transaction.execute_write(sql)
        with pytest.raises(ReadOnlyViolation):
            transaction.execute_query(sql)
    assert log.execute_query("SELECT epoch FROM agents_head") == [{"epoch": 8}]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 AS a",
        "(SELECT 1 AS a)",
        "  -- first\n SELECT 1 AS a -- last",
        "WITH n AS (SELECT 1 AS a) SELECT a FROM n",
        "WITH RECURSIVE n(a) AS (SELECT 1 UNION SELECT a FROM n) SELECT a FROM n",
        "VALUES (1)",
        "SELECT 1 AS a;",
        "SELECT count(*) AS a FROM (SELECT 1) AS x",
    ],
)
def test_a_query_is_a_query(manager: DatabaseManager, where: str, sql: str) -> None:
    """What reads is run, whatever form of query it has."""
    if sql.startswith("(") and manager.backend.name == "sqlite":
        sql = f"SELECT * FROM {sql}"  # SQLite has no bracketed query at the top
    with manager.transaction() if where != "alone" else nullcontext():
        assert [list(one.values()) for one in manager.execute_query(sql)] == [[1]]


def test_the_schema_can_be_read(manager: DatabaseManager) -> None:
    """Only the words differ: `PRAGMA table_info` on SQLite and `SHOW` on PostgreSQL read, and are allowed."""
    if manager.backend.name == "sqlite":
        columns = [one["name"] for one in manager.execute_query("PRAGMA table_info(agents_head)")]
        assert columns == ["id", "log_id", "epoch", "position", "recorded_at", "moved_to"]
        assert manager.execute_query("PRAGMA journal_mode") == [{"journal_mode": "wal"}]
    else:
        assert manager.execute_query("SHOW transaction_read_only") == [{"transaction_read_only": "on"}]
        assert manager.execute_query("SELECT data ?? 'a' AS there FROM (SELECT '{\"a\":1}'::jsonb AS data) AS x") == [
            {"there": True}
        ]


@pytest.fixture
def without_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database's own guard alone, without the look at the words in front of it."""
    monkeypatch.setattr(readonly, "refuse_what_is_no_query", lambda _tokens, _backend: None)


@pytest.mark.usefixtures("without_words")
@pytest.mark.parametrize("sql", [sql for sql in HOSTILE + WRITES if "DELETE" in sql or "UPDATE" in sql or "SET" in sql])
def test_the_database_itself_refuses(log: DatabaseManager, where: str, sql: str) -> None:
    """With no look at the words, the database still lets no row change: `SET TRANSACTION READ WRITE` included."""
    before = state(log)
    with log.transaction() if where != "alone" else nullcontext(), pytest.raises((CopydeskError, sa.exc.DBAPIError)):
        log.execute_query(sql)
    assert state(log) == before


@pytest.mark.usefixtures("without_words")
def test_the_driver_itself_takes_one_statement(log: DatabaseManager, where: str) -> None:
    """With no look at the words at all, what is sent is one statement: a second one behind it is an error."""
    several = Statement("SELECT 1; COMMIT; UPDATE agents_head SET epoch = 9", (), ())
    before = state(log)
    with (
        log.transaction() if where != "alone" else nullcontext(),
        log.connect() as connection,
        pytest.raises((CopydeskError, sa.exc.SQLAlchemyError)),
    ):
        log.backend.query(connection, several, joined=where != "alone")
    assert state(log) == before


def test_the_mutants_are_left_by_the_statement_itself(log: DatabaseManager) -> None:
    """Naive guards let the hostile lines through: `query_only` on SQLite, READ ONLY without a query on PostgreSQL."""
    leave, enter = ("PRAGMA query_only=OFF", "PRAGMA query_only=ON")
    if log.backend.name == "postgresql":
        leave, enter = ("SET TRANSACTION READ WRITE", "SET TRANSACTION READ ONLY")
    assert leave in HOSTILE
    with log.transaction() as transaction:
        for sql in (enter, leave, "UPDATE agents_head SET epoch = 9"):
            transaction.connection.exec_driver_sql(sql)
    assert log.execute_query("SELECT epoch FROM agents_head") == [{"epoch": 9}]


def test_a_read_leaves_no_trace_in_the_session(make_database: Any) -> None:
    """Only PostgreSQL: what a read sets in its session is gone when it ends, since it is always rolled back."""
    with DatabaseManager(make_database("postgresql")) as manager:
        manager.execute_write(
            "CREATE FUNCTION modules_test_sneaky() RETURNS int LANGUAGE plpgsql AS $$"
            " BEGIN PERFORM set_config('statement_timeout', '1234', false); RETURN 1; END $$"
        )
        assert manager.execute_query("SELECT modules_test_sneaky() AS a") == [{"a": 1}]
        assert manager.execute_query("SHOW statement_timeout") == [{"statement_timeout": "0"}]
