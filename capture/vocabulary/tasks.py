"""Tasks that agents discover, take on and complete. Each event tells what is known then; what it leaves out stays."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from capture.events.event import Event, JsonObject
from capture.vocabulary.actions import Text
from capture.vocabulary.drafts import Line

TaskId = Annotated[str, Field(min_length=1, max_length=200)]
"""What names a task. In characters."""

Grade = float | Line
"""A grade as the agent states it: a number, or a word as `high`."""


class _OfTask(Event):
    task_id: TaskId
    description: Text | None = None
    required_skills: tuple[Line, ...] = ()
    priority: float | None = None
    complexity: Grade | None = None
    discovered_by: Line | None = None
    context: JsonObject = Field(default_factory=dict)
    assigned_to: Line | None = None
    outcome: Text | None = None


class TaskDiscovered(_OfTask, type="task.discovered", version=1, stream="task_id"):
    """An agent found work that should be done."""


class TaskAssigned(_OfTask, type="task.assigned", version=1, stream="task_id"):
    """A task was given to an agent."""


class TaskCompleted(_OfTask, type="task.completed", version=1, stream="task_id"):
    """A task ended; `outcome` tells how."""
