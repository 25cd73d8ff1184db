"""What the sources of agent frameworks write: calls of models and tools, and plain log lines."""

from __future__ import annotations

from pydantic import Field, JsonValue

from capture.events.event import Event, JsonObject
from capture.vocabulary.actions import Milliseconds, Text
from capture.vocabulary.drafts import Line


class ModelCalled(Event, type="model.called", version=1):
    """An agent called a language model. `messages` holds the answer too; `usage` counts tokens as the provider does."""

    provider: Line
    model: Line
    messages: tuple[JsonObject, ...] = ()
    usage: JsonObject = Field(default_factory=dict)
    finish_reasons: tuple[Line, ...] = ()
    error: Text | None = None
    duration_ms: Milliseconds | None = None


class ToolCalled(Event, type="tool.called", version=1):
    """An agent called a tool."""

    tool: Line
    arguments: JsonObject = Field(default_factory=dict)
    result: JsonValue = None
    error: Text | None = None
    duration_ms: Milliseconds | None = None


class LogRecorded(Event, type="log.recorded", version=1):
    """A log line that stands for no other event, captured because its source was asked to take them all."""

    level: Line
    logger: Line | None = None
    message: str
    fields: JsonObject = Field(default_factory=dict)
