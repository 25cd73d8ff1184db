"""Times: aware, UTC, to the microsecond, in one text form that sorts as time does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture import clock
from capture.clock import from_text, to_text, utc_now

ZONES = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=ZONES)  # noqa: DTZ001 - hypothesis adds the zone


@given(TIMES)
def test_a_time_comes_back_from_its_text(time: datetime) -> None:
    """A time in any zone becomes text of one width and comes back as the same instant, in UTC."""
    text = to_text(time)
    assert len(text) == len("2026-11-24T10:00:00.123456Z")
    assert from_text(text) == time
    assert from_text(text).tzinfo is UTC


@given(TIMES, TIMES)
def test_text_sorts_as_time_does(one: datetime, other: datetime) -> None:
    """Of two texts the smaller is the earlier time: SQLite compares them as text."""
    assert (to_text(one) < to_text(other)) == (one < other)


def test_a_time_without_a_zone_is_refused() -> None:
    """A naive time is never guessed to be in some zone."""
    with pytest.raises(ValueError, match="has none"):
        to_text(datetime(2026, 11, 24))  # noqa: DTZ001 - the mistake that is tested
    with pytest.raises(ValueError, match="with a zone"):
        from_text("2026-11-24T10:00:00")


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-11-24T10:00:00Z", "2026-11-24T10:00:00.000000Z"),
        ("2026-11-24t10:00:00z", "2026-11-24T10:00:00.000000Z"),
        ("2026-11-24 12:30:00.5+02:30", "2026-11-24T10:00:00.500000Z"),
        ("2026-11-24T09:59:59.999999-00:00", "2026-11-24T09:59:59.999999Z"),
    ],
)
def test_an_rfc_3339_time_is_read(text: str, instant: str) -> None:
    """The forms that RFC 3339 allows are one instant each."""
    assert to_text(from_text(text)) == instant


@pytest.mark.parametrize(
    "text",
    [
        "now",
        "",
        "2026-11-24",
        "2026-11-24T10:00:00.1234567Z",
        "2026-11-24T23:59:60Z",
        "2026-02-30T10:00:00Z",
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59-12:00",
        "1764000000",
        "2026-11-24T10:00:00+0200",
        "\u0662026-11-24T10:00:00Z",
    ],
)
def test_what_is_no_exact_time_is_refused(text: str) -> None:
    """Leap seconds, nanoseconds, days that are not there and years outside 1 to 9999 are refused, not rounded."""
    with pytest.raises(ValueError, match=r"\w"):
        from_text(text)


def test_now_is_aware() -> None:
    """The system's clock is read in UTC."""
    assert utc_now().tzinfo is UTC


@pytest.mark.parametrize("nanoseconds", [0, 999, 1_764_000_000_999_999_999, 1_764_000_001_000_000_000])
def test_now_as_text_is_the_same_time(nanoseconds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The quick way to the present time as text gives what the slow way gives, cut to the microsecond."""
    monkeypatch.setattr(clock, "time_ns", lambda: nanoseconds)
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    assert clock.now_text() == to_text(datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000))
