"""Each line of hostile.json that is about events gets the answer that it names, and the same one on both backends.

A line is found by its category and judged by the sentence in its `expect`: a new sentence without a judge fails.
"""

from __future__ import annotations

import io
import json
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa
import structlog

from capture import BatchingWriter, CaptureProcessor, DatabaseManager, EventLog, InvalidEvent, clock, prepare
from capture.cli.output import json_line
from capture.events.content import digest
from capture.sources.cloudevents import export_lines, import_lines
from capture.vocabulary import MemoryLearned
from capture.writer import emit, set_aside
from tests.conftest import BACKENDS, MakeDatabase
from tests.fixtures.agent_role import as_an_agent

FILE: list[dict[str, Any]] = json.loads(Path(__file__).parents[1].joinpath("hostile.json").read_text(encoding="utf-8"))
CATEGORIES = ("cloudevents", "surrogate", "nul", "time", "append-only-escape")
LINES = [case for case in FILE if case["category"].startswith("json-") or case["category"] in CATEGORIES]


class Place(NamedTuple):
    """Where a line is tried: a database of one of the backends, and a journal."""

    url: str
    manager: DatabaseManager
    journal: Path

    @property
    def log(self) -> EventLog:
        """The log there."""
        return EventLog(self.manager)


Answer = object
"""What came of a line, without what differs from try to try (ids and times): equal on both backends."""


@pytest.fixture
def places(make_database: MakeDatabase, tmp_path: Path) -> Iterator[list[Place]]:
    """A fresh database on each backend."""
    urls = [make_database(backend) for backend in BACKENDS]
    managers = [DatabaseManager(url) for url in urls]
    yield [
        Place(url, manager, tmp_path / f"journal-{number}")
        for number, (url, manager) in enumerate(zip(urls, managers, strict=True))
    ]
    for manager in managers:
        manager.close()


def raw(case: dict[str, Any]) -> bytes:
    """The bytes of a line; a lone surrogate as the three bytes that WTF-8 has for it."""
    whole = case.get("prefix", "") + case["value"] * case.get("repeat", 1) + case.get("suffix", "")
    return str(whole).encode("utf-8", "surrogatepass")


# The doors: a file, a log line, and a call of `emit`. Each gives what came of it, as the database has it.


def cloudevent(data: bytes, **changes: str) -> bytes:
    """A line of a file with this JSON text as its data."""
    attributes = {
        "specversion": "1.0",
        "id": "01933a8e-7f5c-7c3a-9d54-0f6a3c1e2b90",
        "source": "/agents/scribe",
        "type": "memory.learned",
        "time": "2026-11-24T10:00:00.123456Z",
        **changes,
    }
    return json.dumps(attributes)[:-1].encode() + b',"data":' + data + b"}\n"


def by_file(place: Place, line: bytes) -> tuple[str, Answer]:
    """Import one line: refused with its number and a reason, or the payload that is stored."""
    before = place.log.head()
    report = import_lines(place.log, io.BytesIO(line))
    assert report.read == report.imported + report.duplicates + report.refused > 0
    if report.refused:
        assert [error.line for error in report.errors] == list(range(1, report.refused + 1))
        assert place.log.head() == before
        return "refused", [error.error for error in report.errors]
    (row,) = place.log.read_stored(before)
    text = row.payload.encode()
    assert row.digest == digest(prepare_as(row.payload, row))
    # Byte for byte the same in an export and, from there, in the other log.
    assert next(iter(export_lines(place.log, after=before))).encode().endswith(b'"data":' + text + b"}")
    return "taken", (row.payload, clock.to_text(row.occurred_at))


def prepare_as(payload: str, row: Any) -> Any:
    """What the digest of a stored row is taken over."""
    ready = prepare(MemoryLearned(key="k", value=1, kind="fact"), agent_id=row.agent_id, event_id=row.event_id)
    return ready._replace(payload=payload.encode(), occurred_at=clock.to_text(row.occurred_at))


