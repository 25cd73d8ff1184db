"""`ModuleDB`: a module's own tables, declared as typed columns and reached without writing SQL.

```python
class ChatRules(ModuleDB):
    module = "chat_rules"
    moderators = table("moderators", Column("user_id", String, primary_key=True), Column("role", String))
```
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Literal

from sqlalchemy import ColumnElement, MetaData, Table, UniqueConstraint, delete, func, select, update

from capture.database.manager import DatabaseManager
from capture.database.transaction import Transaction
from capture.errors import BadStatement, InvalidName
from capture.names.declaration import declarations
from capture.names.grammar import full_name
from capture.names.making import make_or_check

Where = Mapping[str, Any] | ColumnElement[bool] | Literal["all"]
"""Which rows: columns and the values that they must have, a SQLAlchemy expression, or all."""

Order = str | ColumnElement[Any]


class ModuleDB:
    """The tables of one module.

    A subclass names its module and declares its tables with `table(...)`. An instance makes them when they are missing,
    and checks them when they are there.

    Args:
        manager: The database; the process's own when left out.

    Attributes:
        module: The module's name, in `[a-z][a-z0-9_]*`.
        tables: The SQLAlchemy tables, by their own names.

    Raises:
        InvalidName: The class names no module, or a name is outside the grammar.
        NamespaceCollision: Another module has one of the full names.
        SchemaChanged: A table in the database differs from its declaration.
    """

    namespace: ClassVar[str] = "modules"
    module: ClassVar[str] = ""
    tables: ClassVar[dict[str, Table]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.tables = {}
        if not cls.owner():
            return
        metadata = MetaData()
        for declared in declarations(cls):
            cls.tables[declared.name] = declared.build(metadata, full_name(cls.namespace, cls.owner(), declared.name))

    @classmethod
    def owner(cls) -> str:
        """Whose the tables are: the module's name."""
        return cls.module

    def __init__(self, manager: DatabaseManager | None = None) -> None:
        if not self.owner():
            raise InvalidName(
                f"{type(self).__name__} names no {self.namespace[:-1]}", hint=f'{self.namespace[:-1]} = "…"'
            )
        self.manager = DatabaseManager.get() if manager is None else manager
        if self.tables:
            make_or_check(self.manager, type(self), self.namespace, self.owner(), self.tables)

    def full_name(self, table: str) -> str:
        """The table's name in the database, for SQL of one's own.

        Raises:
            InvalidName: No table of that name is declared.
        """
        return self._table(table).name

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Several calls that take place together or not at all; see `DatabaseManager.transaction`."""
        with self.manager.transaction() as transaction:
            yield transaction

    def insert(self, table: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Insert one row.

        Args:
            table: The table's own name.
            values: By column; what is left out gets its default.

        Returns:
            The new row's primary key, what the database generated included.
        """
        target = self._table(table)
        statement = target.insert().values(**self._known(target, values))

        def insert(transaction: Transaction) -> dict[str, Any]:
            key = transaction.connection.execute(statement).inserted_primary_key
            return dict(zip(target.primary_key.columns.keys(), key or (), strict=False))

        return self.manager.retrying(insert)

    def get(self, table: str, **key: Any) -> dict[str, Any] | None:
        """The one row with these values, or None.

        Raises:
            BadStatement: Several rows have them.
        """
        if not key:
            raise BadStatement(f"get names the row by its columns: get({table!r}, id=…)")
        rows = self.select(table, where=key, limit=2)
        if len(rows) > 1:
            raise BadStatement(f"one row of {table} was expected, several have {', '.join(key)} so", hint="use select")
        return rows[0] if rows else None

    def select(
        self,
        table: str,
        where: Where | None = None,
        *,
        order_by: Order | Sequence[Order] = (),
        limit: int | None = None,
    ) -> list[dict[str, Any]]:
        """The rows, as dicts in the order of the columns.

        Args:
            table: The table's own name.
            where: Which; all when left out. In a mapping a value of None means NULL, and a list means one of these.
            order_by: Columns, `-` before a name for descending, or SQLAlchemy expressions.
            limit: At most so many rows.
        """
        source = self._table(table)
        statement = select(source).order_by(*self._order(source, order_by))
        if where is not None:
            statement = statement.where(*self._where(source, where))
        if limit is not None:
            statement = statement.limit(limit)
        with self.manager.connect() as connection:
            return [dict(row) for row in connection.execute(statement).mappings()]

    def count(self, table: str, where: Where | None = None) -> int:
        """How many rows there are, or how many of them fit `where`."""
        source = self._table(table)
        statement = select(func.count()).select_from(source)
        if where is not None:
            statement = statement.where(*self._where(source, where))
        with self.manager.connect() as connection:
            return connection.execute(statement).scalar_one()

    def update(self, table: str, values: Mapping[str, Any], where: Where | None = None) -> int:
        """Change rows; how many were changed.

        Raises:
            BadStatement: `where` is left out or empty; `where="all"` says that every row is meant.
        """
        target = self._table(table)
        statement = update(target).values(**self._known(target, values))
        return self._change(statement.where(*self._where(target, self._said(where, "update"))))

    def delete(self, table: str, where: Where | None = None) -> int:
        """Delete rows; how many were deleted.

        Raises:
            BadStatement: `where` is left out or empty; `where="all"` says that every row is meant.
        """
        target = self._table(table)
        return self._change(delete(target).where(*self._where(target, self._said(where, "delete"))))

    def upsert(self, table: str, values: Mapping[str, Any], on: str | Sequence[str] = ()) -> dict[str, Any]:
        """Insert a row, or update the one that has the same values in the columns `on`.

        Args:
            table: The table's own name.
            values: By column, those of `on` included.
            on: Columns with a primary key or a unique constraint over exactly them; the primary key when left out.

        Returns:
            The row's primary key.

        Raises:
            BadStatement: No constraint is over exactly these columns, or a value for one is left out.
        """
        target = self._table(table)
        known = self._known(target, values)
        columns = (on,) if isinstance(on, str) else tuple(on) or tuple(target.primary_key.columns.keys())
        self._refuse_without_constraint(target, columns, known)
        statement = self.manager.backend.insert(target).values(**known)
        changed = [name for name in known if name not in columns] or columns[:1]
        upserted = statement.on_conflict_do_update(
            index_elements=columns, set_={name: statement.excluded[name] for name in changed}
        ).returning(*(target.primary_key.columns or target.columns))

        def upsert(transaction: Transaction) -> dict[str, Any]:
            row = transaction.connection.execute(upserted).mappings().one()
            return {column.name: row[column.name] for column in target.primary_key.columns}

        return self.manager.retrying(upsert)

    def _change(self, statement: Any) -> int:
        return self.manager.retrying(lambda transaction: int(transaction.connection.execute(statement).rowcount))

    def _table(self, name: str) -> Table:
        try:
            return self.tables[name]
        except (KeyError, TypeError):
            known = ", ".join(self.tables) or "none"
            raise InvalidName(f"{type(self).__name__} has the tables {known}, found {name!a:.60}") from None

    @staticmethod
    def _known(table: Table, values: Mapping[str, Any]) -> dict[str, Any]:
        for name in values:
            if name not in table.columns:
                columns = ", ".join(table.columns.keys())
                raise InvalidName(f"{table.name} has the columns {columns}, found {name!a:.60}")
        return dict(values)

    @staticmethod
    def _said(where: Where | None, what: str) -> Where:
        if where is None or (isinstance(where, Mapping) and not where):
            raise BadStatement(f"{what} says which rows, found no where", hint='where="all" means every row')
        return where

    def _where(self, table: Table, where: Where) -> list[ColumnElement[bool]]:
        if isinstance(where, ColumnElement):
            return [where]
        if isinstance(where, Mapping):
            columns = table.columns
            return [
                columns[name].in_(value) if isinstance(value, (list, tuple, set, frozenset)) else columns[name] == value
                for name, value in self._known(table, where).items()
            ]
        if where == "all":
            return []
        raise BadStatement(f'where is a mapping, a SQLAlchemy expression or "all", found {where!a:.60}')

    def _order(self, table: Table, order_by: Order | Sequence[Order]) -> list[ColumnElement[Any]]:
        terms = [order_by] if isinstance(order_by, (str, ColumnElement)) else list(order_by)
        ordered: list[ColumnElement[Any]] = []
        for term in terms:
            if isinstance(term, str):
                name = term.removeprefix("-")
                self._known(table, {name: None})
                ordered.append(table.columns[name].desc() if term.startswith("-") else table.columns[name])
            else:
                ordered.append(term)
        return ordered

    @staticmethod
    def _refuse_without_constraint(table: Table, columns: tuple[str, ...], values: Mapping[str, Any]) -> None:
        unique = [set(table.primary_key.columns.keys())]
        unique += [set(c.columns.keys()) for c in table.constraints if isinstance(c, UniqueConstraint)]
        unique += [set(index.columns.keys()) for index in table.indexes if index.unique]
        if not columns or set(columns) not in unique:
            raise BadStatement(
                f"{table.name} has no primary key or unique constraint over ({', '.join(columns)})",
                hint="declare one: UniqueConstraint(" + ", ".join(f'"{name}"' for name in columns) + ")",
            )
        missing = [name for name in columns if name not in values]
        if missing:
            raise BadStatement(
                f"an upsert on ({', '.join(columns)}) gives a value for each, found none for {missing[0]}"
            )
