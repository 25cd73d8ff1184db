"""Rows to and from the database, a batch in one statement; both backends' texts stand side by side.

SQLite takes many-row VALUES, PostgreSQL one JSON parameter: `executemany` gives up the interpreter lock at every row
and starves beside a busy agent. Columns are always named: a prepared `SELECT *` fails after a swap.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import sqlalchemy as sa
from pydantic_core import to_json

from projections.columns import WireValue
from projections.table import Key, Row, Table

VARIABLES = 30_000
"""At most so many parameters a statement: SQLite takes 32,766."""

SIZES = (500, 50, 5, 1)
"""Rows a SQLite statement: a few fixed sizes, so that the driver's statement cache meets them again."""

ROWS = 5_000
"""Rows a PostgreSQL statement: its parameter is held in memory as one text."""

POSTGRESQL_TYPES = {
    "text": "text",
    "integer": "bigint",
    "real": "double precision",
    "boolean": "boolean",
    "json": "json",
    "timestamp": "timestamptz",
    "exact": "numeric",
}
"""The column types on PostgreSQL, by kind."""

SQLITE_TYPES = {
    "text": "TEXT",
    "integer": "INTEGER",
    "real": "REAL",
    "boolean": "BOOLEAN",
    "json": "TEXT",
    "timestamp": "TEXT",
    "exact": "TEXT",
}
"""The column types on SQLite, by kind."""

# How a column is read on PostgreSQL, so that it comes as the wire value that went in.
_AS_WIRE = {
    "json": "{}::text",
    "timestamp": """to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')""",
    "exact": "{}::text",
}


class Physical(NamedTuple):
    """A declared table under the name that it has in the database: the live one, or a shadow's.

    Attributes:
        table: The declaration.
        name: The name in the database.
    """

    table: Table
    name: str


def upsert(connection: sa.Connection, physical: Physical, rows: Sequence[Row]) -> None:
    """Write whole rows, replacing those with the same key."""
    table = physical.table
    keys = ", ".join(_quoted(table.key_names))
    rest = [f"{name} = excluded.{name}" for name in _quoted(table.names[len(table.key_names) :])]
    conflict = f"ON CONFLICT ({keys}) DO {'UPDATE SET ' + ', '.join(rest) if rest else 'NOTHING'}"
    columns = ", ".join(_quoted(table.names))
    into = f'INSERT INTO "{physical.name}" ({columns})'
    if connection.dialect.name == "postgresql":
        values = ", ".join(f"r.{alias}::{POSTGRESQL_TYPES[kind]}" for alias, kind in _aliased(table.kinds))
        sql = f"{into} SELECT {values} FROM {_recordset(table.kinds, 'r')} {conflict}"
        _send(connection, sql, rows)
    else:
        row = f"({', '.join('?' * len(table.names))})"
        for some in _chunks(rows, len(table.names)):
            values = ", ".join([row] * len(some))
            connection.exec_driver_sql(f"{into} VALUES {values} {conflict}", tuple(v for one in some for v in one))


def delete(connection: sa.Connection, physical: Physical, keys: Sequence[Key]) -> None:
    """Delete the rows of these keys."""
    table = physical.table
    names, kinds = _quoted(table.key_names), table.kinds[: len(table.key_names)]
    if connection.dialect.name == "postgresql":
        same = " AND ".join(f"t.{name} = k.{alias}" for name, (alias, _) in zip(names, _aliased(kinds), strict=True))
        _send(connection, f'DELETE FROM "{physical.name}" AS t USING {_recordset(kinds, "k")} WHERE {same}', keys)
    else:
        key = f"({', '.join('?' * len(names))})"
        for some in _chunks(keys, len(names)):
            values = ", ".join([key] * len(some))
            sql = f'DELETE FROM "{physical.name}" WHERE ({", ".join(names)}) IN (VALUES {values})'
            connection.exec_driver_sql(sql, tuple(v for one in some for v in one))


def read(connection: sa.Connection, physical: Physical, keys: Sequence[Key]) -> Iterator[Row]:
    """Yield the rows of these keys; a key without a row gives none."""
    table = physical.table
    names, kinds = _quoted(table.key_names), table.kinds[: len(table.key_names)]
    aliases = [alias for alias, _ in _aliased(kinds)]
    same = " AND ".join(f"t.{name} = k.{alias}" for name, alias in zip(names, aliases, strict=True))
    if connection.dialect.name == "postgresql":
        sql = (
            f"SELECT {selected(table, connection.dialect.name)} FROM {_recordset(kinds, 'k')} "
            f'JOIN "{physical.name}" AS t ON {same}'
        )
        for start in range(0, len(keys), ROWS):
            parameter = (_as_json(keys[start : start + ROWS]),)
            yield from as_rows(table, connection.exec_driver_sql(sql, parameter))
    else:
        key = f"({', '.join('?' * len(names))})"
        for some in _chunks(keys, len(names)):
            # CROSS JOIN holds SQLite to this order: the keys outside, the table's index inside.
            sql = (
                f"WITH k({', '.join(aliases)}) AS (VALUES {', '.join([key] * len(some))}) "
                f'SELECT {selected(table, "sqlite")} FROM k CROSS JOIN "{physical.name}" AS t ON {same}'
            )
            yield from as_rows(table, connection.exec_driver_sql(sql, tuple(v for one in some for v in one)))


def selected(table: Table, backend: str) -> str:
    """The columns of a table `t`, in order, as they are read as wire values."""
    if backend != "postgresql":
        return ", ".join(f"t.{name}" for name in _quoted(table.names))
    kinds = zip(_quoted(table.names), table.kinds, strict=True)
    return ", ".join(_AS_WIRE.get(kind, "{}").format(f"t.{name}") for name, kind in kinds)


def as_rows(table: Table, found: Iterable[Sequence[WireValue]]) -> Iterator[Row]:
    """Bring what `selected` read into rows: SQLite has no booleans of its own."""
    booleans = [place for place, kind in enumerate(table.kinds) if kind == "boolean"]
    for one in found:
        row = list(one)
        for place in booleans:
            if row[place] is not None:
                row[place] = bool(row[place])
        yield row


def _send(connection: sa.Connection, sql: str, rows: Sequence[Sequence[WireValue]]) -> None:
    for start in range(0, len(rows), ROWS):
        connection.exec_driver_sql(sql, (_as_json(rows[start : start + ROWS]),))


def _as_json(rows: Sequence[Sequence[WireValue]]) -> str:
    aliases = [f"c{place}" for place in range(len(rows[0]))]
    return to_json([dict(zip(aliases, row, strict=True)) for row in rows]).decode()


def _aliased(kinds: Sequence[str]) -> list[tuple[str, str]]:
    return [(f"c{place}", kind) for place, kind in enumerate(kinds)]


def _recordset(kinds: Sequence[str], name: str) -> str:
    # JSON, times and decimals travel as text and are cast where they are used: nested JSON would be read anew.
    columns = ", ".join(
        f"{alias} {'text' if kind in _AS_WIRE else POSTGRESQL_TYPES[kind]}" for alias, kind in _aliased(kinds)
    )
    return f"json_to_recordset(%s::json) AS {name}({columns})"


def _chunks(rows: Sequence[Sequence[WireValue]], width: int) -> Iterator[Sequence[Sequence[WireValue]]]:
    start = 0
    for size in SIZES:
        while size * width <= VARIABLES and len(rows) - start >= size:
            yield rows[start : start + size]
            start += size


def _quoted(names: Iterable[str]) -> list[str]:
    return [f'"{name}"' for name in names]
