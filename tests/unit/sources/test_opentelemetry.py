"""`CaptureSpanProcessor` on spans of the real SDK: Pydantic AI's own, and those that other instrumentations write."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import Span, Status, StatusCode
from pydantic_ai import Agent, InstrumentationSettings, ModelRetry
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.models.test import TestModel
from structlog.contextvars import bound_contextvars

from capture.sources.opentelemetry import CaptureSpanProcessor
from capture.testing import Captured, captured
from capture.vocabulary import ModelCalled, ToolCalled
from capture.writer import emit


@pytest.fixture
def events() -> Iterator[Captured]:
    with captured() as events:
        yield events


@pytest.fixture
def provider() -> TracerProvider:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(CaptureSpanProcessor(agent_id="agent"))
    return provider


@contextmanager
def instrumented(provider: TracerProvider, **options: Any) -> Iterator[None]:
    """All agents of Pydantic AI write spans, as its documentation says to do."""
    Agent.instrument_all(InstrumentationSettings(tracer_provider=provider, **options))
    try:
        yield
    finally:
        Agent.instrument_all(False)


def adder(model: Any) -> Agent[None, str]:
    agent = Agent(model, name="adder", instructions="Be exact.")

    @agent.tool_plain
    async def add(a: int, b: int) -> dict[str, Any]:
        """Add two numbers, slower if they are small."""
        await asyncio.sleep(0.03 / (a + b))
        return {"sum": a + b, "token": "s3cret"}

    @agent.tool_plain
    def fail(reason: str) -> int:
        """Fail for a reason."""
        raise ModelRetry(reason)

    return agent


def ask(agent: Agent[None, str], question: str) -> str:
    return asyncio.run(agent.run(question)).output


def asks_then_answers(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
    if len(messages) > 1:
        return ModelResponse(parts=[TextPart("It is done.")])
    calls = [ToolCallPart("add", {"a": n, "b": n}, tool_call_id=f"c{n}") for n in range(1, 4)]
    return ModelResponse(parts=[*calls, ToolCallPart("fail", {"reason": "no"}, tool_call_id="c4")])


@pytest.mark.parametrize("version", [5, 6])
def test_a_run_of_pydantic_ai_becomes_its_calls(events: Captured, provider: TracerProvider, version: Any) -> None:
    """Each call of a model and a tool is one event, with the conversation, usage, cause and trace; the run is none."""
    with instrumented(provider, version=version):
        assert ask(adder(FunctionModel(asks_then_answers)), "Add!") == "It is done."
    first, second = events.of(ModelCalled)
    assert (first.provider, first.model[:8]) == ("function", "function")
    assert set(first.usage) == {"input_tokens", "output_tokens"}
    system, user, asked = first.messages
    assert (system["role"], user["role"], asked["role"]) == ("system", "user", "assistant")
    assert system["parts"] == [{"type": "text", "content": "Be exact."}]
    assert user["parts"] == [{"type": "text", "content": "Add!"}]
    assert [part["arguments"] for part in asked["parts"]] == [  # type: ignore[union-attr,index,call-overload]
        *({"a": number, "b": number} for number in range(1, 4)),
        {"reason": "no"},
    ]
    assert second.messages[-1]["parts"] == [{"type": "text", "content": "It is done."}]
    tools = events.of(ToolCalled)
    sums = {called.arguments["a"]: called for called in tools if called.tool == "add"}
    assert {number: called.result for number, called in sums.items()} == {
        number: {"sum": 2 * number, "token": "[redacted]"}
        for number in range(1, 4)  # type: ignore[operator]
    }
    assert all(called.duration_ms is not None and called.duration_ms > 14 / a for a, called in sums.items())  # type: ignore[operator]
    (failed,) = (called for called in tools if called.tool == "fail")
    assert failed.arguments == {"reason": "no"}
    assert "Retry" in str(failed.error)
    first_event = events[0]
    assert {event.causation_id for event in events if event.event_type == "tool.called"} == {str(first_event.event_id)}
    assert len({event.trace_id for event in events}) == 1
    assert len(str(first_event.trace_id)) == 32
    assert len({event.correlation_id for event in events}) == 1
    assert first_event.correlation_id
    assert len(events) == 6


def test_a_stream_of_pydantic_ai_is_one_call(events: Captured, provider: TracerProvider) -> None:
    """What comes in pieces is one event with the whole answer."""

    async def read() -> list[str]:
        async with Agent(TestModel(custom_output_text="one two three")).run_stream("count") as result:
            return [text async for text in result.stream_text(delta=True, debounce_by=None)]

    with instrumented(provider):
        assert len(asyncio.run(read())) > 1
    (called,) = events.of(ModelCalled)
    assert called.messages[-1]["parts"] == [{"type": "text", "content": "one two three"}]
    assert called.usage["output_tokens"] == 3


def test_a_model_that_fails_is_a_failed_call(events: Captured, provider: TracerProvider) -> None:
    """The agent gets its exception, and the event its class and message; what falls back is one call that succeeds."""

    def broken(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        raise ModelHTTPError(503, "m-1", "overloaded")

    with instrumented(provider):
        with pytest.raises(ModelHTTPError):
            ask(Agent(FunctionModel(broken)), "hello")
        ask(Agent(FallbackModel(FunctionModel(broken), TestModel())), "hello")
    failed, done = events.of(ModelCalled)
    assert str(failed.error).startswith("pydantic_ai.exceptions.ModelHTTPError: status_code: 503")
    assert (done.error, done.model) == (None, "test")


@pytest.mark.parametrize("by", ["capture", "pydantic_ai"])
def test_content_can_be_left_out(events: Captured, by: str) -> None:
    """Switched off here or there, nothing that anybody said is in the events; causes are known all the same."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(CaptureSpanProcessor(content=by != "capture"))
    with instrumented(provider, include_content=by != "pydantic_ai"):
        ask(adder(FunctionModel(asks_then_answers)), "Add!")
    model, *tools, _ = events
    assert isinstance(model.payload, ModelCalled)
    assert model.payload.usage["input_tokens"]
    assert "Add!" not in model.payload.model_dump_json()
    for event in tools:
        assert isinstance(event.payload, ToolCalled)
        assert (event.payload.arguments, event.payload.result) == ({}, None)
        assert event.payload.error in (None, "pydantic_ai.exceptions.ToolRetryError")
        assert event.causation_id == str(model.event_id)
    assert by == "pydantic_ai" or model.payload.messages == ()


