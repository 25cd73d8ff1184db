"""The rows that a fold works on, in memory: read once, changed by value, and written at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Context, Decimal, Inexact

from projections.columns import LARGEST, MAX_DIGITS, WireValue
from projections.rows import Change, Operation
from projections.table import Key, Row, Table

Read = Callable[[Table, Sequence[Key]], Iterable[Row]]
"""Reads the rows of some keys, in one statement. A key without a row gives none."""

# Wide enough for any sum of two decimals that a column takes; a sum that would be rounded is refused instead.
_EXACT = Context(prec=2 * MAX_DIGITS + 1, traps=[Inexact])


class Working:
    """The rows of some tables, as far as a fold has touched them.

    Args:
        tables: The tables.
        read: Reads rows that are not here yet; None when nothing is there but what this fold makes.
        empty: There is nothing to read until rows were let go.

    Attributes:
        rows: Per table the row of each key, or None where there is none. A row is never changed in place.
        touched: Per table the keys that were changed since the last `written()`.
        values: The decoded values of a keyed fold, by key.
    """

    def __init__(self, tables: Iterable[Table], read: Read | None, *, empty: bool = False) -> None:
        self.tables = {table.full_name: table for table in tables}
        self.rows: dict[str, dict[Key, Row | None]] = {name: {} for name in self.tables}
        self.touched: dict[str, set[Key]] = {name: set() for name in self.tables}
        self.values: dict[Key, object] = {}
        self._read = read
        self._complete = empty or read is None

    @property
    def needs_reading(self) -> bool:
        """False when every row that there is is here."""
        return not self._complete

    def load(self, table: Table, keys: Iterable[Key]) -> None:
        """Make sure that the rows of these keys are here."""
        if self._complete or self._read is None:
            return
        rows = self.rows[table.full_name]
        missing = [key for key in keys if key not in rows]
        if not missing:
            return
        rows.update(dict.fromkeys(missing))
        width = len(table.key_names)
        for row in self._read(table, missing):
            rows[tuple(row[:width])] = row

    def change(self, change: Change) -> None:
        """Apply one change.

        Raises:
            ValueError: A sum beyond the column, or an item for a value that is no list.
        """
        table, key, operation, values, whole = change
        rows = self.rows[table.full_name]
        self.touched[table.full_name].add(key)
        if operation is Operation.PUT:
            rows[key] = whole
            return
        if operation is Operation.DELETE:
            rows[key] = None
            return
        before = rows.get(key)
        row: Row = [*key, *[None] * (len(table.names) - len(key))] if before is None else before.copy()
        for name, value in values.items():
            place = table.index[name]
            if operation is Operation.SET:
                row[place] = value
            elif operation is Operation.FIRST:
                if row[place] is None:
                    row[place] = value
            elif operation is Operation.ADD:
                row[place] = _sum(table, place, row[place], value)
            else:
                row[place] = _appended(table, place, row[place], value)
        rows[key] = row

    def put(self, name: str, key: Key, row: Row | None) -> None:
        """Put a whole row of the table of this name in place, or take it away."""
        self.rows[name][key] = row
        self.touched[name].add(key)

    def changed_rows(self) -> Iterator[tuple[Table, list[Row], list[Key]]]:
        """Per touched table the rows to write and the keys to delete."""
        for name, keys in self.touched.items():
            if keys:
                rows = self.rows[name]
                found = [(key, rows[key]) for key in keys]
                written = [row for _, row in found if row is not None]
                yield self.tables[name], written, [key for key, row in found if row is None]

    def touched_rows(self) -> int:
        """How many rows were changed since the last `written()`."""
        return sum(len(keys) for keys in self.touched.values())

    def written(self, keep: int) -> None:
        """Note that what was touched is written.

        Args:
            keep: The most rows to keep in memory; when there are more all are let go, and read again when needed.
        """
        for keys in self.touched.values():
            keys.clear()
        if self._read is not None and sum(len(rows) for rows in self.rows.values()) > keep:
            for rows in self.rows.values():
                rows.clear()
            self.values.clear()
            self._complete = False


def covers(change: Change) -> bool:
    """True when the row after the change does not depend on the row before it."""
    if change.operation is Operation.SET:
        return len(change.values) == len(change.table.names) - len(change.key)
    return change.operation in (Operation.PUT, Operation.DELETE)


def _sum(table: Table, place: int, before: WireValue, amount: WireValue) -> WireValue:
    if table.kinds[place] == "integer":
        total = int(before or 0) + int(amount or 0)
        if not -LARGEST - 1 <= total <= LARGEST:
            raise ValueError(f"{table.full_name}.{table.names[place]}: the sum is beyond 64 bits")
        return total
    return table.to_wire[table.names[place]](_EXACT.add(Decimal(before or 0), Decimal(amount or 0)))


def _appended(table: Table, place: int, before: WireValue, item: object) -> WireValue:
    # The list stays text: it is not decoded and encoded again for each item.
    if before is None or before == "[]":
        return f"[{item}]"
    if not isinstance(before, str) or not before.startswith("["):
        raise ValueError(f"{table.full_name}.{table.names[place]}: .append needs a list, found {before!r:.60}")
    return f"{before[:-1]},{item}]"
