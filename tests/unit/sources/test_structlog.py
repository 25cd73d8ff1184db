"""`CaptureProcessor`: which lines become events, what is taken from them, and that an agent never sees an exception."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog
from structlog.contextvars import bind_contextvars, bound_contextvars, clear_contextvars

import capture
from capture import CaptureProcessor, InvalidEvent, ReservedEventType
from capture.events.event import Event
from capture.testing import Captured, captured
from capture.vocabulary import CommentDrafted, LogRecorded, MemoryLearned, SocialPostDrafted, TaskDiscovered
from capture.writer import emit


class ProbeLaunched(Event, type="probe.launched", version=1):
    """An event whose fields have the names of structlog's own keys."""

    level: str
    module: str = "none"


@pytest.fixture(autouse=True)
def _clean_context() -> Iterator[None]:
    clear_contextvars()
    yield
    clear_contextvars()


@pytest.fixture
def events() -> Iterator[Captured]:
    with captured() as events:
        yield events


class Lines(list[dict[str, Any]]):
    """A last processor that keeps the lines."""

    def __call__(self, logger: object, method: str, line: dict[str, Any]) -> dict[str, Any]:
        self.append(dict(line))
        raise structlog.DropEvent


def logger(*processors: Any, lines: Lines | None = None, **bound: Any) -> Any:
    chain = [*processors, Lines() if lines is None else lines]
    return structlog.wrap_logger(None, processors=chain, wrapper_class=structlog.BoundLogger).bind(**bound)


def test_a_line_named_by_an_event_type_becomes_that_event(events: Captured) -> None:
    """The declared fields make the event; agent, run and correlation come from the bound context."""
    log = logger(CaptureProcessor(strict=True), agent_id="poster", run_id="r1", correlation_id="c1")
    log.info("social_post.drafted", **POST, confidence=0.5)
    (event,) = events
    assert event.payload == SocialPostDrafted(**POST, confidence=0.5, output_id=event.payload.output_id)  # type: ignore[union-attr]
    assert (event.agent_id, event.run_id, event.correlation_id) == ("poster", "r1", "c1")


POST = {"channel": "x", "identity": "@us", "body": "Hello"}
MOMENT = datetime(2026, 11, 25, tzinfo=UTC)
LINES = (
    {"key": "a", "value": "plain", "kind": "fact"},
    {"key": "a", "value": "é\n\u2028 \\u0000 C:\\u0000x", "kind": "fact", "confidence": 0.5, "source": None},
    {"key": "a", "value": {"password": "x", "deep": [{"token": "y"}]}, "kind": "fact"},
    {"key": "a", "value": 1.5, "kind": "fact"},
    {"key": "a", "value": float("nan"), "kind": "fact"},
    {"key": "a", "value": "x", "kind": "fact", "confidence": float("inf")},
    {"key": "a", "value": "nul \0", "kind": "fact"},
    {"key": "a", "value": "\ud800", "kind": "fact"},
    {"key": "a", "value": "x" * 1_100_000, "kind": "fact"},
    {"key": "a", "value": None, "kind": 7},
    {"key": "a", "value": [], "kind": "fact", "unknown": 1},
    {"key": "a", "value": "x", "kind": "fact", "agent_id": "another", "correlation_id": 7},
    {"key": "a", "value": "x", "kind": "fact", "agent_id": " "},
    {"key": "a", "value": "x", "kind": "fact", "level": "info", "timestamp": "now"},
    {"_type": "social_post.drafted", **POST, "output_id": uuid.UUID(int=7), "confidence": 1},
    {"_type": "social_post.drafted", **POST, "output_id": "o-1", "media": [{"sha256": "a" * 64, "media_type": "a/b"}]},
    {"_type": "social_post.drafted", **POST, "output_id": "o-1", "metadata": {"token": "x"}, "publish_after": MOMENT},
    {"_type": "social_post.drafted", **POST, "output_id": "o 1"},
    {"_type": "task.discovered", "task_id": "é", "priority": 0.5},
    {"_type": "task.discovered", "task_id": "t" * 300},
)


