"""What `execute_query` and `execute_write` do, on every backend."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
import sqlalchemy as sa

from capture.database import retry
from capture.database.manager import DatabaseManager
from capture.database.tables import events
from capture.errors import BadStatement, DatabaseUnavailable, NotADatabase
from capture.settings import Settings
from tests.conftest import MakeDatabase
from tests.fixtures.log_rows import row, write_rows

HOSTILE_VALUES = [
    line["value"]
    for line in json.loads((Path(__file__).parents[1] / "hostile.json").read_text())
    if line["category"] == "sql-value"
]


@pytest.fixture
def notes(manager: DatabaseManager) -> DatabaseManager:
    """A manager whose database has a table `modules_test_notes`."""
    manager.execute_write("CREATE TABLE modules_test_notes (id INTEGER PRIMARY KEY, body TEXT, kind TEXT)")
    return manager


def test_rows_are_dicts_in_the_order_of_the_columns(manager: DatabaseManager) -> None:
    """`execute_query` returns real dicts whose keys stand in the order of the columns."""
    rows = manager.execute_query("SELECT 2 AS b, 'x' AS a, NULL AS c")
    assert rows == [{"b": 2, "a": "x", "c": None}]
    assert type(rows[0]) is dict
    assert list(rows[0]) == ["b", "a", "c"]


def test_a_write_returns_the_count_of_rows(notes: DatabaseManager) -> None:
    """`execute_write` counts what was inserted, updated or deleted, and nothing for a definition."""
    insert = "INSERT INTO modules_test_notes (id, body) VALUES (?, ?), (?, ?)"
    assert notes.execute_write(insert, (1, "a", 2, "b")) == 2
    assert notes.execute_write("WITH n AS (SELECT 3 AS id) INSERT INTO modules_test_notes (id) SELECT id FROM n") == 1
    assert notes.execute_write("UPDATE modules_test_notes SET kind = :kind", {"kind": "x"}) == 3
    assert notes.execute_write("UPDATE modules_test_notes SET kind = 'y' WHERE id > 1 RETURNING id") == 2
    assert notes.execute_write("DELETE FROM modules_test_notes WHERE id = 99") == 0
    assert notes.execute_write("CREATE TABLE modules_test_more (id INTEGER)") == 0
    assert notes.execute_write("DELETE FROM modules_test_notes") == 3


@pytest.mark.parametrize("value", HOSTILE_VALUES)
def test_a_hostile_value_stays_data(notes: DatabaseManager, value: str) -> None:
    """A value that looks like SQL or like a placeholder is stored and found as it is, in both parameter styles."""
    notes.execute_write("INSERT INTO modules_test_notes (id, body) VALUES (?, ?)", (1, value))
    notes.execute_write("INSERT INTO modules_test_notes (id, body) VALUES (:id, :body)", {"id": 2, "body": value})
    found = notes.execute_query("SELECT id, body FROM modules_test_notes WHERE body = ? ORDER BY id", (value,))
    assert found == [{"id": 1, "body": value}, {"id": 2, "body": value}]


@pytest.mark.parametrize("value", [value for value in HOSTILE_VALUES if "\\" not in value])
def test_a_hostile_literal_stays_data(manager: DatabaseManager, value: str) -> None:
    """A `%`, `?` or `:` inside a string is data, with parameters beside it and without."""
    literal = "'" + value.replace("'", "''") + "'"
    assert manager.execute_query(f"SELECT {literal} AS v") == [{"v": value}]
    assert manager.execute_query(f"SELECT {literal} AS v, 1 + ? AS n /* ? :x */ -- %", (1,)) == [{"v": value, "n": 2}]
    assert manager.execute_query(f"SELECT {literal} AS v, 1 + :n AS n", {"n": 1}) == [{"v": value, "n": 2}]


def test_a_write_inside_an_open_connection_does_not_wait_for_itself(notes: DatabaseManager) -> None:
    """A thread that holds a connection with half-read rows can write at once (it waited 5 s and failed elsewhere)."""
    notes.execute_write("INSERT INTO modules_test_notes (id) VALUES (?), (?)", (1, 2))
    with notes.connect() as connection:
        rows = connection.exec_driver_sql("SELECT id FROM modules_test_notes ORDER BY id")
        assert rows.fetchone() == (1,)
        assert notes.execute_write("UPDATE modules_test_notes SET body = 'x'") == 2
        assert rows.fetchone() == (2,)


def test_a_composite_upsert_with_positional_parameters(notes: DatabaseManager) -> None:
    """An upsert on several columns with `?` and a tuple works alike on every backend."""
    notes.execute_write("CREATE UNIQUE INDEX modules_test_notes_one ON modules_test_notes (body, kind)")
    upsert = (
        "INSERT INTO modules_test_notes (id, body, kind) VALUES (?, ?, ?)"
        " ON CONFLICT (body, kind) DO UPDATE SET id = excluded.id"
    )
    assert [notes.execute_write(upsert, (number, "b", "k")) for number in (1, 2)] == [1, 1]
    assert notes.execute_query("SELECT id, body, kind FROM modules_test_notes") == [{"id": 2, "body": "b", "kind": "k"}]


def test_json_comes_back_as_the_text_that_went_in(manager: DatabaseManager) -> None:
    """Key order, duplicates and the writing of numbers survive, by SQL and by SQLAlchemy's Core."""
    payload = '{"b":1,"a":1.0,"a":2,"z":1e2}'
    write_rows(manager, row(1, payload=payload))
    assert manager.execute_query("SELECT payload FROM agents_events") == [{"payload": payload}]
    with manager.connect() as connection:
        assert connection.execute(sa.select(events.c.payload)).scalar_one() == payload


