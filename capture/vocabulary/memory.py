"""What an agent learned: facts by key, patterns, and errors with their solutions."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, JsonValue

from capture.events.event import Event, JsonObject
from capture.vocabulary.actions import Text
from capture.vocabulary.drafts import Confidence, Line


class MemoryLearned(Event, type="memory.learned", version=1):
    """An agent remembers a value under a key. Learned again, the newer value stands."""

    key: Line
    value: JsonValue
    kind: Line
    confidence: Confidence | None = None
    source: Text | None = None


class MemoryForgotten(Event, type="memory.forgotten", version=1):
    """An agent dropped what it remembered under a key."""

    key: Line
    reason: Text | None = None


class PatternLearned(Event, type="pattern.learned", version=1):
    """An agent saw a pattern. Each learning stands for itself: a second one of the same type replaces nothing."""

    pattern_type: Line
    pattern: JsonObject = Field(default_factory=dict)
    confidence: Confidence | None = None


class ErrorLearned(Event, type="error.learned", version=1):
    """An agent met an error. Occurrences of one hash add up, and the first solution stays."""

    error_type: Line
    error_hash: Line
    message: Text | None = None
    solution: JsonValue = None
    occurrences: Annotated[int, Field(ge=1)] = 1
