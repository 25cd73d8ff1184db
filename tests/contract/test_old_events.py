"""An event that was stored under an old version is read as the newest, on every path that reads events."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from capture import DatabaseManager, Event, EventLog, Follower, Recorded, upcasts
from capture.cli import run
from capture.events.content import Prepared
from capture.events.event import JsonObject
from capture.events.prepare import prepare
from capture.sources.cloudevents import import_lines
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
from review.cli.app import program
from tests.conftest import MakeDatabase


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


Lines = Callable[..., list[str]]


@pytest.fixture
def lines(manager: DatabaseManager, database_url: str, capsys: pytest.CaptureFixture[str]) -> Lines:
    """What a `copydesk events` command wrote, line by line."""

    def typed(*arguments: str) -> list[str]:
        assert run(program, ["events", *arguments, "--database-url", database_url]) == 0
        return capsys.readouterr().out.splitlines()

    return typed


def test_an_old_event_is_new_wherever_the_log_is_read(
    manager: DatabaseManager, make_database: MakeDatabase, lines: Lines
) -> None:
    """A follower, a search, a decision, an import, and `export`, `tail` and `show` with `--upcast`: all the newest."""
    log, newest = EventLog(manager), HornBlown(by="ana", times=1)
    log.append([_old()])
    (row,) = log.read()
    assert row.payload == newest
    assert Follower(log).poll()[0].payload == newest
    found = log.find(row.event_id)
    assert found is not None
    assert found.payload == newest
    with log.deciding() as decision:
        assert [fact.payload for fact in decision.read(stream="agent-a")] == [newest]
        decided = decision.find(row.event_id)
        assert decided is not None
        assert decided.payload == newest
    for command in (("export", "--upcast"), ("tail", "--upcast", "--json"), ("show", "1", "--upcast", "--json")):
        (line,) = map(json.loads, lines(*command))
        assert (line["schemaversion"], line["data"]) == (2, {"by": "ana", "times": 1}), command
    assert "by=ana times=1" in lines("tail", "--upcast")[0]
    # Without it the bytes are those of the log, and an import of either reads as the newest.
    for command in ((), ("--upcast",)):
        text = "\n".join(lines("export", *command)).encode()
        with DatabaseManager(make_database(manager.backend.name)) as other:
            copy = EventLog(other)
            assert import_lines(copy, io.BytesIO(text)).imported == 1
            assert [(fact.payload, fact.schema_version) for fact in copy.read()] == [(newest, 2 if command else 1)]


def test_what_does_not_decode_is_named_and_stops_no_tail(
    manager: DatabaseManager, capsys: pytest.CaptureFixture[str], database_url: str
) -> None:
    """An upcaster that fails: `tail --upcast` shows the event as stored and goes on; `export --upcast` names it."""
    EventLog(manager).append([_old()._replace(payload=b'{"whom":"bob"}'), _old()])
    for command, code in ((("tail", "--upcast"), 0), (("export", "--upcast"), 1)):
        assert run(program, ["events", *command, "--database-url", database_url]) == code
        shown = capsys.readouterr()
        assert "position 1" in shown.err
        assert "the upcaster of horn.blown from version 1 fails: KeyError: 'who'" in shown.err
        if code == 0:
            assert ["whom=bob" in line for line in shown.out.splitlines()] == [True, False]


def test_what_is_stored_stays_as_it_was(manager: DatabaseManager) -> None:
    """The bytes, the version and the digest in the log are those of the day on which the event was put out."""
    log = EventLog(manager)
    log.append([_old()])
    (before,) = log.read_stored()
    _replay(manager)
    (after,) = log.read_stored()
    assert after == before
    assert (after.schema_version, after.payload) == (1, '{"who":"ana"}')
