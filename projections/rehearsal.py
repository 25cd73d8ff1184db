"""Before a replay begins: would every view that hangs on the table still work with the new one?

It is tried and rolled back, over empty tables. A view that needs a removed column is named then, not after the work.
"""

from __future__ import annotations

from contextlib import suppress

import sqlalchemy as sa

from capture import DatabaseManager, Transaction
from projections import definitions, dependents
from projections.dead_letters import described
from projections.errors import ViewInTheWay
from projections.folding import Plan


class _TriedOut(Exception):
    """Ends the rehearsal, whose transaction is always rolled back."""


def rehearse(manager: DatabaseManager, plan: Plan) -> None:
    """Try the views of a projection's tables over its new tables.

    Args:
        manager: The database; the shadow tables are there.
        plan: The projector.

    Raises:
        ViewInTheWay: A view would not work any more; the message names it and says why.
    """
    try_views = _on_postgresql if manager.backend.name == "postgresql" else _on_sqlite
    with suppress(_TriedOut), manager.transaction() as transaction:
        try_views(transaction, plan)
        raise _TriedOut


def _on_postgresql(transaction: Transaction, plan: Plan) -> None:
    # Temporary tables and views hide those of the same name, so nothing that others read is touched or locked.
    connection = transaction.connection
    tables = [oid for table in plan.tables if (oid := dependents.oid_of(connection, table.full_name)) is not None]
    views = dependents.views(connection, tables)
    if not views:
        return
    for table in plan.tables:
        shadow = definitions.shadow(table).name
        connection.exec_driver_sql(f'CREATE TEMPORARY TABLE "{table.full_name}" (LIKE "{shadow}") ON COMMIT DROP')
    for view in views:
        try:
            dependents.run(connection, f'CREATE TEMPORARY VIEW "{view.plain}" AS {view.definition}')
        except sa.exc.DBAPIError as error:
            raise _in_the_way(plan, view.name, error) from error


def _on_sqlite(transaction: Transaction, plan: Plan) -> None:
    connection = transaction.connection
    names = [row[0] for row in connection.execute(sa.text("SELECT name FROM sqlite_master WHERE type = 'view'"))]
    views = [name for name in names if _fault(connection, name) is None]
    if not views:
        return
    with legacy_renames(connection):
        for table in plan.tables:
            shadow = definitions.shadow(table).name
            if definitions.exists(connection, table.full_name):
                connection.exec_driver_sql(f'ALTER TABLE "{table.full_name}" RENAME TO "{shadow}_of_old"')
            connection.exec_driver_sql(f'ALTER TABLE "{shadow}" RENAME TO "{table.full_name}"')
    for name in views:
        error = _fault(connection, name)
        if error is not None:
            raise _in_the_way(plan, name, error) from error


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
    quoted = '"' + view.replace('"', '""') + '"'
    try:
        connection.exec_driver_sql(f"SELECT * FROM {quoted} LIMIT 0").all()
    except sa.exc.DBAPIError as error:
        return error
    return None


def _in_the_way(plan: Plan, view: str, error: sa.exc.DBAPIError) -> ViewInTheWay:
    lines = str(error.orig).strip().splitlines() or [described(error)]
    return ViewInTheWay(
        f"the view {view} does not work with the new table of {plan.name}: {lines[0]}",
        hint="drop or change the view, then replay again; nothing was changed",
        view=view,
        projection=plan.name,
    )
