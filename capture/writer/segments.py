"""The journal of this process: its segments, their bound in bytes, and when one may be given up.

A segment is given up only after a commit that survives a power cut and follows its last record. On SQLite such a commit
covers the earlier ones of the same write-ahead log, so one a second, or one a segment, is enough.
"""

from __future__ import annotations

import errno
import itertools
import logging
import time
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from threading import Event, RLock

from capture.errors import JournalFull, JournalUnavailable
from capture.events.content import Prepared
from capture.writer import journal
from capture.writer.owner import Owner
from capture.writer.quarantine import Quarantined
from capture.writer.removal import Removal
from capture.writer.segment import Segment
from capture.writer.waiting import Waiter

SEGMENT_BYTES = 4 * 1024 * 1024
"""The size of a segment, unless one record needs more or the journal's bound is small."""

MAX_SEGMENT_BYTES = 128 * 1024 * 1024
"""More would hold more records than a frame's CRC can tell apart by their sequence (2^24)."""

Queued = tuple[Segment | None, int, int, int, Prepared | Quarantined | None, Waiter | None]
"""Segment, offset, sequence, bytes, record, waiter. Without a segment: a flush. Without a record: it is read back from
the journal, so that memory stays flat while the database is away. A plain tuple, since one is made for every event on
the agent's thread."""

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_log = logging.getLogger("copydesk.writer")


