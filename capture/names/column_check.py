"""Whether a table in the database still has the columns that its declaration has."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Column, Connection, Table, inspect, text
from sqlalchemy.schema import CreateColumn
from sqlalchemy.types import TypeEngine

from capture.errors import SchemaChanged


def check_columns(connection: Connection, table: Table) -> None:
    """Compare names, types, NOT NULL and the primary key.

    Args:
        connection: Any connection to the database.
        table: The declared table, under its full name.

    Raises:
        SchemaChanged: They differ; the message says in what, the hint how to change the table.
    """
    inspector = inspect(connection)
    found = {column["name"]: column for column in inspector.get_columns(table.name)}
    key = set(inspector.get_pk_constraint(table.name)["constrained_columns"])
    differences = [f"{name} is not declared" for name in found if name not in table.columns]
    for column in table.columns:
        there = found.get(column.name)
        if there is None:
            differences.append(f"{column.name} is missing")
            continue
        declared, actual = _type(connection, column.type), _type(connection, there["type"])
        if declared != actual and not _same(connection, declared, actual):
            differences.append(f"{column.name} is declared {declared} and is {actual}")
        if bool(column.nullable) != bool(there["nullable"]) and not column.primary_key:
            differences.append(f"{column.name} is declared {_null(column.nullable)} and is {_null(there['nullable'])}")
        if column.primary_key != (column.name in key):
            is_key = "is not" if column.primary_key else "is"
            differences.append(f"{column.name} {is_key} part of the primary key")
    if differences:
        raise SchemaChanged(
            f"the table {table.name} differs from its declaration: {'; '.join(differences)}",
            hint=_hint(
                connection, table, [column for column in table.columns if column.name not in found], differences
            ),
            table=table.name,
        )


def _type(connection: Connection, type_: TypeEngine[Any]) -> str:
    return type_.compile(connection.dialect).upper()


def _same(connection: Connection, declared: str, actual: str) -> bool:
    """PostgreSQL knows a type by several names (FLOAT is DOUBLE PRECISION): ask it, unless a length was given."""
    if connection.dialect.name != "postgresql" or "(" in declared + actual:
        return False
    asked = text("SELECT to_regtype(:declared) = to_regtype(:actual)")
    return connection.execute(asked, {"declared": declared, "actual": actual}).scalar() is True


def _null(nullable: bool | None) -> str:
    return "NULL" if nullable else "NOT NULL"


def _hint(connection: Connection, table: Table, missing: list[Column[Any]], differences: list[str]) -> str:
    addable = all(column.nullable or column.server_default is not None for column in missing)
    if len(missing) == len(differences) and addable:
        statements = "; ".join(
            f"ALTER TABLE {table.name} ADD COLUMN {CreateColumn(column).compile(dialect=connection.dialect)}"
            for column in missing
        )
        return f"add what is missing, by execute_write or another tool: {statements}"
    return "declare the new columns under another table name and copy the rows, or change the table by ALTER TABLE"
