"""Making, finding and dropping the tables of a projection.

Index and constraint names carry the table's generation: on SQLite they are unique in the whole database and can't be
renamed, on PostgreSQL a new table's would collide with those of the table that it is going to replace.
"""

from __future__ import annotations

import re

import sqlalchemy as sa

from capture import Transaction, claim
from projections.bulk import POSTGRESQL_TYPES, SQLITE_TYPES, Physical
from projections.table import Table

SHADOW = "_shadow"
"""What the name of a table that is being rebuilt ends with; the grammar keeps it free."""


def live(table: Table) -> Physical:
    """The table that everyone reads."""
    return Physical(table, table.full_name)


def shadow(table: Table) -> Physical:
    """The table that a replay builds beside it."""
    return Physical(table, table.full_name + SHADOW)


def create(transaction: Transaction, physical: Physical, generation: int) -> None:
    """Make a table and its indexes.

    Args:
        transaction: Where.
        physical: The declaration, and the name to make it under.
        generation: The number that the names of its constraint and indexes carry.
    """
    table = physical.table
    types = POSTGRESQL_TYPES if transaction.manager.backend.name == "postgresql" else SQLITE_TYPES
    columns = [
        f'"{column.name}" {types[column.kind]}{" NOT NULL" if column.is_key else ""}' for column in table.columns
    ]
    key = ", ".join(f'"{name}"' for name in table.key_names)
    columns.append(f'CONSTRAINT "{_named(table, generation, "pk")}" PRIMARY KEY ({key})')
    transaction.connection.exec_driver_sql(f'CREATE TABLE "{physical.name}" ({", ".join(columns)})')
    for number, names in enumerate(table.indexes, start=1):
        over = ", ".join(f'"{name}"' for name in names)
        sql = f'CREATE INDEX "{_named(table, generation, str(number))}" ON "{physical.name}" ({over})'
        transaction.connection.exec_driver_sql(sql)


def is_own_index(table: str, index: str) -> bool:
    """True when an index has a name as `create` makes it for this table, of any generation."""
    return re.fullmatch(rf"{table}_g\d+_\w+", index) is not None


def claim_names(transaction: Transaction, tables: tuple[Table, ...]) -> None:
    """Enter the tables' names under their owner.

    Raises:
        NamespaceCollision: Another owner has one of the names.
    """
    for table in tables:
        claim(transaction, table.full_name, table.namespace, table.owner or "projections", table.name)


def drop(transaction: Transaction, physical: Physical) -> None:
    """Drop a table if it is there."""
    transaction.connection.exec_driver_sql(f'DROP TABLE IF EXISTS "{physical.name}"')


def exists(connection: sa.Connection, name: str) -> bool:
    """True when there is a table of this name."""
    return sa.inspect(connection).has_table(name)


def _named(table: Table, generation: int, what: str) -> str:
    return f"{table.full_name}_g{generation}_{what}"
