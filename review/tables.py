"""The desk's own two tables: which approvals are complete, and what was tried to publish.

They change in the transaction of the event that changes them, and nobody else writes them. Both can be checked against
the log. `agents_approvals` is what the database itself asks before it takes a `publication.started`.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from capture import DatabaseManager, EventLog, Transaction, tables
from review.output import Attempt, Output, State
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
    """Bring both tables in line with an output that has changed.

    Args:
        transaction: The decision's.
        before: The output before the command.
        after: The output after it.
        position: The event that changed it.
    """
    _keep_approvals(transaction, before, after, position)
    known = {attempt.number: attempt for attempt in before.attempts}
    for attempt in after.attempts:
        if known.get(attempt.number) != attempt:
            _keep_attempt(transaction, after, attempt, position)


def restore(manager: DatabaseManager) -> int:
    """Make both tables again from the log, for every output that was ever approved: after a trusted import.

    Returns:
        How many outputs that were.
    """
    log = EventLog(manager)
    approved = {fact.stream_id for fact in log.read(types=["review.approved"])}
    for stream in sorted(approved):
        with manager.transaction(durable=True) as transaction:
            before: Output | None = None
            for fact in log.read(stream=stream):
                after = evolve(before, fact)
                if before is not None and after is not None:
                    keep(transaction, before, after, fact.position)
                before = after
    return len(approved)


def _keep_approvals(transaction: Transaction, before: Output, after: Output, position: int) -> None:
    approvals = tables.approvals
    of_output = approvals.c.output_id == after.output_id
    present = sa.and_(approvals.c.revision == after.revision, approvals.c.content_hash == after.content_hash)
    approved = after.state in APPROVED_STATES and len(after.votes) >= after.needed
    if approved and before.state in APPROVED_STATES and before.revision == after.revision:
        return  # as it goes on from approved to published: its approval stands
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
        dialect = postgresql if transaction.manager.backend.name == "postgresql" else sqlite
        statement = dialect.insert(approvals).values(values)
        transaction.connection.execute(
            statement.on_conflict_do_update(
                index_elements=["output_id", "revision", "content_hash"],
                set_={name: values[name] for name in ("position", "approved_at", "revoked_position")},
            )
        )


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
            )
        )