class Segments:
    """The journal that this process writes.

    Attributes:
        lock: Held while a record is written and while a segment is taken away.
        room: Set when a segment was given up.
        active: The segment that is being written.
        writing: True while a record is half written; who holds the lock and sees it has interrupted itself.

    Args:
        folder: The journal folder.
        queue: What is written here waits there for the writer's thread.
        bound: The most bytes that all segments may have together.
        segment_bytes: The size of one.
    """

    def __init__(self, folder: Path, queue: deque[Queued], *, bound: int, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.lock = RLock()
        self.room = Event()
        self.bound = bound
        self.segment_bytes = max(min(segment_bytes, bound // 4, MAX_SEGMENT_BYTES), journal.SEGMENT_OVERHEAD + 4096)
        self._queue = queue
        self._owner = Owner(folder)
        self._removal = Removal()
        self._numbers = itertools.count(1)
        self.active: Segment | None = None
        self._spare: Segment | None = None
        self._all: dict[int, Segment] = {}
        self._log_id = journal.UNKNOWN_LOG
        self.writing = False

    @property
    def name(self) -> str:
        """The owner's name, which the files begin with."""
        return self._owner.name

    @property
    def size(self) -> int:
        """Bytes of all segments together, the spare one included."""
        return sum(segment.size for segment in list(self._all.values()))

    def __len__(self) -> int:
        return len(self._all)

    def put(
        self, kind: int, payload: bytes, record: Prepared | Quarantined | None = None, waiter: Waiter | None = None
    ) -> None:
        """Write a record and queue it, in one step: the order of commits is the order of `emit`.

        A signal handler or a finalizer may run in the middle of this on the same thread and emit. Its record gets a
        segment of its own: the outer one is half written, and waiting for it would never end.

        Args:
            kind: The kind of the frame.
            payload: Its payload.
            record: What the payload encodes; left out, it is read back.
            waiter: Who waits for its commit.

        Raises:
            JournalFull: There is no room within the bound, or on the disk.
            JournalUnavailable: The folder can't be written.
        """
        queue = self._queue
        with self.lock:
            if self.writing:
                segment = self._make(len(payload))
                offset = segment.append(kind, payload)
                queue.append((segment, offset, segment.sequence, len(payload), record, waiter))
                return
            self.writing = True
            try:
                active = self.active
                offset = -1 if active is None else active.append(kind, payload)
                if active is None or offset < 0:
                    active, offset = self.append(kind, payload)
                queue.append((active, offset, active.sequence, len(payload), record, waiter))
            finally:
                self.writing = False

    def append(self, kind: int, payload: bytes) -> tuple[Segment, int]:
        """Write a record, to a new segment when it does not fit into this one; the caller holds `lock`.

        Returns:
            The segment, and the offset of the record in it.
        """
        if self.active is not None and (offset := self.active.append(kind, payload)) >= 0:
            return self.active, offset
        segment = self.active = self._next(len(payload))
        return segment, segment.append(kind, payload)

    def wants_spare(self) -> bool:
        """True when the next segment should be made ready."""
        active = self.active
        return (
            self._spare is None
            and active is not None
            and active.is_half_full()
            and self.size + self.segment_bytes <= self.bound
        )

    def make_spare(self) -> None:
        """Make the next segment ready, away from the agent's thread. A full disk is no matter here."""
        try:
            with self.lock:
                spare = self._make(0)
        except (JournalFull, JournalUnavailable):
            return
        spare.prefault(lambda: time.sleep(0))
        self._spare = spare

    def is_active(self, segment: Segment) -> bool:
        """True while records may still be added to a segment."""
        return segment is self.active

    def name_log(self, log_id: bytes) -> None:
        """Say which log the records are for, in every segment."""
        with self.lock:
            self._log_id = log_id
            for segment in list(self._all.values()):
                segment.name_log(log_id)

    def give_up(self, segment: Segment) -> None:
        """Delete a segment whose records are all in the log for good."""
        with self.lock:
            self._all.pop(segment.number, None)
            if segment is self.active:
                self.active = None
        segment.close()
        self._removal.remove(segment.path)
        self.room.set()

    def sync_names(self) -> None:
        """Bring the names of the segments to the disk.

        Raises:
            OSError: The disk refused.
        """
        self._owner.sync_folder()

    def seal(self) -> None:
        """Add nothing more to the segment that is being written; the next record begins another."""
        with self.lock:
            self.active = None

    def retire(self, segments: Iterable[Segment]) -> None:
        """Add nothing more to these: the disk refused to keep what they hold."""
        with self.lock:
            for segment in segments:
                if segment is self.active:
                    self.active = None
                if segment is self._spare:
                    self._spare = None

    def of_records(self) -> list[Segment]:
        """The segments that hold records, in order."""
        return [segment for segment in list(self._all.values()) if segment.sequence]

    def release(self) -> None:
        """Let go of the journal: what is left in it is for the next process to adopt."""
        with self.lock:
            for segment in list(self._all.values()):
                if segment.sequence:
                    segment.close()
                else:
                    segment.close()
                    self._removal.remove(segment.path)
            self._all.clear()
            self.active = self._spare = None
            self._owner.release()

    def _next(self, length: int) -> Segment:
        spare = self._spare
        if spare is None or length + journal.FRAME_OVERHEAD + journal.SEGMENT_OVERHEAD > spare.size:
            return self._make(length)
        self._spare = None
        return spare

    def _make(self, length: int) -> Segment:
        needed = length + journal.FRAME_OVERHEAD + journal.SEGMENT_OVERHEAD
        size = max(self.segment_bytes, -(-needed // 4096) * 4096)
        held = self.size
        if held + size > self.bound:
            raise JournalFull(
                f"the journal holds {held:,} bytes of at most {self.bound:,} and {size:,} more are needed",
                hint="the database is away or slow: see `copydesk db status`, or raise COPYDESK_JOURNAL_BYTES",
            )
        number = next(self._numbers)
        try:
            segment = Segment.create(self._owner.segment(number), number, size, self._log_id)
        except OSError as error:
            if error.errno in _NO_ROOM:
                raise JournalFull(
                    f"the disk has no room for {size:,} more bytes of the journal in {self._owner.folder}",
                    hint="free some, or set COPYDESK_JOURNAL to a folder on another disk",
                ) from error
            raise JournalUnavailable(
                f"the journal folder {self._owner.folder} can't be written: {error}",
                hint="make it writable for this user, or set COPYDESK_JOURNAL to another folder",
            ) from error
        self._all[number] = segment
        return segment
