"""`wait_for`: read your own write."""

from __future__ import annotations

import time
from collections.abc import Callable
from uuid import UUID

from capture import DatabaseManager, EventLog
from projections import checkpoint, registry
from projections.errors import StaleProjection, WaitTimedOut
from projections.folding import Plan
from projections.projector import Projector
from projections.staleness import stale_reason

SHORTEST_PAUSE, LONGEST_PAUSE = 0.005, 0.1
"""Seconds between two looks: the pause doubles from the one to the other."""


def wait_for(
    position_or_event_id: int | UUID | str,
    projection: str | type[Projector] | Projector,
    timeout: float,
    *,
    manager: DatabaseManager | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Wait until an event is in a projection's table.

    Args:
        position_or_event_id: A position, or an event's id; the event need not be in the log yet.
        projection: The projection's name, or its projector.
        timeout: How long to wait, in seconds.
        manager: The database; `DatabaseManager.get()` when left out.
        sleep: Waits for a count of seconds.

    Returns:
        The event's position.

    Raises:
        WaitTimedOut: The time is over.
        StaleProjection: The table was made by other code and stands still until a replay.
        UnknownProjection: There is no such projection.
    """
    manager = DatabaseManager.get() if manager is None else manager
    manager.ensure_schema()
    if isinstance(projection, str):
        (plan,) = registry.select(registry.installed(), [projection])
    else:
        plan = Plan(projection)
    log = EventLog(manager)
    until, pause = time.monotonic() + timeout, SHORTEST_PAUSE
    wanted: int | None = position_or_event_id if isinstance(position_or_event_id, int) else None
    while True:
        if wanted is None:
            event = log.find(position_or_event_id)  # type: ignore[arg-type] # no int comes here
            wanted = None if event is None else event.position
        with manager.connect() as connection:
            at = checkpoint.find(connection, plan.name)
        if at is not None:
            reason = stale_reason(plan, at)
            if reason is not None:
                raise StaleProjection(
                    f"{plan.name} stands still: {reason}", hint=f"copydesk projections replay {plan.name}"
                )
            if wanted is not None and at.position >= wanted:
                return wanted
        left = until - time.monotonic()
        if left <= 0:
            stands = 0 if at is None else at.position
            raise WaitTimedOut(
                f"{position_or_event_id} was not in {plan.name} after {timeout:g} s; it stands at {stands}",
                hint="is a runner working? `copydesk projections status` says who",
            )
        sleep(min(pause, left))
        pause = min(2 * pause, LONGEST_PAUSE)
