"""What a handler says should change, as values: a batch of them is folded in memory and written in one statement.

Every value is checked and brought into its stored form here, inside the handler's call, so that a bad one is known by
its event and before any transaction.
"""

from __future__ import annotations

from decimal import Decimal
from enum import IntEnum
from typing import NamedTuple

from projections.columns import WireValue
from projections.table import Key, Row, Table

MAX_KEY_BYTES = 2_600
"""The longest key, all columns together: PostgreSQL refuses index entries over 2,704 bytes, and both backends agree."""

_NO_VALUES: dict[str, WireValue] = {}
_new_tuple = tuple.__new__


class Operation(IntEnum):
    """What a change does to the row of its key."""

    SET = 1
    FIRST = 2
    ADD = 3
    APPEND = 4
    DELETE = 5
    PUT = 6


class Change(NamedTuple):
    """One change to one row.

    Attributes:
        table: The table.
        key: The row's key.
        operation: What to do.
        values: By column.
        row: The whole row of a `PUT`.
    """

    table: Table
    key: Key
    operation: Operation
    values: dict[str, WireValue]
    row: Row = []  # noqa: RUF012 - never written to: that of a `PUT` is made with it


class RowChange:
    """The changes to one row, as `rows.at(agent_id="a").set(kind="fact").add(times=1)`. Each call says one more."""

    __slots__ = ("_changes", "_key", "_table")

    def __init__(self, changes: list[Change], table: Table, key: Key) -> None:
        self._changes = changes
        self._table = table
        self._key = key

    def set(self, **values: object) -> RowChange:
        """Put values into columns; the others stay.

        Raises:
            TypeError: No such column, a column of the key, or a value of another kind.
            ValueError: A value that one of the databases would refuse.
        """
        self._changes.append(Change(self._table, self._key, Operation.SET, wire_values(self._table, values)))
        return self

    def first(self, **values: object) -> RowChange:
        """Put values into columns that are NULL: the first value that is not None stays.

        Raises:
            TypeError: No such column, a column of the key, or a value of another kind.
            ValueError: A value that one of the databases would refuse.
        """
        self._changes.append(Change(self._table, self._key, Operation.FIRST, wire_values(self._table, values)))
        return self

    def add(self, **amounts: int | Decimal) -> RowChange:
        """Add to columns; a missing value counts as 0.

        Args:
            amounts: Integers into `Integer` columns, integers and Decimals into `Exact` ones.

        Raises:
            TypeError: A float, whose sums depend on how events are batched; or a column that can't be added to.
        """
        for name, amount in amounts.items():
            kind = self._table.kinds[_place(self._table, name)]
            if isinstance(amount, float):
                raise TypeError(
                    f"{self._table.full_name}.{name}: .add takes integers and Decimals; sums of floats depend on how "
                    "events are batched (0.1 + 0.2 + 0.3)"
                )
            if kind not in ("integer", "exact"):
                raise TypeError(
                    f"{self._table.full_name}.{name}: .add needs an Integer or Exact column, this is {kind}"
                )
        values = {name: self._table.to_wire[name](amount) for name, amount in amounts.items()}
        self._changes.append(Change(self._table, self._key, Operation.ADD, values))
        return self

    def append(self, **items: object) -> RowChange:
        """Add an item to the end of a list in a `Json` column; a missing list is begun.

        Raises:
            TypeError: The column is not a `Json` column, or the item is no JSON value.
        """
        for name in items:
            if self._table.kinds[_place(self._table, name)] != "json":
                raise TypeError(f"{self._table.full_name}.{name}: .append needs a Json column that holds a list")
        values = {name: self._table.to_wire[name](item) for name, item in items.items()}
        self._changes.append(Change(self._table, self._key, Operation.APPEND, values))
        return self


