"""What people look at: pages of `agents_outputs`, counts by state, and an output by the first characters of its id.

Pages go by key, never by OFFSET: at 1,000,000 outputs `OFFSET 500000` takes 526 ms, the same page by key 0.04 ms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from capture import DatabaseManager, NotFound, UtcTime
from review.errors import AmbiguousId
from review.output import State

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


_outputs = sa.table(
    "agents_outputs",
    *(sa.column(field.name, UtcTime if field.name in _TIMES else None) for field in fields(Listed)),
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
        after: Where the page before ended.
        limit: At most so many.
    """
    query = sa.select(_outputs).order_by(_outputs.c.submitted_at, _outputs.c.output_id).limit(limit + 1)
    if states:
        query = query.where(_outputs.c.state.in_([str(state) for state in states]))
    else:
        query = query.where(_outputs.c.submitted_at.is_not(None))
    wanted = {"channel": channel, "agent_id": agent, "identity": identity, "kind": kind}
    for name, value in wanted.items():
        if value is not None:
            query = query.where(_outputs.c[name] == value)
    if after is not None:
        # With its type: a tuple's bare value would be bound as SQLAlchemy's own DATETIME, whose text does not compare.
        ended = sa.tuple_(sa.literal(after.submitted_at, UtcTime), after.output_id)
        query = query.where(sa.tuple_(_outputs.c.submitted_at, _outputs.c.output_id) > ended)
    with manager.connect() as connection:
        rows = [Listed(*row) for row in connection.execute(query)]
    last = rows[limit - 1] if len(rows) > limit else None
    return Page(tuple(rows[:limit]), None if last is None else Cursor(last.submitted_at, last.output_id))


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
            query = sa.select(_outputs.c.output_id).where(begins, drafted).order_by(_outputs.c.output_id).limit(4)
            found = list(connection.execute(query).scalars())
    if len(found) == 1:
        return found[0]
    if not found:
        raise NotFound(f"no output {start!a:.80} was drafted", hint="copydesk review list shows what there is")
    some = ", ".join(found[:3]) + (" …" if len(found) > 3 else "")
    raise AmbiguousId(f"more than one output begins with {start}: {some}", hint="type more of the id")
