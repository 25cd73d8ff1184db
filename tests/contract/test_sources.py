"""The calls of three frameworks, from their own runs into the log."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from agents import Agent as OpenAIAgent
from agents import Runner, function_tool, set_trace_processors
from agents.testing import ScriptedModel, assistant_message, function_call
from langchain_core.language_models import FakeListChatModel
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.tools import tool
from opentelemetry.sdk.trace import TracerProvider
from pydantic_ai import Agent, InstrumentationSettings
from pydantic_ai.models.test import TestModel

from capture import DatabaseManager, EventLog, configure, flush
from capture.sources.langchain import CaptureCallbackHandler
from capture.sources.openai_agents import CaptureTracingProcessor
from capture.sources.opentelemetry import CaptureSpanProcessor
from capture.vocabulary import ModelCalled, ToolCalled
from capture.writer import emit as emit_module


@pytest.fixture
def log(
    database_url: str, manager: DatabaseManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[EventLog]:
    """The log that this process emits into, as after a fresh start."""
    fresh = emit_module.Capture()
    monkeypatch.setattr(emit_module, "capture", fresh)
    configure(database_url=database_url, journal=tmp_path / "journal")
    yield EventLog(manager)
    if fresh.taker is not None:
        fresh.taker.close(10)


def look_up(word: str) -> str:
    """Look a word up."""
    return f"about {word}: ümlaut and \0"


def langchain() -> None:
    handler = CaptureCallbackHandler(agent_id="langchain")

    async def run(question: str, config: RunnableConfig) -> None:
        await FakeListChatModel(responses=["Ask."]).ainvoke(question, config)
        await asyncio.gather(*(tool(look_up).ainvoke({"word": word}, config) for word in ("a", "b")))

    asyncio.run(RunnableLambda(run).ainvoke("x?", {"callbacks": [handler]}))


def openai_agents() -> None:
    asks = [function_call("look_up", {"word": word}, call_id=word) for word in ("a", "b")]
    model = ScriptedModel([asks, [assistant_message("done")]], emit_traces=True)
    set_trace_processors([CaptureTracingProcessor(agent_id="openai")])
    asyncio.run(Runner.run(OpenAIAgent(name="Reader", model=model, tools=[function_tool(look_up)]), "x?"))
    set_trace_processors([])


def pydantic_ai() -> None:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(CaptureSpanProcessor(agent_id="pydantic"))
    Agent.instrument_all(InstrumentationSettings(tracer_provider=provider))
    agent = Agent(TestModel(), tools=[look_up])
    asyncio.run(agent.run("x?"))
    Agent.instrument_all(False)


def test_the_calls_of_each_framework_are_in_the_log(log: EventLog) -> None:
    """Runs of three frameworks in an event loop put each call into the log once, whatever their tools return."""
    for run in (langchain, openai_agents, pydantic_ai):
        run()
    assert flush(30)
    found = list(log.read())
    assert [(event.agent_id, event.event_type) for event in found] == [
        *[("langchain", "model.called"), ("langchain", "tool.called"), ("langchain", "tool.called")],
        *[("openai", "model.called"), ("openai", "tool.called"), ("openai", "tool.called"), ("openai", "model.called")],
        *[("pydantic", "model.called"), ("pydantic", "tool.called"), ("pydantic", "model.called")],
    ]
    for event in found:
        assert isinstance(event.payload, ModelCalled | ToolCalled)
        if isinstance(event.payload, ToolCalled):
            assert str(event.payload.result).endswith(": ümlaut and \\0")
            cause = next((one for one in found if str(one.event_id) == event.causation_id), None)
            assert event.agent_id == "langchain" or (cause is not None and cause.event_type == "model.called")