@pytest.mark.parametrize("line", LINES, ids=range(len(LINES)))
@pytest.mark.parametrize("bound", [{}, {"run_id": "r", "trace_id": "t", "other": 1}], ids=["alone", "bound"])
def test_the_quick_way_says_what_the_longer_one_says(line: dict[str, Any], bound: dict[str, Any]) -> None:
    """A usual line takes a shorter way: what is captured, redacted and refused is the same by both."""
    answers = []
    for quick in (True, False):
        processor = CaptureProcessor()
        if not quick:
            processor._quick = Never()
        with captured() as events, bound_contextvars(**bound):
            log = logger(structlog.contextvars.merge_contextvars, processor)
            log.info("memory.learned", key="first", value=1, kind="the first line finds the way")
            log.info(line.get("_type", "memory.learned"), **{key: line[key] for key in line if key != "_type"})
        answers.append(
            (
                [(event.payload.model_dump_json(), *event[2:10]) for event in events],
                [(record.error, json.loads(record.raw)["data"]) for record in events.quarantined],
            )
        )
    assert answers[0] == answers[1]
    assert len(answers[0][0]) + len(answers[0][1]) == 2


class Never(dict[str, Any]):
    """A processor without a quick way."""

    def __setitem__(self, key: str, value: object) -> None:
        """Not kept."""


def test_usual_lines_take_the_quick_way() -> None:
    """Lines of events in their agent's stream and of drafts, with bound ids and structlog's own keys, take it."""
    processor = CaptureProcessor()
    with captured() as events, bound_contextvars(run_id="r"):
        log = logger(structlog.contextvars.merge_contextvars, structlog.stdlib.add_log_level, processor)
        for number in range(3):
            log.info("memory.learned", key=str(number), value="v", kind="fact")
            log.info("social_post.drafted", **POST, output_id=capture.new_id())
            processor._capture = None  # type: ignore[method-assign, assignment]
    assert [event.event_type for event in events] == ["memory.learned", "social_post.drafted"] * 3
    assert not events.quarantined


