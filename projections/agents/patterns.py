"""`agents_patterns`: every pattern that an agent learned, a row a learning."""

from __future__ import annotations

from capture import Recorded
from capture.vocabulary import PatternLearned
from projections.columns import Integer, Json, Key, Real, Text, Timestamp
from projections.projector import Projector, handles
from projections.rows import Rows
from projections.table import agents_table


class Patterns(Projector, version=1):
    """Each learning stands for itself: a second one of the same type replaces nothing."""

    table = agents_table(
        "patterns",
        Key("event_id"),
        Text("agent_id"),
        Text("pattern_type"),
        Json("pattern"),
        Real("confidence"),
        Text("run_id"),
        Timestamp("learned_at"),
        Integer("position"),
        indexes=[("agent_id", "pattern_type")],
    )

    @handles(PatternLearned)
    def learned(self, fact: Recorded[PatternLearned], rows: Rows) -> None:
        """One more row."""
        rows.upsert(
            event_id=fact.event_id,
            agent_id=fact.agent_id,
            pattern_type=fact.payload.pattern_type,
            pattern=fact.payload.pattern,
            confidence=fact.payload.confidence,
            run_id=fact.run_id,
            learned_at=fact.occurred_at,
            position=fact.position,
        )
