"""`CaptureCallbackHandler` in LangChain's own runs, with the models that langchain-core ships for tests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest
from langchain_core.callbacks import adispatch_custom_event, dispatch_custom_event
from langchain_core.language_models import FakeListLLM, FakeMessagesListChatModel, GenericFakeChatModel
from langchain_core.language_models.fake import FakeStreamingListLLM
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult, LLMResult
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.tools import BaseTool, ToolException, tool

from capture.sources.langchain import CaptureCallbackHandler
from capture.testing import Captured, captured
from capture.vocabulary import MemoryLearned, ModelCalled, SocialPostDrafted, ToolCalled
from capture.writer import emit


@pytest.fixture
def events() -> Iterator[Captured]:
    with captured() as events:
        yield events


@pytest.fixture
def handler() -> CaptureCallbackHandler:
    return CaptureCallbackHandler(agent_id="agent")


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool
def fail(reason: str) -> int:
    """Fail for a reason."""
    raise ValueError(reason)


class Streaming(GenericFakeChatModel):
    """Streams words, then what they cost; fails after so many."""

    fail_after: int = 1_000

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        for number, word in enumerate(("one ", "two ", "three")):
            if number == self.fail_after:
                raise ConnectionError("the line is cut")
            yield ChatGenerationChunk(message=AIMessageChunk(content=word))
        usage = {"input_tokens": 5, "output_tokens": 3, "total_tokens": 8}
        end = AIMessageChunk(content="", usage_metadata=usage, response_metadata={"finish_reason": "stop"})  # type: ignore[arg-type]
        yield ChatGenerationChunk(message=end)


def streaming(**options: Any) -> Streaming:
    return Streaming(messages=iter(()), **options)


def asks_for(*calls: tuple[str, str, dict[str, Any]]) -> AIMessage:
    return AIMessage(
        "",
        tool_calls=[{"id": call_id, "name": name, "args": args} for call_id, name, args in calls],
        usage_metadata={"input_tokens": 30, "output_tokens": 12, "total_tokens": 42},
        response_metadata={"model_name": "fake-1", "model_provider": "acme", "finish_reason": "tool_calls"},
    )


def agent(*answers: BaseMessage, tools: tuple[BaseTool, ...] = (add, fail)) -> RunnableLambda[str, str]:
    """The loop of an agent: asks the model, calls the tools that it asks for, until it asks for none."""
    model = FakeMessagesListChatModel(responses=list(answers))
    by_name = {one.name: one for one in tools}

    def run(question: str, config: RunnableConfig) -> str:
        said: list[BaseMessage] = [SystemMessage("Be exact."), HumanMessage(question)]
        while True:
            answer = model.invoke(said, config)
            said.append(answer)
            if not isinstance(answer, AIMessage) or not answer.tool_calls:
                return str(answer.content)
            for call in answer.tool_calls:
                try:
                    said.append(by_name[call["name"]].invoke(call, config))
                except ValueError as error:
                    said.append(ToolMessage(str(error), tool_call_id=call["id"], status="error"))

    return RunnableLambda(run)


def test_an_agent_s_run_becomes_its_calls(events: Captured, handler: CaptureCallbackHandler) -> None:
    """Each call of a model and a tool is one event, with the conversation, usage, reason, cause and trace."""
    run = agent(asks_for(("c1", "add", {"a": 1, "b": 2}), ("c2", "fail", {"reason": "no"})), AIMessage("It is 3."))
    assert run.invoke("1 + 2?", {"callbacks": [handler], "metadata": {"thread_id": "t-1"}}) == "It is 3."
    asked, added, failed, answered = events
    first, second = events.of(ModelCalled)
    assert (first.provider, first.model, first.finish_reasons) == ("acme", "fake-1", ("tool_calls",))
    assert first.usage == {"input_tokens": 30, "output_tokens": 12, "total_tokens": 42}
    assert first.messages == (
        {"role": "system", "content": "Be exact."},
        {"role": "user", "content": "1 + 2?"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [
                {"id": "c1", "name": "add", "arguments": {"a": 1, "b": 2}},
                {"id": "c2", "name": "fail", "arguments": {"reason": "no"}},
            ],
        },
    )
    assert second.messages[3:] == (
        {"role": "tool", "content": "3", "name": "add", "tool_call_id": "c1"},
        {"role": "tool", "content": "no", "tool_call_id": "c2", "status": "error"},
        {"role": "assistant", "content": "It is 3."},
    )
    good, bad = events.of(ToolCalled)
    assert (good.tool, good.arguments, good.result, good.error) == ("add", {"a": 1, "b": 2}, "3", None)
    assert (bad.tool, bad.arguments, bad.result, bad.error) == ("fail", {"reason": "no"}, None, "ValueError: no")
    assert all(payload.duration_ms is not None for payload in (first, second, good, bad))
    assert [event.causation_id for event in events] == [None, str(asked.event_id), str(asked.event_id), None]
    assert {(event.agent_id, event.correlation_id) for event in events} == {("agent", "t-1")}
    assert asked.trace_id is not None
    assert len({event.trace_id for event in (asked, added, failed, answered)}) == 1
    assert len(handler._runs) == 0


def test_content_can_be_left_out(events: Captured) -> None:
    """Without content nothing that anybody said is in the events; usage, durations and classes of errors are."""
    run = agent(asks_for(("c1", "add", {"a": 1, "b": 2}), ("c2", "fail", {"reason": "no"})), AIMessage("It is 3."))
    run.invoke("1 + 2?", {"callbacks": [CaptureCallbackHandler(content=False)]})
    first, good, bad, second = (event.payload for event in events)
    assert isinstance(first, ModelCalled)
    assert first.messages == second.messages == ()  # type: ignore[union-attr]
    assert (first.model, first.usage["input_tokens"], first.finish_reasons) == ("fake-1", 30, ("tool_calls",))
    assert good == ToolCalled(tool="add", duration_ms=good.duration_ms)  # type: ignore[union-attr]
    assert bad == ToolCalled(tool="fail", error="ValueError", duration_ms=bad.duration_ms)  # type: ignore[union-attr]


def test_a_stream_is_one_call_with_the_whole_answer(events: Captured, handler: CaptureCallbackHandler) -> None:
    """Chunks add up to one event with the answer, usage and reason, streamed with or without an event loop."""

    async def read() -> None:
        async for _ in streaming().astream("count", {"callbacks": [handler]}):
            pass

    assert len(list(streaming().stream("count", {"callbacks": [handler]}))) > 3
    asyncio.run(read())
    for called in events.of(ModelCalled):
        assert called.messages[-1] == {"role": "assistant", "content": "one two three"}
        assert (called.usage["total_tokens"], called.finish_reasons, called.error) == (8, ("stop",), None)
    assert len(events) == 2


def test_a_stream_that_ends_early_is_one_failed_call(events: Captured, handler: CaptureCallbackHandler) -> None:
    """When the model fails in the middle, or nobody reads on, the event has what came until then, and the error."""
    with pytest.raises(ConnectionError):
        list(streaming(fail_after=2).stream("count", {"callbacks": [handler]}))
    reading = streaming().stream("count", {"callbacks": [handler]})
    next(reading)
    reading.close()  # type: ignore[attr-defined]
    cut, left = events.of(ModelCalled)
    assert (cut.messages[-1]["content"], cut.error) == ("one two ", "ConnectionError: the line is cut")
    assert (left.messages[-1]["content"], left.error) == ("one ", "GeneratorExit")
    assert len(handler._runs) == 0


def test_a_model_that_fails_is_a_failed_call(events: Captured, handler: CaptureCallbackHandler) -> None:
    """The agent gets its exception, and the event has its class, its message and the prompt."""

    class Broken(GenericFakeChatModel):
        def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
            raise TimeoutError("too slow")

    with pytest.raises(TimeoutError):
        Broken(messages=iter(())).invoke("hello", {"callbacks": [handler]})
    (called,) = events.of(ModelCalled)
    assert (called.error, called.messages) == ("TimeoutError: too slow", ({"role": "user", "content": "hello"},))


def test_a_model_of_plain_texts_is_a_model(events: Captured, handler: CaptureCallbackHandler) -> None:
    """A completion model's prompt and answer are the conversation, in one piece or streamed."""
    FakeListLLM(responses=["blue"]).invoke("sky?", {"callbacks": [handler]})
    list(FakeStreamingListLLM(responses=["blue"]).stream("sky?", {"callbacks": [handler]}))
    for called in events.of(ModelCalled):
        assert called.messages == ({"role": "user", "content": "sky?"}, {"role": "assistant", "content": "blue"})
    assert len(events) == 2


