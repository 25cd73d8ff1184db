"""`agents_coordination`: what agents ask of each other and how it ended, a row a request."""

from __future__ import annotations

from capture import Recorded
from capture.vocabulary import CoordinationRequested, CoordinationResolved
from projections.columns import Integer, Json, Key, Text, Timestamp
from projections.projector import Projector, handles
from projections.rows import Rows
from projections.table import agents_table


class Coordination(Projector, version=1):
    """`state` is `open` or `resolved`; no targets means all agents."""

    table = agents_table(
        "coordination",
        Key("coordination_id"),
        Text("state"),
        Text("kind"),
        Json("targets"),
        Json("payload"),
        Text("requested_by"),
        Text("outcome"),
        Text("resolved_by"),
        Text("run_id"),
        Timestamp("requested_at"),
        Timestamp("resolved_at"),
        Integer("position"),
        indexes=[("state", "requested_at")],
    )

    @handles(CoordinationRequested)
    def requested(self, fact: Recorded[CoordinationRequested], rows: Rows) -> None:
        """Somebody asks; asked again under the same id, it is open again."""
        request = fact.payload
        rows.at(coordination_id=request.coordination_id).set(
            state="open",
            kind=request.kind,
            targets=request.targets,
            payload=request.payload,
            requested_by=fact.agent_id,
            outcome=None,
            resolved_by=None,
            run_id=fact.run_id,
            requested_at=fact.occurred_at,
            resolved_at=None,
            position=fact.position,
        )

    @handles(CoordinationResolved)
    def resolved(self, fact: Recorded[CoordinationResolved], rows: Rows) -> None:
        """It ended."""
        rows.at(coordination_id=fact.payload.coordination_id).set(
            state="resolved",
            outcome=fact.payload.outcome,
            resolved_by=fact.agent_id,
            resolved_at=fact.occurred_at,
            position=fact.position,
        )
