"""Every character through a log, an export and an import into the other backend."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest
import structlog
from pydantic_core import to_json

from capture import CaptureProcessor, DatabaseManager, Event, EventLog, prepare, upcasts
from capture.events.event import JsonObject
from capture.sources.cloudevents import export_lines, import_lines
from capture.testing import captured
from capture.vocabulary import CommentDrafted
from capture.writer.quarantine import as_line
from tests.conftest import BACKENDS, MakeDatabase

JSON = structlog.processors.JSONRenderer()

SIZE = 90_000
"""Characters a draft: below the limit of a body."""

SURROGATES = range(0xD800, 0xE000)
EVERY = "".join(chr(point) for point in range(1, 0x110000) if point not in SURROGATES)


def drafts() -> Iterator[CommentDrafted]:
    for start in range(0, len(EVERY), SIZE):
        yield CommentDrafted(output_id=f"o{start}", channel="x", identity="@us", body=EVERY[start : start + SIZE])


def test_every_character_comes_back(manager: DatabaseManager, backend_name: str, make_database: MakeDatabase) -> None:
    """All 1,112,063 code points but U+0000 come back from the log, its export, and an import on the other backend."""
    assert len(EVERY) == 1_112_063
    sent = list(drafts())
    log = EventLog(manager)
    log.append(sent, agent_id="scribe")
    assert [row.payload for row in log.read()] == sent
    lines = list(export_lines(log))
    assert not any("\n" in line for line in lines)
    file = "".join(f"{line}\n" for line in lines).encode()
    (other,) = (name for name in BACKENDS if name != backend_name)
    for trusted in (True, False):
        with DatabaseManager(make_database(other)) as second:
            copy = EventLog(second)
            report = import_lines(copy, io.BytesIO(file), trusted=trusted)
            assert (report.imported, report.refused) == (len(sent), 0)
            assert [row.payload for row in copy.read()] == sent
            # Byte for byte as they were stored, and so with equal digests.
            assert [(row.payload, row.digest) for row in copy.read_stored()] == [
                (row.payload, row.digest) for row in log.read_stored()
            ]


class PageTorn(Event, type="page.torn", version=2):
    """Version 1 called its text `words`."""

    text: str


@upcasts("page.torn", from_version=1)
def _words_became_text(old: JsonObject) -> JsonObject:
    return {"text": old["words"]}


def test_every_character_comes_back_through_an_upcaster(
    manager: DatabaseManager, backend_name: str, make_database: MakeDatabase
) -> None:
    """All 1,112,063 code points of old events come back from `export --upcast` and an import on the other backend."""
    pieces = [EVERY[start : start + SIZE] for start in range(0, len(EVERY), SIZE)]
    log = EventLog(manager)
    log.append_prepared(
        [
            prepare(PageTorn(text=""), agent_id="scribe")._replace(schema_version=1, payload=to_json({"words": piece}))
            for piece in pieces
        ]
    )
    assert [row.payload for row in log.read()] == [PageTorn(text=piece) for piece in pieces]
    lines = list(export_lines(log, upcast=True))
    assert {json.loads(line)["schemaversion"] for line in lines} == {2}
    file = "".join(f"{line}\n" for line in lines).encode()
    (other,) = (name for name in BACKENDS if name != backend_name)
    for trusted in (True, False):
        with DatabaseManager(make_database(other)) as second:
            copy = EventLog(second)
            report = import_lines(copy, io.BytesIO(file), trusted=trusted)
            assert (report.imported, report.refused) == (len(pieces), 0)
            assert "".join(json.loads(row.payload)["text"] for row in copy.read_stored()) == EVERY


@pytest.mark.parametrize("escape", [r"\u0000", r"\ud800", r"\udbff", r"\udc00", r"\udfff"])
def test_what_no_database_keeps_is_refused_before_it(manager: DatabaseManager, escape: str) -> None:
    """U+0000 and lone surrogates: a log line with one goes to quarantine, an imported line is refused by its number."""
    quoted = f'"{escape}"'
    with captured() as events:
        log = structlog.wrap_logger(structlog.PrintLogger(io.StringIO()), processors=[CaptureProcessor(), JSON])
        log.info("comment.drafted", channel="x", identity="@us", body=f"a{json.loads(quoted)}b")
    assert (list(events), len(events.quarantined)) == ([], 1)
    data = f'{{"channel":"x","identity":"@us","body":"a{escape}b"}}'
    line = as_line(data, agent_id="scribe", id="e1", type="comment.drafted", time="2026-11-24T10:00:00Z")
    report = import_lines(EventLog(manager), io.BytesIO(line))
    assert ([error.line for error in report.errors], report.imported) == ([1], 0)
    assert EventLog(manager).head() == 0
