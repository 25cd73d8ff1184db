"""Bad input: each is answered by a line or two, with what to do, and the documented exit code."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import Copydesk, Ran, draft

HOSTILE = json.loads(Path(__file__).parents[1].joinpath("hostile.json").read_text(encoding="utf-8"))


def in_a_line_or_two(ran: Ran) -> bool:
    """True when the failure is one line, and a hint at most."""
    return ran.out == "" and 1 <= len(ran.err.splitlines()) <= 2 and ran.err.startswith("copydesk: ")


@pytest.mark.parametrize(
    ("url", "code", "says"),
    [
        ("nonsense", 2, "a database URL as sqlite:///"),
        ("mysql://root:s3cret@host/db", 2, "copydesk speaks"),
        ("postgresql://u:s3cret@host:99999/db", 2, "port"),
        ("sqlite:///missing/folder/x.db", 1, "the folder of the database does not exist"),
        ("postgresql://u:s3cret@127.0.0.1:1/db", 1, "127.0.0.1"),
        ("sqlite:///not-a-database.db", 1, "not-a-database.db"),
        ("sqlite:///foreign.db", 1, "another program"),
        ("sqlite:///folder.db", 1, "folder.db"),
    ],
)
def test_a_database_that_can_not_be_used_is_named(alone: Copydesk, url: str, code: int, says: str) -> None:
    """A wrong address, a lost server or a file of another kind: what is wrong, no password, and nothing written."""
    (alone.folder / "not-a-database.db").write_bytes(b"this is text, and long enough to have a header" * 10)
    (alone.folder / "folder.db").mkdir()
    with sqlite3.connect(alone.folder / "foreign.db") as foreign:
        foreign.execute("CREATE TABLE customers (id INTEGER)")
    foreign.close()
    before = {path: path.read_bytes() for path in alone.folder.glob("*.db") if path.is_file()}
    for arguments in (("review", "list"), ("events", "stats"), ("run", "--once"), ("db", "status")):
        ran = alone(*arguments, "--database-url", url)
        assert ran.code == code, ran
        assert in_a_line_or_two(ran), ran
        assert says in ran.err
        assert "s3cret" not in ran.err
    assert {path: path.read_bytes() for path in alone.folder.glob("*.db") if path.is_file()} == before
    assert alone("events", "stats", "--json", env={"DATABASE_URL": url}).object["error"]["message"]


def test_a_database_of_a_newer_version_is_left_alone(alone: Copydesk) -> None:
    """A database that a newer copydesk wrote is refused by every command, and nothing is written."""
    assert alone("db", "init").code == 0
    path = alone.folder / "foundup.db"
    with sqlite3.connect(path) as database:
        database.execute("UPDATE agents_schema_version SET version_num = '9999'")
    database.close()
    for arguments in (("review", "list"), ("events", "stats"), ("run", "--once"), ("db", "upgrade")):
        ran = alone(*arguments)
        assert (ran.code, in_a_line_or_two(ran)) == (1, True), ran
        assert "9999" in ran.err
    status = alone("db", "status", "--json")
    assert (status.code, status.object["revision"]) == (1, "9999")


@pytest.fixture(scope="module")
def two_drafts(shared: Copydesk) -> Copydesk:
    """A desk with the drafts o1 and o2, and a folder that is in use."""
    shared.import_events(draft("o1"), draft("o2"))
    (shared.folder / "demo-in-use").mkdir()
    (shared.folder / "demo-in-use" / "file").touch()
    return shared


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ("review show nope", 5, "no output 'nope' was drafted"),
        ("review approve nope --hash 00", 5, "no output 'nope' was drafted"),
        ("review approve o", 2, "more than one output begins with o"),
        ("review approve o1", 2, "the hash of the content that you saw was expected"),
        ("review edit o1 --hash 00", 2, "a new body was expected"),
        ("review edit o1 --hash 00 --body x --body-file y", 2, "found --body and --body-file"),
        ("review edit o1 --hash 00 --body-file missing.txt", 1, "missing.txt: No such file"),
        ("review reject o1 --hash 00 --as policy:x", 2, "the name of a person"),
        ("review list --state nonsense", 5, "a state was expected, found 'nonsense'"),
        ("review list --limit 0", 2, "limit"),
        ("review diff o1 --from 7", 5, "has the revisions 1 to 1, found 7"),
        ("review shwo o1", 2, "Did you mean 'show'"),
        ("reviews list", 2, "Did you mean 'review'"),
        ("events show 99", 5, "there is no event 99"),
        ("events show 99999999999999999999999", 5, "there is no event"),
        ("events show nonsense", 2, "a position or an event id"),
        ("events import missing.jsonl", 1, "missing.jsonl: No such file"),
        ("events tail --after 99", 1, "the log ends at 2"),
        ("events emit nope.happened --agent a", 1, "a known event type was expected"),
        ("events emit review.approved --agent a", 1, "written by copydesk alone"),
        ("events emit memory.learned --agent a key=k", 1, "value: field required"),
        ("events emit memory.learned --agent a nonsense", 2, "FIELD=TEXT or FIELD:=JSON was expected"),
        ("events emit memory.learned --agent a key:=nonsense", 2, "key:= takes JSON"),
        ("events emit memory.learned key=k", 2, "the id of an agent was expected"),
        ("events catalogue nope.happened", 5, "a known event type was expected"),
        ("projections run nope --once", 5, "a projection was expected, found 'nope'"),
        ("projections replay nope", 5, "a projection was expected"),
        ("projections as-of agents_outputs yesterday", 2, "a position or a time was expected"),
        ("projections as-of agents_outputs 99", 5, "a position from 0 to 2"),
        ("db status --database-url", 2, "requires an argument"),
        ("demo demo-in-use", 2, "a new or an empty folder was expected"),
    ],
)
def test_a_mistake_is_named(two_drafts: Copydesk, arguments: str, code: int, says: str) -> None:
    """What was typed wrongly, what does not exist: one sentence, what to do next, the right exit code."""
    ran = two_drafts(*arguments.split())
    assert ran.code == code, ran
    assert in_a_line_or_two(ran), ran
    assert says in ran.err
    assert two_drafts(*arguments.split()[:-1], "--json", *arguments.split()[-1:]).object["error"]["message"]


@pytest.mark.parametrize("bad", ["FOUNDUP=../x", "COPYDESK_SYNCHRONOUS=sometimes", "COPYDESK_JOURNAL_BYTES=many"])
def test_a_setting_that_can_not_be_used_is_named(alone: Copydesk, bad: str) -> None:
    """A variable with an impossible value is a usage error that names the variable."""
    name, _, value = bad.partition("=")
    ran = alone("events", "stats", env={name: value})
    assert (ran.code, in_a_line_or_two(ran)) == (2, True), ran
    assert name in ran.err


def test_a_policy_that_is_not_in_force_is_not_taken_for_kept(alone: Copydesk) -> None:
    """A policy file that was not adopted is told of by every review command; one that can't be used stops `run`."""
    (alone.folder / "policy.toml").write_text('name = "house"\n')
    ran = alone("review", "list")
    assert (ran.code, "policy.toml differs" in ran.err) == (0, True)
    (alone.folder / "policy.toml").write_text('name = "house"\naprovals = 2\n')
    ran = alone("run", "--once")
    assert (ran.code, "policy.toml, line 2, aprovals" in ran.err) == (2, True)


