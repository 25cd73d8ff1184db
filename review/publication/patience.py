"""How long to wait before a platform is asked for the same thing again."""

from __future__ import annotations

from datetime import datetime, timedelta

PAUSES = (timedelta(), timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2))
"""How long to wait after the first, second … failed attempt in a row; the last one repeats."""


class Patience:
    """Remembers, in this process alone, what was asked and when: so that no platform is asked at every turn."""

    def __init__(self) -> None:
        self._asked: dict[str, tuple[int, datetime]] = {}

    def may_ask(self, about: str, now: datetime) -> bool:
        """True when it is time to ask, again or for the first time; it counts as asked then."""
        times, last = self._asked.get(about, (0, now))
        if times and now < last + pause_after(times):
            return False
        self._asked[about] = (times + 1, now)
        return True

    def forget(self, about: str) -> None:
        """It need not be asked again."""
        self._asked.pop(about, None)


def pause_after(times: int) -> timedelta:
    """The pause after so many attempts."""
    return PAUSES[min(max(times, 1), len(PAUSES)) - 1]