def test_parallel_calls_are_told_apart(events: Captured, handler: CaptureCallbackHandler) -> None:
    """Tools that run at once, in threads or tasks, each have their own arguments, result, duration and cause."""
    together = Barrier(4)

    @tool
    def twice(number: int) -> int:
        """Double a number, when all others are at it too."""
        together.wait(10)
        return number * 2

    @tool
    async def thrice(number: int) -> int:
        """Triple a number, slower for small ones."""
        await asyncio.sleep(0.02 / number)
        return number * 3

    async def tasks(config: RunnableConfig) -> None:
        calls = [{"type": "tool_call", "id": f"a{n}", "name": "thrice", "args": {"number": n}} for n in range(1, 5)]
        await asyncio.gather(*(thrice.ainvoke(call, config) for call in calls))  # type: ignore[arg-type]

    def run(_: str, config: RunnableConfig) -> None:
        wanted = [
            (f"{letter}{n}", name, {"number": n})
            for letter, name in (("t", "twice"), ("a", "thrice"))
            for n in range(1, 5)
        ]
        FakeMessagesListChatModel(responses=[asks_for(*wanted)]).invoke("go", config)
        calls = [{"type": "tool_call", "id": f"t{n}", "name": "twice", "args": {"number": n}} for n in range(1, 5)]
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda call: twice.invoke(call, config), calls))
        asyncio.run(tasks(config))

    RunnableLambda(run).invoke("", {"callbacks": [handler]})
    found = {(e.payload.tool, e.payload.arguments["number"]): e for e in events if isinstance(e.payload, ToolCalled)}
    assert {key: event.payload.result for key, event in found.items()} == {  # type: ignore[union-attr]
        (name, number): str(number * times) for name, times in (("twice", 2), ("thrice", 3)) for number in range(1, 5)
    }
    assert {event.causation_id for event in found.values()} == {str(events[0].event_id)}
    assert len(events) == 9


