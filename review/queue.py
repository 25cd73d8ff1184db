"""What people look at: pages of `agents_outputs`, counts by state, and an output by the first characters of its id.

Pages go by key, never by OFFSET: at 1,000,000 outputs `OFFSET 500000` takes 526 ms, the same page by key 0.04 ms.
"""

from __future__ import annotations

import json
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypedDict, Unpack

import sqlalchemy as sa

from capture import DatabaseManager, NotFound, UtcTime, from_text, to_text
from review.errors import AmbiguousId
from review.output import Output, State

_PAGE = 200
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_TIMES = ("submitted_at", "updated_at", "publish_after", "not_after", "deadline", "decided_at")


@dataclass(frozen=True, slots=True)
class Listed:
    """An output as a list shows it; the columns of `agents_outputs`."""

    output_id: str
    state: str
    kind: str
    channel: str
    identity: str
    agent_id: str
    body: str
    target_url: str | None
    risk_flags: str | None
    content_hash: str
    revision: int
    votes: int
    needed: int
    publisher: str
    submitted_at: datetime
    updated_at: datetime
    publish_after: datetime | None
    not_after: datetime | None
    deadline: datetime | None
    decided_by: str | None
    decided_at: datetime | None
    ignored: int
    external_id: str | None
    url: str | None


class Filters(TypedDict, total=False):
    """What a list can be narrowed to, and its order; see `list_outputs`."""

    states: Sequence[State | str]
    channel: str | None
    agent: str | None
    identity: str | None
    kind: str | None
    risk: str | None
    text: str | None
    since: datetime | None
    before: datetime | None
    newest: bool


class Cursor(NamedTuple):
    """Where a page ended."""

    submitted_at: datetime
    output_id: str


@dataclass(frozen=True, slots=True)
class Page:
    """Some outputs, oldest first.

    Attributes:
        rows: The outputs.
        after: Where the next page begins; None when this was the last.
    """

    rows: tuple[Listed, ...]
    after: Cursor | None


_NAMES = tuple(field.name for field in fields(Listed))
_COLUMNS = ", ".join(_NAMES)
_TIME_PLACES = frozenset(_NAMES.index(name) for name in _TIMES)
_MARK = {"sqlite": "?", "postgresql": "%s"}
_outputs = sa.table(
    "agents_outputs", sa.column("output_id", sa.Text), sa.column("submitted_at", UtcTime), sa.column("folded")
)
_counts = sa.table("agents_output_counts", sa.column("state", sa.Text), sa.column("outputs", sa.Integer))


def list_outputs(
    manager: DatabaseManager,
    *,
    states: Sequence[State | str] = (),
    channel: str | None = None,
    agent: str | None = None,
    identity: str | None = None,
    kind: str | None = None,
    risk: str | None = None,
    text: str | None = None,
    since: datetime | None = None,
    before: datetime | None = None,
    newest: bool = False,
    after: Cursor | None = None,
    limit: int = 200,
) -> Page:
    """One page of outputs, oldest first. `ReviewDesk.refresh()` brings the table up to date before.

    Args:
        manager: The database.
        states: Only these states; all when empty.
        channel: Only this channel.
        agent: Only this agent.
        identity: Only this account.
        kind: Only this kind.
        risk: Only with this risk flag.
        text: Only bodies in which this stands; A to Z are as a to z.
        since: Only what was submitted then or later.
        before: Only what was submitted before.
        newest: The newest first.
        after: Where the page before ended.
        limit: At most so many.
    """
    backend = manager.backend.name
    mark = _MARK[backend]
    stands_in, body = ("strpos", 'lower(body COLLATE "C")') if backend == "postgresql" else ("instr", "lower(body)")
    conditions: list[tuple[str, object]] = [
        (f"channel = {mark}", channel),
        (f"agent_id = {mark}", agent),
        (f"identity = {mark}", identity),
        (f"kind = {mark}", kind),
        (f"{stands_in}(risk_flags, {mark}) > 0", None if risk is None else json.dumps(risk)),
        # SQLite lowers A to Z alone; so does PostgreSQL under the collation "C".
        (f"{stands_in}({body}, {mark}) > 0", None if text is None else text.translate(_LOWER)),
        (f"submitted_at >= {mark}", _stored_time(backend, since)),
        (f"submitted_at < {mark}", _stored_time(backend, before)),
    ]
    where = " AND ".join(condition for condition, value in conditions if value is not None)
    values = [value for _, value in conditions if value is not None]
    if after is not None:
        where += f"{' AND ' if where else ''}(submitted_at, output_id) {'<' if newest else '>'} ({mark}, {mark})"
        values += [_stored_time(backend, after.submitted_at), after.output_id]
    order = "submitted_at DESC, output_id DESC" if newest else "submitted_at, output_id"
    end = f" ORDER BY {order} LIMIT {limit + 1}"
    sql, values = _merged(backend, where, values, [str(state) for state in states], end)
    with manager.connect() as connection:
        found = connection.exec_driver_sql(sql, tuple(values)).cursor.fetchall()
    rows = tuple(map(_listed, found[:limit]))
    more = len(found) > limit
    return Page(rows, Cursor(rows[-1].submitted_at, rows[-1].output_id) if more else None)