@contextmanager
def agent_of(place: Place) -> Iterator[structlog.typing.FilteringBoundLogger]:
    """An agent that logs, with a journal and a writer of its own; all is committed at the end."""
    writer, before = BatchingWriter(place.url, place.journal), emit.capture
    emit.capture = emit.Capture(writer)
    try:
        yield structlog.wrap_logger(structlog.ReturnLogger(), processors=[CaptureProcessor(), lambda *_: ""])
        assert writer.flush(30)
    finally:
        emit.capture = before
        writer.close(30)


def by_log_line(place: Place, **fields: Any) -> tuple[str, Answer]:
    """Log one event: in quarantine with its bytes and a reason, or the payload that is stored."""
    before = place.log.head()
    with agent_of(place) as log:
        log.info("memory.learned", **{"key": "k", "kind": "fact", **fields})
    kept = list(set_aside.records(place.manager))
    for record in kept:
        assert record.error
        set_aside.discard(place.manager, record.quarantine_id)
    rows = list(place.log.read_stored(before))
    assert len(kept) + len(rows) == 1
    if kept:
        data = kept[0].raw.partition(b'"data":')[2].removesuffix(b"}")
        return "quarantined", (data, kept[0].error, kept[0].event_type)
    return "taken", rows[0].payload


# The judges, by the answer that a line names.


def same_and_whole(case: dict[str, Any], place: Place) -> Answer:
    """NUL: never stored cut off. Text that only speaks of NUL is text."""
    text = case["value"]
    filed = by_file(place, cloudevent(json.dumps({"key": "k", "value": text, "kind": "fact"}).encode()))
    logged = by_log_line(place, value=text)
    if "\0" not in text:
        assert filed[0] == logged[0] == "taken"
        assert json.loads(str(logged[1]))["value"] == text
        return filed, logged
    assert (filed[0], logged[0]) == ("refused", "quarantined")
    data, error, _ = logged[1]  # type: ignore[misc]
    assert json.loads(data)["value"] == text, "the quarantine has the whole of it"
    assert "NUL" in error
    assert by_file(place, raw(case).replace(b"\n", b" "))[0] == "refused", "as a line of its own"
    return filed, logged


def quarantined_with_a_reason(case: dict[str, Any], place: Place) -> Answer:
    """A lone surrogate: no UTF-8, so no event; kept aside, and told."""
    text = case["value"]
    filed = by_file(place, cloudevent(json.dumps({"key": "k", "value": text, "kind": "fact"}).encode()))
    as_bytes = by_file(place, cloudevent(b'{"key":"k","value":"' + raw(case) + b'","kind":"fact"}'))
    logged = by_log_line(place, value=text)
    assert (filed[0], as_bytes[0], logged[0]) == ("refused", "refused", "quarantined")
    data, error, _ = logged[1]  # type: ignore[misc]
    assert text.encode("utf-8", "backslashreplace") in data
    assert "surrogate" in error
    return filed, as_bytes, logged


def harmless_in_a_page(case: dict[str, Any], place: Place) -> Answer:
    """What would end a script block: kept as it is, and an escape wherever a command writes JSON."""
    logged = by_log_line(place, value=case["value"])
    assert logged[0] == "taken"
    shown = json_line({"value": case["value"]})
    assert json.loads(shown) == {"value": case["value"]}
    assert not set("<>&\u2028\u2029") & set(shown)
    return logged


def exact_or_quarantined(case: dict[str, Any], place: Place) -> Answer:
    """A number: digit for digit what came, or not taken at all."""
    number = case["value"].removeprefix('{"n":').removesuffix("}")
    filed = by_file(place, cloudevent(f'{{"key":"k","value":{number},"kind":"fact"}}'.encode()))
    inside = by_file(place, cloudevent(f'{{"key":"k","value":{{"n":{number}}},"kind":"fact"}}'.encode()))
    assert by_file(place, raw(case))[0] == "refused", "as a line of its own"
    for outcome, said in (filed, inside):
        assert outcome == "refused" or f":{number}" in str(said)
    # For an agent the number is Python's, and what Python holds comes back equal.
    value = json.loads(case["value"])
    logged = by_log_line(place, value=value)
    if logged[0] == "taken":
        assert repr(json.loads(str(logged[1]))["value"]) == repr(value)
    else:
        assert "input should be a finite number" in str(logged[1])
    return filed, inside, logged


