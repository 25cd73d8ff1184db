#!/usr/bin/env python3
"""Cuts the connection to PostgreSQL at every byte of the append of two events, up and down, and judges the log.

usage: scripts/campaign/connection_cut.py [--step 1] [--writer]

With `--writer` a batching writer appends and mends by itself; without, the log is called and an append whose commit is
unknown is repeated by the caller with the same ids.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from scripts.campaign.checker import faults  # noqa: E402 - found through the line above


def main() -> int:
    """Parse, run, judge; 1 when a promise was broken."""
    from tests.faults.connection_cuts import LONGEST, append_under_cuts, every_byte, through_a_proxy, write_under_cuts
    from tests.fixtures.postgres import postgres_server
    from tests.fixtures.raw_rows import raw_rows

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--step", type=int, default=1)
    parser.add_argument("--writer", action="store_true")
    given = parser.parse_args()
    begun = time.monotonic()
    with postgres_server() as server, tempfile.TemporaryDirectory(prefix="copydesk-cut-") as made:
        url = server.make()
        with through_a_proxy(url) as (proxy, proxied):
            if given.writer:
                done = write_under_cuts(proxy, proxied, Path(made) / "journal", every_byte(given.step))
            else:
                done = append_under_cuts(proxy, proxied, every_byte(given.step))
        rows = raw_rows(url)
    wrong = faults(done.told, rows)
    if len(rows) != len(done.told):
        wrong.append(f"{len(done.told):,} events were appended and {len(rows):,} are there")
    if done.slowest > LONGEST:
        wrong.append(f"an append took {done.slowest:.1f} s")
    print(
        f"connection cut {'writer' if given.writer else 'log'}, every {given.step}. byte: {done.cuts:,} cuts in"
        f" {time.monotonic() - begun:,.0f} s, {len(done.told):,} events, {done.unknown} commits unknown and repeated,"
        f" slowest append {done.slowest:.2f} s; {'; '.join(wrong) if wrong else '0 lost, 0 twice, no hang'}"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
