"""A read table as a projector declares it: a name in one of the three namespaces, typed columns, indexes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

from capture import check_name, full_name
from projections.columns import TO_WIRE, Column, Json, WireValue
from projections.whole_row import whole_row

FOLDED = "folded"
"""The column that the framework adds to the table of a keyed fold: the folded value as JSON text."""

Key = tuple[WireValue, ...]
"""The values of a row's key columns, in the order of the declaration."""

Row = list[WireValue]
"""The values of a row, in the order of `Table.columns`."""


class Table:
    """A table that one projector owns and writes.

    Args:
        namespace: `agents`, `modules` or `foundups`.
        owner: The module or the project; None in the namespace `agents`.
        name: The table's name within its owner.
        columns: Its columns; at least one is a `Key`.
        indexes: Columns that are read by, a tuple of names for each index.

    Attributes:
        full_name: The name in the database, as `modules_engagement_daily`.
        columns: The columns, those of the key first.
        key_names: The names of the key's columns.
        index: The place of each column in a row, by name.

    Raises:
        InvalidName: A name is outside the grammar.
        TypeError: No key, a column named twice, or an index over a column that is not there.
    """

    def __init__(
        self,
        namespace: str,
        owner: str | None,
        name: str,
        columns: Sequence[Column],
        indexes: Iterable[Sequence[str]] = (),
    ) -> None:
        self.namespace, self.owner, self.name = namespace, owner, name
        self.full_name = full_name(namespace, owner, name)
        self.indexes = tuple(tuple(names) for names in indexes)
        self._arrange(columns)

    def _arrange(self, columns: Sequence[Column]) -> None:
        self.columns = tuple(sorted(columns, key=lambda column: not column.is_key))
        self.names = tuple(column.name for column in self.columns)
        self.key_names = tuple(column.name for column in self.columns if column.is_key)
        self.index = {name: place for place, name in enumerate(self.names)}
        self.to_wire = {column.name: TO_WIRE[column.kind] for column in self.columns}
        self.kinds = tuple(column.kind for column in self.columns)
        self.key_to_wire = tuple((column.name, TO_WIRE[column.kind]) for column in self.columns if column.is_key)
        self.rest_to_wire = {column.name: TO_WIRE[column.kind] for column in self.columns if not column.is_key}
        for name in self.names:
            check_name(name)
        if not self.key_names:
            raise TypeError(f"{self.full_name}: a read table has a key, declare at least one Key(…)")
        if len(self.index) < len(self.names):
            raise TypeError(f"{self.full_name}: two columns have one name, found {', '.join(self.names)}")
        for column in self.columns:
            if column.is_key and column.kind in ("json", "real", "exact"):
                raise TypeError(
                    f"{self.full_name}.{column.name}: a key can't be of kind {column.kind}: it has no one form"
                )
        self.whole_row = whole_row(self.names, self.kinds)
        for names in self.indexes:
            if not names or not set(names) <= set(self.names):
                raise TypeError(f"{self.full_name}: an index over {names} was declared, columns are {self.names}")

    def with_folded(self) -> Table:
        """The same table with the column that keeps the value of a keyed fold.

        Raises:
            TypeError: A declared column has that name.
        """
        if FOLDED in self.index:
            raise TypeError(f"{self.full_name}: the column {FOLDED} is the framework's own, name yours otherwise")
        return Table(self.namespace, self.owner, self.name, (*self.columns, Json(FOLDED)), self.indexes)

    def definition(self) -> str:
        """What the fingerprint is taken over: names, kinds, key and indexes."""
        columns = ",".join(f"{'*' if column.is_key else ''}{column.name}:{column.kind}" for column in self.columns)
        return f"{self.namespace}/{self.owner or ''}/{self.name}({columns}){sorted(self.indexes)}"

    def __repr__(self) -> str:
        return f"<Table {self.full_name}>"


def fingerprint(tables: Iterable[Table], version: int) -> str:
    """What a projection's tables were made by: 64 hexadecimal digits over the columns and the declared version."""
    parts = [f"version {version}", *(table.definition() for table in tables)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def agents_table(name: str, *columns: Column, indexes: Iterable[Sequence[str]] = ()) -> Table:
    """Declare a table `agents_{name}`: the state of agents.

    Args:
        name: The table's name without its prefix.
        columns: The columns; at least one is a `Key`.
        indexes: A tuple of column names for each index.

    Raises:
        InvalidName: A name is outside the grammar.
    """
    return Table("agents", None, name, columns, indexes)


def module_table(module: str, name: str, *columns: Column, indexes: Iterable[Sequence[str]] = ()) -> Table:
    """Declare a table `modules_{module}_{name}`: what a module reads.

    Args:
        module: The module that owns the table.
        name: The table's name without its prefix.
        columns: The columns; at least one is a `Key`.
        indexes: A tuple of column names for each index.

    Raises:
        InvalidName: A name is outside the grammar.
    """
    return Table("modules", module, name, columns, indexes)


def foundup_table(project: str, name: str, *columns: Column, indexes: Iterable[Sequence[str]] = ()) -> Table:
    """Declare a table `foundups_{project}_{name}`: what an independent project reads.

    Args:
        project: The project that owns the table.
        name: The table's name without its prefix.
        columns: The columns; at least one is a `Key`.
        indexes: A tuple of column names for each index.

    Raises:
        InvalidName: A name is outside the grammar.
    """
    return Table("foundups", project, name, columns, indexes)
