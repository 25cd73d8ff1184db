"""What agents ask of each other, and how it ended."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from capture.events.event import Event, JsonObject
from capture.vocabulary.actions import Text
from capture.vocabulary.drafts import Line

CoordinationId = Annotated[str, Field(min_length=1, max_length=200)]
"""What names a request among agents. In characters."""


class CoordinationRequested(Event, type="coordination.requested", version=1, stream="coordination_id"):
    """An agent asked others for something; no targets means all."""

    coordination_id: CoordinationId
    kind: Line
    targets: tuple[Line, ...] = ()
    payload: JsonObject = Field(default_factory=dict)


class CoordinationResolved(Event, type="coordination.resolved", version=1, stream="coordination_id"):
    """The request ended."""

    coordination_id: CoordinationId
    outcome: Text