def one_reading_only(case: dict[str, Any], place: Place) -> Answer:
    """JSON that parsers read differently is refused; what has one reading is kept byte for byte."""
    text = case["value"]
    whole = by_file(place, raw(case) + b"\n")
    assert whole[0] == "refused"
    inside = by_file(place, cloudevent(f'{{"key":"k","value":{text.strip() or "{"},"kind":"fact"}}'.encode()))
    as_data = by_file(place, cloudevent(raw(case)))
    assert as_data[0] == "refused"
    try:
        pairs: list[list[Any]] = []
        json.loads(text, object_pairs_hook=lambda found: pairs.append([name for name, _ in found]))
        one_reading = all(len(set(names)) == len(names) for names in pairs)
    except ValueError:
        one_reading = False
    assert inside[0] == ("taken" if one_reading else "refused"), text
    if one_reading:
        assert f'"value":{text}' in str(inside[1])
    return whole, inside, as_data


def refused_with_its_number(case: dict[str, Any], place: Place) -> Answer:
    """A forged line: refused with its number, alone and between others, and nothing of it in the log."""
    good = cloudevent(b'{"key":"k","value":1,"kind":"fact"}')
    report = import_lines(place.log, io.BytesIO(good + raw(case) + b"\n" + good))
    assert (report.read, report.imported, report.duplicates, report.refused) == (3, 1, 1, 1)
    assert [error.line for error in report.errors] == [2]
    assert [row.event_type for row in place.log.read_stored()] == ["memory.learned"]
    return report.as_object()


def exact_time_or_refused(case: dict[str, Any], place: Place) -> Answer:
    """A time: with its zone and to the microsecond, or not at all; as the event's own and as a field."""
    text = case["value"]
    data = b'{"key":"k","value":1,"kind":"fact"}'
    filed = by_file(place, cloudevent(data, time=text))
    draft = json.dumps(
        {"output_id": "o", "channel": "x", "identity": "us", "body": "b", "publish_after": text}
    ).encode()
    report = import_lines(
        place.log, io.BytesIO(cloudevent(draft, type="comment.drafted", id="01933a8e-7f5c-7c3a-9d54-0f6a3c1e2b91"))
    )
    kept = [json.loads(row.payload)["publish_after"] for row in place.log.read_stored(types=["comment.drafted"])]
    if text == "9999-12-31T23:59:59.999999+14:00":
        assert filed == ("taken", ('{"key":"k","value":1,"kind":"fact","confidence":null,"source":null}', _FAR))
        assert [clock.to_text(clock.from_text(one)) for one in kept] == [_FAR]
    else:
        assert filed[0] == "refused"
        assert (kept, report.refused) == ([], 1)
    return filed, kept, report.as_object()


_FAR = "9999-12-31T09:59:59.999999Z"


def refused_by_the_database(case: dict[str, Any], place: Place) -> Answer:
    """SQL against the past: the database itself says no to the role that an agent has."""
    place.log.append([MemoryLearned(key="k", value=number, kind="fact") for number in range(2)])
    before = list(place.log.read_stored())
    with as_an_agent(place.url) as agent:
        with pytest.raises(sa.exc.DBAPIError):
            agent.execute_write(case["value"])
        with pytest.raises(sa.exc.DBAPIError), agent.transaction() as transaction:
            transaction.connection.exec_driver_sql(case["value"])
        EventLog(agent).append([MemoryLearned(key="k", value=2, kind="fact")])
    assert list(place.log.read_stored(limit=2)) == before
    return place.log.head()


def too_deep(case: dict[str, Any], place: Place) -> Answer:
    """100,000 levels: told, by no RecursionError, and kept aside when an agent logs them."""
    data = raw(case).removeprefix(b'{"data":').removesuffix(b"}")
    filed = by_file(place, cloudevent(b'{"key":"k","value":' + data + b',"kind":"fact"}'))
    as_line = by_file(place, raw(case))
    assert filed[0] == as_line[0] == "refused"
    value: list[Any] = []
    for _ in range(case["repeat"] - 1):
        value = [value]
    logged = by_log_line(place, value=value)
    assert logged[0] == "quarantined"
    for said in (filed[1], as_line[1], logged[1]):
        assert "levels deep" in str(said) or "levels of objects and lists were expected" in str(said)
        assert "RecursionError" not in str(said)
    return filed, as_line, logged


