"""What had to be dropped, counted until the log can be told: a gap is itself an event."""

from __future__ import annotations

import logging
import time
from collections import Counter
from datetime import datetime
from threading import Lock

from capture import clock
from capture.events.content import Prepared
from capture.events.prepare import prepare

_TELL_EVERY = 10.0
_log = logging.getLogger("copydesk.writer")


class Gaps:
    """Counts dropped events and makes the `capture.gapped` event that tells of them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._types: Counter[str] = Counter()
        self._first: datetime | None = None
        self._last: datetime | None = None
        self._told = -_TELL_EVERY
        self._event: Prepared | None = None
        self.dropped = 0

    @property
    def open(self) -> bool:
        """True while the log has not been told of every dropped event."""
        return self._event is not None or bool(self._types)

    def count(self, event_type: str, reason: str) -> None:
        """Count a dropped event, and tell of it in the log of diagnostics now and then."""
        with self._lock:
            self.dropped += 1
            self._types[event_type] += 1
            self._last = clock.utc_now()
            self._first = self._first or self._last
            now = time.monotonic()
            tell = now - self._told >= _TELL_EVERY
            if tell:
                self._told = now
        if tell:
            _log.error("events are dropped (%d so far, the last of type %s): %s", self.dropped, event_type, reason)

    def event(self, agent_id: str) -> Prepared | None:
        """The event that tells of what was dropped so far; the same one until `told`."""
        with self._lock:
            if self._event is None and self._types and self._first and self._last:
                from capture.vocabulary.capture import CaptureGapped

                gap = CaptureGapped(
                    count=self._types.total(), types=dict(self._types), first=self._first, last=self._last
                )
                self._event = prepare(gap, agent_id=agent_id)
                self._types.clear()
                self._first = self._last = None
            return self._event

    def told(self) -> None:
        """The event is in the log."""
        with self._lock:
            self._event = None
