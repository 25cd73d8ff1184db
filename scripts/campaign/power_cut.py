#!/usr/bin/env python
"""Cuts the power of recorded runs at every moment, and judges what recovery makes of the disk.

    scripts/campaign/power_cut.py --seed 1 --count 20000

What is recorded, rebuilt and judged stands in tests/faults/power_cut.py.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from capture import DatabaseManager
from tests.faults import power_cut, recorder


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=20_000, help="images in all")
    parser.add_argument("--run-images", type=int, default=1000, help="images of each recorded run")
    parser.add_argument("--variant", choices=["sound", "early", "off"], default="sound")
    parser.add_argument("--stop-at", type=int, default=0, help="end at so many broken images")
    options = parser.parse_args()
    recorder.start_anew()
    logging.disable(logging.CRITICAL)
    began = time.monotonic()
    done: Counter[str] = Counter()
    broken: Counter[str] = Counter()
    distinct: set[int] = set()

    def enough() -> bool:
        return done["images"] >= options.count or 0 < options.stop_at <= broken.total()

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with DatabaseManager(f"sqlite:///{folder / 'template.db'}") as manager:
            manager.upgrade()
        recorder.Recorder().skip_syncs(folder / "image")
        recovery = power_cut.Recovery(folder / "image")
        while not enough():
            seed = options.seed * 1_000_000 + done["runs"]
            run = power_cut.record(folder / f"run{done['runs']}", folder / "template.db", seed, options.variant)
            done["runs"] += 1
            done["operations"] += len(run.operations)
            if not power_cut.model_is_true(run):
                broken["a run wrote what the recorder did not see"] += 1
            for image in power_cut.images(run, min(options.run_images, options.count - done["images"]), seed):
                words = power_cut.broken(image, recovery.of(image))
                done["images"] += 1
                done["promised"] += len(image.must)
                done["synced"] += image.synced
                distinct.add(power_cut.identity(image))
                if words:
                    broken[words[0].split(":")[0]] += 1
                    if broken.total() <= 10:
                        print(f"seed {seed}, moment {image.moment}, {image.styles}: {'; '.join(words)}", flush=True)
                if enough():
                    break
    if not done["synced"]:
        broken["no journal was ever synced, or not so that it would be found"] += 1
    print(
        f"power_cut {options.variant}: seed {options.seed}, {done['runs']} runs, {done['operations']:,} operations, "
        f"{done['images']:,} images ({len(distinct):,} distinct), {done['promised']:,} promised events looked for "
        f"({done['synced']:,} owed to a synced journal alone), {broken.total():,} images broken "
        f"{dict(broken) if broken else ''} in {time.monotonic() - began:.0f} s"
    )
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
