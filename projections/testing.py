"""For the tests of a projector: fold events without a database, and given-when-then.

given(Errors, ErrorLearned(error_type="IOError", error_hash="h1")).when(
ErrorLearned(error_type="IOError", error_hash="h1", occurrences=2)
).then({"error_hash": "h1", "occurrences": 3})
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from capture import Event, Prepared, Recorded, Stored, from_text, prepare
from projections.columns import WireValue
from projections.facts import decoded
from projections.folding import Plan
from projections.folding import fold as fold_batch
from projections.projector import Projector
from projections.table import Table
from projections.working import Working

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
"""When the first bare event happens; each further one happens a second later."""

Given = Event | Prepared | Recorded[Event] | Stored
"""What a test hands in: a bare event, or one with an agent, a run and a time of its own."""


def fold(
    projector: type[Projector] | Projector,
    events: Iterable[Given],
    *,
    agent_id: str = "agent",
    table: str | None = None,
) -> list[dict[str, object]]:
    """The rows that a projector makes of events, without a database.

    Args:
        projector: The projector or its class.
        events: In the order of the log; their positions are 1, 2, 3 …
        agent_id: Who puts bare events out.
        table: The full name of one of the projector's tables; its (first) one when left out.

    Returns:
        The rows by key. Values are as a person writes them: JSON decoded, times aware, decimals as Decimal.

    Raises:
        Exception: What a handler raised, about the event that it could not handle.
    """
    plan = Plan(projector)
    folded = fold_batch(plan, decoded(stored_events(events, agent_id=agent_id)), lambda: Working(plan.tables, None))
    for dead in folded.dead:
        raise dead.error
    name = plan.name if table is None else table
    chosen = next(one for one in plan.tables if one.full_name == name)
    rows = [row for row in folded.working.rows[name].values() if row is not None]
    width = len(chosen.key_names)
    return [_readable(chosen, row) for row in sorted(rows, key=lambda row: [str(value) for value in row[:width]])]


def stored_events(events: Iterable[Given], *, agent_id: str = "agent") -> list[Stored]:
    """Events as a log would hold them, from position 1 on.

    Args:
        events: In the order of the log.
        agent_id: Who puts bare events out.
    """
    return [_stored(event, position, agent_id) for position, event in enumerate(events, start=1)]


class GivenEvents:
    """Events that happened; `given` makes it."""

    def __init__(self, projector: type[Projector] | Projector, events: tuple[Given, ...]) -> None:
        self._projector = projector
        self._events = events

    def when(self, *events: Given) -> GivenEvents:
        """These happen too."""
        return GivenEvents(self._projector, (*self._events, *events))

    def then(self, *rows: Mapping[str, object]) -> None:
        """The table has exactly these rows, by key; of each, only the columns that are named are compared.

        Raises:
            AssertionError: It does not; the message shows both.
        """
        found = fold(self._projector, self._events)
        named = [{name: row.get(name) for name in expected} for row, expected in zip(found, rows, strict=False)]
        if len(found) != len(rows) or named != [dict(row) for row in rows]:
            raise AssertionError(f"expected {[dict(row) for row in rows]}, found {found}")


def given(projector: type[Projector] | Projector, *events: Given) -> GivenEvents:
    """Begin with events that have happened already."""
    return GivenEvents(projector, events)


def _stored(event: Given, position: int, agent_id: str) -> Stored:
    if isinstance(event, Stored):
        return event
    at = BEGAN + timedelta(seconds=position - 1)
    if isinstance(event, Recorded):
        ready = prepare(
            event.payload,
            agent_id=event.agent_id,
            run_id=event.run_id,
            correlation_id=event.correlation_id,
            event_id=event.event_id,
            occurred_at=event.occurred_at,
        )
        at = event.recorded_at
    else:
        ready = event if isinstance(event, Prepared) else prepare(event, agent_id=agent_id, occurred_at=at)
    return Stored(position, *ready[:9], from_text(ready.occurred_at), at, ready.payload.decode(), b"")


def _readable(table: Table, row: list[WireValue]) -> dict[str, object]:
    return {name: _value(kind, value) for name, kind, value in zip(table.names, table.kinds, row, strict=True)}


def _value(kind: str, value: WireValue) -> object:
    if not isinstance(value, str):
        return value
    if kind == "json":
        return json.loads(value)
    if kind == "timestamp":
        return from_text(value)
    return Decimal(value) if kind == "exact" else value
