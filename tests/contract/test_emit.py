"""`configure`, `emit` and their kin against a real database: the names that an agent's author uses."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog

from capture import (
    CaptureProcessor,
    DatabaseManager,
    EventLog,
    WouldDeadlock,
    configure,
    emit,
    emit_async,
    flush,
    flush_async,
    new_id,
)
from capture.vocabulary import MemoryLearned, ToolCalled
from capture.writer import emit as emit_module

FACT = MemoryLearned(key="k", value=1, kind="fact")


@pytest.fixture
def log(
    database_url: str, manager: DatabaseManager, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[EventLog]:
    """The log that this process emits into, as after a fresh start."""
    fresh = emit_module.Capture()
    monkeypatch.setattr(emit_module, "capture", fresh)
    configure(agent_id="agent", run_id="run", database_url=database_url, journal=tmp_path / "journal")
    yield EventLog(manager)
    if fresh.taker is not None:
        fresh.taker.close(10)


def test_an_emitted_event_is_in_the_log_with_all_that_was_said(log: EventLog) -> None:
    """The returned id finds the event; ids come from the call, else from `configure`; the time is the agent's."""
    occurred, given = datetime(2026, 11, 24, 10, 0, 0, 123456, tzinfo=UTC), new_id()
    first = emit(FACT, correlation_id="c", causation_id="z", occurred_at=occurred)
    second = emit(FACT, agent_id="other", run_id="own", event_id=given)
    assert flush(30)
    events = [log.find(first), log.find(second)]
    assert second == given
    assert events[0] is not None
    assert events[1] is not None
    assert events[0].payload == FACT
    assert (events[0].agent_id, events[0].run_id) == ("agent", "run")
    assert (events[0].correlation_id, events[0].causation_id) == ("c", "z")
    assert events[0].occurred_at == occurred
    assert (events[1].agent_id, events[1].run_id) == ("other", "own")


def test_log_lines_and_calls_keep_their_order(log: EventLog) -> None:
    """Events of the processor and of `emit` stand in the log in the order of the code."""
    logger: Any = structlog.wrap_logger(None, processors=[CaptureProcessor(), _drop])
    for number in range(0, 20, 2):
        logger.info("memory.learned", key="k", value=number, kind="fact")
        emit(MemoryLearned(key="k", value=number + 1, kind="fact"))
    assert flush(30)
    assert [event.payload.value for event in log.read()] == list(range(20))  # type: ignore[union-attr]


def test_a_secret_reaches_neither_the_log_nor_the_journal(log: EventLog, tmp_path: Path) -> None:
    """Redaction runs before encoding, with the usual keys, and with the agent's own instead."""
    emit(ToolCalled(tool="http", arguments={"headers": {"Authorization": "Bearer s3cret"}}), durable=True)
    configure(redact=["iban"])
    emit(ToolCalled(tool="pay", arguments={"iban": "s3cret"}), durable=True)
    for event in log.read():
        assert "[redacted]" in str(event.payload)
    files = list((tmp_path / "journal").glob("*.journal"))
    assert files
    assert not any(b"s3cret" in path.read_bytes() for path in files)


def test_an_agent_on_an_event_loop_waits_without_blocking(log: EventLog) -> None:
    """`emit_async` and `flush_async` do what `emit` and `flush` refuse there."""

    async def agent() -> None:
        with pytest.raises(WouldDeadlock, match="emit_async"):
            emit(FACT, durable=True)
        with pytest.raises(WouldDeadlock, match="flush_async"):
            flush(1)
        durable = await emit_async(FACT, durable=True)
        assert log.find(durable) is not None
        plain = emit(FACT)
        assert await flush_async(30)
        assert log.find(plain) is not None

    asyncio.run(agent())


def test_another_database_can_be_configured_later(
    log: EventLog, make_database: Any, backend_name: str, tmp_path: Path
) -> None:
    """What was emitted before goes to the first database, what comes after to the second."""
    first = emit(FACT)
    url = make_database(backend_name)
    configure(database_url=url, journal=tmp_path / "other-journal")
    second = emit(FACT)
    assert flush(30)
    with DatabaseManager(url) as other:
        assert [event.event_id for event in EventLog(other).read()] == [second]
    assert [event.event_id for event in log.read()] == [first]


def test_a_flush_before_the_first_event_is_true(log: EventLog) -> None:
    """Nothing was emitted, so everything is committed; neither a journal nor a thread is made."""
    assert flush(0)
    assert emit_module.capture.taker is None
    assert log.head() == 0


def _drop(logger: object, method: str, line: Any) -> Any:
    raise structlog.DropEvent
