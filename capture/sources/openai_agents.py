"""`CaptureTracingProcessor`: what the OpenAI Agents SDK traces, as `model.called` and `tool.called`.

Needs the extra `copydesk[openai-agents]`. `agents.add_trace_processor(CaptureTracingProcessor())` puts it beside the
others; what a run traces is up to its `RunConfig`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from typing_extensions import override

from capture.identifiers import new_id_text
from capture.sources.calls import Calls, Failure, needs, undisturbed
from capture.sources.recent import Recent

try:
    from agents.tracing import (
        FunctionSpanData,
        GenerationSpanData,
        ResponseSpanData,
        Span,
        Trace,
        TracingProcessor,
    )
except ModuleNotFoundError:
    needs("openai-agents", "openai-agents", __name__)

_KINDS = frozenset(
    {
        *("Error getting response", "Error streaming response", "Error running tool", "Error running tool (non-fatal)"),
        *("Tool execution cancelled", "Tool execution rejected"),
    }
)
"""What the SDK itself says of a failure. Any other message may quote the content."""


class CaptureTracingProcessor(TracingProcessor):
    """Captures every call of a model and a tool, when its span ends.

    A tool's call names the call of the model in the same turn as its cause. A model class of your own is captured as
    far as it makes a `generation_span` or a `response_span`, as the SDK's own do.

    Args:
        content: Keep prompts, answers, arguments and results; without it, only who was called, usage, duration and the
            kind of an error.
        agent_id: Who emits; when left out, as for `CaptureProcessor`: the bound context, else `capture.configure`.
        run_id: The run of the agent; likewise.
        correlation_id: What the events belong to; likewise, else the `group_id` of the trace.

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
            "openai_agents", content=content, agent_id=agent_id, run_id=run_id, correlation_id=correlation_id
        )
        self._groups: Recent[str, str] = Recent()
        self._asked: Recent[str, str] = Recent()

    @override
    @undisturbed
    def on_trace_start(self, trace: Trace) -> None:
        """A trace begins: its group is kept until it ends."""
        group = getattr(trace, "group_id", None)
        if isinstance(group, str):
            self._groups.put(trace.trace_id, group)

    @override
    @undisturbed
    def on_trace_end(self, trace: Trace) -> None:
        """A trace ends."""
        self._groups.take(trace.trace_id)

    @override
    def on_span_start(self, span: Span[Any]) -> None:
        """A span begins: all that there is to know comes with its end."""

    @override
    @undisturbed
    def on_span_end(self, span: Span[Any]) -> None:
        """A span ends: of the model or of a tool, it is a call."""
        data = span.span_data
        if isinstance(data, GenerationSpanData):
            self._generation(span, data)
        elif isinstance(data, ResponseSpanData):
            self._response(span, data)
        elif isinstance(data, FunctionSpanData):
            self._calls.tool(
                tool=data.name,
                arguments=data.input,
                result=data.output,
                error=_failure(span),
                duration_ms=_duration(span),
                trace_id=span.trace_id,
                conversation_id=self._groups.get(span.trace_id),
                causation_id=self._asked.get(span.parent_id or span.trace_id),
            )
        else:
            self._asked.take(span.span_id)  # a turn is over: nothing more is called in it

    @override
    def shutdown(self) -> None:
        """Nothing is held back: the writer has it all."""

    @override
    def force_flush(self) -> None:
        """Nothing is held back: the writer has it all; `capture.flush` waits for the database."""

    def _generation(self, span: Span[GenerationSpanData], data: GenerationSpanData) -> None:
        answers = _listed(data.output)
        self._model(
            span,
            provider=_provider(data),
            model=data.model,
            messages=[*_listed(data.input), *(item for answer in answers for item in _items(answer))],
            usage=data.usage,
            finish_reasons=[reason for answer in answers if (reason := _reason(answer))],
        )

    def _response(self, span: Span[ResponseSpanData], data: ResponseSpanData) -> None:
        response = data.response
        messages: list[object] = []
        if response is not None and response.instructions:
            messages.append({"role": "system", "content": response.instructions})
        if isinstance(data.input, str):
            messages.append({"role": "user", "content": data.input})
        else:
            messages += _listed(data.input)
        messages += response.output if response is not None else ()
        reason = (
            _reason(response.model_dump(include={"status", "incomplete_details"})) if response is not None else None
        )
        self._model(
            span,
            provider="openai",
            model=response.model if response is not None else None,
            messages=messages,
            usage=data.usage or (response.usage if response is not None else None),
            finish_reasons=[reason] if reason else [],
        )

    def _model(
        self,
        span: Span[Any],
        *,
        provider: object,
        model: object,
        messages: Sequence[object],
        usage: object,
        finish_reasons: Sequence[object],
    ) -> None:
        event_id = new_id_text()
        # The model is asked once a turn, and the tools that it asks for stand beside it in that turn.
        self._asked.put(span.parent_id or span.trace_id, event_id)
        self._calls.model(
            provider=provider,
            model=model,
            messages=messages,
            usage=usage,
            finish_reasons=finish_reasons,
            error=_failure(span),
            duration_ms=_duration(span),
            trace_id=span.trace_id,
            conversation_id=self._groups.get(span.trace_id),
            event_id=event_id,
        )


def _listed(said: object) -> Sequence[object]:
    if said is None:
        return ()
    return said if isinstance(said, list | tuple) else [said]


def _items(answer: object) -> Sequence[object]:
    # A stream of a chat model is traced as one whole response.
    if isinstance(answer, Mapping) and answer.get("object") == "response":
        return _listed(answer.get("output"))
    return [answer]


def _reason(answer: object) -> object:
    if not isinstance(answer, Mapping):
        return None
    details = answer.get("incomplete_details")
    cut_short = details.get("reason") if isinstance(details, Mapping) else None
    return cut_short or answer.get("finish_reason") or answer.get("status")


def _provider(data: GenerationSpanData) -> str:
    """Whose model it is: the prefix of the name where a router is asked, else the host that is not OpenAI's own."""
    config = data.model_config or {}
    if config.get("model_impl") and "/" in (data.model or ""):
        return str(data.model).split("/", 1)[0]
    host = urlsplit(str(config.get("base_url") or "")).hostname
    return host if host and not f".{host}".endswith(".openai.com") else "openai"


def _duration(span: Span[Any]) -> float | None:
    if span.started_at is None or span.ended_at is None:
        return None
    took = datetime.fromisoformat(span.ended_at) - datetime.fromisoformat(span.started_at)
    return took.total_seconds() * 1000


def _failure(span: Span[Any]) -> Failure | None:
    error = span.error
    if error is None:
        return None
    data = error.get("data") or {}
    said = str(error.get("message"))
    name = data.get("name")
    kind = name if isinstance(name, str) and name.isidentifier() else said if said in _KINDS else "error"
    return Failure(kind, data.get("error") or data.get("message") or (said if kind == "error" else None))