def too_large_in_bounded_memory(case: dict[str, Any], place: Place) -> Answer:
    """64 MiB in one event: told, with at most twice as much memory."""
    body = case["value"] * case["repeat"]
    size = len(body)
    with traced() as peak, pytest.raises(InvalidEvent, match="bytes are more than") as told:
        prepare(MemoryLearned(key="k", value=body, kind="fact"), agent_id="a")
    assert peak() < 2 * size
    line = cloudevent(b'{"key":"k","value":"' + body.encode() + b'","kind":"fact"}')
    with traced() as peak:
        filed = by_file(place, line)
    assert peak() < size
    with traced() as peak:
        logged = by_log_line(place, value=body)
    assert peak() < 2 * size
    assert (filed[0], logged[0]) == ("refused", "quarantined")
    assert "more than the 1,048,576" in str(logged[1][1])  # type: ignore[index]
    return str(told.value), filed, logged


@contextmanager
def traced() -> Iterator[Callable[[], int]]:
    """Count the bytes that are held beside what was held before, at the most."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        peaks: list[int] = []
        yield lambda: peaks[0]
        peaks.append(tracemalloc.get_traced_memory()[1] - before)
    finally:
        tracemalloc.stop()


def refused_in_linear_time(case: dict[str, Any], place: Place) -> Answer:
    """100,000 digits: refused at once; ten times as many take no hundred times as long."""
    digits = case["value"] * case["repeat"]
    filed = by_file(place, cloudevent(f'{{"key":"k","value":{digits},"kind":"fact"}}'.encode()))
    whole = by_file(place, raw(case))
    assert filed[0] == whole[0] == "refused"
    begun = time.monotonic()
    by_file(place, cloudevent(f'{{"key":"k","value":{digits * 10},"kind":"fact"}}'.encode()))
    assert time.monotonic() - begun < 2, "quadratic time would take minutes"
    logged = by_log_line(place, value=10 ** case["repeat"])
    assert logged[0] == "quarantined"
    return filed, whole, logged


JUDGES: dict[str, Callable[[dict[str, Any], Place], Answer]] = {
    "same answer on SQLite and PostgreSQL; never truncated": same_and_whole,
    "quarantined with a reason, the same on both backends": quarantined_with_a_reason,
    "embedded JSON escapes <, >, &, U+2028/9": harmless_in_a_page,
    "exact round trip or quarantined; never rounded; hash from bytes": exact_or_quarantined,
    "duplicate keys refused; depth and size bounded; never RecursionError": one_reading_only,
    "refused or quarantined with the line number; never a trusted event without --trusted": refused_with_its_number,
    "refused without a zone; kept to the microsecond; far values refused, not wrapped": exact_time_or_refused,
    "refused by the database under the application's role": refused_by_the_database,
    "quarantined: too deep; no RecursionError": too_deep,
    "JournalFull/too large is told, memory bounded to 2x": too_large_in_bounded_memory,
    "refused without quadratic time": refused_in_linear_time,
}


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in LINES])
def test_a_line_gets_the_answer_that_it_names(case: dict[str, Any], places: list[Place]) -> None:
    """The answer in `expect`, and in every word the same one on both backends."""
    first, second = (JUDGES[case["expect"]](case, place) for place in places)
    assert first == second


def test_no_line_is_left_out() -> None:
    """Every line of these categories has a judge for its answer, and no judge is without a line."""
    mine = {"json-number", "json-structure", "json-in-html", "json-large", *CATEGORIES}
    assert Counter(case["category"] for case in LINES) == Counter(
        case["category"] for case in FILE if case["category"] in mine
    )
    assert {case["category"] for case in LINES} == mine
    assert {case["expect"] for case in LINES} == set(JUDGES)
    assert len(LINES) >= 54
