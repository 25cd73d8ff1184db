"""An agent whose disk fails once or for a while, case by case; each case in a process of its own.

Usage: disk_fault_agent.py FOLDER, behind the recorder. FOLDER has `template.db` and `cases.json`, a list of
[calls, part, after, count, error]; what happened goes to `outcomes.jsonl`, a line each.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import alembic.command  # noqa: F401  - what each case would import anew is imported once
import filelock  # noqa: F401
import tenacity  # noqa: F401

from capture.database.manager import DatabaseManager
from capture.events.prepare import prepare
from capture.vocabulary import MemoryLearned
from capture.writer import draining, reaching, safekeeping
from capture.writer.batching import BatchingWriter
from tests.faults.power_cut_agent import Leaving, checkpoint_every
from tests.faults.recorder import Recorder

EVENTS = 30
HANGS = 100
"""A case that takes so long, in seconds, hangs: it takes about one."""


class _Told(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.words: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.words.append(record.getMessage())


def case(home: Path, fault: list[Any]) -> dict[str, Any]:
    """Run one case; what was promised and told."""
    told = _Told()
    logging.getLogger("copydesk").addHandler(told)
    logging.getLogger("copydesk").propagate = False
    calls, part, after, count, error = fault
    recorder = Recorder()
    recorder.record(home, None)
    recorder.fail(calls, part, after=after, count=count, error=error)
    manager = DatabaseManager(f"sqlite:///{home / 'log.db'}")
    writer = BatchingWriter(
        journal_folder=home / "journal",
        open_sink=lambda: Leaving(manager),
        segment_bytes=6000,
        batch_events=5,
        batch_age=0.001,
        full_wait=0.05,
    )
    submitted, acknowledged, refused = [], [], []

    def say(number: int, *, durable: bool = False) -> None:
        event = prepare(MemoryLearned(key=f"k{number}", value="x" * 400, kind="fact"), agent_id="agent")
        submitted.append(event.event_id)
        try:
            writer.submit(event, durable=durable)
            acknowledged.append(event.event_id)
        except Exception as error:
            refused.append(f"{type(error).__name__}: {error}")

    for number in range(EVENTS):
        # The database is away for a while, so that the journal is synced.
        Leaving.away = 10 <= number < 14
        say(number, durable=number % 6 == 5 and not Leaving.away)
        if number % 7 == 6:
            writer.flush(0.1)
    seen, hits = recorder.seen, recorder.hits
    recorder.fail(0, "", after=0, count=0, error=0)
    before = len(refused)
    for number in range(3):
        say(EVENTS + number, durable=True)
    flushed = writer.flush(20)
    stats = writer.stats()
    closed = writer.close(10)
    manager.close()
    return {
        "seen": seen,
        "hits": hits,
        "submitted": submitted,
        "acknowledged": acknowledged,
        "refused": refused,
        "refused_afterwards": len(refused) - before,
        "flushed": flushed and closed,
        "failures": stats.failures,
        "told": told.words,
    }


def main(folder: Path) -> None:
    """Run all cases."""
    safekeeping._SYNC_EVERY = 0.0
    safekeeping._REWRITE_EVERY = 0.0
    draining.DURABLE_EVERY = 0.05
    reaching._LONGEST_PAUSE = 0.1
    checkpoint_every(20)
    for number, fault in enumerate(json.loads((folder / "cases.json").read_text())):
        home = folder / str(number)
        (home / "journal").mkdir(parents=True, mode=0o700)
        shutil.copyfile(folder / "template.db", home / "log.db")
        child = os.fork()
        if child == 0:
            signal.alarm(HANGS)
            try:
                outcome = case(home, fault)
            except BaseException as error:
                outcome = {"raised": f"{type(error).__name__}: {error}"}
            with (folder / "outcomes.jsonl").open("a") as out:
                out.write(json.dumps(outcome) + "\n")
            os._exit(0)
        if os.waitpid(child, 0)[1]:
            with (folder / "outcomes.jsonl").open("a") as out:
                out.write(json.dumps({"raised": f"it did not end within {HANGS} s"}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
