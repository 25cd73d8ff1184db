"""Waiting for a commit: who may, and the slip of paper that the writer's thread answers."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

from capture.errors import WouldDeadlock
from capture.eventlog import inside


class Waiter:
    """What a caller leaves in the queue to learn that everything before it is committed.

    Args:
        answered: Called once, by the writer's thread, when the answer is there.

    Attributes:
        error: Why the event that was waited for is not in the log; None when it is.
    """

    __slots__ = ("_answered", "_event", "error")

    def __init__(self, answered: Callable[[], object] | None = None) -> None:
        self._event = threading.Event()
        self._answered = answered
        self.error: Exception | None = None

    def answer(self, error: Exception | None = None) -> None:
        """Give the answer."""
        self.error = error
        self._event.set()
        if self._answered is not None:
            self._answered()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the answer; False when it did not come in time (in seconds)."""
        return self._event.wait(timeout)


def in_event_loop() -> bool:
    """True on the thread of a running asyncio event loop, which must never be blocked."""
    # Without asyncio, or while another thread is in the middle of importing it, no loop runs here.
    running_loop = getattr(sys.modules.get("asyncio"), "get_running_loop", None)
    if running_loop is None:
        return False
    try:
        running_loop()
    except RuntimeError:
        return False
    return True


def refuse_in_event_loop(what: str, instead: str) -> None:
    """Refuse to block an event loop.

    Raises:
        WouldDeadlock: This thread runs one.
    """
    if in_event_loop():
        raise WouldDeadlock(f"{what} would block the event loop of this thread: write `await {instead}` there")


def refuse_inside_decision(what: str) -> None:
    """Refuse to wait for the writer while this thread holds the lock that the writer needs.

    Raises:
        WouldDeadlock: This thread is inside `EventLog.deciding()`.
    """
    if inside.a_decision():
        raise WouldDeadlock(
            f"{what} inside a decision waits for the writer, which waits for the decision's lock",
            hint="emit and flush before `deciding()` or after it; what belongs to the decision goes in by its `append`",
        )
