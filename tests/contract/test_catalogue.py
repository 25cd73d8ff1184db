"""`events catalogue` and `events check`: what the code knows, who handles it, and whether it reads what is stored."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from capture import DatabaseManager, Event, EventLog, Prepared, prepare, upcasts
from capture.cli import run
from capture.events.event import JsonObject
from capture.vocabulary import MemoryLearned
from projections import handled
from review.cli.app import program

Typed = Callable[..., tuple[int, str]]


class AnchorDropped(Event, type="anchor.dropped", version=3):
    """Version 1 had feet, version 2 had fathoms."""

    metres: float


@upcasts("anchor.dropped", from_version=2)
def _fathoms_became_metres(old: JsonObject) -> JsonObject:
    return {"metres": float(str(old["fathoms"])) * 1.8288}


@pytest.fixture
def typed(manager: DatabaseManager, database_url: str, capsys: pytest.CaptureFixture[str]) -> Typed:
    """Types a `copydesk events` command; its exit code and what it wrote."""

    def run_it(*arguments: str) -> tuple[int, str]:
        code = run(program, ["events", *arguments, "--database-url", database_url])
        return code, capsys.readouterr().out

    return run_it


def lines(out: str) -> list[dict[str, Any]]:
    """One object a line."""
    return [json.loads(line) for line in out.splitlines()]


def dropped(version: int, payload: bytes) -> Prepared:
    """An anchor as the log of that day has it."""
    return prepare(AnchorDropped(metres=1), agent_id="a")._replace(schema_version=version, payload=payload)


def by_version(out: str) -> dict[tuple[str, int], dict[str, Any]]:
    """The lines of a check, by what they are about."""
    return {(line["type"], line["version"]): line for line in lines(out)}


def test_the_catalogue_says_who_handles_each_type(typed: Typed) -> None:
    """Each type has its version, its fields, the projections that handle it, and the versions that it is read from."""
    code, out = typed("catalogue", "--json")
    found = {line["type"]: line for line in lines(out)}
    assert code == 0
    assert found["error.learned"]["handled_by"] == ["agents_errors", "modules_activity_runs"]
    assert {"agents_outputs", "agents_social_posts"} <= set(found["review.approved"]["handled_by"])
    assert {kind: line["handled_by"] for kind, line in found.items() if line["handled_by"]} == {
        kind: sorted(names) for kind, names in handled().items()
    }
    anchor = found["anchor.dropped"]
    assert (anchor["version"], anchor["fields"], anchor["upcasters"], anchor["handled_by"]) == (3, ["metres"], [2], [])
    text = typed("catalogue")[1]
    assert "error.learned\t1\t\tagents_errors, modules_activity_runs\terror_type, error_hash" in text
    alone = typed("catalogue", "anchor.dropped")[1]
    assert "Read from" in alone
    assert "Handled by" not in alone
    assert "metres" in alone


def test_the_catalogue_is_a_json_schema(typed: Typed) -> None:
    """`--schema` writes one schema for an export's lines, in which every reference resolves; for a type, its data's."""
    whole = json.loads(typed("catalogue", "--schema")[1])
    kinds = [choice["properties"]["type"]["const"] for choice in whole["oneOf"]]
    assert {"anchor.dropped", "comment.drafted", "review.approved"} <= set(kinds)
    assert len(set(kinds)) == len(kinds)
    for reference in _references(whole):
        assert reference.removeprefix("#/$defs/") in whole["$defs"]
    one = json.loads(typed("catalogue", "anchor.dropped", "--schema")[1])
    assert (one["required"], one["additionalProperties"]) == (["metres"], False)


def _references(value: object) -> list[str]:
    if isinstance(value, dict):
        return [found for name, one in value.items() for found in ([one] if name == "$ref" else _references(one))]
    return [found for one in value for found in _references(one)] if isinstance(value, list) else []


def test_a_check_names_each_gap(manager: DatabaseManager, typed: Typed) -> None:
    """A missing upcaster, one that fails, a newer version and an unknown type are each named, with exit code 1."""
    log = EventLog(manager)
    log.append([MemoryLearned(key="k", value=1, kind="fact"), AnchorDropped(metres=2)])
    log.append_prepared([dropped(2, b'{"fathoms":"3"}')])
    assert typed("check")[0] == 0
    log.append_prepared(
        [
            dropped(1, b'{"feet":9}'),
            dropped(2, b'{"cables":1}'),
            dropped(4, b'{"metres":{}}'),
            dropped(1, b"{}")._replace(event_type="ghost.seen"),
        ]
    )
    code, out = typed("check", "--json")
    found = by_version(out)
    assert code == 1
    problems = {kind: line["problem"] for kind, line in found.items() if not line["ok"]}
    assert problems == {
        ("anchor.dropped", 1): "anchor.dropped has no upcaster from version 1 to 2",
        ("anchor.dropped", 2): "the upcaster of anchor.dropped from version 2 fails: KeyError: 'fathoms'",
        ("anchor.dropped", 4): "anchor.dropped version 4 is newer than this code, which knows version 3",
        ("ghost.seen", 1): "no code at hand knows this type",
    }
    assert found["anchor.dropped", 2]["count"] == 2
    assert found["anchor.dropped", 3]["ok"] is found["memory.learned", 1]["ok"] is True
    assert "no upcaster from version 1 to 2" in typed("check")[1]


def test_a_check_of_all_finds_the_one_that_does_not_decode(manager: DatabaseManager, typed: Typed) -> None:
    """One event among many of its version that the code can't read is found by `--all`, with its position."""
    log = EventLog(manager)
    log.append_prepared(
        [dropped(2, b'{"fathoms":"1"}'), dropped(2, b'{"fathoms":"deep"}'), dropped(2, b'{"fathoms":"2"}')]
    )
    assert typed("check")[0] == 0
    code, out = typed("check", "--all", "--json")
    (line,) = lines(out)
    assert (code, line["ok"], line["count"], line["position"]) == (1, False, 3, 2)
    assert "could not convert string to float" in line["problem"]
