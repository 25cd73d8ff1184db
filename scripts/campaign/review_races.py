#!/usr/bin/env python3
"""Races between processes at the review desk: edit, approve, revise and claim at the same moment, on one output each.

usage: scripts/campaign/review_races.py [--backend sqlite] [--rounds 1000] [--kind "edit against approve"]
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


@contextmanager
def database(backend: str, folder: Path) -> Iterator[str]:
    """A migrated database."""
    from capture import DatabaseManager
    from tests.fixtures.postgres import postgres_server

    if backend == "sqlite":
        url = f"sqlite:///{folder}/races.db"
        with DatabaseManager(url) as manager:
            manager.upgrade()
        yield url
        return
    with postgres_server() as server:
        url = server.make(migrated=True)
        yield url
        server.drop(url)


def main() -> int:
    """Run the races, and say how often each outcome came; an assertion ends it when one is wrong."""
    from tests.faults.review_racers import RACES, run

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--rounds", type=int, default=1_000)
    parser.add_argument("--kind", choices=list(RACES), action="append")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="copydesk-races-") as made, database(options.backend, Path(made)) as url:
        first = 0
        for kind in options.kind or RACES:
            began = time.monotonic()
            outcomes = run(url, kind, options.rounds, first=first)
            first += options.rounds
            told = ", ".join(f"{outcome}: {count:,}" for outcome, count in outcomes.most_common())
            print(
                f"{options.backend}, {kind}: {options.rounds:,} races in {time.monotonic() - began:.0f} s; {told}",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
