"""What all sources of frameworks keep to: nothing disturbs the agent, nothing waits, nothing is lost."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.contextvars import bound_contextvars, clear_contextvars

import capture
from capture.errors import InvalidEvent, MissingExtra
from capture.sources.calls import Calls, Failure, failure, plain_id, undisturbed
from capture.testing import Captured, captured
from capture.vocabulary import CaptureGapped, ModelCalled, ToolCalled
from capture.writer import emit
from tests.fixtures.writer import MemoryLog, writing

SOURCES = {
    # the module: the package whose absence it names, and the extra
    "langchain": ("langchain_core", "langchain-core", "langchain"),
    "openai_agents": ("agents", "openai-agents", "openai-agents"),
    "opentelemetry": ("opentelemetry", "opentelemetry-sdk", "otel"),
}


@pytest.fixture(autouse=True)
def _clean_context() -> Iterator[None]:
    clear_contextvars()
    yield
    clear_contextvars()


@pytest.fixture
def events() -> Iterator[Captured]:
    with captured() as events:
        yield events


def calls(content: bool = True, **ids: Any) -> Calls:
    return Calls("test", content=content, **{"agent_id": None, "run_id": None, "correlation_id": None, **ids})


def call_model(calls: Calls, **changed: Any) -> None:
    told: dict[str, Any] = {
        "provider": "acme",
        "model": "m-1",
        "messages": [{"role": "user", "content": "prompt"}, {"role": "assistant", "content": "answer"}],
        "usage": {"input_tokens": 3, "output_tokens": 2},
        "finish_reasons": ["stop"],
        "error": None,
        "duration_ms": 1.5,
        "trace_id": "trace",
        "conversation_id": None,
    }
    calls.model(**{**told, **changed})


def call_tool(calls: Calls, **changed: Any) -> None:
    told: dict[str, Any] = {
        "tool": "look",
        "arguments": {"q": "asked"},
        "result": ["found"],
        "error": None,
        "duration_ms": 1.5,
        "trace_id": "trace",
        "conversation_id": None,
        "causation_id": "cause",
    }
    calls.tool(**{**told, **changed})


def test_content_can_be_left_out(events: Captured) -> None:
    """Without content there are no messages, arguments, results and texts of errors; all else is there."""
    for content in (True, False):
        call_model(calls(content), error=Failure("ValueError", "prompt is bad"))
        call_tool(calls(content), error=Failure("ValueError", "asked is bad"))
    full_model, bare_model = events.of(ModelCalled)
    full_tool, bare_tool = events.of(ToolCalled)
    assert full_model.error == "ValueError: prompt is bad"
    assert bare_model == full_model.model_copy(update={"messages": (), "error": "ValueError"})
    assert full_tool.error == "ValueError: asked is bad"
    assert bare_tool == full_tool.model_copy(update={"arguments": {}, "result": None, "error": "ValueError"})


def test_ids_come_from_the_source_else_the_context_else_configure(
    events: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose call it is: what the source was made with, else the bound context, else `configure`."""
    monkeypatch.setattr(emit.capture, "identity", type(emit.capture.identity)())
    capture.configure(agent_id="configured", run_id="configured")
    call_tool(calls())
    with bound_contextvars(agent_id="bound", run_id="bound", correlation_id="bound", trace_id="bound"):
        call_tool(calls(), conversation_id="conversation")
        call_tool(calls(agent_id="own", run_id="own", correlation_id="own"), trace_id=None)
    call_tool(calls(), conversation_id="conversation")
    assert [(e.agent_id, e.run_id, e.correlation_id, e.trace_id, e.causation_id) for e in events] == [
        ("configured", "configured", None, "trace", "cause"),
        ("bound", "bound", "bound", "trace", "cause"),
        ("own", "own", "own", "bound", "cause"),
        ("configured", "configured", "conversation", "trace", "cause"),
    ]


def test_a_bad_id_is_refused_where_it_is_given() -> None:
    """A source with an impossible name fails when it is made, not at every call."""
    with pytest.raises(InvalidEvent, match="agent_id"):
        calls(agent_id="two\nlines")


@pytest.mark.parametrize("odd", ["", "two\nlines", "x" * 201, 7, None, object()], ids=range(6))
def test_an_odd_trace_costs_the_trace_alone(events: Captured, odd: object) -> None:
    """A framework's id that no event can carry is left out, and the call is kept."""
    assert plain_id(odd) is None
    call_model(calls(), trace_id=odd, conversation_id=odd)
    assert len(events.of(ModelCalled)) == 1


