"""Values that one of the databases would refuse or change are refused before any transaction, and say why."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.columns import LARGEST, TO_WIRE
from projections.whole_row import whole_row


@pytest.mark.parametrize(
    ("kind", "value", "wire"),
    [
        ("text", "plain", "plain"),
        ("text", "🙂 é", "🙂 é"),
        ("text", UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ("integer", LARGEST, 9_223_372_036_854_775_807),
        ("integer", -LARGEST - 1, -9_223_372_036_854_775_808),
        ("real", 1, 1.0),
        ("real", -0.0, 0.0),
        ("boolean", True, True),
        ("json", {"b": 1, "a": [None, "é"]}, '{"b":1,"a":[null,"é"]}'),
        ("json", "NaN", '"NaN"'),
        ("json", (1, Decimal("0.10")), '[1,"0.10"]'),
        ("timestamp", datetime(2026, 1, 2, 3, 4, 5, 6, UTC), "2026-01-02T03:04:05.000006Z"),
        ("timestamp", datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=9))), "2026-01-01T18:00:00.000000Z"),
        ("exact", Decimal("-12.50"), "-12.50"),
        ("exact", Decimal("1E+3"), "1000"),
        ("exact", 7, "7"),
    ],
)
def test_a_value_has_one_form(kind: str, value: object, wire: object) -> None:
    """A value of each kind comes to the one form that both databases keep."""
    found = TO_WIRE[kind](value)
    assert (found, type(found)) == (wire, type(wire))


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        ("text", 7, "a text was expected, found int"),
        ("text", "a\0b", "NUL"),
        ("text", "\ud800", "lone surrogate"),
        ("integer", True, "an integer was expected, found bool"),
        ("integer", 1.0, "found float"),
        ("integer", LARGEST + 1, "64 bits"),
        ("integer", 10**500, "64 bits"),
        ("real", "1", "a number was expected"),
        ("real", float("nan"), "finite"),
        ("real", float("inf"), "finite"),
        ("real", 10**400, "finite"),
        ("boolean", 1, "True or False was expected"),
        ("json", {"a": float("nan")}, "NaN is no JSON number"),
        ("json", float("-inf"), "Infinity is no JSON number"),
        ("json", object(), "a JSON value was expected"),
        ("json", ["a\0b"], "NUL"),
        ("json", {"a\0b": 1}, "NUL"),
        ("json", "\ud800", "JSON value was expected"),
        ("timestamp", "2026-01-01", "a time was expected"),
        ("timestamp", datetime(2026, 1, 1), "zone"),  # noqa: DTZ001 - the mistake that is refused
        ("exact", 0.1, "a Decimal or an integer was expected"),
        ("exact", Decimal("NaN"), "finite"),
        ("exact", Decimal("1E+2000"), "digits"),
        ("exact", True, "found bool"),
    ],
)
def test_what_a_database_would_refuse_is_refused(kind: str, value: object, said: str) -> None:
    """A value of another kind, or that a database would refuse or change, is an error that says what was expected."""
    with pytest.raises((TypeError, ValueError), match=said):
        TO_WIRE[kind](value)


@given(st.text())
def test_a_text_that_passes_can_be_stored(value: str) -> None:
    """A text either is refused or has neither NUL nor a lone surrogate."""
    try:
        found = TO_WIRE["text"](value)
    except ValueError:
        assert "\0" in value or not _encodes(value)
    else:
        assert found == value
        assert "\0" not in value
        assert _encodes(value)


def _encodes(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


NAIVE = datetime(2026, 1, 2, tzinfo=UTC).replace(tzinfo=None)
VALUES: tuple[object, ...] = (
    *("plain", "é", "", "a\0b", "\ud800", 'quote "', "back\\slash", "line\nbreak", "\x7f", UUID(int=1)),
    *(0, 7, -1, LARGEST, LARGEST + 1, True, False, None, 0.5, -0.0, 1e308, float("nan"), float("-inf")),
    *(Decimal("1.10"), datetime(2026, 1, 2, 3, tzinfo=UTC), NAIVE, [1], {"a": None}, object()),
)


@pytest.mark.parametrize("kind", sorted(TO_WIRE))
@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_a_whole_row_is_what_its_values_are(kind: str, value: object) -> None:
    """The function made for a table brings each value into the form that its kind gives it, or refuses it alike."""
    row = whole_row(("one", "class"), (kind, kind))
    answers = []
    for made in (
        lambda: [None if value is None else TO_WIRE[kind](value)] * 2,
        lambda: row({"one": value, "class": value}),
    ):
        try:
            found = made()
            answers.append([(type(one), repr(one)) for one in found])
        except (TypeError, ValueError):
            answers.append("refused")
    assert answers[0] == answers[1]
