"""`status`: where every projection stands."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from capture import Clock, DatabaseManager, EventLog, tables, utc_now
from projections import checkpoint, dead_letters, definitions, lease, registry
from projections.checkpoint import Checkpoint
from projections.folding import Plan
from projections.registry import ProjectorLike
from projections.shadow import REPLAY, SUFFIX
from projections.staleness import ahead_reason, stale_reason


class Status(NamedTuple):
    """Where a projection stands.

    Attributes:
        projection: Its name.
        position: Every event up to here is in its table.
        head: Where the log ends.
        lag: Events between the two, those of types that it does not handle included.
        state: `current`, `behind`, `stale` (made by other code; readers see it as it was) or `stopped`.
        reason: Why it is stale or stopped, and what to do; empty otherwise.
        holder: The runner that keeps it current at the moment, as `host:process:…`.
        lag_seconds: Between the recording of the event at the position and of the newest one.
        rate: Positions a second, in the run or the replay that moved its checkpoint last.
        seconds_left: Until the head is reached at that rate, while a runner holds it; None otherwise.
        version: The version of the projector that made the table; 0 before it is made.
        generation: How often the table was replaced, from 1.
        tables: Its tables.
        handled: How many events its table took in.
        skipped: How many events a replay passed since they were dead letters already.
        dead: How many events were passed since the code could not handle them, since the last replay.
        dead_letters: Events that are in no row because this version of the code could not handle them.
        rebuilding: The position that a replay has committed so far, finished or not; None when there is none.
        replayed_by: The process that replays it at the moment.
        updated_at: When its checkpoint moved last.
    """

    projection: str
    position: int
    head: int
    lag: int
    state: str
    reason: str
    holder: str | None
    lag_seconds: float
    rate: float
    seconds_left: float | None
    version: int
    generation: int
    tables: tuple[str, ...]
    handled: int
    skipped: int
    dead: int
    dead_letters: int
    rebuilding: int | None
    replayed_by: str | None
    updated_at: datetime | None


class _Known(NamedTuple):
    checkpoints: dict[str, Checkpoint]
    holders: dict[str, str]
    dead: dict[tuple[str, int], int]


def status(
    manager: DatabaseManager,
    projectors: Iterable[ProjectorLike] | None = None,
    *,
    clock: Clock = utc_now,
) -> list[Status]:
    """Where every projection stands, by name.

    Args:
        manager: The database.
        projectors: Projectors or their classes; every installed one when left out.
        clock: Tells which leases still hold.
    """
    manager.ensure_schema()
    plans = registry.ready(projectors)
    with manager.connect() as connection:
        # Checkpoints before the head: it only rises, so that no lag comes out negative.
        known = _Known(
            checkpoint.every(connection), lease.holders(connection, clock()), dead_letters.counts(connection)
        )
        head = EventLog(manager).head()
        return [_status(connection, plan, head, known) for plan in plans]


def _status(connection: sa.Connection, plan: Plan, head: int, known: _Known) -> Status:
    at = known.checkpoints.get(plan.name)
    shadow = known.checkpoints.get(plan.name + SUFFIX)
    position = 0 if at is None else at.position
    state, reason = _state(connection, plan, at, head)
    lag = max(head - position, 0)
    rate, holder = 0.0 if at is None else at.rate, known.holders.get(plan.name)
    goes_on = state in ("current", "behind") and holder is not None
    return Status(
        projection=plan.name,
        position=position,
        head=head,
        lag=lag,
        state=state,
        reason=reason,
        holder=holder,
        lag_seconds=_seconds(connection, position, head) if lag else 0.0,
        rate=rate,
        seconds_left=lag / rate if goes_on and rate > 0 else None,
        version=0 if at is None else at.version,
        generation=0 if at is None else at.generation,
        tables=tuple(table.full_name for table in plan.tables),
        handled=0 if at is None else at.handled,
        skipped=0 if at is None else at.skipped,
        dead=0 if at is None else at.dead,
        dead_letters=0 if at is None else known.dead.get((plan.name, at.version), 0),
        rebuilding=None if shadow is None else shadow.position,
        replayed_by=known.holders.get(plan.name + REPLAY),
        updated_at=None if at is None else at.updated_at,
    )


def _state(connection: sa.Connection, plan: Plan, at: Checkpoint | None, head: int) -> tuple[str, str]:
    if at is None:
        return ("behind" if head else "current"), ""
    stale = stale_reason(plan, at)
    if stale is not None:
        return "stale", stale
    if at.position > head:
        return "stopped", ahead_reason(at, head)
    missing = [table.full_name for table in plan.tables if not definitions.exists(connection, table.full_name)]
    if missing:
        return "stopped", f"the table {missing[0]} is gone; replay it"
    return ("behind" if at.position < head else "current"), ""


def _seconds(connection: sa.Connection, position: int, head: int) -> float:
    events = tables.events
    query = sa.select(events.c.recorded_at).where(events.c.position.in_([max(position, 1), head]))
    times = list(connection.execute(query).scalars())
    return (max(times) - min(times)).total_seconds() if times else 0.0