def test_odd_facts_become_text(events: Captured) -> None:
    """Whatever a framework gives as names, usage, reasons, arguments and results: the call is an event."""
    hostile = [float("nan"), "\ud800", "\0", object, {"deep": b"\xff"}]
    call_model(
        calls(),
        provider=None,
        model="m" * 1_000,
        messages=[hostile, "plain", None],
        usage=7,
        finish_reasons=[object, "\0"],
        error=Failure("Bad\0", hostile),
        duration_ms=-1,
    )
    call_tool(calls(), tool="", arguments="no json", result=hostile, error=Failure("E", "x" * 200_000))
    (model,), (tool,) = events.of(ModelCalled), events.of(ToolCalled)
    assert (model.provider, len(model.model), model.usage, model.duration_ms) == ("unknown", 471, {"usage": 7}, 0)
    assert model.messages[1:] == ({"content": "plain"}, {})
    assert model.finish_reasons == (repr(object), "\\0")
    assert (tool.tool, tool.arguments) == ("unknown", {"input": "no json"})
    assert tool.result == ["NaN", "\\ud800", "\\0", repr(object), {"deep": "/w=="}]
    assert not events.quarantined


def test_a_large_call_is_kept_with_its_longest_texts_cut(events: Captured) -> None:
    """A picture in a conversation doesn't send the call to quarantine: only texts that are too long are cut."""
    messages = [{"role": "user", "content": "x" * 5_000_000}, {"role": "assistant", "content": "a ship" * 100}]
    call_model(calls(), messages=messages)
    call_tool(calls(), result=["r" * 1_000 for _ in range(1_500)])
    (model,), (tool,) = events.of(ModelCalled), events.of(ToolCalled)
    assert str(model.messages[0]["content"]).endswith("… [5,000,000 characters]")
    assert model.messages[1] == messages[1]
    assert isinstance(tool.result, list)
    assert len(tool.result) == 1_500
    assert not events.quarantined


def test_what_is_too_large_for_an_event_is_in_quarantine(events: Captured) -> None:
    """A call of thousands of short texts is refused with the reason, under the source's name."""
    call_tool(calls(agent_id="a"), result=["x" * 490] * 2_500)
    (record,) = events.quarantined
    assert (record.source, record.agent_id, record.event_type) == ("test", "a", "tool.called")
    assert "1,048,576" in record.error
    assert not events


def test_secrets_are_replaced_in_json_texts_too(events: Captured) -> None:
    """A secret among the arguments of a call or in what a tool returned never reaches the journal."""
    secret = '{"token": "s3cret", "city": "Kiel"}'
    call_tool(calls(), arguments=secret, result=secret)
    call_model(calls(), messages=[{"role": "tool", "content": secret}, {"tool_calls": [{"arguments": secret}]}])
    assert [event.payload.model_dump_json().count("Kiel") for event in events] == [2, 2]  # type: ignore[union-attr]
    assert "s3cret" not in "".join(event.payload.model_dump_json() for event in events)  # type: ignore[union-attr]


def test_a_redaction_that_fails_keeps_the_call_in_quarantine(events: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    """The agent's own redaction may raise: the call is in quarantine, without what the usual keys hide."""
    monkeypatch.setattr(emit.capture, "redaction", emit.Redaction(lambda payload: payload["no such field"]))  # type: ignore[arg-type,return-value]
    call_tool(calls(agent_id="a"), arguments={"token": "s3cret", "city": "Kiel"})
    (record,) = events.quarantined
    assert "KeyError" in record.error
    assert json.loads(record.raw)["data"]["arguments"] == {"token": "[redacted]", "city": "Kiel"}
    assert not events


def test_no_exception_reaches_the_agent(caplog: pytest.LogCaptureFixture) -> None:
    """What fails in a callback is told to logging, whatever the exception does when it is shown."""

    class Rude(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no")

    @undisturbed
    def callback(error: Exception) -> None:
        raise error

    with caplog.at_level(logging.ERROR, "copydesk.sources"):
        callback(ValueError("a reason"))
        callback(Rude())
    assert "a reason" in caplog.messages[0]
    assert "Rude" in caplog.messages[1]
    assert failure(Rude()).kind == "Rude"


def test_a_call_never_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a full journal and the database away, a call is dropped and counted at once, and told when there is room."""
    log = MemoryLog()
    log.go_away()
    monkeypatch.setattr(emit, "capture", emit.Capture())
    with writing(log, tmp_path, full_wait=3600, segment_bytes=100_000, journal_bytes=200_000) as writer:
        emit.capture.taker = writer
        for _ in range(100):
            call_tool(calls(agent_id="a"), result="r" * 5_000)
        dropped = writer.stats().dropped
        log.away = None
        assert writer.flush(20)
        assert writer.close(10)
        taken = [event for event in log.events if event.event_type == "tool.called"]
        gaps = [event for event in log.events if event.event_type == "capture.gapped"]
    assert 0 < len(taken) < 100
    assert sum(CaptureGapped.model_validate_json(gap.payload).count for gap in gaps) == dropped == 100 - len(taken)


@pytest.mark.parametrize("source", SOURCES)
def test_without_its_framework_a_source_names_the_extra(source: str) -> None:
    """Importing a source whose framework is not installed is one line that says what to install."""
    package, distribution, extra = SOURCES[source]
    script = f"import sys; sys.modules[{package!r}] = None; import capture.sources.{source}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"capture.errors.MissingExtra: capture.sources.{source} needs {distribution}, which is not installed: "
        f"pip install 'copydesk[{extra}]'"
    )
    assert done.stderr.count("Traceback") == 1
    assert issubclass(MissingExtra, ImportError)
