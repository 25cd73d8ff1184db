#!/usr/bin/env python3
"""Kills agents at every system call of a run of 50 commits, or at random moments, and judges what was recovered.

usage: scripts/campaign/kill.py calls   [--backend sqlite] [--how before|behind|half] [--step 1]
       scripts/campaign/kill.py moments [--backend sqlite] [--seed 1] [--count 500]

Needs no more than a C compiler. The system calls are those that tests/faults/killer.c lists: all by which a process
changes anything outside of itself, of all of its threads. `--count` is of kills, not of rounds.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from scripts.campaign.checker import faults  # noqa: E402 - found through the line above


@contextmanager
def database(backend: str, folder: Path) -> Iterator[str]:
    """A migrated database."""
    from capture import DatabaseManager
    from tests.fixtures.postgres import postgres_server

    if backend == "sqlite":
        url = f"sqlite:///{folder / 'campaign.db'}"
        with DatabaseManager(url) as manager:
            manager.upgrade()
        yield url
    else:
        with postgres_server() as server:
            yield server.make()


def campaign(given: argparse.Namespace) -> int:
    """Run it, judge it, print one line."""
    from tests.faults.nursery import raising
    from tests.fixtures.raw_rows import raw_rows

    begun, told, kills, wrong, unended, rounds_done = time.monotonic(), [], 0, [], 0, 0
    with tempfile.TemporaryDirectory(prefix="copydesk-kill-") as made, database(given.backend, Path(made)) as url:
        if given.what == "calls":
            arguments: tuple[object, ...] = ("calls", given.how, 1, 1_000_000, given.step, 1)
        else:
            arguments = ("moments", given.seed, given.count)
        with raising(url, Path(made), *arguments) as rounds:
            for one in rounds:
                rounds_done += 1
                told += one["acknowledged"]
                kills += one["ended"].count(-9)
                unended += one["ended"].count("hung") + one["ended"].count(1)
                if one["recovered"] != 0 or one["left"]:
                    wrong.append(f"round {one['call']}: recovery ended with {one['recovered']}, left {one['left']}")
                if given.what == "moments" and kills >= given.count:
                    break
        rows = raw_rows(url)
    wrong += faults(told, rows)
    if unended:
        wrong.append(f"{unended} lives hung or failed")
    print(
        f"kill {given.what} {given.backend}"
        + (f" ({given.how}, every {given.step}.)" if given.what == "calls" else f" seed {given.seed}")
        + f": {kills:,} kills in {rounds_done:,} rounds and {time.monotonic() - begun:,.0f} s,"
        f" {len(told):,} events acknowledged, {len(rows):,} in the log;"
        f" {'; '.join(wrong) if wrong else '0 lost, 0 twice, positions dense'}"
    )
    return 1 if wrong else 0


def main() -> int:
    """Parse, run; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=["calls", "moments"])
    parser.add_argument("--backend", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--how", choices=["before", "behind", "half"], default="before")
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=500)
    return campaign(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
