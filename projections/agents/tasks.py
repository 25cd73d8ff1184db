"""`agents_tasks`: the tasks that agents found, took on and completed, a row a task."""

from __future__ import annotations

from capture import Recorded
from capture.vocabulary import TaskAssigned, TaskCompleted, TaskDiscovered
from projections.columns import Integer, Json, Key, Real, Text, Timestamp
from projections.projector import Projector, handles
from projections.rows import Rows
from projections.table import agents_table


class Tasks(Projector, version=1):
    """Each event tells what is known then; what it leaves out stays. `state` is that of the newest event."""

    table = agents_table(
        "tasks",
        Key("task_id"),
        Text("state"),
        Text("description"),
        Json("required_skills"),
        Real("priority"),
        Json("complexity"),
        Text("discovered_by"),
        Json("context"),
        Text("assigned_to"),
        Text("outcome"),
        Text("agent_id"),
        Text("run_id"),
        Timestamp("discovered_at"),
        Timestamp("assigned_at"),
        Timestamp("completed_at"),
        Integer("position"),
        indexes=[("state", "assigned_to")],
    )

    @handles(TaskDiscovered)
    def discovered(self, fact: Recorded[TaskDiscovered], rows: Rows) -> None:
        """There is work."""
        self._tell(fact, rows, state="discovered", discovered_at=fact.occurred_at)

    @handles(TaskAssigned)
    def assigned(self, fact: Recorded[TaskAssigned], rows: Rows) -> None:
        """Somebody has it."""
        self._tell(fact, rows, state="assigned", assigned_at=fact.occurred_at)

    @handles(TaskCompleted)
    def completed(self, fact: Recorded[TaskCompleted], rows: Rows) -> None:
        """It is over."""
        self._tell(fact, rows, state="completed", completed_at=fact.occurred_at)

    def _tell(
        self,
        fact: Recorded[TaskDiscovered] | Recorded[TaskAssigned] | Recorded[TaskCompleted],
        rows: Rows,
        **more: object,
    ) -> None:
        task = fact.payload
        said = {name: getattr(task, name) for name in TOLD}
        row = rows.at(task_id=task.task_id)
        row.set(**{name: value for name, value in said.items() if value not in (None, (), {})}, **more)
        row.set(agent_id=fact.agent_id, run_id=fact.run_id, position=fact.position)


TOLD = (
    "description",
    "required_skills",
    "priority",
    "complexity",
    "discovered_by",
    "context",
    "assigned_to",
    "outcome",
)
"""What any event of a task may tell."""