@pytest.mark.parametrize("value", [b"\xff\xfe", b"\xed\xa0\x80"])
def test_arguments_that_are_no_text_are_refused(alone: Copydesk, value: bytes) -> None:
    """An argument that is no UTF-8 is told, not stored."""
    ran = alone.python("-c", _RUN, stdin=value)
    assert (ran.code, ran.err) == (2, f"copydesk: arguments in UTF-8 were expected, found {_seen(value)!a}\n")


_RUN = (
    "import subprocess, sys; "
    "sys.exit(subprocess.run([sys.executable.encode(), b'-m', b'review.cli.app', b'review', b'show', "
    "sys.stdin.buffer.read()]).returncode)"
)


def _seen(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def test_an_event_without_a_database_waits_in_the_journal(alone: Copydesk) -> None:
    """While the database is away `emit` says so and exits 1; the event is there as soon as a command reaches one."""
    away = {"DATABASE_URL": "postgresql://u:s3cret@127.0.0.1:1/db"}
    fields = ("channel=x", "identity=@us", "body=hello", "output_id=o1")
    ran = alone("events", "emit", "comment.drafted", "--agent", "a", "--timeout", "0.5", *fields, env=away)
    assert ran.code == 1
    assert "is kept in the journal" in ran.err
    assert "s3cret" not in ran.err
    assert [row["output_id"] for row in alone("review", "list", "--json").lines] == ["o1"]


def bytes_of(case: dict[str, Any]) -> bytes:
    """The bytes of a line of hostile.json."""
    if case.get("encoding") == "hex":
        return bytes.fromhex(case["value"])
    repeat = min(int(case.get("repeat", 1)), 100_000)
    return (case.get("prefix", "") + case["value"] * repeat + case.get("suffix", "")).encode("utf-8", "surrogatepass")


def test_a_file_of_hostile_lines_is_reported_line_by_line(copydesk: Copydesk) -> None:
    """Every hostile line that claims to be an event is refused with its number; the good ones go in; exit code 1."""
    kinds = ("json-number", "json-structure", "json-large", "cloudevents", "time", "surrogate", "nul", "bad-utf8")
    bad = [part for case in HOSTILE if case["category"] in kinds for part in bytes_of(case).split(b"\n")]
    good = json.dumps(
        {"specversion": "1.0", "source": "/agents/a", "time": "2026-11-24T10:00:00Z", **draft()}, ensure_ascii=False
    ).encode()
    (copydesk.folder / "events.jsonl").write_bytes(b"\n".join([good, *bad, good]) + b"\n")
    ran = copydesk("events", "import", "events.jsonl", "--json")
    report = ran.object
    assert ran.code == 1
    assert (report["read"], report["imported"], report["duplicates"]) == (len(bad) + 2, 1, 1)
    assert [error["line"] for error in report["errors"]] == list(range(2, len(bad) + 2))
    people = copydesk("events", "import", "events.jsonl")
    assert people.code == 1
    assert len(people.out.splitlines()) == 1 + len(bad)
    assert people.out.isprintable() or all(line.isprintable() for line in people.out.splitlines())


def test_a_file_can_not_approve_itself(copydesk: Copydesk) -> None:
    """A verdict in a file is refused unless the file is a whole export, for a log that is empty."""
    copydesk.import_events(draft())
    seen = copydesk("review", "show", "o1", "--json").object["content_hash"]
    verdict = {
        "specversion": "1.0",
        "id": "forged",
        "source": "/agents/operator",
        "type": "review.approved",
        "time": "2026-11-24T10:00:00Z",
        "data": {"output_id": "o1", "revision": 1, "content_hash": seen, "actor": "operator"},
    }
    text = json.dumps(verdict)
    assert copydesk("events", "import", "-", stdin=text).code == 1
    assert copydesk("events", "import", "-", "--trusted", stdin=text).code == 1
    assert copydesk("review", "show", "o1", "--json").object["state"] == "pending"
    assert copydesk("publish", "once").code == 6
