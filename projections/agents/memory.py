"""`agents_memory`: what each agent remembers, a row a key."""

from __future__ import annotations

from capture import Recorded
from capture.vocabulary import MemoryForgotten, MemoryLearned
from projections.columns import Integer, Json, Key, Real, Text, Timestamp
from projections.projector import Projector, handles
from projections.rows import Rows
from projections.table import agents_table


class Memory(Projector, version=1):
    """The newest value of each key; what was forgotten is gone."""

    table = agents_table(
        "memory",
        Key("agent_id"),
        Key("key"),
        Json("value"),
        Text("kind"),
        Real("confidence"),
        Text("source"),
        Text("run_id"),
        Timestamp("learned_at"),
        Integer("position"),
    )

    @handles(MemoryLearned)
    def learned(self, fact: Recorded[MemoryLearned], rows: Rows) -> None:
        """The newer value stands, with all that was said about it."""
        memory = fact.payload
        rows.upsert(
            agent_id=fact.agent_id,
            key=memory.key,
            value=memory.value,
            kind=memory.kind,
            confidence=memory.confidence,
            source=memory.source,
            run_id=fact.run_id,
            learned_at=fact.occurred_at,
            position=fact.position,
        )

    @handles(MemoryForgotten)
    def forgotten(self, fact: Recorded[MemoryForgotten], rows: Rows) -> None:
        """The key is gone until it is learned again."""
        rows.delete(agent_id=fact.agent_id, key=fact.payload.key)
