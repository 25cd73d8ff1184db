#!/usr/bin/env python3
"""Pairs of drafts that differ in one field or byte: the content hash differs if and only if the world would see it.

usage: scripts/campaign/content_pairs.py [--pairs 100000] [--seed 1]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))


def main() -> int:
    """Compare them, and say in which fields they differed."""
    from tests.properties.test_content_pairs import hold

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    fields = hold(options.pairs, options.seed)
    print(f"{sum(fields.values()):,} pairs, seed {options.seed}: {dict(fields.most_common())}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
