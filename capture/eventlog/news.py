"""News: what a reader waits for that has seen the whole log.

On PostgreSQL whoever appends sends a notice with the commit, and a reader that listens is woken. The notice is a hint:
it may be lost with its connection, a pooler may swallow it, and a process sends a few a second at most. The clock is
the truth: a wait ends when its time is over, whatever was heard.
"""

from __future__ import annotations

import threading
import time

from capture.database.backend import Listener
from capture.database.manager import DatabaseManager

_SLICE = 0.2
"""So long, in seconds, `stop` may go unseen while a connection is listened to."""

_AGAIN = 5.0
"""Between two tries to listen, in seconds."""


class News:
    """Waits until the log may have grown.

    Args:
        manager: The database of the log.
    """

    def __init__(self, manager: DatabaseManager) -> None:
        self._manager = manager
        self._listener: Listener | None = None
        self._listen_at = 0.0

    def wait(self, seconds: float, stop: threading.Event | None = None) -> bool:
        """Wait for a notice, or until the time is over.

        Args:
            seconds: The longest wait.
            stop: Ends the wait when it is set.

        Returns:
            True when it is worth looking at once.
        """
        until = time.monotonic() + seconds
        if self._listener is None and seconds > 0 and self._listen():
            return True  # what was committed before this began to listen sent its notice to nobody here
        while (left := until - time.monotonic()) > 0 and not (stop is not None and stop.is_set()):
            if self._listener is None:
                if stop is None:
                    time.sleep(left)
                else:
                    stop.wait(left)
            elif self._heard(min(left, _SLICE)):
                return True
        return False

    def close(self) -> None:
        """Listen no more."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()

    def _listen(self) -> bool:
        now = time.monotonic()
        if now < self._listen_at:
            return False
        self._listen_at = now + _AGAIN
        try:
            self._listener = self._manager.backend.listen()
        except Exception:  # noqa: BLE001 - whatever it is, looking again and again goes on without
            return False
        return self._listener is not None

    def _heard(self, seconds: float) -> bool:
        assert self._listener is not None  # noqa: S101 - for the type checker: `wait` looked
        try:
            return self._listener.wait(seconds)
        except Exception:  # noqa: BLE001 - see _listen
            self.close()
            return False
