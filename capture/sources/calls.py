"""Calls of models and tools, from what a framework tells of them to `model.called` and `tool.called`.

What all sources of frameworks keep to stands here: no exception reaches the agent's code, nothing waits, what is
switched off is left out, and what can't be an event goes to quarantine.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import wraps
from typing import NamedTuple, NoReturn, ParamSpec

from pydantic import JsonValue, ValidationError

from capture import clock
from capture.errors import InvalidEvent, MissingExtra
from capture.events.decoding import explain
from capture.events.event import Event
from capture.events.prepare import check_id
from capture.identifiers import new_id_text
from capture.sources.any_value import as_json, as_text, opened
from capture.vocabulary.telemetry import ModelCalled, ToolCalled
from capture.writer import emit
from capture.writer.identity import UNNAMED, bound_ids
from capture.writer.quarantine import as_json as json_text
from capture.writer.quarantine import as_line, quarantined

P = ParamSpec("P")

LONGEST = (1_000_000, 50_000, 5_000, 500)
"""Texts are cut to these lengths, in characters, one after the other, until the event has at most 1 MiB."""

_LINE = 500
_ERROR = 90_000
_log = logging.getLogger("copydesk.sources")


class Failure(NamedTuple):
    """Why a call failed.

    Attributes:
        kind: The class of the exception, or another word that tells nothing of the content.
        message: What it said; it may quote anything.
    """

    kind: str
    message: object = None


def failure(error: BaseException) -> Failure:
    """An exception as a failure."""
    try:
        message = str(error)
    except Exception:  # noqa: BLE001 - the exception is the agent's own, and may do anything when it is asked
        message = "its message can't be shown"
    return Failure(type(error).__name__, message)


def needs(package: str, extra: str, source: str) -> NoReturn:
    """Say which extra a source needs.

    Raises:
        MissingExtra: Always; it is an `ImportError` too.
    """
    raise MissingExtra(f"{source} needs {package}, which is not installed: pip install 'copydesk[{extra}]'") from None


def undisturbed(callback: Callable[P, None]) -> Callable[P, None]:
    """A callback that a framework calls, from which no exception reaches the agent's code."""

    @wraps(callback)
    def call(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            callback(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - see above: objects of the framework and of the agent are asked here
            _log.error("a call was not captured, since %s failed: %s", callback.__qualname__, failure(error))

    return call


class Calls:
    """Puts out what a framework tells of its calls.

    Args:
        source: The way in, as the quarantine shows it.
        content: Keep prompts, answers, arguments and results; without it, only who was called, usage, duration and the
            kind of an error.
        agent_id: Who emits; see `capture.configure`.
        run_id: The run of the agent.
        correlation_id: What the events belong to.

    Raises:
        InvalidEvent: An id is no plain name.
    """

    def __init__(
        self, source: str, *, content: bool, agent_id: str | None, run_id: str | None, correlation_id: str | None
    ) -> None:
        for name, value in (("agent_id", agent_id), ("run_id", run_id), ("correlation_id", correlation_id)):
            if value is not None:
                check_id(name, value)
        self.content = content
        self.ids = {"agent_id": agent_id, "run_id": run_id, "correlation_id": correlation_id}
        self._source = source

    def model(
        self,
        *,
        provider: object,
        model: object,
        messages: Sequence[object],
        usage: object,
        finish_reasons: Sequence[object],
        error: Failure | None,
        duration_ms: float | None,
        trace_id: object,
        conversation_id: object,
        event_id: str | None = None,
    ) -> None:
        """Put out one call of a model.

        Args:
            provider: Whose model it is, as far as that is known.
            model: Its name.
            messages: What was said, the answer included; taken only if content is.
            usage: Tokens, as the provider counts them: a mapping.
            finish_reasons: Why it stopped.
            error: Why it failed.
            duration_ms: How long it took, in milliseconds.
            trace_id: The framework's trace.
            conversation_id: What the call belongs to, where nothing else says it.
            event_id: The event's id, where another event will name it as its cause.
        """
        kept = messages if self.content else ()
        self._take(
            ModelCalled,
            lambda longest: {
                "provider": _line(provider),
                "model": _line(model),
                "messages": [_object(message, "content", longest) for message in kept],
                "usage": _object(usage, "usage", longest),
                "finish_reasons": [_line(reason) for reason in finish_reasons if reason],
                "error": self._error(error, longest),
                "duration_ms": None if duration_ms is None else max(duration_ms, 0.0),
            },
            trace_id=trace_id,
            conversation_id=conversation_id,
            event_id=event_id,
        )

    def tool(
        self,
        *,
        tool: object,
        arguments: object,
        result: object,
        error: Failure | None,
        duration_ms: float | None,
        trace_id: object,
        conversation_id: object,
        causation_id: str | None,
    ) -> None:
        """Put out one call of a tool.

        Args:
            tool: Its name.
            arguments: A mapping, or JSON text; anything else is kept as `input`. Taken only if content is.
            result: What it returned; JSON text as what it says. Taken only if content is.
            error: Why it failed.
            duration_ms: How long it took, in milliseconds.
            trace_id: The framework's trace.
            conversation_id: What the call belongs to, where nothing else says it.
            causation_id: The event of the model's call that asked for it.
        """
        given = (opened(arguments), opened(result)) if self.content else (None, None)
        self._take(
            ToolCalled,
            lambda longest: {
                "tool": _line(tool),
                "arguments": _object(given[0], "input", longest),
                "result": as_json(given[1], longest),
                "error": self._error(error, longest),
                "duration_ms": None if duration_ms is None else max(duration_ms, 0.0),
            },
            trace_id=trace_id,
            conversation_id=conversation_id,
            causation_id=causation_id,
        )

    def _error(self, error: Failure | None, longest: int) -> str | None:
        if error is None:
            return None
        kind = _line(error.kind)
        if not self.content or error.message is None or error.message == "":
            return kind
        return f"{kind}: {as_text(error.message, min(longest, _ERROR))}"

    def _take(
        self,
        event_class: type[Event],
        fields: Callable[[int], dict[str, JsonValue]],
        *,
        trace_id: object,
        conversation_id: object,
        causation_id: str | None = None,
        event_id: str | None = None,
    ) -> None:
        capture = emit.capture
        correlation_id = self.ids["correlation_id"]
        if correlation_id is None and capture.identity.correlation_id is None and "correlation_id" not in bound_ids():
            correlation_id = plain_id(conversation_id)
        refused: Exception | None = None
        for longest in LONGEST:
            found = fields(longest)
            try:
                prepared = capture.prepare(
                    event_class.model_validate(found),
                    agent_id=self.ids["agent_id"],
                    run_id=self.ids["run_id"],
                    correlation_id=correlation_id,
                    causation_id=causation_id,
                    trace_id=plain_id(trace_id),
                    event_id=event_id,
                )
            except Exception as error:  # noqa: BLE001 - redaction may be a function of the agent's
                refused = refused or error
                continue
            capture.take().submit_or_drop(prepared)
            return
        if refused is not None:
            self._refuse(event_class.event_type, fields(LONGEST[0]), refused)

    def _refuse(self, event_type: str, fields: dict[str, JsonValue], error: Exception) -> None:
        agent_id = self.ids["agent_id"] or plain_id(bound_ids().get("agent_id") or emit.capture.identity.agent())
        agent_id = agent_id or UNNAMED
        clean = as_json(emit.capture.redaction.value(fields), LONGEST[0])
        raw = as_line(json_text(clean), agent_id=agent_id, id=new_id_text(), type=event_type, time=clock.now_text())
        reason = explain(event_type, error) if isinstance(error, ValidationError) else _told(error)
        record = quarantined(raw, reason, source=self._source, agent_id=agent_id, event_type=event_type)
        emit.capture.take().submit_quarantine(record)


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, InvalidEvent) else f"{type(error).__name__}: {failure(error).message}"


def plain_id(value: object) -> str | None:
    """A framework's id if an event can carry it, else None: an odd trace is no reason to lose the call."""
    try:
        check_id("id", value)
    except InvalidEvent:
        return None
    return str(value)


def _line(value: object) -> str:
    text = as_text(value, _LINE - 50) if value is not None and value != "" else ""
    return text or "unknown"


def _object(value: object, key: str, longest: int) -> dict[str, JsonValue]:
    found = as_json(value, longest)
    if isinstance(found, dict):
        return found
    return {} if found is None else {key: found}
