"""A module's tables: made by whoever comes first, and checked by everyone else."""

from __future__ import annotations

import weakref
from collections.abc import Mapping

import sqlalchemy
from sqlalchemy import Connection, Table, inspect, select
from sqlalchemy.exc import NoReferencedTableError

from capture.database.manager import DatabaseManager
from capture.database.tables import table_owners
from capture.database.transaction import Transaction
from capture.errors import InvalidName
from capture.names.column_check import check_columns
from capture.names.owners import claim

_READY: weakref.WeakKeyDictionary[DatabaseManager, weakref.WeakSet[type]] = weakref.WeakKeyDictionary()
"""The classes whose tables were made or checked, by database: each is looked at once."""


def make_or_check(manager: DatabaseManager, of: type, namespace: str, owner: str, tables: Mapping[str, Table]) -> None:
    """See that the tables are there, belong to this owner, and have the declared columns.

    Args:
        manager: The database.
        of: The class that declares the tables.
        namespace: `modules` or `foundups`.
        owner: The module or the project.
        tables: The declared tables, by their own names.

    Raises:
        NamespaceCollision: Another owner has one of the full names; nothing was made.
        SchemaChanged: A table differs from its declaration.
        SchemaMissing: This role may not make tables.
    """
    ready = _READY.setdefault(manager, weakref.WeakSet())
    if of in ready:
        return
    manager.ensure_schema()

    def make(transaction: Transaction) -> None:
        _make(transaction, namespace, owner, tables)
        transaction.after_commit(lambda: ready.add(of))

    with manager.connect() as connection:
        there = _owned(connection, namespace, owner, tables) and _exist(connection, tables)
        if there:
            for table in tables.values():
                check_columns(connection, table)
    if there:
        ready.add(of)
        return
    try:
        manager.retrying(make)
    except NoReferencedTableError as error:
        raise InvalidName(
            f"a foreign key of {owner} names a table that it does not declare: {error}",
            hint=f'write the target in full: ForeignKey("{namespace}_{owner}_….…")',
        ) from None
    except sqlalchemy.exc.DBAPIError as error:
        raise manager.backend.explain(error) or error from error


def _make(transaction: Transaction, namespace: str, owner: str, tables: Mapping[str, Table]) -> None:
    connection = transaction.connection
    transaction.manager.backend.lock_definitions(connection)
    for name, table in tables.items():
        claim(transaction, table.name, namespace, owner, name)
    existing = set(inspect(connection).get_table_names())
    # In the order of their foreign keys, which each class's own metadata knows.
    for table in next(iter(tables.values())).metadata.sorted_tables:
        if table.name in existing:
            check_columns(connection, table)
        else:
            table.create(connection, checkfirst=False)


def _owned(connection: Connection, namespace: str, owner: str, tables: Mapping[str, Table]) -> bool:
    columns = table_owners.c
    rows = connection.execute(
        select(columns.full_name, columns.table_name).where(
            columns.full_name.in_([table.name for table in tables.values()]),
            columns.namespace == namespace,
            columns.owner == owner,
        )
    ).all()
    return {(row.full_name, row.table_name) for row in rows} == {(table.name, name) for name, table in tables.items()}


def _exist(connection: Connection, tables: Mapping[str, Table]) -> bool:
    return set(inspect(connection).get_table_names()) >= {table.name for table in tables.values()}
