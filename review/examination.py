"""The desk's own tables against the log, output by output: what `copydesk db check` asks review for.

An output is folded from its stream, and what the fold says must be what the tables say. The rule by which approvals
follow from the fold is written here once more, so that a mistake in `review.tables` would show.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa

from capture import CopydeskError, DatabaseManager, EventLog, tables
from capture.cli import Finding, error, note
from capture.vocabulary import ReviewApproved
from review.decider import stream_of
from review.desk import ReviewDesk
from review.output import Output
from review.states import evolve
from review.tables import APPROVED_STATES

_PAGE = 500
_TRIES = 5
_NAMED = 20
"""So many outputs are named; of others it is said that there are more."""

_APPROVALS = sa.select(
    tables.approvals.c.revision,
    tables.approvals.c.content_hash,
    tables.approvals.c.position,
    tables.approvals.c.revoked_position,
)
_SENDS = (
    "revision",
    "content_hash",
    "attempt",
    "idempotency_key",
    "publisher",
    "worker",
    "state",
    "started_position",
    "external_id",
    "url",
)
_HINT = "don't publish until it is known who wrote to the table; the log is the truth, and `review history` shows it"


class _Approved(NamedTuple):
    position: int
    live: bool
    by_an_agent: bool
    """An agent's own revision took it away: the desk notes that at its next command."""


class _Expected(NamedTuple):
    end: int
    approvals: dict[tuple[int, str], _Approved]
    sends: set[tuple[Any, ...]]


def check_policy(manager: DatabaseManager) -> Iterator[Finding]:
    """Which policy is in force, and that this version can read it."""
    orders = ReviewDesk(manager).orders()
    try:
        rules = len(orders.policy.rules)
    except CopydeskError as failure:
        yield error("policy", f"{orders.label} can be read", failure.message, failure.hint)
        return
    by = f", adopted by {orders.adopted_by}, {rules} rules" if orders.text is not None else ": every output waits"
    yield note("policy", f"in force is {orders.label}{by}")
    for stop in orders.stops:
        yield note("policy", f"publication is stopped {stop.told()}", "`copydesk publish resume`")


def check_desk(manager: DatabaseManager) -> Iterator[Finding]:
    """Approvals and publications are what the log says, in both directions."""
    told = 0
    for output_id in _outputs(manager):
        for finding in _differing(manager, output_id):
            told += 1
            if told > _NAMED:
                yield error("approvals", "the desk's tables are what the log says", "there are more of these", _HINT)
                return
            yield finding


def _outputs(manager: DatabaseManager) -> Iterator[str]:
    """Every output that one of the tables names, and then those that the log names and the tables do not."""
    after = ""
    approvals, publications = tables.approvals.c.output_id, tables.publications.c.output_id
    while True:
        some = sa.union(
            sa.select(approvals).where(approvals > after), sa.select(publications).where(publications > after)
        )
        with manager.connect() as connection:
            page = list(connection.execute(some.order_by(some.selected_columns[0]).limit(_PAGE)).scalars())
        yield from page
        if len(page) < _PAGE:
            break
        after = page[-1]
    last = ""
    for row in EventLog(manager).read_stored(types=["review.approved", "publication.started"]):
        output_id = row.stream_id.removeprefix(stream_of(""))
        if output_id == last:
            continue
        last = output_id
        query = sa.union_all(
            sa.select(approvals).where(approvals == output_id), sa.select(publications).where(publications == output_id)
        )
        with manager.connect() as connection:
            if connection.execute(query.limit(1)).first() is None:
                yield output_id


def _differing(manager: DatabaseManager, output_id: str) -> list[Finding]:
    for _ in range(_TRIES):
        # The end of the stream before the rows: when it is the fold's too, nothing came between.
        end = _end(manager, output_id)
        with manager.connect() as connection:
            of = tables.approvals.c.output_id == output_id
            approvals = connection.execute(_APPROVALS.where(of)).all()
            columns = [tables.publications.c[name] for name in _SENDS]
            sends = connection.execute(sa.select(*columns).where(tables.publications.c.output_id == output_id)).all()
        expected = _expected(manager, output_id)
        if expected.end == end:
            return [
                *_approvals(output_id, expected, {(row[0], row[1]): (row[2], row[3]) for row in approvals}),
                *_sends(output_id, expected, {tuple(row) for row in sends}),
            ]
    return []  # somebody decides about it again and again; each decision was made on the log


def _end(manager: DatabaseManager, output_id: str) -> int:
    events = tables.events
    with manager.connect() as connection:
        newest = sa.select(sa.func.max(events.c.position)).where(events.c.stream_id == stream_of(output_id))
        return connection.execute(newest).scalar_one() or 0


def _expected(manager: DatabaseManager, output_id: str) -> _Expected:
    before: Output | None = None
    rows: dict[tuple[int, str], _Approved] = {}
    end = 0
    for fact in EventLog(manager).read(stream=stream_of(output_id)):
        after = evolve(before, fact)
        end = fact.position
        by_desk = fact.event_type.startswith(("review.", "publication."))
        if by_desk:
            rows = {key: row._replace(by_an_agent=False) for key, row in rows.items()}
        if before is not None and after is not None:
            approved = after.state in APPROVED_STATES and len(after.votes) >= after.needed
            goes_on = approved and before.state in APPROVED_STATES and before.revision == after.revision
            present = (after.revision, after.content_hash)
            if not goes_on and any(entry.what == ReviewApproved.event_type for entry in before.history):
                for key, row in rows.items():
                    if row.live and not (approved and key == present):
                        rows[key] = row._replace(live=False, by_an_agent=not by_desk)
            if approved and not goes_on:
                rows[present] = _Approved(fact.position, live=True, by_an_agent=False)
        before = after
    sends = set()
    for attempt in () if before is None else before.attempts:
        values = {**attempt.model_dump(), "attempt": attempt.number, "state": attempt.state}
        sends.add(tuple(values[name] for name in _SENDS))
    return _Expected(end, rows, sends)


def _approvals(
    output_id: str, expected: _Expected, found: dict[tuple[int, str], tuple[int, int | None]]
) -> Iterator[Finding]:
    for key in sorted(expected.approvals.keys() | found.keys()):
        should, row = expected.approvals.get(key), found.get(key)
        what = f"revision {key[0]} of {output_id[:200]!a}, content {key[1][:12]!a}"
        if should is None:
            fault = f"agents_approvals has an approval of {what}, the log has none"
        elif row is None:
            fault = f"the log has an approval of {what}, agents_approvals has none"
        elif row[0] != should.position:
            fault = f"the approval of {what} stands at position {row[0]}, in the log at {should.position}"
        elif (row[1] is None) != should.live and not should.by_an_agent:
            live = "live" if should.live else "revoked"
            fault = f"the approval of {what} is {live} by the log, and not so in agents_approvals"
        else:
            continue
        yield error("approvals", "agents_approvals is what the log says", fault, _HINT)


def _sends(output_id: str, expected: _Expected, found: set[tuple[Any, ...]]) -> Iterator[Finding]:
    for row in sorted(found ^ expected.sends, key=repr):
        where = "agents_publications, and not the log" if row in found else "the log, and not agents_publications"
        yield error(
            "publications",
            "agents_publications is what the log says",
            f"attempt {row[2]} to send revision {row[0]} of {output_id[:200]!a}, {row[6]}, is in {where}",
            _HINT,
        )