def test_the_quick_way_asks_who_emits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name, a run or a redaction that is configured later holds for the next line."""
    monkeypatch.setattr(emit, "capture", emit.Capture())
    processor = CaptureProcessor()
    with captured() as events:
        log = logger(processor)
        for number, options in enumerate(({"agent_id": "a"}, {"run_id": "r"}, {"agent_id": "b"}, {"redact": ["key"]})):
            capture.configure(**options)  # type: ignore[arg-type]
            log.info("memory.learned", key=str(number), value="v", kind="fact")
    assert [(e.agent_id, e.stream_id, e.run_id, e.payload.key) for e in events] == [  # type: ignore[union-attr]
        ("a", "agent-a", None, "0"),
        ("a", "agent-a", "r", "1"),
        ("b", "agent-b", "r", "2"),
        ("b", "agent-b", "r", "[redacted]"),
    ]


def test_every_line_is_passed_on_unchanged(events: Captured) -> None:
    """The next processor sees the line as it was, captured or not, valid or not."""
    lines = Lines()
    log = logger(CaptureProcessor(), lines=lines, agent_id="poster")
    log.info("social_post.drafted", **POST, output_id=(identifier := capture.new_id()))
    log.info("hello", a=1)
    log.info("memory.learned", oops=1)
    assert lines == [
        {"event": "social_post.drafted", "agent_id": "poster", **POST, "output_id": identifier},
        {"event": "hello", "agent_id": "poster", "a": 1},
        {"event": "memory.learned", "agent_id": "poster", "oops": 1},
    ]


def test_an_output_id_of_new_id_is_taken(events: Captured) -> None:
    """`output_id=capture.new_id()` lets the agent wait for its verdict."""
    output_id = capture.new_id()
    logger(CaptureProcessor(strict=True)).info("comment.drafted", **POST, output_id=output_id)
    assert events.of(CommentDrafted)[0].output_id == str(output_id)
    assert events[0].stream_id == f"output-{output_id}"


def test_ids_are_found_in_context_variables(events: Captured) -> None:
    """What `bind_contextvars` binds says whose event it is, merged into the line or not."""
    run = uuid.uuid4()
    with bound_contextvars(agent_id="bound", run_id=run, correlation_id=7, request="r", trace_id="t"):
        logger(CaptureProcessor(strict=True)).info("social_post.drafted", **POST)
        merged = logger(structlog.contextvars.merge_contextvars, CaptureProcessor(strict=True))
        merged.info("social_post.drafted", **POST)
    for event in events:
        found = (event.agent_id, event.run_id, event.correlation_id, event.trace_id)
        assert found == ("bound", str(run), "7", "t")
        assert event.payload.metadata == {}  # type: ignore[union-attr]


def test_the_line_wins_over_the_context_and_that_over_configure(
    events: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """agent_id: the line, else the bound context, else `configure`, else the environment, else `unnamed`."""
    monkeypatch.setattr(emit.capture, "identity", type(emit.capture.identity)())
    log = logger(CaptureProcessor(strict=True))
    monkeypatch.delenv("COPYDESK_AGENT_ID", raising=False)
    log.info("social_post.drafted", **POST)
    monkeypatch.setattr(emit.capture, "identity", type(emit.capture.identity)())
    monkeypatch.setenv("COPYDESK_AGENT_ID", "environment")
    log.info("social_post.drafted", **POST)
    capture.configure(agent_id="configured")
    log.info("social_post.drafted", **POST)
    bind_contextvars(agent_id="context")
    log.info("social_post.drafted", **POST)
    log.info("social_post.drafted", **POST, agent_id="line")
    assert [event.agent_id for event in events] == ["unnamed", "environment", "configured", "context", "line"]


def test_structlog_s_own_keys_are_left_out(events: Captured) -> None:
    """Level, timestamp, logger, callsite and exception are no part of an event."""
    everything = structlog.processors.CallsiteParameterAdder(set(structlog.processors.CallsiteParameter))
    log = logger(
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(),
        structlog.processors.StackInfoRenderer(),
        everything,
        structlog.processors.format_exc_info,
        CaptureProcessor(strict=True),
    )
    try:
        raise ValueError("shown in the log only")
    except ValueError:
        log.exception("memory.learned", key="k", value=1, kind="fact", stack_info=True)
    assert events.of(MemoryLearned) == [MemoryLearned(key="k", value=1, kind="fact")]


def test_a_declared_field_wins_over_structlog_s_key(events: Captured) -> None:
    """A class that declares `level` or `module` gets them."""
    logger(structlog.processors.add_log_level, CaptureProcessor(strict=True)).info("probe.launched", module="m")
    assert events.of(ProbeLaunched) == [ProbeLaunched(level="info", module="m")]


def test_other_keys_go_to_metadata(events: Captured) -> None:
    """Where the class has `metadata`, keys that it does not declare are kept there, as JSON."""
    when = datetime(2026, 1, 1, tzinfo=UTC)
    log = logger(CaptureProcessor(strict=True))
    log.info("social_post.drafted", **POST, model="m", when=when, password="p", metadata={"model": "given"})
    assert events.of(SocialPostDrafted)[0].metadata == {"model": "given", "when": repr(when), "password": "[redacted]"}


def test_a_key_without_a_place_is_named(events: Captured) -> None:
    """Without `metadata` the line goes to quarantine, with the key in the error and the line as an importable one."""
    logger(CaptureProcessor(), agent_id="a").info("memory.learned", key="k", value=1, kind="fact", colour="red")
    assert not events
    (record,) = events.quarantined
    assert "'colour'" in record.error
    assert (record.source, record.agent_id, record.event_type) == ("processor", "a", "memory.learned")
    line = json.loads(record.raw)
    assert line["specversion"] == "1.0"
    assert line["source"] == "/agents/a"
    assert line["data"] == {"key": "k", "value": 1, "kind": "fact", "colour": "red"}


class Nasty:
    """An object that no code should touch."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        ("social_post.drafted", {"channel": "x"}),
        ("social_post.drafted", {**POST, "confidence": 7}),
        ("social_post.drafted", {**POST, "body": "a\0b"}),
        ("social_post.drafted", {**POST, "body": "\ud800"}),
        ("social_post.drafted", {**POST, "metadata": {"a": float("nan")}}),
        ("social_post.drafted", {**POST, "metadata": {"a": object()}}),
        ("social_post.drafted", {**POST, "metadata": 5}),
        ("social_post.drafted", {**POST, "body": Nasty()}),
        ("social_post.drafted", {**POST, "publish_after": datetime(2026, 1, 1)}),  # noqa: DTZ001 - a time without zone
        ("social_post.drafted", {**POST, "agent_id": ""}),
        ("social_post.drafted", {**POST, "agent_id": "two\nlines"}),
        ("social_post.drafted", {**POST, "run_id": ["list"]}),
        ("memory.learned", {"key": "k", "value": "x" * 1_100_000, "kind": "fact"}),
        ("review.approved", {"output_id": "o"}),
        ("publication.started", {}),
        ("capture.gapped", {"count": 1}),
    ],
)
def test_an_agent_never_sees_an_exception(events: Captured, event: str, fields: dict[str, Any]) -> None:
    """Whatever stands in a line, the log call returns and the line is in quarantine with a reason."""
    lines = Lines()
    logger(CaptureProcessor(), lines=lines).info(event, **fields)
    assert len(lines) == 1
    assert not events or fields.get("agent_id") == ""
    if not events:
        (record,) = events.quarantined
        assert record.error
        assert record.event_type == event


