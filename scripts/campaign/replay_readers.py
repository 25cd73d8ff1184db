#!/usr/bin/env python3
"""Readers of all kinds loop over a table during many replays; what did they see that is not there?

usage: scripts/campaign/replay_readers.py [--backend sqlite] [--replays 100]

Readers are threads of one process, programs of their own with prepared statements, and long REPEATABLE READ
transactions, over the table and over a view of it. Events come and a runner works meanwhile; at a third of the replays
a column is added, at two thirds one is removed. Each replay begins with a row in the table that no event makes.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from scripts.campaign.many_writers import database  # noqa: E402 - found through the line above


def main() -> int:
    """Parse, run, judge; 1 when a promise was broken."""
    from capture import DatabaseManager
    from tests.faults import replay_readers

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--backend", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--replays", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=1.0, help="how long a snapshot is held")
    given = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="copydesk-readers-") as made, database(given.backend, Path(made)) as url:
        with DatabaseManager(url) as manager:
            replay_readers.begin(manager)
        with replay_readers.reading(url, Path(made), seconds=given.seconds) as saw, DatabaseManager(url) as manager:
            wrong = replay_readers.replays(manager, given.replays)
    wrong += replay_readers.faults(saw)
    reads = ", ".join(f"{count:,} by {kind}" for kind, count in replay_readers.reads(saw).items())
    print(
        f"replay readers {given.backend}: {given.replays} replays in {time.monotonic() - begun:,.0f} s, reads: {reads};"
        f" {'; '.join(wrong) or 'none saw a missing, empty, half, mixed or older table'}"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