def test_a_batch_is_a_call_each(events: Captured, handler: CaptureCallbackHandler) -> None:
    """Of a batch each prompt is a call of its own, and has its own answer and trace."""
    chat = FakeListLLM(responses=["a", "b", "c"])
    chat.batch(["1", "2", "3"], {"callbacks": [handler], "max_concurrency": 3})
    asyncio.run(chat.abatch(["4", "5"], {"callbacks": [handler]}))
    asked = sorted(str(called.messages[0]["content"]) for called in events.of(ModelCalled))
    assert asked == ["1", "2", "3", "4", "5"]
    assert len({event.trace_id for event in events}) == 5


def test_a_handler_that_comes_twice_captures_once(events: Captured, handler: CaptureCallbackHandler) -> None:
    """One handler on the model and in the call's config is one event a call, and a second end of a call is none."""
    model = GenericFakeChatModel(messages=iter([AIMessage("hi")]), callbacks=[handler])
    model.invoke("hello", {"callbacks": [handler]})
    assert len(events) == 1
    run_id = uuid4()
    handler.on_llm_start({}, ["hello"], run_id=run_id)
    handler.on_llm_error(ConnectionError("cut"), run_id=run_id)
    handler.on_llm_end(LLMResult(generations=[]), run_id=run_id)
    assert [called.error for called in events.of(ModelCalled)] == [None, "ConnectionError: cut"]


