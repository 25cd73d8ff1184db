"""While the database is away, the journal is brought to the disk; a file whose sync fails is never trusted again."""

from __future__ import annotations

import logging
import time
from collections import deque

from capture.errors import JournalFull, JournalUnavailable
from capture.events import content
from capture.events.content import Prepared
from capture.writer import journal, quarantine
from capture.writer.segment import Segment
from capture.writer.segments import Queued, Segments

_SYNC_EVERY = 1.0
_REWRITE_EVERY = 60.0
_log = logging.getLogger("copydesk.writer")


class Safekeeping:
    """Syncs the segments of a journal, and writes records anew whose file the disk refused.

    Args:
        queue: What waits for the writer's thread.
        segments: The journal.

    Attributes:
        in_flight: The batch that the writer's thread is about to commit.
        retired: Segments whose records were written anew: to be given up with the next commit that is synced.
    """

    def __init__(self, queue: deque[Queued], segments: Segments) -> None:
        self.in_flight: list[Queued] = []
        self.retired: list[Segment] = []
        self._queue = queue
        self._segments = segments
        self._synced: dict[int, int] = {}
        self._synced_at = -_SYNC_EVERY
        self._rewritten_at = -_REWRITE_EVERY

    def sync(self) -> None:
        """Bring what was written since the last time to the disk, at most once a second."""
        now = time.monotonic()
        if now - self._synced_at < _SYNC_EVERY:
            return
        self._synced_at = now
        failed, unnamed = [], []
        for segment in self._segments.of_records():
            sequence = segment.sequence
            if self._synced.get(segment.number) == sequence:
                continue
            try:
                segment.sync()
            except OSError as error:
                _log.error("the disk did not take the journal %s: %s", segment.path, error)
                failed.append(segment)
            else:
                if segment.number not in self._synced:
                    unnamed.append(segment)
                self._synced[segment.number] = sequence
        if unnamed:
            self._sync_names(unnamed)
        if failed and now - self._rewritten_at >= _REWRITE_EVERY:
            self._rewritten_at = now
            self._rewrite(failed)

    def _sync_names(self, segments: list[Segment]) -> None:
        # A file whose name is not on the disk is not found after a power cut, however well it was synced itself.
        try:
            self._segments.sync_names()
        except OSError as error:
            _log.error("the disk did not take the names of the journal's files: %s", error)
            for segment in segments:
                del self._synced[segment.number]

    def _rewrite(self, failed: list[Segment]) -> None:
        # After a failed fsync the operating system may call its pages clean: another fsync would succeed and mean
        # nothing. What is in memory is written anew, into a new file.
        with self._segments.lock:
            self._segments.retire(failed)
            waiting = list(self._queue)
            try:
                self.in_flight = [self._moved(item, failed) for item in self.in_flight]
                waiting = [self._moved(item, failed) for item in waiting]
            except (JournalFull, JournalUnavailable) as error:
                _log.error("records can't be written anew: %s", error)
                return
            self._queue.clear()
            self._queue.extend(waiting)
            self.retired += failed

    def _moved(self, item: Queued, failed: list[Segment]) -> Queued:
        segment, offset, _, size, record, waiter = item
        if segment is None or segment not in failed:
            return item
        if record is None:
            found = segment.read(offset)
            kind, payload = found.kind, found.payload
        elif isinstance(record, Prepared):
            kind, payload = journal.EVENT, content.encode(record)
        else:
            kind, payload = journal.QUARANTINED, quarantine.encode(record)
        segment, offset = self._segments.append(kind, payload)
        return segment, offset, segment.sequence, size, record, waiter
