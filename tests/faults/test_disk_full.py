"""A disk that is full, writes half or fails to sync: the slice of `scripts/campaign/disk_fault.py` that runs each time.

SQLite only: a server's own disk is the server's, and a server that refuses is in tests/contract/test_writer.py.
"""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

from tests.faults import disk_fault
from tests.faults.disk_fault import Fault, Outcome
from tests.faults.recorder import OPEN, ROOT

CAMPAIGN = ROOT / "scripts" / "campaign" / "disk_fault.py"


def test_a_failing_disk_loses_nothing_and_is_told() -> None:
    """Whichever call fails: what was acknowledged is in the log once, the agent is told, and all goes on afterwards."""
    kinds = ["half a write, then no space", "an error at a sync"]
    command = [sys.executable, str(CAMPAIGN), "--seed", "3", "--count", "6"]
    for kind in kinds:
        command += ["--kind", kind]
    done = subprocess.run(command, capture_output=True, text=True, timeout=170, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


def test_a_file_that_can_not_be_opened_for_a_while_is_written_again(tmp_path: Path, sqlite_template: Path) -> None:
    """Where SQLite's opening of a file fails and it falls back to reading, the writer goes on once it can be opened."""
    faults = [Fault(OPEN, part, after, 2, errno.ENOSPC) for part in ("log.db", "log.db-wal") for after in range(4)]
    outcomes = disk_fault.run(tmp_path / "cases", sqlite_template, faults)
    assert [disk_fault.broken(outcome) for outcome in outcomes] == [[] for _ in faults]
    assert sum(outcome.said["hits"] for outcome in outcomes) > 4


def test_each_broken_promise_is_seen() -> None:
    """The judge finds a lost event, a foreign one, a wrong error, silence, and a writer that does not go on."""
    said = {
        "submitted": ["a", "b"],
        "acknowledged": ["a"],
        "refused": ["JournalFull: no room"],
        "refused_afterwards": 0,
        "flushed": True,
        "failures": 1,
        "told": ["away"],
    }
    sound = Outcome(Fault(0, "", 0, 0, 0), said, "ok", ["a"])
    assert disk_fault.broken(sound) == []
    for change in (
        {"ids": []},
        {"ids": ["a", "a"]},
        {"ids": ["a", "c"]},
        {"integrity": "row 1 missing"},
        {"said": said | {"refused": ["OSError: no room"]}},
        {"said": said | {"refused": []}},
        {"said": said | {"told": []}},
        {"said": said | {"flushed": False}},
        {"said": said | {"refused_afterwards": 1}},
        {"said": {"raised": "KeyError"}},
    ):
        assert len(disk_fault.broken(sound._replace(**change))) == 1, change
