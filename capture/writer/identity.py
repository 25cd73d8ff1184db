"""Who puts an event out: the argument, else the bound context, else `configure`, else the environment."""

from __future__ import annotations

import logging
from contextvars import copy_context
from typing import Any
from uuid import UUID

from capture.settings import Settings

IDS = ("agent_id", "run_id", "correlation_id", "causation_id", "trace_id")
"""The keys of a bound context that say whose event it is."""

UNNAMED = "unnamed"

# structlog keeps what `bind_contextvars` binds in one context variable a key. Looked up by name, so that an agent
# without structlog does not import it.
_PREFIX = "structlog_"
_BY_VARIABLE = {_PREFIX + name: name for name in IDS}
_NOTHING: dict[str, Any] = {}
_log = logging.getLogger("copydesk.writer")


class Identity:
    """What `configure` and the environment say about the agent. Never changed: `configure` puts another in its place.

    Args:
        agent_id: Who emits.
        run_id: The run of the agent.
        correlation_id: What its events belong to.
    """

    def __init__(
        self, agent_id: str | None = None, run_id: str | None = None, correlation_id: str | None = None
    ) -> None:
        self.agent_id = agent_id
        self.run_id = run_id
        self.correlation_id = correlation_id
        self._default: str | None = None

    def but(self, agent_id: str | None, run_id: str | None, correlation_id: str | None) -> Identity:
        """The same, but for what is given."""
        return Identity(agent_id or self.agent_id, run_id or self.run_id, correlation_id or self.correlation_id)

    def agent(self) -> str:
        """Who emits when neither the argument nor the bound context says it."""
        if self.agent_id is not None:
            return self.agent_id
        if self._default is None:
            self._default = Settings.from_environment().agent_id
            if self._default is None:
                self._default = UNNAMED
                _log.warning(
                    'events are put out by "%s": call capture.configure(agent_id=...) or set COPYDESK_AGENT_ID', UNNAMED
                )
        return self._default


def bound_ids() -> dict[str, Any]:
    """The ids among structlog's context variables of this context."""
    context = copy_context()
    if not context:
        return _NOTHING
    return {
        _BY_VARIABLE[variable.name]: as_id(value)
        for variable, value in context.items()
        if variable.name in _BY_VARIABLE and value is not Ellipsis and value is not None
    }


def bound_context() -> dict[str, Any]:
    """All of structlog's context variables of this context, by key."""
    return {
        variable.name.removeprefix(_PREFIX): value
        for variable, value in copy_context().items()
        if variable.name.startswith(_PREFIX) and value is not Ellipsis
    }


def as_id(value: object) -> object:
    """An id as text, where it was bound as a UUID or a number; anything else as it is, to be refused."""
    return str(value) if isinstance(value, UUID | int) else value
