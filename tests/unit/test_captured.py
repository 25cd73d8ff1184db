"""`capture.testing.captured`: what an agent would put out, seen by its author's tests."""

from __future__ import annotations

import asyncio

import pytest

from capture import EventConflict, InvalidEvent, ReservedEventType, configure, emit, emit_async, flush, new_id
from capture.testing import captured
from capture.vocabulary import MemoryLearned, ReviewRejected, SocialPostDrafted
from capture.writer import emit as emit_module

FACT = MemoryLearned(key="k", value=1, kind="fact")


def test_emitted_events_are_collected() -> None:
    """Events come as the log would give them back, with positions, ids and the agent."""
    with captured() as events:
        event_id = emit(FACT, agent_id="a", run_id="r", correlation_id="c", causation_id="z")
        asyncio.run(emit_async(FACT, agent_id="a", durable=True))
        assert flush(1)
    assert [event.position for event in events] == [1, 2]
    assert events[0].event_id == event_id
    assert (events[0].run_id, events[0].correlation_id, events[0].causation_id) == ("r", "c", "z")
    assert events.of(MemoryLearned) == [FACT, FACT]
    assert events.of(SocialPostDrafted) == []


def test_nothing_is_written(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside, neither a journal nor a database is made; outside, everything is as before."""
    before = emit_module.capture
    with captured():
        emit(FACT, agent_id="a")
        assert emit_module.capture is not before
    assert emit_module.capture is before


def test_the_rules_of_production_hold() -> None:
    """Redaction, reserved types, limits and idempotent ids are those of the real writer."""
    with captured() as events:
        with pytest.raises(ReservedEventType):
            emit(
                ReviewRejected(output_id="o", revision=1, content_hash="0" * 64, actor="mallory", reason_code="spam"),
                agent_id="a",
            )
        with pytest.raises(InvalidEvent, match="NUL"):
            emit(MemoryLearned(key="k", value="\0", kind="fact"), agent_id="a")
        with pytest.raises(InvalidEvent, match="agent_id"):
            emit(FACT, agent_id=" padded ")
        with pytest.raises(InvalidEvent, match="UUID"):
            emit(FACT, agent_id="a", event_id="no-uuid")
        emit(MemoryLearned(key="k", value={"token": "s"}, kind="fact"), agent_id="a")
        assert events.of(MemoryLearned)[0].value == {"token": "[redacted]"}
        event_id = new_id()
        assert emit(FACT, agent_id="a", event_id=event_id) == event_id
        again = events[-1].occurred_at
        assert emit(FACT, agent_id="a", event_id=str(event_id), occurred_at=again) == event_id
        assert len(events) == 2
        with pytest.raises(EventConflict):
            emit(FACT, agent_id="b", event_id=event_id)


def test_a_bad_agent_id_is_refused_where_it_is_set() -> None:
    """`configure` names the argument instead of every later emit failing."""
    with pytest.raises(InvalidEvent, match="agent_id"):
        configure(agent_id="two\nlines")
