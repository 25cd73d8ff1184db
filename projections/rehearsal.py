"""Before a replay begins: would all that hangs on the table still be there and work with the new one?

Views and triggers are tried and rolled back, over empty tables. What needs a removed column, or could not be kept, is
named then, not after the work.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

import sqlalchemy as sa

from capture import DatabaseManager, Transaction
from projections import definitions, dependents
from projections.dead_letters import described
from projections.errors import ObjectInTheWay, ViewInTheWay
from projections.folding import Plan
from projections.table import Table


class _TriedOut(Exception):
    """Ends the rehearsal, whose transaction is always rolled back."""


def rehearse(manager: DatabaseManager, plan: Plan) -> None:
    """Try the views of a projection's tables over its new tables.

    Args:
        manager: The database; the shadow tables are there.
        plan: The projector.

    Raises:
        ViewInTheWay: A view would not work any more; the message names it and says why.
        ObjectInTheWay: Something else would not work any more, or be lost; the message names it.
    """
    try_views = _on_postgresql if manager.backend.name == "postgresql" else _on_sqlite
    with suppress(_TriedOut), manager.transaction() as transaction:
        try_views(transaction, plan)
        raise _TriedOut


def _on_postgresql(transaction: Transaction, plan: Plan) -> None:
    # Temporary tables and views hide those of the same name, so nothing that others read is touched or locked.
    connection = transaction.connection
    tables = [oid for table in plan.tables if (oid := dependents.oid_of(connection, table.full_name)) is not None]
    refuse_what_would_be_lost(connection, plan, tables)
    views = dependents.views(connection, tables)
    kept = [dependents.relation(connection, oid) for oid in tables]
    if not views and not any(relation.triggers for relation in kept):
        return
    for table in plan.tables:
        shadow = definitions.shadow(table).name
        connection.exec_driver_sql(f'CREATE TEMPORARY TABLE "{table.full_name}" (LIKE "{shadow}") ON COMMIT DROP')
    for view in views:
        try:
            dependents.run(connection, f'CREATE TEMPORARY VIEW "{view.plain}" AS {view.definition}')
        except sa.exc.DBAPIError as error:
            raise _in_the_way(plan, view.name, error) from error
    for relation in kept:
        for trigger in relation.triggers:
            try:
                dependents.run(connection, trigger.definition)
            except sa.exc.DBAPIError as error:
                raise _trigger_in_the_way(plan, trigger.name, _first_line(error)) from error


def refuse_what_would_be_lost(connection: sa.Connection, plan: Plan, tables: list[int]) -> None:
    """PostgreSQL: see that nothing hangs on the tables and their views but what a swap keeps.

    Raises:
        ObjectInTheWay: Something does.
    """
    lost = dependents.others(connection, [*tables, *dependents.view_oids(connection, tables)])
    if lost:
        raise _would_be_lost(plan, lost)


def own_definitions(connection: sa.Connection, table: str) -> list[str]:
    """SQLite: the indexes and triggers that a person made on a live table, as SQL: its own come with the shadow."""
    found = connection.execute(
        sa.text(
            "SELECT type, name, sql FROM sqlite_master "
            "WHERE type IN ('index', 'trigger') AND lower(tbl_name) = :table AND sql IS NOT NULL ORDER BY type, rowid"
        ),
        {"table": table},
    )
    return [row.sql for row in found if row.type == "trigger" or not definitions.is_own_index(table, row.name)]


def _on_sqlite(transaction: Transaction, plan: Plan) -> None:
    connection = transaction.connection
    names = [row[0] for row in connection.execute(sa.text("SELECT name FROM sqlite_master WHERE type = 'view'"))]
    views = [name for name in names if _fault(connection, name) is None]
    live = [table for table in plan.tables if definitions.exists(connection, table.full_name)]
    lost = [what for table in live for what in _references(connection, table.full_name)]
    if lost:
        raise _would_be_lost(plan, lost)
    triggers = [trigger for table in live for trigger in _working_triggers(connection, table)]
    if not views and not triggers:
        return
    with legacy_renames(connection):
        for table in plan.tables:
            shadow = definitions.shadow(table).name
            if table in live:
                connection.exec_driver_sql(f'ALTER TABLE "{table.full_name}" RENAME TO "{shadow}_of_old"')
            connection.exec_driver_sql(f'ALTER TABLE "{shadow}" RENAME TO "{table.full_name}"')
    for trigger in triggers:
        trigger.again(connection)
        found = trigger.fault(connection, trigger.table.names)
        if found is not None:
            raise _trigger_in_the_way(plan, trigger.name, found)
    for name in views:
        error = _fault(connection, name)
        if error is not None:
            raise _in_the_way(plan, name, error) from error


class _SqliteTrigger(NamedTuple):
    table: Table
    name: str
    sql: str

    def again(self, connection: sa.Connection) -> None:
        """Make it on the table that has the name now."""
        connection.exec_driver_sql(f"DROP TRIGGER {_quoted(self.name)}")
        connection.exec_driver_sql(self.sql)

    def fault(self, connection: sa.Connection, columns: Sequence[str]) -> str | None:
        """What is wrong with it over a table of these columns, which has the name now.

        Its body is only compiled when a statement is that fires it.
        """
        # A column that is not there is no error in UPDATE OF: such a trigger would never fire again.
        watched = re.search(r"\bUPDATE\s+OF\s+(.+?)\s+ON\s", self.sql, re.IGNORECASE | re.DOTALL)
        for name in watched[1].split(",") if watched is not None else []:
            if name.strip().strip('"`[]').lower() not in columns:
                return f"no such column: {name.strip()}"
        names = ", ".join(_quoted(name) for name in columns)
        pairs = ", ".join(f"{_quoted(name)} = NULL" for name in columns)
        for statement in (
            f'INSERT INTO "{self.table.full_name}" ({names}) VALUES ({", ".join(["NULL"] * len(columns))})',
            f'UPDATE "{self.table.full_name}" SET {pairs}',
            f'DELETE FROM "{self.table.full_name}"',
        ):
            try:
                connection.exec_driver_sql(f"EXPLAIN {statement}").all()
            except sa.exc.DBAPIError as error:
                return _first_line(error)
        return None


def _working_triggers(connection: sa.Connection, table: Table) -> list[_SqliteTrigger]:
    """The triggers of a live table; one that is broken already does not hold up a replay."""
    found = connection.execute(
        sa.text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND lower(tbl_name) = :table"),
        {"table": table.full_name},
    )
    triggers = [_SqliteTrigger(table, row.name, row.sql) for row in found]
    columns = [str(column["name"]) for column in sa.inspect(connection).get_columns(table.full_name)]
    return [trigger for trigger in triggers if trigger.fault(connection, columns) is None]


def _references(connection: sa.Connection, table: str) -> list[str]:
    """Foreign keys of other tables: dropping the old table would delete what they refer to."""
    found = connection.execute(
        sa.text(
            "SELECT DISTINCT m.name FROM sqlite_master AS m JOIN pragma_foreign_key_list(m.name) AS f "
            "WHERE m.type = 'table' AND lower(f.\"table\") = :table ORDER BY m.name"
        ),
        {"table": table},
    )
    return [f"a foreign key of table {row.name}" for row in found]


class legacy_renames:  # noqa: N801 - a context manager, read as one
    """SQLite: renames leave the text of views alone, which otherwise would go on naming the table that went away."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.exec_driver_sql("PRAGMA legacy_alter_table = ON")

    def __exit__(self, *_: object) -> None:
        # A Ctrl-C inside leaves a connection that SQLAlchemy has closed already.
        if not self._connection.invalidated:
            self._connection.exec_driver_sql("PRAGMA legacy_alter_table = OFF")


