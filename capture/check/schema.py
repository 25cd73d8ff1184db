"""What holds the log append-only, and whose the tables are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from typing import NamedTuple

import sqlalchemy as sa

from capture.check.finding import Finding, error, warning
from capture.database import migrations
from capture.database.manager import DatabaseManager
from capture.database.tables import metadata, table_owners

_TRIGGERS_HINT = (
    "find out who took it away; then make it again as the migrations do "
    "(capture/database/migrations/versions), and run `copydesk db check --against` a checkpoint from before"
)
_PREFIXES = ("agents_", "modules_", "foundups_")
_SHADOW = "_shadow"
"""What is built beside a table has this behind its name, which the grammar keeps from any other."""
_NAME = re.compile(r"CREATE (?:CONSTRAINT )?TRIGGER (\w+)")
_OWN = frozenset({*metadata.tables, "agents_schema_version"})

_SQLITE_TRIGGERS = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'agents_events'"
_POSTGRESQL_TRIGGERS = """
SELECT t.tgname, t.tgenabled::text, p.prosrc FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
 WHERE t.tgrelid = to_regclass('agents_events') AND NOT t.tgisinternal
"""
_SQLITE_TABLES = r"SELECT '', name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\'"
# A table of an extension is the extension's.
_POSTGRESQL_TABLES = """
SELECT CASE WHEN n.nspname = current_schema() THEN '' ELSE n.nspname END, c.relname
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p', 'f', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
   AND n.nspname NOT LIKE 'pg\\_%%'
   AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
 ORDER BY 1, 2
"""


class Trigger(NamedTuple):
    """A trigger that the log must have.

    Attributes:
        name: As `agents_events_no_update`.
        sql: What makes it.
    """

    name: str
    sql: str


def wanted_triggers(backend: str) -> list[Trigger]:
    """The triggers of `agents_events`, as the migrations make them."""
    made: list[Trigger] = []
    for revision in migrations.REVISIONS:
        module = import_module(f"capture.database.migrations.versions.rev_{revision}")
        for statement in getattr(module, f"_{backend.upper()}", ()):
            name = _NAME.search(statement)
            if name is not None and "ON agents_events" in statement:
                made.append(Trigger(name[1], statement))
    return made


def check_triggers(manager: DatabaseManager) -> Iterator[Finding]:
    """Each trigger is there, is on, and still says what it said."""
    backend = manager.backend.name
    with manager.connect() as connection:
        rows = connection.exec_driver_sql(_SQLITE_TRIGGERS if backend == "sqlite" else _POSTGRESQL_TRIGGERS).all()
    found = {row[0]: tuple(row[1:]) for row in rows}
    for trigger in wanted_triggers(backend):
        fault = "it is missing" if trigger.name not in found else None
        if fault is None and backend == "sqlite":
            fault = None if _words(found[trigger.name][0]) == _words(trigger.sql) else "it says something else"
        elif fault is None:
            enabled, source = found[trigger.name]
            # A: always; O: not under session_replication_role = replica; D: never.
            fault = None if enabled == "A" else "it is switched off" if enabled == "D" else "it can be passed by"
            if "RAISE EXCEPTION" not in source:
                fault = "its function refuses nothing"
        if fault is not None:
            yield error("schema", f"the trigger {trigger.name} guards agents_events", fault, _TRIGGERS_HINT)


def check_tables(manager: DatabaseManager) -> Iterator[Finding]:
    """Every table has a prefix and an owner, and every owner its tables."""
    sqlite = manager.backend.name == "sqlite"
    with manager.connect() as connection:
        tables = connection.exec_driver_sql(_SQLITE_TABLES if sqlite else _POSTGRESQL_TABLES).all()
        owners = connection.execute(sa.select(table_owners.c.full_name, table_owners.c.owner)).all()
    here = {name for schema, name in tables if not schema}
    owned = {owner.full_name for owner in owners}
    for schema, name in tables:
        if schema:
            yield warning(
                "tables",
                "the database holds copydesk's tables alone",
                f"the table {name} in the schema {schema}",
                "give copydesk a database of its own, or leave it if it is meant to be there",
            )
        elif not name.startswith(_PREFIXES):
            yield error(
                "tables",
                "every table begins with agents_, modules_ or foundups_",
                f"the table {name}",
                "move it to another database, or make it through ModuleDB",
            )
        elif name not in _OWN and name.partition(_SHADOW)[0] not in owned:
            yield warning(
                "tables",
                "every table has an owner in agents_table_owners",
                f"the table {name} has none",
                "make tables through ModuleDB, FoundupDB or a Projector; drop it if nobody needs it",
            )
    for full_name, owner in owners:
        if full_name not in here:
            yield warning(
                "tables",
                f"{owner} has the table {full_name}",
                "it is gone",
                "its module makes it again at its next start, or `copydesk projections replay` does",
            )
    for name in sorted(_OWN - here):
        yield error("tables", f"the table {name} is there", "it is gone", "restore the database from a backup")


def _words(sql: str) -> str:
    return " ".join(sql.split())