def test_times_and_ids_come_back_as_the_same_values(manager: DatabaseManager) -> None:
    """Through the tables' own types a time is aware, in UTC, to the microsecond, and an id is text, on each backend."""
    moment = datetime(2026, 11, 24, 10, 0, 0, 123456, tzinfo=UTC)
    event_id = UUID("01a2b3c4-0000-7000-8000-0000000000AB")
    with manager.transaction() as transaction:
        values = row(1, event_id=event_id) | {"occurred_at": moment, "recorded_at": moment}
        values |= {"schema_version": 1, "agent_id": "anna"}
        del values["at"]
        transaction.connection.execute(events.insert().values(values))
    with manager.connect() as connection:
        found = connection.execute(sa.select(events.c.event_id, events.c.recorded_at, events.c.digest)).one()
    assert found == (str(event_id), moment, b"\0" * 32)
    assert found.recorded_at.tzinfo is UTC


def test_several_statements_at_once_are_refused(notes: DatabaseManager) -> None:
    """One call is one statement, on every backend; nothing of two is done."""
    with pytest.raises(BadStatement, match="one statement"):
        notes.execute_write("INSERT INTO modules_test_notes (id) VALUES (1); DELETE FROM modules_test_notes")
    assert notes.execute_query("SELECT id FROM modules_test_notes") == []


@pytest.mark.parametrize(
    "sql", ["COMMIT", "rollback", "BEGIN", "SAVEPOINT x", "/* x */ END", "COPY agents_head TO STDOUT"]
)
def test_a_write_can_not_end_its_transaction(manager: DatabaseManager, sql: str) -> None:
    """What would begin or end a transaction under its block is refused in words."""
    with pytest.raises(BadStatement, match="transaction"):
        manager.execute_write(sql)


def test_an_error_of_the_database_is_sqlalchemys_on_every_backend(notes: DatabaseManager) -> None:
    """A violated constraint is `sqlalchemy.exc.IntegrityError`, whichever driver found it."""
    notes.execute_write("INSERT INTO modules_test_notes (id) VALUES (1)")
    with pytest.raises(sa.exc.IntegrityError):
        notes.execute_write("INSERT INTO modules_test_notes (id) VALUES (1)")


@pytest.mark.parametrize("value", ["\ud800", 2**70])
def test_a_value_that_no_column_holds_is_refused_in_the_same_terms(notes: DatabaseManager, value: object) -> None:
    """A lone surrogate or an integer beyond 64 bits is SQLAlchemy's error, as a refusal, for writes and for reads."""
    insert = "INSERT INTO modules_test_notes (id, body) VALUES (1, ?)" if isinstance(value, str) else None
    for call in (
        lambda: notes.execute_write(insert or "INSERT INTO modules_test_notes (id) VALUES (?)", (value,)),
        lambda: notes.execute_query("SELECT id FROM modules_test_notes WHERE id = CAST(? AS BIGINT)", (value,)),
    ):
        with pytest.raises(sa.exc.StatementError) as caught:
            call()
        assert retry.refused(caught.value)
    assert notes.execute_query("SELECT id FROM modules_test_notes") == []


