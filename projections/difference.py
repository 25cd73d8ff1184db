"""`diff`: runs the code at hand over history and shows which rows would change, before any cutover."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import NamedTuple

import sqlalchemy as sa

from capture import DatabaseManager, EventLog
from projections import rebuild, registry
from projections.bulk import as_rows, selected
from projections.columns import Column, WireValue
from projections.folding import Plan
from projections.rebuild import Rebuild
from projections.registry import ProjectorLike
from projections.runner import begun
from projections.table import Table
from projections.working import Working

SAMPLE = 20
"""How many differing rows of a table are shown in full."""

Values = dict[str, WireValue]
"""A row's values by column."""


class Live(NamedTuple):
    """A row of a live table.

    Attributes:
        position: The position that the table stands at.
        values: The row; None where the table has none.
    """

    position: int
    values: Values | None


class RowDifference(NamedTuple):
    """A row that would not be the same.

    Attributes:
        table: Its table.
        key: The values of its key.
        before: The values of the live row that differ; None when there is none.
        after: What the code at hand makes of them; None when it makes no such row.
    """

    table: str
    key: Values
    before: Values | None
    after: Values | None


class Difference(NamedTuple):
    """What a replay of one projection would change.

    Attributes:
        projection: Its name.
        position: The position that both sides stand at.
        added: How many rows the code at hand makes that are not in the live tables.
        changed: How many rows differ in a column.
        gone: How many live rows the code at hand does not make.
        new_columns: Columns that the live tables do not have, as `table.column`.
        old_columns: Columns that only the live tables have.
        dead: How many events the code at hand can't handle.
        sample: Some of the rows, in the order of their keys.
    """

    projection: str
    position: int
    added: int
    changed: int
    gone: int
    new_columns: tuple[str, ...]
    old_columns: tuple[str, ...]
    dead: int
    sample: tuple[RowDifference, ...]

    @property
    def empty(self) -> bool:
        """True when a replay would change no row and no column."""
        return not (self.added or self.changed or self.gone or self.new_columns or self.old_columns)


def diff(
    manager: DatabaseManager,
    projection: str | None = None,
    *,
    projectors: Iterable[ProjectorLike] | None = None,
    sample: int = SAMPLE,
) -> list[Difference]:
    """Compare the live tables with what the code at hand makes of the log, up to where the live tables stand.

    The rows of the tables are held in memory, not the log.

    Args:
        manager: The database.
        projection: A projection's name; all when left out.
        projectors: Projectors or their classes; every installed one when left out.
        sample: How many rows a table to show in full.

    Returns:
        One entry a projection, empty ones included, in the order of their names.

    Raises:
        UnknownProjection: There is no such projection.
    """
    manager.ensure_schema()
    plans = registry.ready(projectors)
    chosen = plans if projection is None else registry.select(plans, [projection])
    log = EventLog(manager)
    head = log.head()
    standing = [(plan, begun(manager, plan)) for plan in chosen]
    rebuilds = [Rebuild(plan, Working(plan.tables, None), passes_dead=True) for plan, _ in standing]
    # In one pass up to where the last of them stands; each then goes on to where its table stands when it is read.
    first = min((at.position for _, at in standing), default=0)
    rebuild.run(log, rebuilds, min(first, head))
    return [_compare(manager, log, one, sample) for one in rebuilds]


def _compare(manager: DatabaseManager, log: EventLog, one: Rebuild, sample: int) -> Difference:
    added = changed = gone = 0
    new_columns: list[str] = []
    old_columns: list[str] = []
    rows: list[RowDifference] = []
    for table in one.plan.tables:
        columns = live_columns(manager, table)
        names = {column.name for column in columns}
        new_columns += [f"{table.full_name}.{name}" for name in table.names if name not in names]
        old_columns += [f"{table.full_name}.{name}" for name in sorted(names - set(table.names))]
        live = read_live(manager, one.plan, table, columns)
        first = next(live)
        rebuild.run(log, [one], min(first.position, log.head()))
        found = list(_rows(table, one.working, (row.values for row in chain([first], live))))
        found.sort(key=lambda row: [str(value) for value in row.key.values()])
        added += sum(row.before is None for row in found)
        gone += sum(row.after is None for row in found)
        changed += sum(row.before is not None and row.after is not None for row in found)
        rows += found[:sample]
    return Difference(
        one.plan.name,
        one.position,
        added,
        changed,
        gone,
        tuple(new_columns),
        tuple(old_columns),
        len(one.dead),
        tuple(rows),
    )


