"""The tables as the migrations make them: as declared, guarded, and inside the three namespaces."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Integer

from capture.database import migrations
from capture.database.manager import DatabaseManager
from capture.database.tables import metadata
from capture.names.declaration import table
from capture.names.module_db import ModuleDB
from tests.conftest import MakeDatabase

FOLDER = Path(migrations.__file__).parent


class Notes(ModuleDB):
    """A module with a table."""

    module = "notes"
    notes = table("notes", Column("id", Integer, primary_key=True), Column("n", Integer, index=True))


def shape(connection: sa.Connection) -> dict[str, Any]:
    """Everything about the tables that a declaration can say."""
    inspector = sa.inspect(connection)
    return {
        name: {
            "columns": [
                (column["name"], str(column["type"].compile(connection.dialect)), column["nullable"], column["default"])
                for column in inspector.get_columns(name)
            ],
            "key": inspector.get_pk_constraint(name)["constrained_columns"],
            "unique": sorted(tuple(one["column_names"]) for one in inspector.get_unique_constraints(name)),
            "indexes": sorted(
                (one["name"], tuple(one["column_names"]), bool(one["unique"]))
                for one in inspector.get_indexes(name)
                if "duplicates_constraint" not in one
            ),
            "checks": sorted(re.sub(r"[()]", "", one["sqltext"]) for one in inspector.get_check_constraints(name)),
        }
        for name in inspector.get_table_names()
        if name != migrations.VERSION_TABLE
    }


def test_the_migrations_make_what_the_code_declares(manager: DatabaseManager, make_database: MakeDatabase) -> None:
    """After all migrations the tables are those of `capture.database.tables`: columns, keys, indexes, checks."""
    with DatabaseManager(make_database(manager.backend.name, migrated=False)) as declared:
        with declared.transaction() as transaction, declared.backend.migrating(transaction.connection):
            metadata.create_all(transaction.connection)
        with manager.connect() as one, declared.connect() as other:
            assert shape(one) == shape(other)
            assert set(shape(one)) == set(metadata.tables)


def test_the_order_of_the_logs_columns_is_fixed(manager: DatabaseManager) -> None:
    """The log's columns stand in the order in which an event is documented."""
    with manager.connect() as connection:
        columns = [column["name"] for column in sa.inspect(connection).get_columns("agents_events")]
    assert columns == [
        "position",
        "event_id",
        "event_type",
        "schema_version",
        "stream_id",
        "agent_id",
        "run_id",
        "correlation_id",
        "causation_id",
        "trace_id",
        "occurred_at",
        "recorded_at",
        "payload",
        "digest",
    ]


def test_the_triggers_stand_after_all_migrations(manager: DatabaseManager) -> None:
    """What holds the log append-only is there at the end: a later migration that rebuilds a table would drop it."""
    if manager.backend.name == "sqlite":
        rows = manager.execute_query("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        expected = {"no_update", "no_delete", "dense", "approved"}
    else:
        rows = manager.execute_query(
            "SELECT tgname AS name FROM pg_trigger WHERE tgrelid = 'agents_events'::regclass AND tgenabled = 'A'"
        )
        expected = {"no_update", "no_delete", "no_truncate", "approved"}
    assert {row["name"] for row in rows} == {f"agents_events_{name}" for name in expected}


def test_the_head_is_one_row_of_a_new_log(manager: DatabaseManager) -> None:
    """The migration makes the head: position 0, epoch 1, a log id of its own; there can be no second row."""
    [head] = manager.execute_query("SELECT id, epoch, position, moved_to FROM agents_head")
    assert head == {"id": 1, "epoch": 1, "position": 0, "moved_to": None}
    with pytest.raises(sa.exc.IntegrityError):
        manager.execute_write("UPDATE agents_head SET id = 2")


def test_each_database_has_a_log_id_of_its_own(make_database: MakeDatabase, backend_name: str) -> None:
    """Two databases that are set up apart hold two logs."""
    ids = set()
    for _ in range(2):
        with DatabaseManager(make_database(backend_name, migrated=False)) as manager:
            manager.ensure_schema()
            ids.add(manager.execute_query("SELECT log_id FROM agents_head")[0]["log_id"])
    assert len(ids) == 2


def test_there_is_no_table_outside_the_three_prefixes(manager: DatabaseManager) -> None:
    """Every table, alembic's own included, begins with `agents_`, `modules_` or `foundups_`."""
    Notes(manager).insert("notes", {"n": 1})
    with manager.connect() as connection:
        names = sa.inspect(connection).get_table_names()
    assert "agents_schema_version" in names
    assert "modules_notes_notes" in names
    assert [name for name in names if not name.startswith(("agents_", "modules_", "foundups_"))] == []


def test_the_revisions_are_those_of_the_files() -> None:
    """What the code believes to be the newest revision is what the folder has, in one line without branches."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    script = ScriptDirectory.from_config(config)
    assert tuple(one.revision for one in reversed(list(script.walk_revisions()))) == migrations.REVISIONS
    assert script.get_current_head() == migrations.REVISIONS[-1]


def test_a_migration_imports_nothing_of_the_present() -> None:
    """A migration is the past: it must do tomorrow what it did today, whatever the tables have become."""
    files = [path for path in (FOLDER / "versions").glob("*.py") if path.name != "__init__.py"]
    assert len(files) == len(migrations.REVISIONS)
    for path in files:
        assert not re.search(r"^\s*(from|import) (capture|projections|review)", path.read_text(), re.MULTILINE), path


def test_alembic_is_not_imported_for_a_current_schema(database_url: str) -> None:
    """A process that finds its tables current pays nothing for the migrations (alembic takes 0.5 s to import)."""
    program = (
        "import sys; from capture.database.manager import DatabaseManager\n"
        f"with DatabaseManager({database_url!r}) as manager: manager.ensure_schema()\n"
        "print([name for name in ('alembic', 'mako', 'tenacity') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
