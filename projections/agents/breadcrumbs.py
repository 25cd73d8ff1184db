"""`agents_breadcrumbs`: the trail that agents leave while they search and read, a row a step."""

from __future__ import annotations

from capture import Recorded
from capture.vocabulary import BreadcrumbLeft
from projections.columns import Integer, Json, Key, Text, Timestamp
from projections.projector import Projector, handles
from projections.rows import Rows
from projections.table import agents_table


class Breadcrumbs(Projector, version=1):
    """Every step, to be read by session, task or contract."""

    table = agents_table(
        "breadcrumbs",
        Key("event_id"),
        Text("agent_id"),
        Text("session_id"),
        Text("action"),
        Text("query"),
        Json("results"),
        Json("related_docs"),
        Text("task_id"),
        Text("contract_id"),
        Json("data"),
        Text("run_id"),
        Timestamp("left_at"),
        Integer("position"),
        indexes=[("session_id", "position"), ("task_id",), ("contract_id",)],
    )

    @handles(BreadcrumbLeft)
    def left(self, fact: Recorded[BreadcrumbLeft], rows: Rows) -> None:
        """One more step."""
        crumb = fact.payload
        rows.upsert(
            event_id=fact.event_id,
            agent_id=fact.agent_id,
            session_id=crumb.session_id,
            action=crumb.action,
            query=crumb.query,
            results=crumb.results,
            related_docs=crumb.related_docs,
            task_id=crumb.task_id,
            contract_id=crumb.contract_id,
            data=crumb.data,
            run_id=fact.run_id,
            left_at=fact.occurred_at,
            position=fact.position,
        )