def _fault(connection: sa.Connection, view: str) -> sa.exc.DBAPIError | None:
    try:
        connection.exec_driver_sql(f"SELECT * FROM {_quoted(view)} LIMIT 0").all()
    except sa.exc.DBAPIError as error:
        return error
    return None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _would_be_lost(plan: Plan, lost: list[str]) -> ObjectInTheWay:
    return ObjectInTheWay(
        f"what hangs on the tables of {plan.name} would be lost with the old one: {', '.join(lost)}",
        hint="take it away, replay, and make it again; nothing was changed",
        lost=tuple(lost),
        projection=plan.name,
    )


def _trigger_in_the_way(plan: Plan, trigger: str, fault: str) -> ObjectInTheWay:
    return ObjectInTheWay(
        f"the trigger {trigger} does not work with the new table of {plan.name}: {fault}",
        hint="drop or change the trigger, then replay again; nothing was changed",
        trigger=trigger,
        projection=plan.name,
    )


def _first_line(error: sa.exc.DBAPIError) -> str:
    return (str(error.orig).strip().splitlines() or [described(error)])[0]


def _in_the_way(plan: Plan, view: str, error: sa.exc.DBAPIError) -> ViewInTheWay:
    return ViewInTheWay(
        f"the view {view} does not work with the new table of {plan.name}: {_first_line(error)}",
        hint="drop or change the view, then replay again; nothing was changed",
        view=view,
        projection=plan.name,
    )