def span(provider: TracerProvider, name: str = "span", scope: str = "theirs", **attributes: Any) -> Any:
    """A span of another instrumentation; `a__b` stands for `a.b`."""
    plain = {f"gen_ai.{key.replace('__', '.')}": value for key, value in attributes.items()}
    return provider.get_tracer(scope).start_as_current_span(name, attributes=plain)


CHAT: dict[str, Any] = {"operation__name": "chat", "request__model": "m-1"}
ASKED, SAID = [{"role": "user", "parts": []}], [{"role": "assistant", "parts": []}]

CONVERSATIONS = {
    "as JSON": ({"input__messages": json.dumps(ASKED), "output__messages": json.dumps(SAID)}, (), (*ASKED, *SAID)),
    "cut off": ({"input__messages": '[{"role": "us'}, (), ({"role": "user", "content": '[{"role": "us'},)),
    "as texts": (
        {"prompt": "sky?", "completion": "blue"},
        (),
        ({"role": "user", "content": "sky?"}, {"role": "assistant", "content": "blue"}),
    ),
    "as events": (
        {},
        (
            ("gen_ai.system.message", {"content": "Be exact."}),
            ("gen_ai.user.message", {"content": "sky?"}),
            ("gen_ai.choice", {"index": 0, "message": '{"content": "blue"}'}),
            ("unknown", {"content": "no"}),
        ),
        (
            {"role": "system", "content": "Be exact."},
            {"role": "user", "content": "sky?"},
            {"role": "assistant", "index": 0, "message": {"content": "blue"}},
        ),
    ),
    "not at all": ({}, (), ()),
}


@pytest.mark.parametrize("form", CONVERSATIONS)
def test_a_conversation_is_found_where_it_was_put(events: Captured, provider: TracerProvider, form: str) -> None:
    """Messages are read from attributes and from events of the span, as the conventions have had them in turn."""
    attributes, span_events, expected = CONVERSATIONS[form]
    with span(provider, **CHAT, **attributes) as current:
        for name, told in span_events:
            current.add_event(name, told)
    (called,) = events.of(ModelCalled)
    assert called.messages == expected


def test_old_names_and_new_ones_mean_the_same(events: Captured, provider: TracerProvider) -> None:
    """The names that the conventions gave up are still read; a newer one wins."""
    new = {"provider__name": "acme", "response__model": "m-1-2026", "usage__input_tokens": 3}
    with span(provider, **CHAT, **new, system="old", response__finish_reasons=["stop", "length"]):
        pass
    with span(provider, operation__name="text_completion", system="acme", request__model="m-1", usage__prompt_tokens=3):
        pass
    now, before = events.of(ModelCalled)
    assert (now.provider, now.model, now.usage) == ("acme", "m-1-2026", {"input_tokens": 3})
    assert now.finish_reasons == ("stop", "length")
    assert (before.provider, before.model, before.usage) == ("acme", "m-1", {"prompt_tokens": 3})