def test_deep_nesting_is_quarantined(events: Captured) -> None:
    """More than 64 levels are refused here, before either database sees them."""
    deep: list[Any] = []
    for _ in range(70):
        deep = [deep]
    logger(CaptureProcessor()).info("memory.learned", key="k", value=deep, kind="fact")
    assert not events
    assert "64 levels" in events.quarantined[0].error


def test_strict_raises_what_is_wrong(events: Captured) -> None:
    """In tests of agents a bad line raises, with the field in the message."""
    log = logger(CaptureProcessor(strict=True))
    with pytest.raises(InvalidEvent, match="identity"):
        log.info("social_post.drafted", channel="x")
    with pytest.raises(ReservedEventType, match=r"review\.approved"):
        log.info("review.approved", output_id="o")
    assert not events
    assert not events.quarantined


def test_a_secret_does_not_reach_quarantine(events: Captured) -> None:
    """Neither the raw line nor the error of a refused line shows a secret's value."""
    log = logger(CaptureProcessor())
    log.info("memory.learned", key="k", value={"token": "s3cret-1"}, kind="fact", colour="red", password="s3cret-2")
    log.info("social_post.drafted", **POST, confidence=7, metadata={"token": b"s3cret-3"})
    assert len(events.quarantined) == 2
    for record in events.quarantined:
        assert b"s3cret" not in record.raw
        assert "s3cret" not in record.error


def test_lines_of_unknown_names_are_left_alone(events: Captured) -> None:
    """Neither a sentence nor a dotted name that no class has is captured."""
    log = logger(CaptureProcessor(strict=True))
    log.info("started")
    log.info("social_post.draftd", **POST)
    log.info(12)
    assert not events
    assert not events.quarantined


def test_other_lines_are_captured_when_asked(events: Captured) -> None:
    """`other_lines` makes every other line a `log.recorded`, its keys as fields."""
    log = logger(structlog.processors.add_log_level, CaptureProcessor(strict=True, other_lines=True), agent_id="a")
    with bound_contextvars(request="left out"):
        log.warning("disk is full", free=0, path=object, token="s3cret")
    log.info("memory.learned", key="k", value=1, kind="fact")
    line = events.of(LogRecorded)[0]
    assert (line.level, line.message) == ("warning", "disk is full")
    assert line.fields == {"free": 0, "path": repr(object), "token": "[redacted]"}
    assert len(events) == 2
    assert events[0].agent_id == "a"


def test_own_diagnostics_are_never_captured(events: Captured) -> None:
    """What copydesk says about itself can't fill the journal that it speaks about."""
    processor = CaptureProcessor(strict=True, other_lines=True)
    record = logging.LogRecord("copydesk.writer", logging.ERROR, "f", 1, "events are dropped", None, None)
    processor(None, "error", {"event": "events are dropped", "_record": record})
    processor(None, "error", {"event": "events are dropped", "logger": "copydesk.writer"})
    assert not events


def test_values_are_snapshots(events: Captured) -> None:
    """What the agent changes after the call does not change the event."""
    context = {"a": 1}
    logger(CaptureProcessor(strict=True)).info("task.discovered", task_id="t", context=context)
    context["a"] = 2
    assert events.of(TaskDiscovered)[0].context == {"a": 1}
