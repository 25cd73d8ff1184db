"""A follower: reads the log to its end and then waits for more, without ever skipping an event."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator

from capture.eventlog.event_log import EventLog
from capture.eventlog.news import News
from capture.eventlog.reading import PAGE
from capture.events.recorded import AnyRecorded

SHORTEST_PAUSE, LONGEST_PAUSE = 0.005, 0.2
"""Seconds between two looks at a log that has nothing new: the pause doubles from the one to the other. On PostgreSQL a
notice ends it early (`capture.eventlog.news`)."""


class Follower:
    """Sees every event after a position once, in order, for as long as it is asked.

    Args:
        log: The log to follow.
        after: Begin with the position after this one.
        types: Only events of these types.
        longest_pause: Between two looks while nothing is new, in seconds.
    """

    def __init__(
        self,
        log: EventLog,
        after: int = 0,
        types: Iterable[str] | None = None,
        *,
        longest_pause: float = LONGEST_PAUSE,
    ) -> None:
        self.log = log
        self.position = after
        self._longest_pause = longest_pause
        self._types = None if types is None else frozenset(types)

    def poll(self, limit: int = PAGE) -> list[AnyRecorded]:
        """What is there now, at most `limit` events; an empty list when nothing is new.

        Raises:
            LogRewound: The log ends before what this follower has seen.
        """
        page = list(self.log.read(self.position, limit, self._types))
        if page:
            self.position = page[-1].position
        return page

    def until(self, stop: threading.Event) -> Iterator[AnyRecorded]:
        """Yield events as they come until `stop` is set and all that was there then has been seen."""
        pause, news = SHORTEST_PAUSE, News(self.log.manager)
        try:
            while True:
                stopping = stop.is_set()
                page = self.poll()
                yield from page
                if page:
                    pause = SHORTEST_PAUSE
                elif stopping:
                    return
                elif news.wait(pause, stop):
                    pause = SHORTEST_PAUSE
                else:
                    pause = min(2 * pause, self._longest_pause)
        finally:
            news.close()