def test_a_custom_event_that_is_named_by_a_type_is_that_event(
    events: Captured, handler: CaptureCallbackHandler
) -> None:
    """`dispatch_custom_event` with a type's name puts out that event, from fields or an instance, and no other."""
    fact = MemoryLearned(key="k", value=2, kind="fact")

    def run(_: str, config: RunnableConfig) -> None:
        dispatch_custom_event("memory.learned", {"key": "k", "value": 1, "kind": "fact"}, config=config)
        dispatch_custom_event("memory.learned", fact, config=config)
        dispatch_custom_event("progress", {"done": 1}, config=config)
        dispatch_custom_event("no.such_type", {"done": 1}, config=config)

    async def arun(_: str, config: RunnableConfig) -> None:
        post = {"output_id": "p-1", "channel": "x", "identity": "@us", "body": "Hello", "mood": "good"}
        await adispatch_custom_event("social_post.drafted", post, config=config)

    RunnableLambda(run).invoke("", {"callbacks": [handler]})
    asyncio.run(RunnableLambda(arun).ainvoke("", {"callbacks": [handler]}))
    assert events.of(MemoryLearned) == [fact.model_copy(update={"value": 1}), fact]
    (post,) = events.of(SocialPostDrafted)
    assert (post.output_id, post.metadata) == ("p-1", {"mood": "good"})
    assert {event.agent_id for event in events} == {"agent"}
    assert events[0].trace_id == events[1].trace_id != events[2].trace_id
    assert len(events) == 3
    assert not events.quarantined


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("review.approved", {"output_id": "o"}),
        ("memory.learned", {"key": "k"}),
        ("memory.learned", "no fields"),
        ("memory.learned", {"key": "k", "value": object(), "kind": "fact"}),
    ],
    ids=range(4),
)
def test_a_custom_event_that_can_not_be_one_is_quarantined(
    events: Captured, handler: CaptureCallbackHandler, name: str, data: object
) -> None:
    """A reserved type, missing fields and values that are no JSON disturb nobody: they are kept with the reason."""
    RunnableLambda(lambda _, config: dispatch_custom_event(name, data, config=config)).invoke(
        "", {"callbacks": [handler]}
    )
    (record,) = events.quarantined
    assert (record.event_type, record.agent_id) == (name, "agent")
    assert not events


def test_a_hostile_tool_is_captured(events: Captured, handler: CaptureCallbackHandler) -> None:
    """A tool gets and returns what it likes: the agent has the same object as ever, and the event has it as text."""
    deep: list[Any] = []
    deep.append(deep)
    value = {"nan": float("nan"), "nul": "a\0b", "lone": "\ud800", "object": object, "deep": deep, "bytes": b"\xff"}

    @tool(response_format="content_and_artifact")
    def hostile(text: str) -> tuple[str, object]:
        """Return anything."""
        return text, value

    @tool
    def raw(text: str) -> object:
        """Return anything."""
        return value

    config: RunnableConfig = {"callbacks": [handler]}
    assert raw.invoke({"text": "\ud800 \0"}, config) is value
    hostile.invoke({"text": "\0"}, config)
    returned, _ = events.of(ToolCalled)
    assert returned.arguments == {"text": "\\ud800 \\0"}
    assert isinstance(returned.result, dict)
    assert [returned.result[key] for key in ("nan", "nul", "lone", "bytes")] == ["NaN", "a\\0b", "\\ud800", "/w=="]
    assert not events.quarantined


def test_an_error_that_the_tool_handles_is_told(events: Captured, handler: CaptureCallbackHandler) -> None:
    """What LangChain turns into a message for the model is both: an error, and the text that the model sees."""

    @tool
    def moody(text: str) -> str:
        """Refuse."""
        raise ToolException("not today")

    moody.handle_tool_error = True
    moody.invoke({"type": "tool_call", "id": "c", "name": "moody", "args": {"text": "now"}}, {"callbacks": [handler]})
    (called,) = events.of(ToolCalled)
    assert (called.result, called.error) == ("not today", "error")


def test_the_agent_sees_no_failure_of_capture(
    events: Captured, handler: CaptureCallbackHandler, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """When nothing can be taken, runs go on as if nobody listened: no exception, no warning of LangChain's."""

    def refuse(*args: object, **kwargs: object) -> None:
        raise OSError("no journal")

    monkeypatch.setattr(emit.capture, "take", refuse)
    run = agent(asks_for(("c1", "add", {"a": 1, "b": 2})), AIMessage("It is 3."))
    assert run.invoke("1 + 2?", {"callbacks": [handler]}) == "It is 3."
    assert handler.raise_error is False
    assert not events
    assert {record.name for record in caplog.records} == {"copydesk.sources"}


def test_runs_without_an_end_are_forgotten(events: Captured, handler: CaptureCallbackHandler) -> None:
    """A process that starts runs and never ends them keeps the newest ones only."""
    for _ in range(12_000):
        handler.on_chain_start({}, {}, run_id=uuid4())
    assert len(handler._runs) == 10_000
    handler.on_llm_end(None, run_id=uuid4())  # type: ignore[arg-type]
    assert not events
