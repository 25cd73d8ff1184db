"""A disk that is full, writes half, or fails to sync, at any call of a run; and what an agent must be told.

- `submit` either returns, or raises `JournalFull` or `JournalUnavailable`: nothing else, and never in silence.
- What it returned for is in the log once, whatever failed; the database is whole.
- Once the disk works again, events are taken again, and a flush succeeds, with no help from anybody.
- Where the database did not take events for a while, the log of diagnostics says so.
"""

from __future__ import annotations

import errno
import json
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from capture import DatabaseManager, Settings, recover_journals
from tests.faults import recorder
from tests.faults.recorder import ALLOCATE, MAP, OPEN, RENAME, SYNC, TRUNCATE, UNLINK, WRITE

AGENT = Path(__file__).with_name("disk_fault_agent.py")


class Fault(NamedTuple):
    """What fails: `count` calls of a kind, on paths that hold `part`, after the first ones.

    The error is an errno; 0 is one write that is cut in half, -n half a write and from then on errno n.
    """

    calls: int
    part: str
    after: int
    count: int
    error: int


KINDS: dict[str, Fault] = {
    "no space at a write": Fault(WRITE, "", 0, 3, errno.ENOSPC),
    "half a write": Fault(WRITE, "", 0, 1, 0),
    "half a write, then no space": Fault(WRITE, "", 0, 4, -errno.ENOSPC),
    "an error at a write": Fault(WRITE, "", 0, 1, errno.EIO),
    "an error at a sync": Fault(SYNC, "", 0, 1, errno.EIO),
    "errors at syncs": Fault(SYNC, "", 0, 4, errno.EIO),
    "no space for a journal": Fault(ALLOCATE, "journal", 0, 2, errno.ENOSPC),
    "no new file": Fault(OPEN, "", 0, 2, errno.ENOSPC),
    "no mapping": Fault(MAP, "", 0, 1, errno.ENOMEM),
    "no rename": Fault(RENAME, "", 0, 1, errno.EIO),
    "no truncation": Fault(TRUNCATE, "", 0, 1, errno.EIO),
    "no removal": Fault(UNLINK, "", 0, 1, errno.EIO),
}


class Outcome(NamedTuple):
    """What happened in one case."""

    fault: Fault
    said: dict[str, Any]
    integrity: str
    ids: list[str]


def run(folder: Path, template: Path, faults: list[Fault]) -> list[Outcome]:
    """Run the cases, each in a fresh process with a fresh database; afterwards adopt what was left behind."""
    folder.mkdir()
    shutil.copyfile(template, folder / "template.db")
    (folder / "cases.json").write_text(json.dumps(faults))
    done = recorder.start(AGENT, folder)
    assert done.returncode == 0, done.stderr
    lines = (folder / "outcomes.jsonl").read_text().splitlines()
    assert len(lines) == len(faults), done.stderr
    return [_look(folder / str(number), faults[number], json.loads(line)) for number, line in enumerate(lines)]


def _look(home: Path, fault: Fault, said: dict[str, Any]) -> Outcome:
    with DatabaseManager(f"sqlite:///{home / 'log.db'}") as manager:
        recover_journals(manager, settings=replace(Settings.from_environment({}), journal=home / "journal"))
    with closing(sqlite3.connect(home / "log.db")) as raw:
        integrity = str(raw.execute("PRAGMA integrity_check").fetchone()[0])
        ids = [row[0] for row in raw.execute("SELECT event_id FROM agents_events ORDER BY position")]
    shutil.rmtree(home)
    return Outcome(fault, said, integrity, ids)


def at_every_call(folder: Path, template: Path, names: list[str]) -> list[tuple[str, Fault]]:
    """A fault of each kind at each call of a run that nothing happens to."""
    quiet = [KINDS[name]._replace(count=0) for name in names]
    counts = [outcome.said["seen"] for outcome in run(folder, template, quiet)]
    return [
        (name, KINDS[name]._replace(after=after))
        for name, count in zip(names, counts, strict=True)
        for after in range(count)
    ]


def broken(outcome: Outcome) -> list[str]:
    """The promises that were broken; pure."""
    said = outcome.said
    if "raised" in said:
        return [f"the agent itself failed: {said['raised']}"]
    words = []
    if outcome.integrity != "ok":
        words.append(f"the database is damaged: {outcome.integrity}")
    there = Counter(outcome.ids)
    if lost := set(said["acknowledged"]) - set(there):
        words.append(f"{len(lost)} acknowledged events are lost")
    if any(count > 1 for count in there.values()) or set(there) - set(said["submitted"]):
        words.append("an event is there twice, or was never submitted")
    other = [text for text in said["refused"] if not text.startswith(("JournalFull:", "JournalUnavailable:"))]
    if other:
        words.append(f"an agent was told something else than that the journal takes nothing: {other[0]}")
    if len(said["acknowledged"]) + len(said["refused"]) != len(said["submitted"]):
        words.append("an event was neither taken nor refused")
    if said["refused_afterwards"] or not said["flushed"]:
        words.append(f"it did not go on when the disk worked again: {said['refused'][-1:] or 'no flush'}")
    if said["failures"] and not said["told"]:
        words.append("the database did not take events, and nobody was told")
    return words
