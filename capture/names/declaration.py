"""`table(...)`: a module's table, declared as SQLAlchemy columns and made under the module's own prefix."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Column, Constraint, Index, MetaData, Table
from sqlalchemy.exc import ArgumentError

from capture.errors import InvalidName
from capture.names.grammar import check_name

Part = Column[object] | Constraint | Index


class TableDeclaration:
    """A table as its class body declares it. Read from the class it is the SQLAlchemy table, under its full name.

    Args:
        name: The table's own name, without a prefix.
        parts: Columns, constraints and indexes.
    """

    def __init__(self, name: str, *parts: Part) -> None:
        self.name = check_name(name, "the table")
        try:
            # The columns given belong to this one; each class gets copies, so that a subclass of another module, and
            # any number of instances, can have the same declaration.
            self._template = Table(name, MetaData(), *parts)
        except (TypeError, ArgumentError) as error:
            raise InvalidName(f"the table {name} is made of columns, constraints and indexes: {error}") from None
        if not self._template.columns:
            raise InvalidName(f"the table {name} has no column")
        for column in self._template.columns:
            check_name(column.name, f"a column of {name}")

    def build(self, metadata: MetaData, full_name: str) -> Table:
        """Make the table under its full name.

        Indexes and constraints with a name of their own get the full name in front: a database has one space for them.
        """
        table = self._template.to_metadata(metadata, name=full_name)
        for index in table.indexes:
            _put_in_front(index, full_name)
        for constraint in table.constraints:
            _put_in_front(constraint, full_name)
        return table

    def __get__(self, instance: object, owner: type) -> Table:
        """The table of the class that it is read from: `ChatRules.moderators.c.role == "admin"`."""
        tables: dict[str, Table] = owner.tables  # type: ignore[attr-defined]  # set by ModuleDB's __init_subclass__
        return tables[self.name]


def _put_in_front(named: Index | Constraint, full_name: str) -> None:
    """Leave alone what SQLAlchemy names by the table already."""
    if isinstance(named.name, str) and full_name not in named.name:
        named.name = f"{full_name}_{check_name(named.name, 'an index or a constraint')}"


def table(name: str, *parts: Part) -> TableDeclaration:
    """Declare a table of a module.

    Args:
        name: The table's own name; the prefix is added.
        parts: SQLAlchemy columns, constraints (`UniqueConstraint("a", "b")`) and indexes (`Index("by_a", "a")`). A
            foreign key names its target in full: `ForeignKey("modules_chat_rules_rooms.room_id")`.

    Returns:
        What a class body of `ModuleDB` assigns.

    Raises:
        InvalidName: The name of the table or of a column is outside the grammar.
    """
    return TableDeclaration(name, *parts)


def declarations(of: type) -> Iterator[TableDeclaration]:
    """The declarations of a class and its bases, those of the bases first; what a subclass overrides is gone."""
    attributes: dict[str, object] = {}
    for base in reversed(of.__mro__):
        attributes.update(vars(base))
    yield from (value for value in attributes.values() if isinstance(value, TableDeclaration))
