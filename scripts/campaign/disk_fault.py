#!/usr/bin/env python
"""Lets the disk fail at every call of a run (full, half a write, no sync …) and judges what an agent was told and kept.

    scripts/campaign/disk_fault.py --seed 1

With --count a random part of the cases. What fails and what must hold stands in tests/faults/disk_fault.py.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from capture import DatabaseManager
from tests.faults import disk_fault


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=0, help="so many of the cases, chosen at random; 0: all")
    parser.add_argument("--kind", action="append", choices=list(disk_fault.KINDS), help="only these; all when left out")
    options = parser.parse_args()
    began, hits = time.monotonic(), 0
    ran: Counter[str] = Counter()
    broken: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with DatabaseManager(f"sqlite:///{folder / 'template.db'}") as manager:
            manager.upgrade()
        names = options.kind or list(disk_fault.KINDS)
        cases = disk_fault.at_every_call(folder / "quiet", folder / "template.db", names)
        if options.count:
            cases = random.Random(options.seed).sample(cases, min(options.count, len(cases)))
        for start in range(0, len(cases), 50):
            some = cases[start : start + 50]
            outcomes = disk_fault.run(folder / f"at{start}", folder / "template.db", [fault for _, fault in some])
            for (kind, fault), outcome in zip(some, outcomes, strict=True):
                ran[kind] += 1
                hits += outcome.said.get("hits", 0)
                words = disk_fault.broken(outcome)
                if words:
                    broken[words[0].split(":")[0]] += 1
                    if broken.total() <= 10:
                        print(f"{kind}, call {fault.after}: {'; '.join(words)}", flush=True)
    if not hits:
        broken["nothing ever failed"] += 1
    print(
        f"disk_fault: seed {options.seed}, {ran.total():,} cases {dict(ran)}, {hits:,} calls failed, "
        f"{broken.total():,} cases broken {dict(broken) if broken else ''} in {time.monotonic() - began:.0f} s"
    )
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
