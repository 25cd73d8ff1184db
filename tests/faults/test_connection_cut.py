"""The connection to the server is cut at any byte of an append; each byte of it: scripts/campaign/connection_cut.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.campaign.checker import faults
from tests.conftest import MakeDatabase
from tests.faults.connection_cuts import LONGEST, append_under_cuts, every_byte, through_a_proxy, write_under_cuts
from tests.faults.proxy import DOWN
from tests.fixtures.raw_rows import raw_rows


@pytest.fixture
def url(make_database: MakeDatabase) -> str:
    """A database on PostgreSQL: a file has no connection that could be cut."""
    return make_database("postgresql")


def test_an_append_whose_connection_is_cut_is_there_once(url: str) -> None:
    """Cut at bytes all over an append: it returns when both events are in the log, once, and never hangs."""
    with through_a_proxy(url) as (proxy, proxied):
        done = append_under_cuts(proxy, proxied, every_byte(step=97, first=5))
    assert done.cuts > 20
    assert done.slowest < LONGEST
    assert faults(done.told, raw_rows(url)) == []


def test_a_commit_without_an_answer_is_said_to_be_unknown(url: str) -> None:
    """Cut before any byte of the commit's answer comes back: the append says so, and its repetition adds nothing."""
    with through_a_proxy(url) as (proxy, proxied):
        done = append_under_cuts(proxy, proxied, [(DOWN, after) for after in range(0, 400, 3)])
        assert done.unknown > 0
    rows = raw_rows(url)
    assert faults(done.told, rows) == []
    assert len(rows) == len(done.told)


def test_a_writer_whose_connection_is_cut_mends_it(url: str, tmp_path: Path) -> None:
    """Cut at bytes all over a writer's commits: each flush returns True, and everything is in the log once."""
    with through_a_proxy(url) as (proxy, proxied):
        done = write_under_cuts(proxy, proxied, tmp_path / "journal", every_byte(step=193, first=1))
    assert done.cuts > 10
    assert done.slowest < LONGEST
    assert faults(done.told, raw_rows(url)) == []