def list_all(
    manager: DatabaseManager,
    *,
    most: int | None = None,
    after: Cursor | None = None,
    page: int = _PAGE,
    **filters: Unpack[Filters],
) -> Iterator[Listed]:
    """Outputs page after page, as `list_outputs` has them.

    Args:
        manager: The database.
        most: At most so many; all when left out.
        after: Where to begin.
        page: How many are read at once.
        filters: As `list_outputs` takes them.
    """
    left = most
    while left is None or left > 0:
        found = list_outputs(manager, after=after, limit=page if left is None else min(page, left), **filters)
        yield from found.rows
        after = found.after
        if after is None:
            return
        if left is not None:
            left -= len(found.rows)


def place_of(manager: DatabaseManager, output_id: str) -> Cursor:
    """Where an output stands in the order of lists.

    Raises:
        NotFound: There is no such output.
    """
    query = sa.select(_outputs.c.submitted_at).where(
        _outputs.c.output_id == output_id, _outputs.c.submitted_at.is_not(None)
    )
    with manager.connect() as connection:
        submitted_at = connection.execute(query).scalar_one_or_none()
    if submitted_at is None:
        raise NotFound(f"no output {output_id!a:.80} was drafted", hint="copydesk review list shows what there is")
    return Cursor(submitted_at, output_id)


def _merged(backend: str, where: str, values: list[object], states: list[str], end: str) -> tuple[str, list[object]]:
    """The select of a page. As text, with the driver's own rows: SQLAlchemy took ten times as long as the database."""
    select = f"SELECT {_COLUMNS} FROM agents_outputs WHERE {where}{' AND ' if where else ''}"
    if not states:
        return f"{select}submitted_at IS NOT NULL{end}", values
    # Each state is walked along its own index, and the walks are merged: with IN, all would be sorted for one page.
    leg = f"{select}state = {_MARK[backend]}"
    if backend == "postgresql" and len(states) > 1:
        leg = f"({leg}{end})"
    return " UNION ALL ".join([leg] * len(states)) + end, [value for state in states for value in (*values, state)]


def _listed(row: Sequence[Any]) -> Listed:
    values: list[Any] = list(row)
    for place in _TIME_PLACES:
        time = values[place]
        if time is not None:
            values[place] = from_text(time) if isinstance(time, str) else time.astimezone(UTC)
    return Listed(*values)


def _stored_time(backend: str, time: datetime | None) -> object:
    return to_text(time) if time is not None and backend == "sqlite" else time


def count_by_state(manager: DatabaseManager) -> dict[State, int]:
    """How many outputs stand in each state. Kept with the table, so that counting does not scan."""
    with manager.connect() as connection:
        found = {row.state: row.outputs for row in connection.execute(sa.select(_counts))}
    return {state: found.get(state.value) or 0 for state in State if state is not State.AWAITED}


def find_id(manager: DatabaseManager, start: str) -> str:
    """The one output whose id is, or begins with, what was typed.

    Args:
        manager: The database.
        start: The first characters of an id, or the whole.

    Raises:
        NotFound: No output fits.
        AmbiguousId: More than one fits; the message names some.
    """
    drafted = _outputs.c.submitted_at.is_not(None)
    with manager.connect() as connection:
        if "\0" in start or not start.isascii() or not start:
            found: list[str] = []
        elif connection.execute(
            sa.select(_outputs.c.output_id).where(_outputs.c.output_id == start, drafted)
        ).one_or_none():
            return start
        else:
            # substr, not LIKE: `_` is a character of ids, and the two backends disagree about case.
            begins = sa.func.substr(_outputs.c.output_id, 1, len(start)) == start
            if manager.backend.name == "sqlite":  # its order is that of bytes: only this part of the index is read
                begins = sa.and_(_outputs.c.output_id >= start, _outputs.c.output_id < start + "\x7f", begins)
            query = sa.select(_outputs.c.output_id).where(begins, drafted).order_by(_outputs.c.output_id).limit(4)
            found = list(connection.execute(query).scalars())
    if len(found) == 1:
        return found[0]
    if not found:
        raise NotFound(f"no output {start!a:.80} was drafted", hint="copydesk review list shows what there is")
    some = ", ".join(found[:3]) + (" …" if len(found) > 3 else "")
    raise AmbiguousId(f"more than one output begins with {start}: {some}", hint="type more of the id")


def stream_outputs(manager: DatabaseManager, *, page: int = _PAGE) -> Iterator[Output]:
    """Every output that was drafted, whole, by id: a page at a time in memory, however many there are.

    Args:
        manager: The database.
        page: How many are read at once.
    """
    after = ""
    while True:
        query = (
            sa.select(_outputs.c.output_id, _outputs.c.submitted_at, sa.cast(_outputs.c.folded, sa.Text).label("whole"))
            .where(_outputs.c.output_id > after)
            .order_by(_outputs.c.output_id)
            .limit(page)
        )
        with manager.connect() as connection:
            rows = connection.execute(query).all()
        for row in rows:
            if row.submitted_at is not None:
                yield Output.model_validate_json(row.whole)
        if len(rows) < page:
            return
        after = rows[-1].output_id
