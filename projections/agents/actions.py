"""`agents_actions`: what agents did by themselves and how it ended, a row an action."""

from __future__ import annotations

from capture import Recorded
from capture.vocabulary import ActionPerformed
from projections.columns import Boolean, Integer, Json, Key, Real, Text, Timestamp
from projections.projector import Projector, handles
from projections.rows import Rows
from projections.table import agents_table


class Actions(Projector, version=1):
    """Every action that was performed."""

    table = agents_table(
        "actions",
        Key("event_id"),
        Text("agent_id"),
        Text("action"),
        Text("description"),
        Boolean("success"),
        Real("duration_ms"),
        Real("confidence"),
        Text("error"),
        Json("metadata"),
        Text("run_id"),
        Timestamp("performed_at"),
        Integer("position"),
        indexes=[("agent_id", "performed_at"), ("action", "success")],
    )

    @handles(ActionPerformed)
    def performed(self, fact: Recorded[ActionPerformed], rows: Rows) -> None:
        """One more row."""
        done = fact.payload
        rows.upsert(
            event_id=fact.event_id,
            agent_id=fact.agent_id,
            action=done.action,
            description=done.description,
            success=done.success,
            duration_ms=done.duration_ms,
            confidence=done.confidence,
            error=done.error,
            metadata=done.metadata,
            run_id=fact.run_id,
            performed_at=fact.occurred_at,
            position=fact.position,
        )
