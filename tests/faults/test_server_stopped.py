"""PostgreSQL is stopped as by a crash and started again, under load (50 times: scripts/campaign/server_stop.py)."""

from __future__ import annotations

from pathlib import Path

from scripts.campaign.checker import faults, skipped
from tests.faults.stopping import own_server, under_load
from tests.fixtures.raw_rows import raw_rows


def test_a_server_that_is_stopped_under_load_loses_nothing(tmp_path: Path) -> None:
    """PostgreSQL only, a file can't stop: two crashes lose nothing, repeat nothing, and no reader skips an event."""
    with own_server() as server:
        load = under_load(server, tmp_path / "journal", stops=2, seed=1)
        rows = raw_rows(server.get_uri())
    assert load.surprises == []
    assert faults(load.told, rows) == []
    assert skipped(load.seen, rows) == []
    assert len(load.seen) > 100
