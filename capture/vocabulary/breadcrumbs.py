"""The trail that an agent leaves while it searches and reads, for the next one to follow."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, JsonValue

from capture.events.event import Event, JsonObject
from capture.vocabulary.actions import Text
from capture.vocabulary.contracts import ContractId
from capture.vocabulary.drafts import Line
from capture.vocabulary.tasks import TaskId

SessionId = Annotated[str, Field(min_length=1, max_length=200)]
"""What names a session of an agent. In characters."""


class BreadcrumbLeft(Event, type="breadcrumb.left", version=1):
    """An agent took one step of a search: what it asked, what it found, which documents belong to it."""

    session_id: SessionId
    action: Line
    query: Text | None = None
    results: tuple[JsonValue, ...] = ()
    related_docs: tuple[Line, ...] = ()
    task_id: TaskId | None = None
    contract_id: ContractId | None = None
    data: JsonObject = Field(default_factory=dict)