class TableRows:
    """The rows of one table, as a handler changes them."""

    __slots__ = ("_changes", "_table")

    def __init__(self, changes: list[Change], table: Table) -> None:
        self._changes = changes
        self._table = table

    def at(self, **key: object) -> RowChange:
        """The row with this key, which need not be there yet.

        Args:
            key: A value for each column of the key.

        Raises:
            TypeError: A column of the key is missing, another is named, or a value is None or of another kind.
            ValueError: The key is longer than 2,600 bytes.
        """
        return RowChange(self._changes, self._table, wire_key(self._table, key))

    def upsert(self, **values: object) -> None:
        """Put a row in place: the key and any columns. Columns that are not named stay, or are NULL in a new row.

        Raises:
            TypeError: A column of the key is missing, there is no such column, or a value is of another kind.
            ValueError: A value that one of the databases would refuse.
        """
        table = self._table
        if len(values) == len(table.names):
            try:
                row = table.whole_row(values)
                key = checked_key(table, tuple(row[: len(table.key_names)]))
            except (KeyError, TypeError, ValueError):
                pass  # the long way round says which column it is
            else:
                self._changes.append(_new_tuple(Change, (table, key, Operation.PUT, _NO_VALUES, row)))
                return
        named = {name: values.pop(name) for name in table.key_names if name in values}
        self.at(**named).set(**values)

    def delete(self, **key: object) -> None:
        """Take the row with this key away, if it is there.

        Raises:
            TypeError: As `at`.
            ValueError: As `at`.
        """
        self._changes.append(Change(self._table, wire_key(self._table, key), Operation.DELETE, {}))


class Rows(TableRows):
    """What a handler is given. `rows.at(…)` and the others act on the projector's one table.

    Of a projector with several tables, `rows[self.totals].at(…)` acts on one of them.
    """

    __slots__ = ("_tables",)

    def __init__(self, tables: tuple[Table, ...], changes: list[Change] | None = None) -> None:
        super().__init__([] if changes is None else changes, tables[0])
        self._tables = {table.full_name: table for table in tables}

    def __getitem__(self, table: Table) -> TableRows:
        if table.full_name not in self._tables:
            raise TypeError(f"the projector has the tables {', '.join(self._tables)}, found {table.full_name}")
        return TableRows(self._changes, self._tables[table.full_name])

    def taken(self) -> list[Change]:
        """The changes so far, in the order in which they were said; the list begins anew."""
        changes = self._changes[:]
        self._changes.clear()
        return changes


def wire_key(table: Table, key: dict[str, object]) -> Key:
    """Bring a key into its stored form.

    Raises:
        TypeError: A column is missing, another is named, or a value is None or of another kind.
        ValueError: Longer than 2,600 bytes, or a value that one of the databases would refuse.
    """
    if len(key) != len(table.key_names):
        raise TypeError(f"{table.full_name}: the key is {table.key_names}, found {tuple(key)}")
    try:
        wire = tuple([made(key[name]) for name, made in table.key_to_wire])
    except KeyError:
        raise TypeError(f"{table.full_name}: the key is {table.key_names}, found {tuple(key)}") from None
    except (TypeError, ValueError) as error:
        raise type(error)(f"{table.full_name}: in the key {table.key_names}: {error}") from None
    return checked_key(table, wire)


def checked_key(table: Table, wire: Key) -> Key:
    """A key that both databases take.

    Raises:
        TypeError: A value is None.
        ValueError: Longer than 2,600 bytes.
    """
    if None in wire:
        raise TypeError(f"{table.full_name}: in the key {table.key_names}: a value was expected, found None")
    length = 0
    for value in wire:
        if type(value) is str:
            length += len(value)
    # No character has more than four bytes.
    if length > MAX_KEY_BYTES // 4 and sum(len(str(value).encode()) for value in wire) > MAX_KEY_BYTES:
        raise ValueError(f"{table.full_name}: a key of at most {MAX_KEY_BYTES:,} bytes was expected, this is longer")
    return wire


def wire_values(table: Table, values: dict[str, object]) -> dict[str, WireValue]:
    """Bring the values of columns into their stored form.

    Raises:
        TypeError: No such column, a column of the key, or a value of another kind; the message names the column.
        ValueError: A value that one of the databases would refuse; the message names the column.
    """
    wire: dict[str, WireValue] = {}
    to_wire = table.rest_to_wire
    name = ""
    try:
        for name, value in values.items():
            wire[name] = to_wire[name](value) if value is not None or name not in to_wire else None
    except KeyError:
        _place(table, name)
        raise
    except (TypeError, ValueError) as error:
        raise type(error)(f"{table.full_name}.{name}: {error}") from None
    return wire


def _place(table: Table, name: str) -> int:
    place = table.index.get(name)
    if place is None:
        raise TypeError(f"{table.full_name} has no column {name}, it has {', '.join(table.names)}")
    if place < len(table.key_names):
        raise TypeError(f"{table.full_name}.{name} is a column of the key, which says where a row is")
    return place
