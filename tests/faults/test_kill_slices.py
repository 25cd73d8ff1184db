"""Slices of the kill campaigns (scripts/campaign/kill.py): at system calls, and at random moments."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from scripts.campaign.checker import faults
from tests.faults.nursery import raising
from tests.fixtures.raw_rows import raw_rows


def acknowledged(rounds: Iterable[dict[str, Any]]) -> list[str]:
    """What the agents of all rounds were told is safe; their recoveries succeeded and left nothing in the journals."""
    told: list[str] = []
    for one in rounds:
        assert (one["recovered"], one["left"]) == (0, []), one
        told += one["acknowledged"]
    return told


@pytest.mark.parametrize("how", ["before", "half"])
def test_a_kill_at_a_system_call_loses_nothing(database_url: str, tmp_path: Path, how: str) -> None:
    """Agents that are killed at system calls all over a run of 50 commits lose nothing that they were told is safe."""
    first, step = random.Random(how).randrange(1, 60), 79
    ended: list[object] = []
    with raising(database_url, tmp_path, "calls", how, first, 5000, step, 1) as rounds:
        told = acknowledged(ended.append(one["ended"]) or one for one in rounds)  # type: ignore[func-returns-value]
    assert ended[-1] == [0]
    assert ended.count([-9]) == len(ended) - 1 >= 5
    assert faults(told, raw_rows(database_url)) == []


def test_kills_at_random_moments_lose_nothing(database_url: str, tmp_path: Path) -> None:
    """Agents of many threads, and those who recover them, are killed at any moment: nothing is lost or there twice."""
    ended: list[object] = []
    told: list[str] = []
    with raising(database_url, tmp_path, "moments", 4, 40) as rounds:
        for one in rounds:
            ended += one["ended"]
            told += acknowledged([one])
            if ended.count(-9) >= 4 and len(told) > 100:
                break  # how much is emitted before a moment comes depends on the machine
    assert ended.count(-9) >= 4, "the moments came too late: nobody was killed"
    assert len(told) > 100
    assert faults(told, raw_rows(database_url)) == []


def test_a_kill_without_a_recovery_is_caught(database_url: str, tmp_path: Path) -> None:
    """The judge has teeth: when nobody adopts the journals, events that were told to be safe are missing."""
    with raising(database_url, tmp_path, "calls", "behind", 300, 312, 1, 0) as rounds:
        told = [event_id for one in rounds for event_id in one["acknowledged"]]
    assert any("are lost" in fault for fault in faults(told, raw_rows(database_url)))
