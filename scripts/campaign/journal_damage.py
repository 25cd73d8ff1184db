#!/usr/bin/env python
"""Damages a journal of 20 records in every way, and judges what its adoption makes of it.

    scripts/campaign/journal_damage.py --seed 1 --count 20000

Every bit flipped, a cut at every byte, each frame zeroed, doubled, put over and swapped with each other one; then
`--count` random damages of up to four places at once. Each is read, and a share of them adopted from a file.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys
import tempfile
import time
from collections import Counter
from itertools import chain, islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.faults import journal_damage


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=20_000, help="random damages behind the exhaustive ones")
    parser.add_argument("--adopt", type=float, default=1.0, help="the share that is also adopted from a file, 0 to 1")
    options = parser.parse_args()
    logging.getLogger("copydesk.writer").propagate = False
    began, rng, adopted = time.monotonic(), random.Random(options.seed), 0
    kinds: Counter[str] = Counter()
    broken: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        data = journal_damage.make(Path(name))
        for damaged in chain(journal_damage.every(data), islice(journal_damage.some(data, rng), options.count)):
            words = journal_damage.broken(damaged, journal_damage.scanned(damaged))
            if rng.random() < options.adopt:
                adopted += 1
                words += journal_damage.broken(damaged, journal_damage.adopted(damaged, Path(name)))
            kinds[" ".join(word for word in damaged.how.split() if word.isalpha())] += 1
            if words:
                broken[words[0].split(":")[0]] += 1
                if broken.total() <= 10:
                    print(f"{damaged.how}: {'; '.join(words)}", flush=True)
    print(
        f"journal_damage: seed {options.seed}, {kinds.total():,} damaged journals {dict(kinds)}, "
        f"{adopted:,} of them adopted, {broken.total():,} broken {dict(broken) if broken else ''} "
        f"in {time.monotonic() - began:.0f} s"
    )
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
