"""What every event needs at once: an id of its own and the time, from one look at the clock.

The id is a UUID of version 7 (RFC 9562, section 5.7) whose 12 bits behind the milliseconds are the fraction of the
millisecond (section 6.2, method 3), so that ids of one process sort as their events do and keep indexes dense. Both
texts together take two thirds of the time that an id by `uuid_utils` and a time by `clock.now_text` take, and they are
made on the agent's thread.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from itertools import count
from time import time_ns

_SECOND = 1_000_000_000
_MILLISECOND = 1_000_000
# By the microseconds of a millisecond: the twelve bits of the id, and the end of the time.
_FRACTIONS = tuple(f"{microseconds * 4096 // 1000:03x}" for microseconds in range(1000))
_ENDS = tuple(f"{microseconds:03d}Z" for microseconds in range(1000))
_COUNTED = tuple(f"{number:03x}" for number in range(4096))
# Caches of this millisecond's and this second's texts. Threads that race for these write values that are all right.
_millisecond = (-1, "", "")
_second = (-1, "")
_next = count().__next__
_random = ""


def stamp() -> tuple[str, str]:
    """A new event id in its usual text form, and the time as `clock.to_text` writes it."""
    now = time_ns()
    begun, head, time = _millisecond
    past = now - begun
    if not 0 <= past < _MILLISECOND:
        begun, head, time = _begin(now)
        past = now - begun
    past //= 1000
    number = _next() & 0xFFF
    if not number or not _random:
        _draw()
    return f"{head}{_FRACTIONS[past]}{_random}{_COUNTED[number]}", f"{time}{_ENDS[past]}"


def _begin(now: int) -> tuple[int, str, str]:
    global _millisecond, _second  # noqa: PLW0603 - see above
    milliseconds = now // _MILLISECOND
    second = now // _SECOND
    if _second[0] != second:
        _second = second, datetime.fromtimestamp(second, UTC).isoformat()[:19]
    digits = f"{milliseconds:012x}"
    _millisecond = (
        milliseconds * _MILLISECOND,
        f"{digits[:8]}-{digits[8:]}-7",
        f"{_second[1]}.{milliseconds % 1000:03d}",
    )
    return _millisecond


def _draw() -> None:
    """Draw the 50 random bits of the next 4,096 ids; the last twelve count them (RFC 9562, section 6.2, method 1)."""
    global _random  # noqa: PLW0603 - see above
    digits = os.urandom(7).hex()
    _random = f"-{'89ab'[int(digits[0], 16) & 3]}{digits[1:4]}-{digits[4:13]}"


# Two processes must not go on with the same bits.
os.register_at_fork(after_in_child=_draw)
