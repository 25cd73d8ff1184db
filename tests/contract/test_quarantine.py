"""The quarantine: look at it, try again, discard; and the door that stays shut to reserved types everywhere."""

from __future__ import annotations

import io
import json
from base64 import b64decode
from collections.abc import Callable

import pytest
import structlog

import capture
from capture import CaptureProcessor, DatabaseManager, EventLog, ReservedEventType
from capture.cli import run
from capture.events.content import Prepared
from capture.sources.cloudevents import import_lines
from capture.testing import captured
from capture.vocabulary import ReviewApproved
from capture.writer import set_aside
from capture.writer.quarantine import Quarantined, as_line, quarantined
from capture.writer.sink import DatabaseSink
from review.cli.app import program

Command = Callable[..., tuple[int, str]]

GOOD = as_line(
    '{"key":"tone","value":"kind","kind":"fact"}',
    agent_id="scribe",
    id="01933a8e-7f5c-7c3a-9d54-0f6a3c1e2b90",
    type="memory.learned",
    time="2026-11-24T10:00:00Z",
)
APPROVAL = ReviewApproved(output_id="o", revision=1, content_hash="0" * 64, actor="me")
RESERVED = as_line(
    APPROVAL.model_dump_json(),
    agent_id="scribe",
    id="01933a8e-7f5c-7c3a-9d54-0f6a3c1e2b91",
    type="review.approved",
    time="2026-11-24T10:00:00Z",
)
HOSTILE = b'\x1b]0;gone\x07\xe2\x80\xae{"half\xff'


def keep(manager: DatabaseManager, *raws: bytes) -> list[str]:
    records: list[Quarantined] = [quarantined(raw, "why \x1b[2J", source="processor", agent_id="a") for raw in raws]
    sink = DatabaseSink(manager)
    sink.quarantine(records, durable=False)
    return [record.quarantine_id for record in records]


@pytest.fixture
def command(manager: DatabaseManager, database_url: str, capsys: pytest.CaptureFixture[str]) -> Command:
    """Types a `copydesk events quarantine` command; its exit code and its output."""

    def typed(*arguments: str) -> tuple[int, str]:
        code = run(program, ["events", "quarantine", *arguments, "--database-url", database_url])
        shown = capsys.readouterr()
        return code, shown.out + shown.err

    return typed


def test_a_retried_record_is_an_event_and_gone(manager: DatabaseManager, command: Command) -> None:
    """What is valid now goes into the log once, keeps its id, and leaves the quarantine."""
    (identifier,) = keep(manager, GOOD)
    code, out = command("retry", identifier, "--json")
    assert (code, json.loads(out)) == (0, {"quarantine_id": identifier, "position": 1})
    (row,) = EventLog(manager).read()
    assert (row.event_type, row.agent_id, str(row.event_id)) == (
        "memory.learned",
        "scribe",
        "01933a8e-7f5c-7c3a-9d54-0f6a3c1e2b90",
    )
    assert set_aside.count(manager) == 0
    assert command("retry", identifier)[0] == 5
    assert command("retry", "--all")[0] == 6


def test_a_record_that_is_refused_again_stays(manager: DatabaseManager, command: Command) -> None:
    """A retry of many takes what is valid, says why not for the rest, keeps that as it is, and ends with 1."""
    bad, conflicting = keep(manager, HOSTILE, GOOD.replace(b"kind", b"rude", 1))
    EventLog(manager).append_prepared([capture_line(GOOD)])
    (good,) = keep(manager, GOOD)
    code, out = command("retry", "--all", "--json")
    told = {line["quarantine_id"]: line for line in map(json.loads, out.splitlines())}
    assert code == 1
    assert told[bad]["error"]["code"] == "INVALID_EVENT"
    assert told[conflicting]["error"]["code"] == "EVENT_CONFLICT"
    assert told[good]["position"] == 1
    assert [record.quarantine_id for record in set_aside.records(manager)] == [bad, conflicting]
    assert set_aside.record(manager, bad).raw == HOSTILE


