"""Whether an agent is there: awake, alive, detached, back."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, JsonValue

from capture.events.event import Event
from capture.vocabulary.actions import Text
from capture.vocabulary.drafts import Line


class AgentAwakened(Event, type="agent.awakened", version=1):
    """An agent started, in the state that it ascribes to itself."""

    consciousness_level: Line
    koan: Text | None = None


class AgentHeartbeat(Event, type="agent.heartbeat", version=1):
    """An agent is alive. `health` is whatever the agent measures: a word, a number, an object."""

    status: Line
    uptime_s: Annotated[float, Field(ge=0)] | None = None
    health: JsonValue = None
    restart_count: Annotated[int, Field(ge=0)] | None = None
    error_message: Text | None = None


class AgentDetached(Event, type="agent.detached", version=1):
    """An agent was taken out of service, or took itself out."""

    reason: Text


class AgentReenabled(Event, type="agent.reenabled", version=1):
    """A detached agent is in service again."""

    reason: Text
