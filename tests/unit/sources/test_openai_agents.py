"""`CaptureTracingProcessor` in runs of the OpenAI Agents SDK: a model of its interface, and its own on a fake wire."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest
from agents import Agent, ModelResponse, RunConfig, Runner, Usage, function_tool, set_trace_processors
from agents.models.interface import Model
from agents.models.openai_chatcompletions import OpenAIChatCompletionsModel
from agents.models.openai_responses import OpenAIResponsesModel
from agents.testing import ScriptedModel, assistant_message, function_call
from agents.tracing import custom_span, function_span, generation_span, trace
from openai import AsyncOpenAI

from capture.sources.openai_agents import CaptureTracingProcessor
from capture.testing import Captured, captured
from capture.vocabulary import ModelCalled, ToolCalled
from capture.writer import emit


@pytest.fixture
def events() -> Iterator[Captured]:
    with captured() as events:
        yield events


@pytest.fixture
def processor() -> Iterator[CaptureTracingProcessor]:
    processor = CaptureTracingProcessor(agent_id="agent")
    set_trace_processors([processor])
    yield processor
    set_trace_processors([])


@function_tool
async def add(a: int, b: int) -> dict[str, int | str]:
    """Add two numbers, slower if they are small."""
    await asyncio.sleep(0.03 / (a + b))
    return {"sum": a + b, "token": "s3cret"}


@function_tool(failure_error_function=None)
def fail(reason: str) -> int:
    """Fail for a reason."""
    raise ValueError(reason)


@function_tool
def stumble(reason: str) -> int:
    """Fail for a reason that the model may get to see."""
    raise ValueError(reason)


class Traced(Model):
    """A model of somebody's own that traces its calls as the SDK's own do."""

    def __init__(self, *answers: Any) -> None:
        self._script = ScriptedModel(answers)

    async def get_response(self, system_instructions: Any, input: Any, *rest: Any, **named: Any) -> ModelResponse:  # noqa: A002
        asked = [{"role": "system", "content": system_instructions}]
        asked += [{"role": "user", "content": input}] if isinstance(input, str) else input
        with generation_span(model="m-1", input=asked, model_config={"base_url": "https://acme.example/v1"}) as span:
            response = await self._script.get_response(system_instructions, input, *rest, **named)
            span.span_data.output = [item.model_dump(exclude_none=True) for item in response.output]
            span.span_data.usage = {"input_tokens": 30, "output_tokens": 12}
            return ModelResponse(response.output, Usage(requests=1), None)

    def stream_response(self, *args: Any, **named: Any) -> AsyncIterator[Any]:
        return self._script.stream_response(*args, **named)


def says(text: str) -> list[Any]:
    return [assistant_message(text)]


def run(model: Model, *tools: Any, **config: Any) -> str:
    agent = Agent(name="Adder", instructions="Be exact.", model=model, tools=list(tools))
    return str(asyncio.run(Runner.run(agent, "1 + 2?", run_config=RunConfig(**config))).final_output)


def test_a_run_becomes_its_calls(events: Captured, processor: CaptureTracingProcessor) -> None:
    """Each call of a model and a tool is one event, with the conversation, usage, cause, trace and group."""
    asks = [function_call("add", {"a": n, "b": n}, call_id=f"c{n}") for n in range(1, 4)]
    model = Traced([*asks, function_call("stumble", {"reason": "no"}, call_id="c4")], says("It is 3."))
    assert run(model, add, stumble, group_id="thread-1") == "It is 3."
    first, second = events.of(ModelCalled)
    assert (first.provider, first.model) == ("acme.example", "m-1")
    assert first.usage == {"input_tokens": 30, "output_tokens": 12}
    assert first.messages[:2] == (
        {"role": "system", "content": "Be exact."},
        {"role": "user", "content": "1 + 2?"},
    )
    assert [(message["name"], message["arguments"]) for message in first.messages[2:5]] == [
        ("add", {"a": number, "b": number}) for number in range(1, 4)
    ]
    assert [message["type"] for message in second.messages if "type" in message].count("function_call_output") == 4
    tools = {str(called.arguments): called for called in events.of(ToolCalled)}
    for number in range(1, 4):
        called = tools[str({"a": number, "b": number})]
        assert called.result == {"sum": number * 2, "token": "[redacted]"}
        assert (called.tool, called.error) == ("add", None)
        assert called.duration_ms is not None
        assert called.duration_ms > 14 / number
    assert str(tools[str({"reason": "no"})].error).startswith("Error running tool (non-fatal)")
    asked, answered = (event for event in events if isinstance(event.payload, ModelCalled))
    assert {e.causation_id for e in events if isinstance(e.payload, ToolCalled)} == {str(asked.event_id)}
    assert asked.causation_id is answered.causation_id is None
    assert {(event.agent_id, event.correlation_id) for event in events} == {("agent", "thread-1")}
    assert len({event.trace_id for event in events}) == 1
    assert str(asked.trace_id).startswith("trace_")
    assert len(events) == 6
    assert (len(processor._asked), len(processor._groups)) == (0, 0)


def test_content_can_be_left_out(events: Captured) -> None:
    """Without content nothing that anybody said is in the events; usage, durations and kinds of errors are."""
    set_trace_processors([CaptureTracingProcessor(content=False)])
    model = Traced([function_call("stumble", {"reason": "secret"}, call_id="c")], says("secret"))
    run(model, stumble)
    set_trace_processors([])
    first, tool, _ = (event.payload for event in events)
    assert isinstance(first, ModelCalled)
    assert (first.messages, first.model, first.usage["input_tokens"]) == ((), "m-1", 30)
    assert isinstance(tool, ToolCalled)
    assert (tool.arguments, tool.result, tool.error) == ({}, None, "Error running tool (non-fatal)")
    assert all("secret" not in event.payload.model_dump_json() for event in events)  # type: ignore[union-attr]


def test_a_tool_that_fails_is_a_failed_call(events: Captured, processor: CaptureTracingProcessor) -> None:
    """The agent's author gets the exception, and the event says which tool failed on which arguments."""
    with pytest.raises(Exception, match="no"):
        run(Traced([function_call("fail", {"reason": "no"}, call_id="c")]), fail)
    (called,) = events.of(ToolCalled)
    assert (called.tool, called.arguments, called.result) == ("fail", {"reason": "no"}, None)
    assert str(called.error).startswith("Error running tool")


