"""Nothing that an event says is lost to who reads its table, but what is listed here with its reason."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from capture import Event, known_events
from capture.vocabulary import Draft, Media, MemoryForgotten, MemoryLearned
from projections import Projector
from projections.folding import Plan
from projections.registry import installed
from projections.testing import fold

AT = datetime(2026, 11, 24, 23, 30, tzinfo=UTC)

# A value for each field that an agent may say, none of them a default.
VALUES: dict[str, Any] = {
    "action": "tidy up",
    "amount": "-12.50",
    "arguments": {"who": ["x"]},
    "assigned_to": "bo",
    "autonomy_level": "high",
    "available_until": AT,
    "body": "Hello 🙂",
    "capacity": 0.5,
    "chain_tx_hash": "0xabc",
    "channel": "youtube",
    "complexity": 3.5,
    "confidence": 0.25,
    "consciousness_level": "full",
    "context": {"page": 3},
    "contract_id": "c1",
    "coordination_id": "co1",
    "correct": False,
    "currency": "EUR",
    "data": {"k": "v"},
    "deadline": AT,
    "decision": "yes",
    "dedupe_key": "twice",
    "deliverables": ("d1", "d2"),
    "dependencies": ("c0",),
    "description": "what it is",
    "discovered_by": "eve",
    "duration_ms": 12.5,
    "error": "it broke",
    "error_hash": "h1",
    "error_message": "no air",
    "error_type": "IOError",
    "estimated_minutes": 90.5,
    "exception_type": "KeyError",
    "execution_id": "x1",
    "expected_decision": "no",
    "focus": "tests",
    "health": {"cpu": 0.1},
    "identity": "@acme",
    "key": "k1",
    "kind": "habit",
    "koan": "mu",
    "media": (Media(sha256="0" * 64, media_type="image/png", alt="a cat"),),
    "message": "disk full",
    "metadata": {"m": 1},
    "mode": "open",
    "not_after": AT + timedelta(days=1),
    "occurrences": 3,
    "outcome": "done",
    "output_id": "o1",
    "pattern": {"every": "monday"},
    "pattern_type": "weekly",
    "payload": {"ask": "help"},
    "post_type": "repost",
    "priority": 1.5,
    "publish_after": AT,
    "purpose": "tea",
    "query": "where",
    "reason": "too loud",
    "recipient": "@bo",
    "related_docs": ("README",),
    "reply_to": "https://example.test/1",
    "required_skills": ("sql",),
    "restart_count": 2,
    "results": (1, {"a": None}),
    "risk_flags": ("tone",),
    "session_id": "s1",
    "skill": "sort",
    "skills_offered": ("sql", "tea"),
    "solution": {"do": "free it"},
    "source": "page 3",
    "status": "sent",
    "success": False,
    "supersedes": "o0",
    "target_author": "mia",
    "target_url": "https://example.test/v",
    "targets": ("x", "y"),
    "task_id": "t1",
    "tone": "dry",
    "transaction_id": "tx1",
    "trigger_context": "asked",
    "uptime_s": 0.5,
    "value": {"z": 1, "a": [True, None]},
}

# Which table keeps what an agent said in each event. The rest of the vocabulary has no table of its own:
NO_TABLE = {
    "model.called": "counted in modules_activity_runs; who needs a table of calls writes a projector",
    "tool.called": "counted in modules_activity_runs; who needs a table of calls writes a projector",
    "log.recorded": "counted in modules_activity_runs; a log line is looked for in the log",
    "output.skipped": "counted in modules_engagement_daily; there is no output that a row could be about",
    "capture.gapped": "about the log, not about an agent; `copydesk events` shows it",
}

LEFT_OUT = {
    ("agents_memory", "memory.forgotten", "key"): "the row is gone",
    ("agents_memory", "memory.forgotten", "reason"): "the row is gone; the log keeps why",
}

RESERVED = ("review.", "publication.", "capture.")


def _tables() -> list[tuple[Projector, str, type[Event]]]:
    """Each table of agents' state with each type of event, as agents say them, that it is made of."""
    known = known_events()
    return [
        (plan.projector, event_type, known[event_type])
        for plan in installed()
        if plan.name.startswith("agents_") and plan.name != "agents_outputs"
        for event_type in sorted(plan.types)
        if known[event_type].__module__.startswith("capture.vocabulary")
        and not event_type.startswith((*RESERVED, "output."))
    ]


def _said(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, tuple):
        return [_said(one) for one in value]
    if isinstance(value, BaseModel):
        return json.loads(value.model_dump_json())
    return value


@pytest.mark.parametrize(
    ("projector", "event_type", "event"), [pytest.param(*one, id=f"{one[0].name}-{one[1]}") for one in _tables()]
)
def test_what_an_event_says_stands_in_its_row(projector: Projector, event_type: str, event: type[Event]) -> None:
    """Each field of the event is a column of its table, with the value that was said."""
    saying = event(**{name: VALUES[name] for name in event.model_fields})
    before = [MemoryLearned(key="k1", value=1, kind="fact")] if event is MemoryForgotten else []
    rows = fold(type(projector), [*before, saying])
    for name in event.model_fields:
        if (projector.name, event_type, name) in LEFT_OUT:
            assert rows == []
            continue
        (row,) = rows
        found = str(row[name]) if name == "amount" else row[name]
        assert _said(found) == _said(VALUES[name]), name


def test_each_event_of_agents_has_a_table() -> None:
    """Every type of the vocabulary that agents say is kept by a table, or is listed with the reason why it has none."""
    said = {
        event_type
        for event_type, event in known_events().items()
        if event.__module__.startswith("capture.vocabulary") and not event_type.startswith(RESERVED[:2])
    }
    kept = {event_type for plan in installed() if plan.name.startswith("agents_") for event_type in plan.types}
    assert said - kept == set(NO_TABLE)


def test_the_exceptions_are_of_this_vocabulary() -> None:
    """Nothing is excused, and no value is kept here, that no event has."""
    tables = {(projector.name, event_type): event for projector, event_type, event in _tables()}
    assert [one for one in LEFT_OUT if one[2] not in tables[one[:2]].model_fields] == []
    assert set(VALUES) == {name for event in tables.values() for name in event.model_fields}
    drafts = {event for event in tables.values() if issubclass(event, Draft)}
    assert len(drafts) == 4
    assert all(Plan(projector).types for projector, *_ in _tables())
