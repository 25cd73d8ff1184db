#!/usr/bin/env python3
"""Any run of commands on an output, against the model that was written apart: more steps than a test takes.

usage: scripts/campaign/review_model.py [--steps 20000] [--fast 200000] [--seed 1]

`--steps` are hypothesis's, which shrinks what it finds; `--fast` are a plain generator's, from the same values.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

EACH = 50


def by_hypothesis(steps: int, seed: int) -> int:
    """Run hypothesis's state machine; how many steps it took."""
    from hypothesis import HealthCheck, settings
    from hypothesis import seed as seeded
    from hypothesis.stateful import run_state_machine_as_test

    from tests.properties.review_sending import AnyReview

    taken = 0

    class Counting(AnyReview):
        def teardown(self) -> None:
            nonlocal taken
            taken += len(self.story.events) and self.steps

    while taken < steps:
        runs = settings(
            max_examples=max((steps - taken) // EACH, 20),
            stateful_step_count=EACH,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        run_state_machine_as_test(seeded(seed + taken)(Counting), settings=runs)
    return taken


def main() -> int:
    """Run both, and say what was done; an assertion ends it when the two come apart."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--fast", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = time.monotonic()
    taken = by_hypothesis(options.steps, options.seed) if options.steps else 0
    print(
        f"hypothesis: {taken:,} commands held against the model in {time.monotonic() - began:.0f} s, "
        f"seed {options.seed}"
    )
    from tests.properties.review_runs import run

    began = time.monotonic()
    asked = run(options.seed, options.fast)
    print(f"plain: {options.fast:,} steps, {asked:,} commands in {time.monotonic() - began:.0f} s, seed {options.seed}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
