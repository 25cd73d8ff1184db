"""An event that was stored under an old version is read as the newest, on every path that reads events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from capture import DatabaseManager, Event, EventLog, Recorded, upcasts
from capture.events.content import Prepared
from capture.events.event import JsonObject
from capture.events.prepare import prepare
from projections import (
    Integer,
    Key,
    ProjectionRunner,
    Projector,
    Rows,
    Text,
    agents_table,
    as_of,
    diff,
    handles,
    replay,
    verify,
)


class HornBlown(Event, type="horn.blown", version=2):
    """Version 1 had `who`; version 2 has `by` and `times`."""

    by: str
    times: int


@upcasts("horn.blown", from_version=1)
def _who_blew_it_once(old: JsonObject) -> JsonObject:
    return {"by": old["who"], "times": 1}


class Horns(Projector, version=1):
    """Who blew how often: it knows the newest version alone."""

    table = agents_table("tested_horns", Key("by"), Integer("times"), Text("agent_id"))

    @handles(HornBlown)
    def blown(self, fact: Recorded[HornBlown], rows: Rows) -> None:
        """One more time."""
        rows.at(by=fact.payload.by).set(agent_id=fact.agent_id).add(times=fact.payload.times)


def _old() -> Prepared:
    now = prepare(HornBlown(by="ana", times=1), agent_id="a")
    return now._replace(schema_version=1, payload=b'{"who":"ana"}')


def _read(manager: DatabaseManager) -> list[dict[str, Any]]:
    facts = [fact.payload for fact in EventLog(manager).read() if isinstance(fact.payload, HornBlown)]
    return [{"by": "ana", "times": sum(fact.times for fact in facts if fact.by == "ana"), "agent_id": "a"}]


def _run(manager: DatabaseManager) -> list[dict[str, Any]]:
    ProjectionRunner(manager, [Horns]).run_once()
    return manager.execute_query("SELECT by, times, agent_id FROM agents_tested_horns")


def _replay(manager: DatabaseManager) -> list[dict[str, Any]]:
    _run(manager)
    replay(manager, "agents_tested_horns", projectors=[Horns])
    return manager.execute_query("SELECT by, times, agent_id FROM agents_tested_horns")


def _look_back(manager: DatabaseManager) -> list[dict[str, Any]]:
    past = as_of(manager, "agents_tested_horns", EventLog(manager).head(), projectors=[Horns])
    return [dict(row) for row in past.rows["agents_tested_horns"]]


def _compare(manager: DatabaseManager) -> list[dict[str, Any]]:
    rows = _run(manager)
    assert [one.empty for one in diff(manager, projectors=[Horns])] == [True]
    assert [one.ok for one in verify(manager, projectors=[Horns])] == [True]
    manager.execute_write("UPDATE agents_tested_horns SET times = 7")
    (found,) = diff(manager, projectors=[Horns])
    assert not found.empty
    return rows


@pytest.mark.parametrize("path", [_read, _run, _replay, _look_back, _compare])
def test_an_old_event_is_new_on_every_path(
    manager: DatabaseManager, path: Callable[[DatabaseManager], list[dict[str, Any]]]
) -> None:
    """Read, runner, replay, as-of, diff and verify all see the newest version, whatever was stored."""
    new = prepare(HornBlown(by="ana", times=2), agent_id="a")
    EventLog(manager).append([_old(), new])
    assert path(manager) == [{"by": "ana", "times": 3, "agent_id": "a"}]


def test_what_is_stored_stays_as_it_was(manager: DatabaseManager) -> None:
    """The bytes, the version and the digest in the log are those of the day on which the event was put out."""
    log = EventLog(manager)
    log.append([_old()])
    (before,) = log.read_stored()
    _replay(manager)
    (after,) = log.read_stored()
    assert after == before
    assert (after.schema_version, after.payload) == (1, '{"who":"ana"}')
