"""`CaptureSpanProcessor`: the `gen_ai.*` spans of OpenTelemetry, as `model.called` and `tool.called`.

Needs the extra `copydesk[otel]`. `tracer_provider.add_span_processor(CaptureSpanProcessor())` puts it beside others.
Pydantic AI and others write these spans; which attributes they have is up to them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from typing_extensions import override

from capture.identifiers import new_id_text
from capture.sources.any_value import opened
from capture.sources.calls import Calls, Failure, needs, undisturbed
from capture.sources.recent import Recent

try:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
    from opentelemetry.trace import StatusCode
except ModuleNotFoundError:
    needs("opentelemetry-sdk", "otel", __name__)

MODEL, TOOL = "model", "tool"

OPERATIONS = {
    "chat": MODEL,
    "text_completion": MODEL,
    "generate_content": MODEL,
    "embeddings": MODEL,
    "execute_tool": TOOL,
}
"""`gen_ai.operation.name` → what is called. An agent's own span sums up others, and is none."""

ATTRIBUTES = {
    # what: its attributes, the newest name first; the semantic conventions have renamed some
    "provider": ("gen_ai.provider.name", "gen_ai.system"),
    "model": ("gen_ai.response.model", "gen_ai.request.model"),
    "finish_reasons": ("gen_ai.response.finish_reasons",),
    "instructions": ("gen_ai.system_instructions",),
    "input": ("gen_ai.input.messages", "gen_ai.prompt"),
    "output": ("gen_ai.output.messages", "gen_ai.completion"),
    "conversation": ("gen_ai.conversation.id",),
    "tool": ("gen_ai.tool.name",),
    "call": ("gen_ai.tool.call.id",),
    "arguments": ("gen_ai.tool.call.arguments", "tool_arguments"),
    "result": ("gen_ai.tool.call.result", "tool_response"),
    "error": ("error.type",),
}

USAGE = "gen_ai.usage."
"""What begins with this is a count of tokens."""

EVENTS = {
    # event of a span: the role of the message that it is, as the conventions had it up to 1.36
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
    "gen_ai.choice": "assistant",
    "gen_ai.content.prompt": "user",
    "gen_ai.content.completion": "assistant",
}


class _Open(NamedTuple):
    """A span that has begun: what is called, and which instrumentation says so."""

    called: str
    scope: str


class CaptureSpanProcessor(SpanProcessor):
    """Captures every call of a model and a tool, when its span ends.

    A tool's call names the call of the model that asked for it as its cause. Where two instrumentations make a span of
    one call, the outer one counts.

    Args:
        content: Keep prompts, answers, arguments and results; without it, only who was called, usage, duration and the
            type of an error.
        agent_id: Who emits; when left out, as for `CaptureProcessor`: the bound context, else `capture.configure`.
        run_id: The run of the agent; likewise.
        correlation_id: What the events belong to; likewise, else `gen_ai.conversation.id`.

    Raises:
        InvalidEvent: An id is no plain name.
    """

    def __init__(
        self,
        *,
        content: bool = True,
        agent_id: str | None = None,
        run_id: str | None = None,
        correlation_id: str | None = None,
    ) -> None:
        self._calls = Calls(
            "opentelemetry", content=content, agent_id=agent_id, run_id=run_id, correlation_id=correlation_id
        )
        self._open: Recent[tuple[int, int], _Open] = Recent()
        self._asked: Recent[tuple[int, str], str] = Recent()

    @override
    @undisturbed
    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """A span begins: that it is a call is kept until it ends."""
        called = _called(span)
        if called is not None and span.context is not None:
            self._open.put((span.context.trace_id, span.context.span_id), _Open(called, _scope(span)))

    @override
    @undisturbed
    def on_end(self, span: ReadableSpan) -> None:
        """A span ends: of the model or of a tool, it is a call."""
        called, context = _called(span), span.context
        if called is None or context is None:
            return
        self._open.take((context.trace_id, context.span_id))
        outer = self._open.get((context.trace_id, span.parent.span_id)) if span.parent is not None else None
        if outer is not None and outer.called == called and outer.scope != _scope(span):
            return
        if called == MODEL:
            self._model(span, context.trace_id)
        else:
            self._tool(span, context.trace_id)

    def _model(self, span: ReadableSpan, trace: int) -> None:
        found = span.attributes or {}
        event_id = new_id_text()
        messages = list(_messages(span))
        for call_id in _asked_for(messages):
            self._asked.put((trace, call_id), event_id)
        reasons = _get(found, "finish_reasons")
        self._calls.model(
            provider=_get(found, "provider"),
            model=_get(found, "model"),
            messages=messages,
            usage={key.removeprefix(USAGE): value for key, value in found.items() if key.startswith(USAGE)},
            finish_reasons=[reasons] if isinstance(reasons, str) else reasons or (),
            error=_failure(span),
            duration_ms=_duration(span),
            trace_id=f"{trace:032x}",
            conversation_id=_get(found, "conversation"),
            event_id=event_id,
        )

    def _tool(self, span: ReadableSpan, trace: int) -> None:
        found = span.attributes or {}
        self._calls.tool(
            tool=_get(found, "tool") or span.name.removeprefix("execute_tool "),
            arguments=_get(found, "arguments"),
            result=_get(found, "result"),
            error=_failure(span),
            duration_ms=_duration(span),
            trace_id=f"{trace:032x}",
            conversation_id=_get(found, "conversation"),
            causation_id=self._asked.get((trace, str(_get(found, "call")))),
        )


def _get(found: Mapping[str, Any], what: str) -> Any:
    return next((found[name] for name in ATTRIBUTES[what] if found.get(name) is not None), None)


def _called(span: ReadableSpan) -> str | None:
    return OPERATIONS.get(str((span.attributes or {}).get("gen_ai.operation.name")))


def _scope(span: ReadableSpan) -> str:
    return span.instrumentation_scope.name if span.instrumentation_scope is not None else ""


def _messages(span: ReadableSpan) -> Iterator[object]:
    found = span.attributes or {}
    instructions = opened(_get(found, "instructions"))
    if instructions is not None:
        yield {"role": "system", "parts": instructions}
    for what, role in (("input", "user"), ("output", "assistant")):
        said = opened(_get(found, what))
        if isinstance(said, list | tuple):
            yield from said
        elif said is not None:
            yield said if isinstance(said, Mapping) else {"role": role, "content": said}
    for event in span.events:
        if event.name in EVENTS:
            yield {
                "role": EVENTS[event.name],
                **{key: opened(value) for key, value in (event.attributes or {}).items()},
            }


def _asked_for(messages: Sequence[object]) -> Iterator[str]:
    """The ids of the calls that the answer asks for; those of earlier answers have their cause already."""
    last = messages[-1] if messages else None
    parts = last.get("parts") if isinstance(last, Mapping) else None
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, Mapping) and part.get("type") == "tool_call" and isinstance(part.get("id"), str):
            yield part["id"]


def _duration(span: ReadableSpan) -> float | None:
    if span.start_time is None or span.end_time is None:
        return None
    return (span.end_time - span.start_time) / 1e6


def _failure(span: ReadableSpan) -> Failure | None:
    kind, message = _get(span.attributes or {}, "error"), None
    for event in span.events:
        if event.name == "exception":
            told = event.attributes or {}
            kind, message = told.get("exception.type") or kind, told.get("exception.message")
    if span.status.status_code is StatusCode.ERROR:
        return Failure(str(kind or "error"), message or span.status.description)
    return Failure(str(kind), message) if _get(span.attributes or {}, "error") is not None else None
