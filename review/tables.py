"""The desk's own tables: which approvals are complete, what was tried to publish, and what outputs say.

They change in the transaction of the event that changes them, and nobody else writes them. All can be checked against
the log. `agents_approvals` is what the database itself asks before it takes a `publication.started`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from capture import DatabaseManager, EventLog, Transaction, tables
from capture.vocabulary import ReviewApproved
from review import repeats
from review.output import Attempt, Output, State
from review.policy.limits import Start
from review.policy.rules import Subject
from review.states import evolve

APPROVED_STATES = frozenset(
    {
        State.APPROVED,
        State.PUBLISHING,
        State.UNCERTAIN,
        State.PUBLISH_FAILED,
        State.PUBLISHED,
        State.RETRACTING,
        State.RETRACTED,
    }
)
"""States in which the present content has all the approvals that it needs."""


def keep(transaction: Transaction, before: Output, after: Output, position: int) -> None:
    """Bring the tables in line with an output that has changed.

    Args:
        transaction: The decision's.
        before: The output before the command.
        after: The output after it.
        position: The event that changed it.
    """
    _keep_approvals(transaction, before, after, position)
    opened = after.opened and not (before.opened and before.revision == after.revision)
    if opened and after.opened_at_position is not None and after.updated_at is not None:
        repeats.opened(transaction, after, after.opened_at_position, after.updated_at)
    known = {attempt.number: attempt for attempt in before.attempts}
    for attempt in after.attempts:
        if known.get(attempt.number) != attempt:
            _keep_attempt(transaction, after, attempt, position)
            if attempt.number not in known:
                repeats.sent(transaction, after, attempt.started_at)


def starts(connection: sa.Connection, since: datetime) -> tuple[Start, ...]:
    """The sends since a moment that are not known to have failed: what limits count.

    Args:
        connection: A connection; of the decision's transaction, where something is decided.
        since: From when on.
    """
    sent = tables.publications
    query = sa.select(
        sent.c.channel, sent.c.kind, sent.c.identity, sent.c.target_url, sent.c.agent_id, sent.c.started_at
    ).where(sent.c.started_at >= since, sent.c.state != "failed")
    return tuple(
        Start(
            Subject(row.channel or "", row.kind or "", row.identity or "", row.target_url or "", row.agent_id or ""),
            row.started_at,
        )
        for row in connection.execute(query)
    )


def restore(manager: DatabaseManager) -> int:
    """Make the tables again from the log, for every output that the desk ever took up: after a trusted import.

    Returns:
        How many outputs that were.
    """
    log = EventLog(manager)
    taken_up = {fact.stream_id for fact in log.read(types=["review.opened", "review.approved"])}
    for stream in sorted(taken_up):
        with manager.transaction(durable=True) as transaction:
            before: Output | None = None
            for fact in log.read(stream=stream):
                after = evolve(before, fact)
                if before is not None and after is not None:
                    keep(transaction, before, after, fact.position)
                before = after
    return len(taken_up)


def _approving(dialect: Any) -> Any:
    statement = dialect.insert(tables.approvals)
    changing = ("position", "approved_at", "revoked_position")
    return statement.on_conflict_do_update(
        index_elements=["output_id", "revision", "content_hash"],
        set_={name: statement.excluded[name] for name in changing},
    )


_APPROVE = {"sqlite": _approving(sqlite), "postgresql": _approving(postgresql)}


def _keep_approvals(transaction: Transaction, before: Output, after: Output, position: int) -> None:
    approvals = tables.approvals
    of_output = approvals.c.output_id == after.output_id
    present = sa.and_(approvals.c.revision == after.revision, approvals.c.content_hash == after.content_hash)
    approved = after.state in APPROVED_STATES and len(after.votes) >= after.needed
    if approved and before.state in APPROVED_STATES and before.revision == after.revision:
        return  # as it goes on from approved to published: its approval stands
    # Nothing can be taken back of what was never approved before.
    if any(entry.what == ReviewApproved.event_type for entry in before.history):
        others = sa.not_(present) if approved else sa.true()
        transaction.connection.execute(
            sa.update(approvals)
            .where(of_output, approvals.c.revoked_position.is_(None), others)
            .values(revoked_position=position)
        )
    if approved:
        values = {
            "output_id": after.output_id,
            "revision": after.revision,
            "content_hash": after.content_hash,
            "position": position,
            "approved_at": after.votes[-1].at,
            "revoked_position": None,
        }
        transaction.connection.execute(_APPROVE[transaction.manager.backend.name], values)


def _keep_attempt(transaction: Transaction, output: Output, attempt: Attempt, position: int) -> None:
    publications = tables.publications
    key = {
        "output_id": output.output_id,
        "revision": attempt.revision,
        "content_hash": attempt.content_hash,
        "attempt": attempt.number,
    }
    finished = {
        "state": attempt.state,
        "finished_position": None if attempt.state == "publishing" else position,
        "external_id": attempt.external_id,
        "url": attempt.url,
    }
    changed = transaction.connection.execute(
        sa.update(publications).where(*(publications.c[name] == value for name, value in key.items())).values(finished)
    )
    if changed.rowcount == 0:
        transaction.connection.execute(
            sa.insert(publications).values(
                **key,
                **finished,
                idempotency_key=attempt.idempotency_key,
                publisher=attempt.publisher,
                worker=attempt.worker,
                started_position=attempt.started_position,
                started_at=attempt.started_at,
                channel=output.channel,
                kind=output.kind,
                identity=output.identity,
                target_url=output.content.target_url,
                agent_id=output.agent_id,
            )
        )
