"""How an agent's skills did: one event an execution."""

from __future__ import annotations

from capture.events.event import Event
from capture.vocabulary.actions import Milliseconds, Text
from capture.vocabulary.drafts import Confidence, Line


class SkillPerformed(Event, type="skill.performed", version=1):
    """An agent executed a skill; where the right decision is known, whether it was the right one."""

    execution_id: Line
    skill: Line
    decision: Text | None = None
    expected_decision: Text | None = None
    correct: bool | None = None
    confidence: Confidence | None = None
    duration_ms: Milliseconds | None = None
    exception_type: Line | None = None
