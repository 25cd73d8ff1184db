"""`agents_skills`: how agents' skills did, a row an execution."""

from __future__ import annotations

from capture import Recorded
from capture.vocabulary import SkillPerformed
from projections.columns import Boolean, Integer, Key, Real, Text, Timestamp
from projections.projector import Projector, handles
from projections.rows import Rows
from projections.table import agents_table


class Skills(Projector, version=1):
    """One row an execution; told again under its id, the newer telling stands."""

    table = agents_table(
        "skills",
        Key("agent_id"),
        Key("execution_id"),
        Text("skill"),
        Text("decision"),
        Text("expected_decision"),
        Boolean("correct"),
        Real("confidence"),
        Real("duration_ms"),
        Text("exception_type"),
        Text("run_id"),
        Timestamp("performed_at"),
        Integer("position"),
        indexes=[("skill", "performed_at")],
    )

    @handles(SkillPerformed)
    def performed(self, fact: Recorded[SkillPerformed], rows: Rows) -> None:
        """One execution."""
        skill = fact.payload
        rows.upsert(
            agent_id=fact.agent_id,
            execution_id=skill.execution_id,
            skill=skill.skill,
            decision=skill.decision,
            expected_decision=skill.expected_decision,
            correct=skill.correct,
            confidence=skill.confidence,
            duration_ms=skill.duration_ms,
            exception_type=skill.exception_type,
            run_id=fact.run_id,
            performed_at=fact.occurred_at,
            position=fact.position,
        )
