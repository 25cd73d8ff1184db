"""Files of CloudEvents lines, into a log and out of it, on each backend."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.formats.json import JSONFormat

from capture.database.manager import DatabaseManager
from capture.eventlog.event_log import EventLog
from capture.eventlog.statistics import statistics, stored_versions
from capture.eventlog.trusted import LogNotEmpty
from capture.events.prepare import prepare
from capture.sources import cloudevents
from capture.sources.cloudevents import export_lines, import_lines
from capture.vocabulary import CommentDrafted, MemoryLearned, OutputRevised, ReviewOpened, SocialPostDrafted
from tests.conftest import MakeDatabase

CASES = json.loads(Path(__file__).parents[1].joinpath("hostile.json").read_text(encoding="utf-8"))
BAD = ("json-number", "json-structure", "cloudevents", "time", "bad-utf8")


def bytes_of(case: dict[str, Any]) -> bytes:
    """The bytes of a line of hostile.json."""
    return (
        bytes.fromhex(case["value"])
        if case.get("encoding") == "hex"
        else case["value"].encode("utf-8", "surrogatepass")
    )


def line(number: int, **changes: Any) -> bytes:
    """A good line, one for each number."""
    attributes = {
        "specversion": "1.0",
        "id": f"00000000-0000-7000-8000-{number:012}",
        "source": "/agents/scribe",
        "type": "memory.learned",
        "time": "2026-11-24T10:00:00.5Z",
        "data": {"key": f"k{number}", "value": number, "kind": "fact"},
    }
    return json.dumps({**attributes, **changes}).encode() + b"\n"


def fill(log: EventLog) -> None:
    """Events of several agents, kinds and times, in several transactions."""
    log.append(
        [SocialPostDrafted(output_id="o1", channel="x", identity="me", body="Grüße\n\u202e", metadata={"n": 1.0})]
    )
    log.append_prepared(
        [
            prepare(
                CommentDrafted(output_id=f"o{n}", channel="youtube", identity="us", body="b" * n),
                agent_id="ä b/c",
                run_id="run-1",
                correlation_id="corr",
                causation_id="cause",
                trace_id="trace",
                occurred_at=datetime(2026, 1, 1, 0, 0, 0, n, tzinfo=UTC),
            )
            for n in range(2, 30)
        ]
    )
    with log.deciding() as decision:
        decision.append([ReviewOpened(output_id="o1", revision=1, content_hash="0" * 64, policy="policy:none@1")])
    log.append([MemoryLearned(key="k", value={"z": 1, "a": [None, 1e22, "\U0001f600"]}, kind="fact")])


def lines_of(log: EventLog) -> bytes:
    """The whole log as a file."""
    return "".join(f"{text}\n" for text in export_lines(log)).encode()


def test_an_export_into_an_empty_log_gives_an_equal_log(manager: DatabaseManager, make_database: MakeDatabase) -> None:
    """A trusted import gives the same rows, payload bytes and digests included, from either backend to the other."""
    log = EventLog(manager)
    fill(log)
    for backend in ("sqlite", "postgresql"):
        with DatabaseManager(make_database(backend)) as other:
            copy = EventLog(other)
            report = import_lines(copy, io.BytesIO(lines_of(log)), trusted=True)
            assert (report.read, report.imported, report.refused) == (31, 31, 0)
            assert list(copy.read_stored()) == list(log.read_stored())
            assert lines_of(copy) == lines_of(log)
            copy.append([MemoryLearned(key="next", value=1, kind="fact")])
            assert copy.head() == 32


def test_an_ordinary_import_gives_new_positions_and_no_verdicts(
    manager: DatabaseManager, make_database: MakeDatabase
) -> None:
    """Events of another log get positions and times of this one, and what only copydesk writes is refused."""
    log = EventLog(manager)
    fill(log)
    with DatabaseManager(make_database(manager.backend.name)) as other:
        copy = EventLog(other)
        copy.append([MemoryLearned(key="first", value=1, kind="fact")])
        report = import_lines(copy, io.BytesIO(lines_of(log)))
        assert (report.read, report.imported, report.duplicates, report.refused) == (31, 30, 0, 1)
        assert report.errors[0].line == 30
        assert "review.opened is written by copydesk alone" in report.errors[0].error
        pairs = zip(
            [row for row in log.read_stored() if row.event_type != "review.opened"], copy.read_stored(1), strict=True
        )
        for given, taken in pairs:
            assert given.digest == taken.digest
            assert given.payload == taken.payload
            assert taken.recorded_at > given.recorded_at


def test_the_official_sdk_takes_an_export_and_gives_it_back(
    manager: DatabaseManager, make_database: MakeDatabase
) -> None:
    """A log that leaves as an export, through the SDK of CloudEvents, is the same log where it is imported."""
    log, sdk = EventLog(manager), JSONFormat()
    fill(log)
    through = [sdk.write(sdk.read(None, text)) + b"\n" for text in export_lines(log)]
    with DatabaseManager(make_database(manager.backend.name)) as other:
        report = import_lines(EventLog(other), io.BytesIO(b"".join(through)))
        assert (report.imported, report.refused) == (30, 1)  # the verdict
        kept = [row for row in log.read_stored() if row.event_type != "review.opened"]
        assert [row.digest for row in EventLog(other).read_stored()] == [row.digest for row in kept]


def test_what_is_imported_twice_is_there_once(manager: DatabaseManager) -> None:
    """The same file again is all duplicates; the same line twice in one file, too."""
    log = EventLog(manager)
    source = line(1) + line(2) + line(1, source="/agents/scribe") + b"\n" + line(3).rstrip() + b"\r\n"
    first = import_lines(log, io.BytesIO(source))
    again = import_lines(log, io.BytesIO(source))
    assert first.as_object() == {"read": 4, "imported": 3, "duplicates": 1, "refused": 0, "errors": []}
    assert again.as_object() == {"read": 4, "imported": 0, "duplicates": 4, "refused": 0, "errors": []}
    assert log.head() == 3


def test_a_bad_line_harms_no_other(manager: DatabaseManager) -> None:
    """Each hostile line is in the report with its number, and every good line between them is in the log."""
    log = EventLog(manager)
    bad = [part for case in CASES if case["category"] in BAD for part in bytes_of(case).split(b"\n")]
    source = b"".join(line(number) + part + b"\n" for number, part in enumerate(bad))
    report = import_lines(log, io.BytesIO(source))
    assert [error.line for error in report.errors] == list(range(2, 2 * len(bad) + 1, 2))
    assert (report.read, report.imported, report.refused) == (2 * len(bad), len(bad), len(bad))
    assert all(error.error for error in report.errors)
    assert statistics(manager).count == len(bad)


def test_a_line_that_contradicts_the_log_is_refused_and_the_rest_goes_in(manager: DatabaseManager) -> None:
    """An id that the log has with other content is a conflict of one line, not of its batch."""
    log = EventLog(manager)
    import_lines(log, io.BytesIO(line(1)))
    report = import_lines(log, io.BytesIO(line(0) + line(1, time="2020-01-01T00:00:00Z") + line(2)))
    assert (report.imported, report.refused) == (2, 1)
    assert report.errors[0].line == 2
    assert [json.loads(row.payload)["key"] for row in log.read_stored()] == ["k1", "k0", "k2"]


def test_a_line_of_any_length_costs_bounded_memory(manager: DatabaseManager, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that is too long is passed over in pieces and reported; the lines around it go in."""
    monkeypatch.setattr(cloudevents, "MAX_LINE", 4096)
    asked: list[int] = []

    class Source(io.BytesIO):
        def readline(self, size: int | None = -1, /) -> bytes:
            asked.append(size or -1)
            return super().readline(size)

    report = import_lines(EventLog(manager), Source(line(1) + b"x" * 50_000 + b"\n" + line(2)))
    assert (report.read, report.imported, report.refused) == (3, 2, 1)
    assert report.errors[0] == (2, "a line of at most 4,096 bytes was expected, found 50,001")
    assert set(asked) == {4096}


