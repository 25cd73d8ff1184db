"""Time: aware, UTC, with microseconds, and passed in wherever a rule depends on it.

As text a time has one form, `2026-11-24T10:00:00.123456Z`: fixed width, so that text sorts as time does.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from time import time_ns

Clock = Callable[[], datetime]

_TEXT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:[.,]\d{1,6})?(?:[Zz]|[+-]\d\d:\d\d)")

_OWN_TEXT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
_SECOND = 1_000_000_000
_this_second = (-_SECOND, "")


def utc_now() -> datetime:
    """The system's clock, aware, in UTC."""
    return datetime.now(UTC)


def now_text() -> str:
    """The system's clock as `to_text` writes it, in a fifth of the time: every event needs one."""
    global _this_second  # noqa: PLW0603 - a cache of one second's text; threads that race here write the same
    now = time_ns()
    begun, text = _this_second
    past = now - begun
    if not 0 <= past < _SECOND:
        second = now // _SECOND
        begun, text = second * _SECOND, datetime.fromtimestamp(second, UTC).isoformat()[:19] + "."
        _this_second = begun, text
        past = now - begun
    # Nine digits behind a one, of which the first six are the microseconds: half the time of a format and a division.
    return f"{text}{str(_SECOND + past)[1:7]}Z"


def to_text(time: datetime) -> str:
    """Write an aware time as `YYYY-MM-DDTHH:MM:SS.ffffffZ`.

    Raises:
        ValueError: The time has no zone, or lies outside the years 1 to 9999 once it is in UTC.
    """
    if time.tzinfo is not UTC:
        if time.utcoffset() is None:
            raise ValueError(f"a time with a zone was expected, {time.isoformat()} has none")
        try:
            time = time.astimezone(UTC)
        except OverflowError:
            raise ValueError(f"the time {time.isoformat()} is outside the years 1 to 9999 in UTC") from None
    return time.isoformat(timespec="microseconds")[:-6] + "Z"


def from_text(text: str) -> datetime:
    """Read an RFC 3339 time (https://www.rfc-editor.org/rfc/rfc3339#section-5.6) as an aware time in UTC.

    Raises:
        ValueError: The text has no zone, is more precise than a microsecond, is a leap second, or is no such time.
    """
    # What `to_text` wrote, as every stored time on SQLite is: nothing to bring into form first.
    own = _OWN_TEXT.fullmatch(text) is not None
    if not own and not _TEXT.fullmatch(text):
        raise ValueError(f"an RFC 3339 time with a zone was expected (2026-11-24T10:00:00Z), found {text!r:.60}")
    try:
        if own:
            return datetime.fromisoformat(text)
        time = datetime.fromisoformat(text.upper().replace(",", "."))
        return time.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"no such time: {text!r:.60} ({error})") from None
