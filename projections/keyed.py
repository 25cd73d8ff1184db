"""How a keyed fold finds, reads and writes its values."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from projections.facts import Fact
from projections.projector import Fold, Projector
from projections.rows import wire_key, wire_values
from projections.table import FOLDED, Key, Row, Table


class Keyed:
    """The values of a keyed fold, as rows of its table.

    Args:
        projector: The projector.
        fold: What it declared.
        table: Its table; the last column holds the value as JSON.
    """

    def __init__(self, projector: Projector, fold: Fold, table: Table) -> None:
        self.table = table
        self._projector = projector
        self._fields = tuple(zip(table.key_names, fold.key, strict=True))
        self._value: TypeAdapter[Any] = TypeAdapter(fold.value)

    def key(self, fact: Fact) -> Key | None:
        """The key of the value that an event belongs to; None when the event leaves a field of it out.

        Raises:
            AttributeError: Neither the payload nor the event around it has a field.
            TypeError: A field is of another kind than its column.
            ValueError: A value that one of the databases would refuse.
        """
        key: dict[str, object] = {}
        for name, field in self._fields:
            value = getattr(fact.payload, field) if hasattr(fact.payload, field) else getattr(fact, field)
            if value is None:
                return None
            key[name] = value
        return wire_key(self.table, key)

    def value(self, row: Row | None) -> Any:
        """The value that a row holds; None without a row."""
        return None if row is None else self._value.validate_json(str(row[-1]))

    def row(self, key: Key, value: Any) -> Row | None:
        """The row for a value; none for None.

        Raises:
            TypeError: A readable column is of another kind than declared.
            ValueError: A value that one of the databases would refuse.
        """
        if value is None:
            return None
        written = wire_values(self.table, dict(self._projector.columns(value)))
        written[FOLDED] = self._value.dump_json(value).decode()
        return [*key, *(written.get(name) for name in self.table.names[len(key) :])]
