#!/usr/bin/env python3
"""Workers that crash, are killed, stopped or overtaken at any step, and platforms that answer anything or nothing.

usage: scripts/campaign/publishing.py [--outputs 20000] [--kills 300] [--seed 1]

First schedules in one process: crashes, other workers, people and hours between any two steps, until so many outputs
went through them; then real workers, two at once, that are really killed. Each request that the platform got is held
against the log: at most one for each output, revision and hash, and none without enough live votes on exactly that.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

EACH = 50
"""Schedules between two reports."""


def _report(what: str, told: Counter[str], began: float) -> None:
    counts = ", ".join(f"{name}: {count:,}" for name, count in sorted(told.items()))
    print(f"{what}, {time.monotonic() - began:.0f} s; {counts}", flush=True)


def main() -> int:
    """Run both; an assertion ends it when a promise is broken."""
    from capture import DatabaseManager
    from tests.faults import publishing, publishing_kill

    logging.getLogger("copydesk").setLevel(logging.CRITICAL)  # each uncertain send is told of
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--outputs", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="copydesk-publishing-") as made:
        folder = Path(made)
        template = folder / "template.db"
        with DatabaseManager(f"sqlite:///{template}") as manager:
            manager.upgrade()
        began, told, seed = time.monotonic(), Counter[str](), options.seed * 1_000_000
        while told["outputs"] < options.outputs:
            told += publishing.run(template, folder, range(seed, seed + EACH))
            seed += EACH
            _report("schedules", told, began)
        if options.kills:
            began, seeds = time.monotonic(), range(options.seed * 1_000_000, (options.seed + 1) * 1_000_000)
            _report("kills", publishing_kill.rounds(template, folder, seeds, kills=options.kills), began)
    return 0


if __name__ == "__main__":
    sys.exit(main())