def _rows(table: Table, working: Working, live: Iterable[Values | None]) -> Iterator[RowDifference]:
    name = table.full_name
    fresh = {key: row for key, row in working.rows[name].items() if row is not None}
    width = len(table.key_names)
    for values in live:
        if values is None:
            continue
        key = tuple(values.get(column) for column in table.key_names)
        row = fresh.pop(key, None)
        shown: Values = dict(zip(table.key_names, key, strict=True))
        if row is None:
            yield RowDifference(name, shown, {c: v for c, v in values.items() if c not in table.key_names}, None)
            continue
        made = dict(zip(table.names, row, strict=True))
        differing = [column for column in {**made, **values} if made.get(column) != values.get(column)]
        if differing:
            before = {column: values.get(column) for column in differing}
            yield RowDifference(name, shown, before, {column: made.get(column) for column in differing})
    for key, row in fresh.items():
        shown = dict(zip(table.key_names, key, strict=True))
        yield RowDifference(name, shown, None, dict(zip(table.names[width:], row[width:], strict=True)))


def live_columns(manager: DatabaseManager, table: Table) -> list[Column]:
    """The columns that the live table has now, whatever code made it."""
    declared = {column.name: column for column in table.columns}
    with manager.connect() as connection:
        inspector = sa.inspect(connection)
        if not inspector.has_table(table.full_name):
            return []
        found = [(str(column["name"]), _kind(column["type"])) for column in inspector.get_columns(table.full_name)]
    columns = []
    for name, kind in found:
        column = Column(name)
        # SQLite keeps JSON, times and decimals as text: there the declaration says which of them it is.
        column.kind = declared[name].kind if kind == "text" and name in declared else kind
        columns.append(column)
    return columns


def read_live(manager: DatabaseManager, plan: Plan, table: Table, columns: list[Column]) -> Iterator[Live]:
    """Yield the rows of a live table, each with the position that the table stands at; one without values when empty.

    One statement reads both, so that they belong together although the runner goes on.
    """
    present = _Columns(table, columns)
    sql = f"SELECT c.position, NULL FROM agents_checkpoints AS c WHERE c.projection = '{plan.name}'"
    if columns:
        sql = (
            f"SELECT c.position, t.there, {selected(present, manager.backend.name)} FROM agents_checkpoints AS c "
            f'LEFT JOIN (SELECT 1 AS there, u.* FROM "{table.full_name}" AS u) AS t ON 1 = 1 '
            f"WHERE c.projection = '{plan.name}'"
        )
    with manager.connect() as connection:
        for row in connection.exec_driver_sql(sql):
            if row[1] is None:
                yield Live(int(row[0]), None)
            else:
                (values,) = as_rows(present, [row[2:]])
                yield Live(int(row[0]), dict(zip(present.names, values, strict=True)))


class _Columns(Table):
    """The columns of a table as they are, read by the same statements as declared ones."""

    def __init__(self, table: Table, columns: list[Column]) -> None:
        self.full_name = table.full_name
        self.columns = tuple(columns)
        self.names = tuple(column.name for column in columns)
        self.kinds = tuple(column.kind for column in columns)


def _kind(found: sa.types.TypeEngine[object]) -> str:
    if isinstance(found, sa.Boolean):
        return "boolean"
    if isinstance(found, sa.Float):
        return "real"
    if isinstance(found, sa.Integer):
        return "integer"
    if isinstance(found, sa.Numeric):
        return "exact"
    if isinstance(found, sa.DateTime):
        return "timestamp"
    return "json" if isinstance(found, sa.JSON) else "text"
