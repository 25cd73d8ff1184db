"""Which other output says the same: `agents_repeats`, kept with the decisions that open and start outputs.

Of two outputs that say the same, the one that the desk took up first comes first; what was sent counts whatever the
order. So of two that wait, exactly one is the duplicate.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from capture import Transaction, tables
from review.output import FINAL, Output, State
from review.policy.limits import Earlier, sayings

_repeats = tables.repeats
_PAGE = 50
_WAITING = frozenset({State.PENDING, State.APPROVED, State.PUBLISH_FAILED})
_SENT = frozenset({"publishing", "published", "uncertain"})


# Statements are made once: making one takes longer than running it.
_INSERT = {
    name: dialect.insert(_repeats).on_conflict_do_nothing()
    for name, dialect in (("sqlite", sqlite), ("postgresql", postgresql))
}
_FIND = (
    sa.select(_repeats.c.saying, _repeats.c.output_id, _repeats.c.revision, _repeats.c.position, _repeats.c.opened_at)
    .where(
        _repeats.c.saying.in_(sa.bindparam("sayings", expanding=True)),
        _repeats.c.output_id != sa.bindparam("own_id"),
        sa.or_(
            sa.and_(_repeats.c.position < sa.bindparam("own_position"), _repeats.c.opened_at >= sa.bindparam("since")),
            _repeats.c.sent_at >= sa.bindparam("since"),
        ),
    )
    .order_by(sa.func.coalesce(_repeats.c.sent_at, _repeats.c.opened_at).desc(), _repeats.c.position.desc())
    .limit(_PAGE)
)
_AFTER_ALL = (1 << 62) - 1  # a position that no event has


def opened(transaction: Transaction, output: Output, position: int, at: datetime) -> None:
    """Keep what a revision says, from when it was opened.

    Args:
        transaction: The decision's.
        output: The output, opened.
        position: Its `review.opened`.
        at: When that was recorded.
    """
    key = {"output_id": output.output_id, "revision": output.revision, "position": position, "opened_at": at}
    rows = [{"saying": saying, **key} for saying in sayings(output)]
    transaction.connection.execute(_INSERT[transaction.manager.backend.name], rows)


def sent(transaction: Transaction, output: Output, at: datetime) -> None:
    """Keep that a revision began to be sent."""
    transaction.connection.execute(
        sa.update(_repeats)
        .where(
            _repeats.c.saying.in_(sayings(output)),
            _repeats.c.output_id == output.output_id,
            _repeats.c.revision == output.revision,
        )
        .values(sent_at=at)
    )


def find(
    connection: sa.Connection, folded: Callable[[str], Output | None], output: Output, since: datetime, *, forget: bool
) -> tuple[Earlier, ...]:
    """The newest other output that says the same, if there is one; its stream decides whether it counts.

    Args:
        connection: A connection; of the decision's transaction, where something is decided.
        folded: Gives another output, from its stream.
        output: The output in question.
        since: What was taken up and sent before this does not count.
        forget: Remove rows of outputs that go nowhere any more; only inside a decision.
    """
    mine = output.opened_at_position
    asked = {
        "sayings": sayings(output),
        "own_id": output.output_id,
        "own_position": _AFTER_ALL if mine is None else mine,
        "since": since,
    }
    while rows := connection.execute(_FIND, asked).all():
        gone = []
        for row in rows:
            other = folded(row.output_id)
            if other is None or other.state in FINAL or other.revision != row.revision:
                gone.append(row)
                continue
            starts = [attempt.started_at for attempt in other.attempts if attempt.state in _SENT]
            if starts and max(starts) >= since:
                return (Earlier(other.output_id, max(starts)),)
            if other.state in _WAITING and row.opened_at >= since and (mine is None or row.position < mine):
                return (Earlier(other.output_id, row.opened_at),)
        if not gone or not forget:
            return ()
        for row in gone:
            connection.execute(
                sa.delete(_repeats).where(
                    _repeats.c.saying == row.saying,
                    _repeats.c.output_id == row.output_id,
                    _repeats.c.revision == row.revision,
                )
            )
    return ()
