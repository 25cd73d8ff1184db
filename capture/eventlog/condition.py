"""Conditional append: an event is added only if its stream is still as the caller saw it."""

from __future__ import annotations

from typing import NamedTuple


class AppendCondition(NamedTuple):
    """Append only if the stream has no event after a position.

    Attributes:
        stream: A stream id, as `output-01a2…`.
        after: The position of the last event of the stream that the caller has read; 0 for none.
    """

    stream: str
    after: int
