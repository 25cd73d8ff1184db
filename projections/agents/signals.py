"""`agents_signals`: what each agent last told the others about its availability, a row an agent."""

from __future__ import annotations

from capture import Recorded
from capture.vocabulary import SignalBroadcast
from projections.columns import Integer, Json, Key, Real, Text, Timestamp
from projections.projector import Projector, handles
from projections.rows import Rows
from projections.table import agents_table


class Signals(Projector, version=1):
    """The newest signal stands, as a whole: what it leaves out is not known any more."""

    table = agents_table(
        "signals",
        Key("agent_id"),
        Text("mode"),
        Json("skills_offered"),
        Text("focus"),
        Real("capacity"),
        Timestamp("available_until"),
        Json("autonomy_level"),
        Text("run_id"),
        Timestamp("broadcast_at"),
        Integer("position"),
    )

    @handles(SignalBroadcast)
    def broadcast(self, fact: Recorded[SignalBroadcast], rows: Rows) -> None:
        """The newer signal replaces the older."""
        signal = fact.payload
        rows.upsert(
            agent_id=fact.agent_id,
            mode=signal.mode,
            skills_offered=signal.skills_offered,
            focus=signal.focus,
            capacity=signal.capacity,
            available_until=signal.available_until,
            autonomy_level=signal.autonomy_level,
            run_id=fact.run_id,
            broadcast_at=fact.occurred_at,
            position=fact.position,
        )
