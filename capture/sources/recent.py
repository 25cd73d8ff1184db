"""What was seen of late, by key: bounded, so that a call whose end never comes costs no memory for ever."""

from __future__ import annotations

from contextlib import suppress
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """The newest values by key; the oldest are forgotten first.

    No lock: each step is one operation on a dict, and a lock could be held by a thread that a fork leaves behind.

    Args:
        most: How many are kept.
    """

    def __init__(self, most: int = 10_000) -> None:
        self._values: dict[K, V] = {}
        self._most = most

    def put(self, key: K, value: V) -> None:
        """Remember a value."""
        self._values[key] = value
        while len(self._values) > self._most:
            # Another thread may take the same one, or change the dict in between: then that one went instead.
            with suppress(StopIteration, RuntimeError, KeyError):
                del self._values[next(iter(self._values))]

    def get(self, key: K) -> V | None:
        """The value, or None when it was never there or is forgotten."""
        return self._values.get(key)

    def take(self, key: K) -> V | None:
        """The value, which is forgotten with this: of two threads one gets it."""
        return self._values.pop(key, None)

    def __len__(self) -> int:
        """How many values are remembered."""
        return len(self._values)
