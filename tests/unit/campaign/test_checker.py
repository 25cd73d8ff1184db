"""The judge of the fault campaigns sees each kind of broken promise."""

from __future__ import annotations

import pytest

from scripts.campaign.checker import disordered, faults, skipped
from scripts.campaign.soak import GROWTH, growing

GOOD = [(1, "a"), (2, "b"), (3, "c")]


def test_a_whole_log_has_no_faults() -> None:
    """Every acknowledged id once, dense positions, nothing of a rollback: no fault, whatever else is there."""
    assert faults(["a", "c"], GOOD, never=["z"]) == []
    assert faults([], []) == []
    assert skipped(GOOD, GOOD) == []
    assert disordered(["a", "b"], GOOD) == []


@pytest.mark.parametrize(
    ("acknowledged", "rows", "never", "said"),
    [
        (["a", "b", "d"], GOOD, [], "1 of 3 acknowledged events are lost, d first"),
        (["a"], [(1, "a"), (2, "a")], [], "1 events are there more than once, a first"),
        (["a", "a"], GOOD, [], "one id was acknowledged for two events"),
        (["a"], GOOD, ["b"], "1 events of transactions that were rolled back are there, b first"),
        (["a"], [(1, "a"), (3, "b")], [], "position 2 was expected and 3 found: positions are not dense"),
        (["a"], [(2, "a")], [], "position 1 was expected and 2 found: positions are not dense"),
    ],
)
def test_each_fault_is_named(acknowledged: list[str], rows: list[tuple[int, str]], never: list[str], said: str) -> None:
    """A lost event, one that is there twice or should not be there, and a gap are each found and named."""
    assert faults(acknowledged, rows, never=never) == [said]


@pytest.mark.parametrize("seen", [GOOD[1:], GOOD[:2], [GOOD[0], GOOD[2], GOOD[1]], [*GOOD[:2], (3, "z")]])
def test_a_reader_that_skips_is_found(seen: list[tuple[int, str]]) -> None:
    """An event that a reader missed, saw late or saw as another one is found."""
    assert len(skipped(seen, GOOD)) == 1


def test_a_turned_order_is_found() -> None:
    """An event of a thread that stands before an earlier one of the same thread is found."""
    assert disordered(["b", "a", "c"], GOOD) == ["1 events of one thread stand before an earlier one"]


def test_what_grows_is_found() -> None:
    """Whatever ends above its level of before by more than the slack is named; what jumps at the start only is not."""
    level = dict.fromkeys(GROWTH, 100.0)
    steady = [dict.fromkeys(GROWTH, 0.0)] * 3 + [level] * 6
    assert growing(steady) == []
    for name, slack in GROWTH.items():
        (said,) = growing([*steady[:-1], {**level, name: 101.0 + slack}])
        assert said.startswith(name)