def test_a_tool_of_others_is_a_tool(events: Captured, provider: TracerProvider) -> None:
    """Without a name the span's own is the tool's; arguments that are no object are kept as they are."""
    with span(provider, "execute_tool look", operation__name="execute_tool", tool__call__arguments="[1]"):
        pass
    (called,) = events.of(ToolCalled)
    assert (called.tool, called.arguments, called.result) == ("look", {"input": [1]}, None)


def _fails(current: Span) -> None:
    current.record_exception(ValueError("no"))
    current.set_status(Status(StatusCode.ERROR, "ValueError: no"))


@pytest.mark.parametrize(
    ("happens", "error"),
    [
        (_fails, "ValueError: no"),
        (lambda current: current.set_attribute("error.type", "timeout"), "timeout"),
        (lambda current: current.set_status(Status(StatusCode.ERROR)), "error"),
        (lambda current: current.set_status(Status(StatusCode.ERROR, "went wrong")), "error: went wrong"),
        (lambda current: current.record_exception(ValueError("caught and mended")), None),
    ],
    ids=range(5),
)
def test_an_error_is_what_the_span_says(
    events: Captured, provider: TracerProvider, happens: Any, error: str | None
) -> None:
    """The type of the error or the status tells that a call failed; an exception that was caught does not."""
    with span(provider, **CHAT) as current:
        happens(current)
    (called,) = events.of(ModelCalled)
    assert called.error == error


def test_two_instrumentations_of_one_call_are_one_event(events: Captured, provider: TracerProvider) -> None:
    """A model's span in that of another instrumentation is the same call; in one of its own, a call of its own."""
    with span(provider, **CHAT), span(provider, scope="of the client", **CHAT), span(provider, scope="http"):
        pass
    assert [event.event_type for event in events] == ["model.called"]
    with span(provider, **CHAT), span(provider, **CHAT):
        pass
    with span(provider, operation__name="execute_tool", tool__name="ask"), span(provider, scope="other", **CHAT):
        pass
    assert len(events.of(ModelCalled)) == 4
    assert len(events.of(ToolCalled)) == 1


@pytest.mark.parametrize("operation", ["invoke_agent", "create_agent", "", "chatter"])
def test_what_is_no_call_is_left_alone(events: Captured, provider: TracerProvider, operation: str) -> None:
    """An agent's span, which sums up others, and spans of anything else make no events."""
    with span(provider, operation__name=operation, usage__input_tokens=3), span(provider):
        pass
    TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False).add_span_processor(CaptureSpanProcessor())
    assert not events


def test_ids_come_from_the_context_and_the_span(events: Captured, provider: TracerProvider) -> None:
    """The agent's own ids win over the bound ones; the conversation of the span is used where nobody says another."""
    with (
        bound_contextvars(agent_id="bound", run_id="r", correlation_id="c"),
        span(provider, **CHAT, conversation__id="x"),
    ):
        pass
    with span(provider, **CHAT, conversation__id="x"):
        pass
    with span(provider, **CHAT, conversation__id="two\nlines"):
        pass
    assert [(event.agent_id, event.run_id, event.correlation_id) for event in events] == [
        ("agent", "r", "c"),
        ("agent", None, "x"),
        ("agent", None, None),
    ]


def test_hostile_attributes_are_captured(events: Captured, provider: TracerProvider) -> None:
    """NUL, surrogates, endless nesting and numbers that are none are text in the event, and the rest is there."""
    hostile = {
        "output__messages": "[" * 100_000,
        "input__messages": '[{"role": "user", "content": "\\u0000"}]',
        "response__finish_reasons": ("\0", ""),
        "usage__input_tokens": float("nan"),
        "provider__name": "\ud800",
    }
    with span(provider, **{**CHAT, **hostile}):
        pass
    (called,) = events.of(ModelCalled)
    assert called.messages[0] == {"role": "user", "content": "\\0"}
    assert (called.finish_reasons, called.usage) == (("\\0",), {"input_tokens": "NaN"})
    assert called.provider == "\\ud800"
    assert not events.quarantined


def test_the_agent_sees_no_failure_of_capture(
    events: Captured, provider: TracerProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When nothing can be taken, the run goes on as if nobody listened."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError("no journal")

    monkeypatch.setattr(emit.capture, "take", refuse)
    with instrumented(provider):
        assert ask(adder(FunctionModel(asks_then_answers)), "Add!") == "It is done."
    assert not events
