"""What waits for no person: read from `agents_output_dues`, which has a row only for those outputs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import sqlalchemy as sa

from capture import DatabaseManager, UtcTime

_PAGE = 200

_dues = sa.table(
    "agents_output_dues",
    sa.column("output_id", sa.Text),
    sa.column("awaits", sa.Text),
    sa.column("expires_at", UtcTime),
)


def awaiting(manager: DatabaseManager, what: str) -> Iterator[str]:
    """The outputs that wait to be taken up (`opening`), or for a rule's decision (`rule`), a page at a time.

    Args:
        manager: The database.
        what: `opening` or `rule`.
    """
    after = ""
    while True:
        query = (
            sa.select(_dues.c.output_id)
            .where(_dues.c.awaits == what, _dues.c.output_id > after)
            .order_by(_dues.c.output_id)
            .limit(_PAGE)
        )
        with manager.connect() as connection:
            page = list(connection.execute(query).scalars())
        yield from page
        if len(page) < _PAGE:
            return
        after = page[-1]


def expired(manager: DatabaseManager, now: datetime, limit: int = 1_000) -> list[str]:
    """The outputs whose time is over, those first that have been over longest.

    Args:
        manager: The database.
        now: The time.
        limit: At most so many.
    """
    query = (
        sa.select(_dues.c.output_id)
        .where(_dues.c.expires_at <= now)
        .order_by(_dues.c.expires_at, _dues.c.output_id)
        .limit(limit)
    )
    with manager.connect() as connection:
        return list(connection.execute(query).scalars())


def count_near(manager: DatabaseManager, now: datetime, until: datetime, most: int = 1_000) -> int:
    """How many outputs come to the end of their time soon; counted up to a bound.

    Args:
        manager: The database.
        now: The time.
        until: What counts as soon.
        most: Where counting ends.
    """
    some = sa.select(_dues.c.output_id).where(_dues.c.expires_at > now, _dues.c.expires_at <= until).limit(most)
    with manager.connect() as connection:
        found: int = connection.execute(sa.select(sa.func.count()).select_from(some.subquery())).scalar_one()
    return found


def count_awaiting(manager: DatabaseManager) -> int:
    """How many outputs wait to be taken up, or for a rule: those that no person needs to look at yet."""
    query = sa.select(sa.func.count()).select_from(_dues).where(_dues.c.awaits.in_(["opening", "rule"]))
    with manager.connect() as connection:
        found: int = connection.execute(query).scalar_one()
    return found