def test_discarding_needs_an_id_or_the_right_count(manager: DatabaseManager, command: Command) -> None:
    """Records are deleted by id, or all together by whoever says how many there are; a wrong count deletes none."""
    first, *_ = keep(manager, *[HOSTILE] * 450)
    assert command("discard")[0] == 2
    assert command("discard", first, "--all")[0] == 2
    code, out = command("discard", "--all")
    assert code == 2
    assert "450" in out
    assert command("discard", first)[0] == 0
    assert command("discard", first)[0] == 5
    assert command("discard", "--all", "--expect-count", "450")[0] == 3
    assert set_aside.count(manager) == 449
    assert command("discard", "--all", "--expect-count", "449", "--json") == (0, '{"discarded": 449}\n')
    assert set_aside.count(manager) == 0


def test_a_list_crosses_pages(manager: DatabaseManager, command: Command) -> None:
    """A list longer than a page misses no record and repeats none, with and without a limit."""
    identifiers = keep(manager, *[b"x"] * 450)
    listed = [json.loads(line)["quarantine_id"] for line in command("list", "--json")[1].splitlines()]
    assert listed == sorted(identifiers)
    assert len(command("list", "--json", "-n", "250")[1].splitlines()) == 250


def test_hostile_bytes_are_visible_and_kept(manager: DatabaseManager, command: Command) -> None:
    """What is shown obeys nothing in the bytes or in the error, and --json gives the bytes back whole."""
    (identifier,) = keep(manager, HOSTILE)
    for arguments in (("list",), ("show", identifier), ("retry", identifier)):
        shown = command(*arguments)[1]
        assert all(line.replace("\t", "").isprintable() for line in shown.split("\n")), arguments
    assert "│ " in command("show", identifier)[1]
    entry = json.loads(command("show", identifier, "--json")[1])
    assert b64decode(entry["raw_base64"]) == HOSTILE
    assert entry["error"] == "why \x1b[2J"
    assert command("show", "nonsense")[0] == 2


def capture_line(line: bytes) -> Prepared:
    from capture.events.cloudevents import read_line

    return read_line(line)


def by_emit(manager: DatabaseManager) -> str:
    with captured() as events, pytest.raises(ReservedEventType) as refusal:
        capture.emit(APPROVAL)
    assert not events
    return refusal.value.message


def by_append(manager: DatabaseManager) -> str:
    with pytest.raises(ReservedEventType) as refusal:
        EventLog(manager).append([APPROVAL])
    return refusal.value.message


def by_processor(manager: DatabaseManager) -> str:
    with captured() as events:
        chain = [CaptureProcessor(), structlog.processors.JSONRenderer()]
        log = structlog.wrap_logger(structlog.PrintLogger(io.StringIO()), processors=chain)
        log.info("review.approved", **APPROVAL.model_dump())
    assert not events
    (record,) = events.quarantined
    return record.error


def by_import(manager: DatabaseManager) -> str:
    report = import_lines(EventLog(manager), io.BytesIO(RESERVED))
    assert (report.imported, report.refused) == (0, 1)
    return report.errors[0].error


def by_retry(manager: DatabaseManager) -> str:
    (identifier,) = keep(manager, RESERVED)
    outcome = set_aside.retry(manager, identifier)
    assert isinstance(outcome.refusal, ReservedEventType)
    assert set_aside.count(manager) == 1
    return outcome.refusal.message


@pytest.mark.parametrize("door", [by_emit, by_append, by_processor, by_import, by_retry])
def test_no_door_lets_a_reserved_type_in(manager: DatabaseManager, door: Callable[[DatabaseManager], str]) -> None:
    """An approval can't be emitted, appended, logged, imported or retried: each door names the rule."""
    assert "review.approved is written by copydesk alone" in door(manager)
    assert EventLog(manager).head() == 0
