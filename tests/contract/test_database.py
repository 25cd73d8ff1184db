"""The contract of `DatabaseManager`, on every backend."""

from __future__ import annotations

from capture.database.manager import DatabaseManager


def test_rows_are_dicts_in_the_order_of_the_columns(manager: DatabaseManager) -> None:
    """`execute_query` returns real dicts whose keys stand in the order of the columns."""
    rows = manager.execute_query("SELECT 2 AS b, 'x' AS a, NULL AS c")
    assert rows == [{"b": 2, "a": "x", "c": None}]
    assert type(rows[0]) is dict
    assert list(rows[0]) == ["b", "a", "c"]
