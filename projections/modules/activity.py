"""`modules_activity_runs`: one row a run of an agent: when it began and ended, and what it did.

A worked example for module authors: every event that names a run counts, and `.first`, `.set` and `.add` say how.
"""

from __future__ import annotations

from typing import Any

from capture import Recorded
from capture.vocabulary import (
    ActionPerformed,
    ActionProposed,
    AgentAwakened,
    AgentDetached,
    AgentHeartbeat,
    AgentReenabled,
    BreadcrumbLeft,
    CommentDrafted,
    ContractAmended,
    ContractAssigned,
    ContractCompleted,
    ContractOpened,
    CoordinationRequested,
    CoordinationResolved,
    ErrorLearned,
    LogRecorded,
    MemoryForgotten,
    MemoryLearned,
    MessageDrafted,
    ModelCalled,
    OutputRevised,
    OutputSkipped,
    OutputWithdrawn,
    PatternLearned,
    SignalBroadcast,
    SkillPerformed,
    SocialPostDrafted,
    TaskAssigned,
    TaskCompleted,
    TaskDiscovered,
    ToolCalled,
    TransactionRecorded,
)
from projections.columns import Integer, Json, Key, Text, Timestamp
from projections.projector import Projector, handles
from projections.rows import Rows
from projections.table import module_table

WHAT_AGENTS_DO = (
    ActionPerformed,
    ActionProposed,
    AgentAwakened,
    AgentDetached,
    AgentHeartbeat,
    AgentReenabled,
    BreadcrumbLeft,
    CommentDrafted,
    ContractAmended,
    ContractAssigned,
    ContractCompleted,
    ContractOpened,
    CoordinationRequested,
    CoordinationResolved,
    ErrorLearned,
    LogRecorded,
    MemoryForgotten,
    MemoryLearned,
    MessageDrafted,
    ModelCalled,
    OutputRevised,
    OutputSkipped,
    OutputWithdrawn,
    PatternLearned,
    SignalBroadcast,
    SkillPerformed,
    SocialPostDrafted,
    TaskAssigned,
    TaskCompleted,
    TaskDiscovered,
    ToolCalled,
    TransactionRecorded,
)
"""What counts for a run: listed, since a base class stands for more types in a process that knows more of them."""

_COUNTED = {
    "model.called": "models_called",
    "tool.called": "tools_called",
    "action.performed": "actions",
    "error.learned": "errors",
    "memory.learned": "memories",
}


class ActivityRuns(Projector, version=1):
    """One row for each run that an agent names. Times are those of the agent's clock."""

    table = module_table(
        "activity",
        "runs",
        Key("agent_id"),
        Key("run_id"),
        Timestamp("began_at"),
        Timestamp("last_at"),
        Integer("events"),
        Integer("drafts"),
        Integer("models_called"),
        Integer("tools_called"),
        Integer("actions"),
        Integer("errors"),
        Integer("memories"),
        Text("first_type"),
        Text("last_type"),
        Json("outputs"),
    )

    @handles(*WHAT_AGENTS_DO)
    def happened(self, fact: Recorded[Any], rows: Rows) -> None:
        """What an agent did in a run counts for it; events without a run are no run's."""
        if fact.run_id is None:
            return
        row = rows.at(agent_id=fact.agent_id, run_id=fact.run_id)
        row.add(events=1).first(began_at=fact.occurred_at, first_type=fact.event_type)
        row.set(last_at=fact.occurred_at, last_type=fact.event_type)
        if fact.event_type in _COUNTED:
            row.add(**{_COUNTED[fact.event_type]: 1})
        if fact.event_type.endswith((".drafted", ".proposed")):
            row.add(drafts=1).append(outputs=fact.payload.output_id)