def test_a_dry_run_writes_nothing(manager: DatabaseManager) -> None:
    """A dry run says what an import would do: new, known, contradicting; and the log stays as it is."""
    log = EventLog(manager)
    import_lines(log, io.BytesIO(line(1) + line(3)))
    source = line(1) + line(2) + line(3, type="memory.forgotten", data={"key": "k"}) + b"nonsense\n"
    report = import_lines(log, io.BytesIO(source), dry_run=True)
    assert (report.read, report.imported, report.duplicates, report.refused) == (4, 1, 1, 2)
    assert [error.line for error in report.errors] == [3, 4]
    assert log.head() == 2


@pytest.mark.parametrize(
    "spoil",
    [
        lambda lines: lines[1:],
        lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
        lambda lines: [*lines[:4], lines[4].replace(b'"position":5,', b""), *lines[5:]],
        lambda lines: [*lines[:-1], b"nonsense\n"],
        lambda lines: [*lines, lines[0]],
    ],
    ids=["first missing", "out of order", "no position", "nonsense at the end", "a line twice"],
)
def test_a_trusted_import_is_all_or_nothing(manager: DatabaseManager, make_database: MakeDatabase, spoil: Any) -> None:
    """A file that is not the whole export leaves the log empty, and the report names the line."""
    log = EventLog(manager)
    fill(log)
    source = b"".join(spoil(lines_of(log).splitlines(keepends=True)))
    with DatabaseManager(make_database(manager.backend.name)) as other:
        report = import_lines(EventLog(other), io.BytesIO(source), trusted=True)
        assert (report.imported, report.refused) == (0, 1)
        assert report.errors[0].line > 0
        assert EventLog(other).head() == 0


def test_a_trusted_import_needs_an_empty_log(manager: DatabaseManager) -> None:
    """Where there are events already, nothing is taken over."""
    log = EventLog(manager)
    fill(log)
    with pytest.raises(LogNotEmpty):
        import_lines(log, io.BytesIO(lines_of(log)), trusted=True)


def test_what_is_stored_is_counted_by_type_and_version(manager: DatabaseManager) -> None:
    """Statistics name every type and version with its count and its newest position."""
    log = EventLog(manager)
    fill(log)
    log.append([OutputRevised(output_id="o1", body="b")])
    found = statistics(manager)
    assert (found.count, found.head, found.quarantined) == (32, 32, 0)
    assert next(iter(found.by_type.items())) == ("comment.drafted", 28)
    assert [(v.event_type, v.schema_version, v.count, v.newest) for v in stored_versions(manager)] == [
        ("comment.drafted", 1, 28, 29),
        ("memory.learned", 1, 1, 31),
        ("output.revised", 1, 1, 32),
        ("review.opened", 1, 1, 30),
        ("social_post.drafted", 1, 1, 1),
    ]
