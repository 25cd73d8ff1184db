#!/usr/bin/env python3
"""Stops PostgreSQL by `-m immediate` under load and starts it again, many times, and judges the log.

usage: scripts/campaign/server_stop.py [--count 50] [--seed 1]

The load: a batching writer, a caller that appends batches of 1 to 30 and repeats what failed, and a tailing reader.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from scripts.campaign.checker import faults, skipped  # noqa: E402 - found through the line above


def main() -> int:
    """Parse, run, judge; 1 when a promise was broken."""
    from tests.faults.stopping import own_server, under_load
    from tests.fixtures.raw_rows import raw_rows

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    begun = time.monotonic()
    with own_server() as server, tempfile.TemporaryDirectory(prefix="copydesk-stop-") as made:
        load = under_load(server, Path(made) / "journal", given.count, given.seed)
        rows = raw_rows(server.get_uri())
    wrong = load.surprises + faults(load.told, rows) + skipped(load.seen, rows)
    print(
        f"server stop seed {given.seed}: {load.stops} stops in {time.monotonic() - begun:,.0f} s,"
        f" {len(load.told):,} events acknowledged, {len(rows):,} in the log, {len(load.seen):,} seen by the reader;"
        f" {'; '.join(wrong) if wrong else '0 lost, 0 twice, 0 missed, no hang'}"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