def test_a_model_that_fails_is_a_failed_call(events: Captured, processor: CaptureTracingProcessor) -> None:
    """The SDK's own scripted model tells its error's class and message; a stream that fails does too."""
    with pytest.raises(TimeoutError):
        run(ScriptedModel([TimeoutError("too slow")], emit_traces=True))

    async def stream() -> None:
        agent = Agent(name="Adder", model=ScriptedModel([TimeoutError("too slow")], emit_traces=True))
        with pytest.raises(TimeoutError):
            async for _ in Runner.run_streamed(agent, "hello").stream_events():
                pass

    asyncio.run(stream())
    assert [str(called.error)[:12] for called in events.of(ModelCalled)] == ["TimeoutError"] * 2


def wire(request: httpx2.Request) -> httpx2.Response:
    """What OpenAI answers, to either of its interfaces."""
    asked = json.loads(request.content)
    if request.url.path.endswith("/responses"):
        message = {"type": "output_text", "text": "It is 3.", "annotations": []}
        answer = {
            "id": "r-1",
            "object": "response",
            "created_at": 1,
            "model": "gpt-x",
            "status": "completed",
            "instructions": asked["instructions"],
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            "output": [
                {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [message]}
            ],
            "usage": {
                "input_tokens": 3,
                "output_tokens": 2,
                "total_tokens": 5,
                "input_tokens_details": {"cached_tokens": 1},
                "output_tokens_details": {"reasoning_tokens": 0},
            },
        }
        if not asked.get("stream"):
            return httpx2.Response(200, json=answer)
        return _server_sent({"type": "response.completed", "sequence_number": 1, "response": answer})
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    answer = {"id": "c-1", "created": 1, "model": "gpt-x", "object": "chat.completion"}
    if not asked.get("stream"):
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "It is 3."}}
        return httpx2.Response(200, json={**answer, "choices": [choice], "usage": usage})
    answer["object"] = "chat.completion.chunk"
    words = [{"index": 0, "delta": {"role": "assistant", "content": word}} for word in ("It ", "is ", "3.")]
    return _server_sent(
        *({**answer, "choices": [choice]} for choice in words),
        {**answer, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {**answer, "choices": [], "usage": usage},
    )


def _server_sent(*messages: dict[str, Any]) -> httpx2.Response:
    lines = [f"event: {one.get('type', 'message')}\ndata: {json.dumps(one)}\n\n" for one in messages]
    return httpx2.Response(
        200, text="".join([*lines, "data: [DONE]\n\n"]), headers={"content-type": "text/event-stream"}
    )


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("kind", [OpenAIResponsesModel, OpenAIChatCompletionsModel])
def test_openai_s_own_models_are_captured(
    events: Captured, processor: CaptureTracingProcessor, kind: Any, streamed: bool
) -> None:
    """Through both of OpenAI's interfaces, whole or streamed, a call is one event with question, answer and usage."""

    async def ask() -> None:
        async with httpx2.AsyncClient(transport=httpx2.MockTransport(wire)) as http:
            model = kind("gpt-x", AsyncOpenAI(api_key="none", http_client=http))
            agent = Agent(name="Adder", instructions="Be exact.", model=model)
            if streamed:
                async for _ in Runner.run_streamed(agent, "1 + 2?").stream_events():
                    pass
            else:
                await Runner.run(agent, "1 + 2?")

    asyncio.run(ask())
    (called,) = events.of(ModelCalled)
    assert (called.provider, called.model, called.error) == ("openai", "gpt-x", None)
    assert (called.usage["input_tokens"], called.usage["output_tokens"]) == (3, 2)
    assert [message["role"] for message in called.messages] == ["system", "user", "assistant"]
    assert [message["content"] for message in called.messages[:2]] == ["Be exact.", "1 + 2?"]
    assert "It is 3." in json.dumps(called.messages[2])
    if kind is OpenAIResponsesModel:
        assert called.finish_reasons == ("completed",)
    assert len(events) == 1


def test_what_the_run_keeps_to_itself_is_not_asked_for(events: Captured, processor: CaptureTracingProcessor) -> None:
    """A run with `trace_include_sensitive_data=False` is captured without content, one without tracing not at all."""
    asks = [function_call("add", {"a": 1, "b": 1}, call_id="c")]
    run(ScriptedModel([asks, says("2")], emit_traces=True), add, trace_include_sensitive_data=False)
    (tool,) = events.of(ToolCalled)
    assert (tool.tool, tool.arguments, tool.result) == ("add", {}, None)
    before = len(events)
    run(ScriptedModel([says("2")], emit_traces=False), tracing_disabled=True)
    assert len(events) == before


def test_hostile_spans_are_captured(events: Captured, processor: CaptureTracingProcessor) -> None:
    """A span that holds anything becomes an event with text in it; a span that is no call becomes none."""

    class Nasty:
        def __repr__(self) -> str:
            raise RuntimeError("no")

    hostile: Any = [Nasty(), float("nan"), "\ud800\0"]
    with trace("odd", trace_id="trace_odd", group_id="two\nlines"):
        with custom_span("mine"):
            pass
        with function_span("f", input="no json\0", output=hostile) as span:
            span.set_error({"message": "said\0 this", "data": {"error": Nasty()}})
        with generation_span(input=hostile, output=[{"content": hostile}], model="\ud800", usage={"n": Nasty()}):
            pass
        with generation_span(input=7, output=8):  # type: ignore[arg-type]
            pass
    (tool,), (called, other) = events.of(ToolCalled), events.of(ModelCalled)
    assert other.messages == ({"content": 7}, {"content": 8})
    assert (tool.arguments, tool.result) == ({"input": "no json\\0"}, ["<Nasty>", "NaN", "\\ud800\\0"])
    assert tool.error == "error: <Nasty>"
    assert (called.model, called.usage) == ("\\ud800", {"n": "<Nasty>"})
    assert called.messages[-1] == {"content": ["<Nasty>", "NaN", "\\ud800\\0"]}
    assert {event.trace_id for event in events} == {"trace_odd"}
    assert {event.correlation_id for event in events} == {None}


def test_the_agent_sees_no_failure_of_capture(
    events: Captured,
    processor: CaptureTracingProcessor,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """When nothing can be taken, the run goes on as if nobody listened: the SDK has nothing to complain about."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError("no journal")

    monkeypatch.setattr(emit.capture, "take", refuse)
    asks = [function_call("add", {"a": 1, "b": 2}, call_id="c")]
    assert run(Traced(asks, says("3")), add) == "3"
    assert not events
    assert {record.name for record in caplog.records} == {"copydesk.sources"}
