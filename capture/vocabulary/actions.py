"""What an agent did by itself, inside its own bounds: nothing that must pass review."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from capture.events.event import Event, JsonObject
from capture.vocabulary.drafts import Confidence, Line

Text = Annotated[str, Field(max_length=100_000)]
"""A text of any form that people read: a description, an error, a purpose. In characters."""

Milliseconds = Annotated[float, Field(ge=0)]
"""A span of time, in milliseconds."""


class ActionPerformed(Event, type="action.performed", version=1):
    """An agent did something and saw how it ended."""

    action: Line
    description: Text | None = None
    success: bool
    duration_ms: Milliseconds | None = None
    confidence: Confidence | None = None
    error: Text | None = None
    metadata: JsonObject = Field(default_factory=dict)
