"""The writer's thread: it takes what waits, commits it in batches, and gives the journal up behind it.

The thread and a computing agent share one interpreter lock, and waiting for it takes up to 5 ms. So the thread sleeps
while a batch gathers instead of waking at each event, and a batch is one statement.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

from capture.errors import DatabaseUnavailable, WouldDeadlock
from capture.events.content import Prepared
from capture.events.content import decode as decode_event
from capture.writer import journal, quarantine
from capture.writer.adoption import Adopted, adopt
from capture.writer.committing import commit
from capture.writer.gaps import Gaps
from capture.writer.quarantine import Quarantined
from capture.writer.reaching import Abandoned, OpenSink, Reach
from capture.writer.safekeeping import Safekeeping
from capture.writer.segment import Segment
from capture.writer.segments import Queued, Segments
from capture.writer.stats import Counts

BATCH_EVENTS = 1000
"""Larger batches gain nothing and cost latency (measured)."""

BATCH_BYTES = 4 * 1024 * 1024
DURABLE_EVERY = 1.0
"""So often, in seconds, a commit is made that survives a power cut, if there is anything to cover."""

_ADOPT_AGAIN = 30.0
_log = logging.getLogger("copydesk.writer")


class Drain:
    """Commits what the queue holds, on a thread of its own.

    Attributes:
        idle: True while the thread sleeps and an event must wake it.
        wake: Set to wake it.
        ended: True once the thread is over.
    """

    def __init__(
        self,
        queue: deque[Queued],
        segments: Segments,
        gaps: Gaps,
        counts: Counts,
        open_sink: OpenSink,
        *,
        folder: Path,
        agent_id: str,
        batch_events: int,
        batch_bytes: int,
        batch_age: float,
    ) -> None:
        self.idle = False
        self.ended = False
        self.wake = threading.Event()
        self._queue = queue
        self._segments = segments
        self._gaps = gaps
        self._counts = counts
        self._folder = folder
        self._agent_id = agent_id
        self._batch_events, self._batch_bytes, self._batch_age = batch_events, batch_bytes, batch_age
        self._thread = threading.Thread(target=self._run, name="copydesk-writer", daemon=True)
        self._adoption: Iterator[Adopted] | None = None
        self._safekeeping = Safekeeping(queue, segments)
        self._reach = Reach(open_sink, counts, self.wake, connected=self._connected, pausing=self._safekeeping.sync)
        self._committed: dict[Segment, int] = {}
        self._unsynced = False
        self._durable_at = -DURABLE_EVERY
        self._adopt_at = -_ADOPT_AGAIN
        self._urgent = self._stopping = self._clean = False

    def start(self) -> None:
        """Begin.

        Raises:
            RuntimeError: The interpreter is shutting down. The journal keeps what is submitted from now on.
        """
        self._thread.start()

    def is_alive(self) -> bool:
        """True while the thread runs."""
        return self._thread.is_alive()

    @property
    def in_flight(self) -> int:
        """Records that are being committed."""
        return len(self._safekeeping.in_flight)

    def hurry(self) -> None:
        """Let the batch that gathers go at once, and end a pause between attempts."""
        self._urgent = True
        self.wake.set()

    def stop(self, timeout: float | None, *, insist: bool) -> bool:
        """Commit what waits and end; after the timeout (in seconds) give up and leave the rest to the journal.

        Args:
            timeout: None waits for ever.
            insist: Try again until the timeout when the database is away; else an attempt that fails is the last.

        Returns:
            True when nothing is left.
        """
        self._stopping = True
        self.hurry()
        until = None if timeout is None else time.monotonic() + timeout
        while self._thread.is_alive() and (until is None or time.monotonic() < until):
            self._thread.join(0.05 if until is None else max(0.0, min(0.05, until - time.monotonic())))
            if not insist and self._counts.last_error is not None:
                break
        if self._thread.is_alive():
            self._reach.abandoned = True
            self.hurry()
            self._thread.join(0.5)
        return self._clean

    def refuse_waiting(self, what: str) -> None:
        """Refuse a wait for this thread that this thread itself, or a lock of the caller's, would make endless.

        Raises:
            WouldDeadlock: See above.
        """
        if threading.current_thread() is self._thread:
            raise WouldDeadlock(f"{what} on the writer's own thread waits for itself", hint="emit without waiting")
        sink = self._reach.sink
        if sink is not None and sink.waits_for_caller():
            raise WouldDeadlock(
                f"{what} inside a transaction waits for the writer, which waits for the transaction's lock",
                hint="emit and flush before the transaction or after it",
            )

    def _run(self) -> None:
        try:
            while not (self._stopping and not self._queue and not self._gaps.open and self._end()):
                self._round()
        except Abandoned:
            _log.warning(
                "%d records stay in the journal; the next process adopts them", len(self._queue) + self.in_flight
            )
        except BaseException:  # noqa: BLE001 - the last frame of the thread: told, and the journal holds
            _log.exception("the writer's thread failed; what was emitted is in the journal")
        finally:
            self._leave_adoption()
            self._reach.close()
            self.ended = self.idle = True
            self._leave_waiters()

    def _round(self) -> None:
        if not self._queue and self._adoption is None and not self._gaps.open and not self._stopping:
            self._rest()
        if not self._urgent and len(self._queue) < self._batch_events and not self._stopping and self._queue:
            self.wake.wait(self._batch_age)
            self.wake.clear()
        batch = self._take()
        if batch or self._gaps.open:
            self._commit(batch)
        elif self._unsynced and self._is_due():
            self._reach.until_done(lambda sink: sink.sync())
            self._synced()
        self._adopt_some()
        if self._segments.wants_spare():
            self._segments.make_spare()

    def _rest(self) -> None:
        timeout = max(0.0, self._durable_at + DURABLE_EVERY - time.monotonic()) if self._unsynced else None
        self.idle = True
        # Looked at again after `idle` is set: an event that came before it did not set `wake`.
        if not self._queue and not self._gaps.open and not self._stopping:
            self.wake.wait(timeout)
        self.idle = False
        self.wake.clear()

    def _take(self) -> list[Queued]:
        urgent, self._urgent = self._urgent, False
        batch: list[Queued] = []
        size, queue = 0, self._queue
        while queue and len(batch) < self._batch_events and size < self._batch_bytes:
            item = queue.popleft()
            batch.append(item)
            size += item[3]
        if queue and urgent:
            self._urgent = True
        return batch

    def _commit(self, batch: list[Queued]) -> None:
        events: list[Prepared] = []
        records: list[Quarantined] = []
        for item in batch:
            record = item[4] if item[4] is not None or item[0] is None else _read_back(item[0], item[1], item[3])
            if isinstance(record, Prepared):
                events.append(record)
            elif record is not None:
                records.append(record)
        gap = self._gaps.event(self._agent_id)
        if gap is not None:
            events.append(gap)
        durable = self._is_due() or any(item[5] is not None and item[0] is not None for item in batch)
        errors: dict[str, Exception] = {}
        if events or records:
            self._safekeeping.in_flight = batch
            errors = self._reach.until_done(lambda sink: commit(sink, events, records, durable=durable))
            batch, self._safekeeping.in_flight = self._safekeeping.in_flight, []
            self._count(events, records, errors, durable=durable)
            if gap is not None:
                self._gaps.told()
        for segment, _, sequence, _, record, waiter in batch:
            if segment is not None:
                self._committed[segment] = sequence
                self._counts.settled += 1
            if waiter is not None:
                waiter.answer(errors.get(record.event_id) if isinstance(record, Prepared) else None)
        if not events and not records:
            return  # only waiters: nothing was committed, so nothing was synced
        if durable:
            self._synced()
        else:
            self._unsynced = True

    def _count(
        self, events: Sequence[Prepared], records: Sequence[Quarantined], errors: dict[str, Exception], *, durable: bool
    ) -> None:
        counts = self._counts
        counts.batches += 1
        counts.durable_batches += durable
        counts.committed += len(events) - len(errors)
        counts.quarantined += len(records) + len(errors)
        for event_id, error in errors.items():
            _log.error("the event %s was refused and is in quarantine: %s", event_id, error)

    def _is_due(self) -> bool:
        """Whether the next commit must survive a power cut: one a second, or one a full segment."""
        return time.monotonic() - self._durable_at >= DURABLE_EVERY or any(
            not self._segments.is_active(segment) for segment in self._committed
        )

    def _synced(self) -> None:
        """All that is committed survives a power cut now: full segments can be given up."""
        self._durable_at = time.monotonic()
        self._unsynced = False
        for segment in self._safekeeping.retired:
            self._committed[segment] = segment.sequence
        self._safekeeping.retired.clear()
        for segment, sequence in list(self._committed.items()):
            segment.mark_committed(sequence)
            if not self._segments.is_active(segment) and sequence == segment.sequence:
                del self._committed[segment]
                self._segments.give_up(segment)

    def _end(self) -> bool:
        """Leave nothing behind; False when an event came meanwhile."""
        while self._adoption is not None and not self._reach.abandoned:
            self._adopt_some()
        if self._unsynced:
            self._reach.until_done(lambda sink: sink.sync())
            self._synced()
        # Sealed under the lock of those who emit: an event that comes after this look gets a segment of its own.
        with self._segments.lock:
            if self._queue:
                return False
            self._segments.seal()
        for segment in self._segments.of_records():
            if self._committed.get(segment) == segment.sequence:
                self._segments.give_up(segment)
        self._clean = True
        return True

    def _connected(self, log_id: bytes) -> None:
        self._segments.name_log(log_id)
        self._leave_adoption()

    def _adopt_some(self) -> None:
        if self._adoption is None:
            if self._reach.sink is None or time.monotonic() < self._adopt_at:
                return
            self._adopt_at = float("inf")
            self._adoption = adopt(self._folder, self._reach.sink)
        try:
            adopted = next(self._adoption, None)
        except Exception as error:  # noqa: BLE001 - the orphans stay where they are, and own events go first
            _log.warning("journals of ended processes can't be adopted now: %s", error)
            self._leave_adoption()
            return
        if adopted is None:
            self._adoption = None
        else:
            self._counts.adopted += adopted.events + adopted.quarantined

    def _leave_adoption(self) -> None:
        adoption, self._adoption = self._adoption, None
        if isinstance(adoption, Generator):
            adoption.close()
            self._adopt_at = time.monotonic() + _ADOPT_AGAIN

    def _leave_waiters(self) -> None:
        """Nobody may wait for a thread that is over."""
        error = DatabaseUnavailable(
            f"the database did not take it in time ({self._counts.last_error or 'the writer was closed'})",
            hint="it is in the journal, and the next process to start commits it",
        )
        for item in [*self._safekeeping.in_flight, *self._queue]:
            if item[5] is not None:
                item[5].answer(error)


def _read_back(segment: Segment, offset: int, size: int) -> Prepared | Quarantined:
    payload = segment.payload(offset, size)
    try:
        if payload is not None:
            return decode_event(payload)
        record = segment.read(offset)
        return decode_event(record.payload) if record.kind == journal.EVENT else quarantine.decode(record.payload)
    except (OSError, ValueError) as error:
        return quarantine.quarantined(
            segment.raw(offset, size), f"a journal record is damaged: {error}", source="journal"
        )