def test_threads_write_at_the_same_time(notes: DatabaseManager) -> None:
    """Many threads write through one manager, and nothing is lost or refused."""

    def write(first: int) -> None:
        for number in range(first, first + 25):
            notes.execute_write("INSERT INTO modules_test_notes (id) VALUES (?)", (number,))

    threads = [threading.Thread(target=write, args=(100 * n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert notes.execute_query("SELECT count(*) AS n FROM modules_test_notes") == [{"n": 200}]


def test_get_makes_one_manager_and_a_failed_start_leaves_none(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`DatabaseManager.get()` gives every thread the same object; after a bad setting the next try works."""
    DatabaseManager.reset()
    monkeypatch.setenv("DATABASE_URL", "nonsense")
    with pytest.raises(Exception, match="database URL"):
        DatabaseManager.get()
    monkeypatch.setenv("DATABASE_URL", database_url)
    found: list[DatabaseManager] = []
    threads = [threading.Thread(target=lambda: found.append(DatabaseManager.get())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(manager) for manager in found}) == 1
    assert found[0].execute_query("SELECT 1 AS one") == [{"one": 1}]
    DatabaseManager.reset()
    with pytest.raises(DatabaseUnavailable, match="closed"):
        found[0].execute_query("SELECT 1")


def test_without_a_url_the_database_is_a_file_named_by_the_foundup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only SQLite: with nothing set the database is `{foundup}.db` in the working directory."""
    monkeypatch.chdir(tmp_path)
    settings = Settings.from_environment({"FOUNDUP": "gotjunk"})
    with DatabaseManager(settings=settings) as manager:
        manager.ensure_schema()
    assert (tmp_path / "gotjunk.db").is_file()


@pytest.mark.parametrize("synchronous", ["normal", "full"])
def test_every_connection_of_sqlite_has_the_pragmas(make_database: MakeDatabase, synchronous: str) -> None:
    """Only SQLite has pragmas: reading and writing connections all have them, also the tenth."""
    settings = Settings.from_environment({"COPYDESK_SYNCHRONOUS": synchronous})
    names = ("journal_mode", "foreign_keys", "busy_timeout", "synchronous")
    expected = ["wal", 1, 5000, 2 if synchronous == "full" else 1]

    def pragmas(connection: sa.Connection) -> list[object]:
        return [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in names]

    with DatabaseManager(make_database("sqlite"), settings=settings) as manager:
        with manager.transaction() as transaction:
            assert pragmas(transaction.connection) == expected
        opened = [manager.connect() for _ in range(10)]
        connections = [one.__enter__() for one in opened]
        assert [pragmas(connection) for connection in connections] == [expected] * 10
        for one in opened:
            one.__exit__(None, None, None)


def test_a_file_that_is_no_database_is_told_and_left_alone(tmp_path: Path) -> None:
    """Only SQLite: a file of something else is `NotADatabase`, in one line, and not a byte of it changes."""
    text = tmp_path / "notes.txt"
    text.write_bytes(b"Dear diary, this is more than sixteen bytes of text.\n" * 100)
    before = text.read_bytes()
    with DatabaseManager(f"sqlite:///{text}") as manager:
        with pytest.raises(NotADatabase, match="is not a SQLite database"):
            manager.ensure_schema()
        with pytest.raises(NotADatabase):
            manager.execute_write("CREATE TABLE modules_x_y (id INTEGER)")
    assert text.read_bytes() == before


def test_another_programs_database_is_told_and_left_alone(tmp_path: Path) -> None:
    """Only SQLite: a file with tables of another program is not switched to WAL, let alone filled with our tables."""
    import sqlite3

    path = tmp_path / "places.sqlite"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE moz_places (id INTEGER)")
    other.commit()
    other.close()
    before = path.read_bytes()
    with DatabaseManager(f"sqlite:///{path}") as manager, pytest.raises(NotADatabase, match="moz_places"):
        manager.ensure_schema()
    assert path.read_bytes() == before


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    """Only SQLite: a database in a folder that does not exist names the folder."""
    with DatabaseManager(f"sqlite:///{tmp_path}/nowhere/desk.db") as manager:
        with pytest.raises(DatabaseUnavailable, match="nowhere"):
            manager.execute_query("SELECT 1")
        with pytest.raises(DatabaseUnavailable, match="nowhere"):
            manager.ensure_schema()


def test_a_server_that_is_not_there_is_told_without_the_password(tmp_path: Path) -> None:
    """Only PostgreSQL: a server that can't be reached is one line without the password."""
    with DatabaseManager(f"postgresql://anna:s3cr3t@/desk?host={tmp_path}") as manager:
        with pytest.raises(DatabaseUnavailable) as caught:
            manager.execute_query("SELECT 1")
        assert "s3cr3t" not in caught.value.message
        assert "\n" not in caught.value.message
