"""The test kit for projectors: it folds as the runner does, and its failures show both sides."""

from __future__ import annotations

from decimal import Decimal

import pytest

from capture.vocabulary import ErrorLearned, MemoryForgotten, MemoryLearned
from projections.testing import fold, given
from tests.fixtures.projectors import Balances, Errors, Notes


def test_given_when_then() -> None:
    """Rows are compared by key, and of each only the columns that are named."""
    learned = MemoryLearned(key="a", value={"x": [1]}, kind="fact")
    given(Notes, learned).when(MemoryLearned(key="b", value=None, kind="habit")).then(
        {"key": "a", "value": {"x": [1]}}, {"key": "b", "value": None}
    )
    given(Notes, learned).when(MemoryForgotten(key="a")).then()
    with pytest.raises(AssertionError, match=r"expected .*habit.*found .*fact"):
        given(Notes, learned).then({"kind": "habit"})
    with pytest.raises(AssertionError):
        given(Notes, learned).then()


def test_rows_read_as_a_person_writes_them() -> None:
    """Times are aware, JSON is decoded and decimals are Decimals; another table is named."""
    (row,) = fold(Errors, [ErrorLearned(error_type="E", error_hash="h", solution=[1], occurrences=3)] * 2)
    assert (row["occurrences"], row["seen"], row["solution"]) == (6, [1, 2], [1])
    assert str(row["last_at"]) == "2026-01-01 00:00:01+00:00"
    learned = [MemoryLearned(key=key, value=None, kind="fact") for key in "abc"]
    assert fold(Notes, learned, table="agents_tested_kinds") == [{"kind": "fact", "made": 3, "paid": Decimal("0.30")}]
    assert fold(Balances, learned, table="agents_tested_parities") == [{"parity": "odd", "keys": 3}]


def test_a_handler_that_fails_fails_the_test() -> None:
    """What a handler raises reaches the test that folds the event."""
    with pytest.raises(ValueError, match="poison"):
        fold(Notes, [MemoryLearned(key="a", value=1, kind="poison")])
