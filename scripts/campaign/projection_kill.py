#!/usr/bin/env python3
"""Kills a process at every statement of a first run, a runner, a replay and a swap; stops runners beyond their lease.

usage: scripts/campaign/projection_kill.py [--backend sqlite] [--step 1] [--work WORK …]

After each kill every table is compared with rows that are made from the log by hand, up to its checkpoint; the next run
has to finish the work. Of two runners one is stopped (SIGSTOP) before its k-th statement and goes on after the other.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from scripts.campaign.many_writers import database  # noqa: E402 - found through the line above

STOPPED = "two runners"


def kills(backend: str, work: str, step: int) -> tuple[str, list[str]]:
    """All kills of one work; a sentence about them, and what was wrong."""
    from capture import DatabaseManager
    from tests.faults import projection_kill

    at, count, wrong, worked = 1, 0, list[str](), 0
    with (
        tempfile.TemporaryDirectory(prefix="copydesk-kill-") as made,
        database(backend, Path(made)) as url,
        DatabaseManager(url) as manager,
    ):
        projection_kill.begin(manager)
        while True:
            if work == STOPPED:
                stopped, did, found = projection_kill.stopped_and_continued(manager, url, at)
                worked, ended = worked + did, not stopped
            else:
                statements, found = projection_kill.judged(manager, url, work, at, Path(made))
                ended = statements is not None
            wrong += found
            if ended:
                break
            at, count = at + step, count + 1
    if work == STOPPED:
        return f"{count} stops beyond the lease, the other worked meanwhile in {worked}", wrong
    return f"killed at {count} of {statements} statements", wrong


def main() -> int:
    """Parse, run, judge; 1 when a promise was broken."""
    from tests.faults.projection_kill import WORKS

    logging.getLogger("copydesk").setLevel(logging.CRITICAL)  # each run tells of the poison that it passes
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--backend", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--work", action="append", choices=[*WORKS, STOPPED])
    given = parser.parse_args()
    broken = False
    for work in given.work or [*WORKS, STOPPED]:
        begun = time.monotonic()
        told, wrong = kills(given.backend, work, given.step)
        seconds = time.monotonic() - begun
        print(f"projection kill {given.backend}, {work}: {told} in {seconds:,.0f} s;", "; ".join(wrong) or "0 wrong")
        sys.stdout.flush()
        broken = broken or bool(wrong)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
