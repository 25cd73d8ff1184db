"""Power cuts, simulated: SQLite and the journal as the disk holds them at any moment of a recorded run.

The slice of `scripts/campaign/power_cut.py` that runs each time. A server's own disk is the server's: what a commit on
PostgreSQL promises is asked for by `synchronous_commit`, and tested in tests/contract/test_transactions.py.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.faults.recorder import ROOT

CAMPAIGN = ROOT / "scripts" / "campaign" / "power_cut.py"


def campaign(*options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(CAMPAIGN), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=170, check=False)


def test_no_power_cut_loses_what_was_promised() -> None:
    """After a power cut at any moment recovery starts, and every event is there that was promised to be."""
    done = campaign("--seed", "7", "--count", "300", "--run-images", "300")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


@pytest.mark.parametrize("variant", ["early", "off"])
def test_a_promise_without_a_sync_is_caught(variant: str) -> None:
    """A journal given up behind a commit without a sync loses events; a SQLite that never syncs is damaged."""
    done = campaign("--seed", "7", "--count", "300", "--run-images", "300", "--variant", variant, "--stop-at", "1")
    assert done.returncode == 1, done.stderr
    assert "events are lost" in done.stdout or "damaged" in done.stdout
