"""`agents_awakening`: how each agent is, a row an agent."""

from __future__ import annotations

from capture import Recorded
from capture.vocabulary import AgentAwakened, AgentDetached, AgentHeartbeat, AgentReenabled
from projections.columns import Integer, Json, Key, Real, Text, Timestamp
from projections.projector import Projector, handles
from projections.rows import Rows
from projections.table import agents_table


class Awakening(Projector, version=1):
    """The newest of each kind of sign that an agent gave. `state` is `awake` or `detached`."""

    table = agents_table(
        "awakening",
        Key("agent_id"),
        Text("state"),
        Text("consciousness_level"),
        Text("koan"),
        Text("status"),
        Real("uptime_s"),
        Json("health"),
        Integer("restart_count"),
        Text("error_message"),
        Text("reason"),
        Text("run_id"),
        Integer("awakenings"),
        Integer("heartbeats"),
        Timestamp("awakened_at"),
        Timestamp("heartbeat_at"),
        Timestamp("detached_at"),
        Timestamp("reenabled_at"),
        Integer("position"),
    )

    @handles(AgentAwakened)
    def awakened(self, fact: Recorded[AgentAwakened], rows: Rows) -> None:
        """It started; a start does not undo a detachment, of which only `agent.reenabled` says that it is over."""
        row = rows.at(agent_id=fact.agent_id)
        row.set(consciousness_level=fact.payload.consciousness_level, koan=fact.payload.koan)
        row.set(run_id=fact.run_id, awakened_at=fact.occurred_at, position=fact.position)
        row.first(state="awake").add(awakenings=1)

    @handles(AgentHeartbeat)
    def beat(self, fact: Recorded[AgentHeartbeat], rows: Rows) -> None:
        """It lives, and tells how."""
        beat = fact.payload
        row = rows.at(agent_id=fact.agent_id)
        row.set(
            status=beat.status,
            uptime_s=beat.uptime_s,
            health=beat.health,
            restart_count=beat.restart_count,
            error_message=beat.error_message,
            heartbeat_at=fact.occurred_at,
            position=fact.position,
        )
        row.first(state="awake").add(heartbeats=1)

    @handles(AgentDetached)
    def detached(self, fact: Recorded[AgentDetached], rows: Rows) -> None:
        """It is out of service."""
        row = rows.at(agent_id=fact.agent_id)
        row.set(state="detached", reason=fact.payload.reason, detached_at=fact.occurred_at, position=fact.position)

    @handles(AgentReenabled)
    def reenabled(self, fact: Recorded[AgentReenabled], rows: Rows) -> None:
        """It is in service again."""
        row = rows.at(agent_id=fact.agent_id)
        row.set(state="awake", reason=fact.payload.reason, reenabled_at=fact.occurred_at, position=fact.position)
