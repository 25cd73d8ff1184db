"""`BatchingWriter`: the journal and the queue on the agent's thread; `draining` commits them on a thread of its own."""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from capture.errors import DatabaseUnavailable, JournalFull
from capture.events.content import Prepared, decode, encode
from capture.settings import Settings
from capture.writer import journal, lifecycle, quarantine
from capture.writer.committing import Sink
from capture.writer.draining import BATCH_BYTES, BATCH_EVENTS, Drain
from capture.writer.gaps import Gaps
from capture.writer.lane import Put, lane
from capture.writer.quarantine import Quarantined
from capture.writer.reaching import OpenSink
from capture.writer.segments import SEGMENT_BYTES, Queued, Segments
from capture.writer.stats import Counts, Stats
from capture.writer.waiting import Waiter, in_event_loop, refuse_in_event_loop, refuse_inside_decision

if TYPE_CHECKING:
    import asyncio

    from capture.database.manager import DatabaseManager


class BatchingWriter:
    """Takes prepared events, keeps them in a journal, and commits them in batches on a thread of its own.

    When `submit` has returned, the event survives a kill of the process. Events are committed in the order in which
    they were submitted.

    Args:
        database: The database; its URL; or None for the process's own `DatabaseManager`. Opened by the thread.
        journal_folder: The folder of the journals; `COPYDESK_JOURNAL` when left out.
        settings: What the environment asks for; read from it when left out.
        full_wait: How long `submit` waits for room when the journal is full, in seconds; 0 in an event loop.
        batch_events: The most events of one commit.
        batch_bytes: The most bytes of one commit.
        batch_age: How long the first event of a batch waits for others, in seconds.
        segment_bytes: The size of a journal file.
        journal_bytes: The bound of the journal; `COPYDESK_JOURNAL_BYTES` when left out.
        agent_id: Who puts out `capture.gapped`.
        open_sink: Opens what stands for the database: for tests.
    """

    def __init__(
        self,
        database: DatabaseManager | str | None = None,
        journal_folder: Path | str | None = None,
        *,
        settings: Settings | None = None,
        full_wait: float = 1.0,
        batch_events: int = BATCH_EVENTS,
        batch_bytes: int = BATCH_BYTES,
        batch_age: float = 0.02,
        segment_bytes: int = SEGMENT_BYTES,
        journal_bytes: int | None = None,
        agent_id: str | None = None,
        open_sink: OpenSink | None = None,
    ) -> None:
        settings = Settings.from_environment() if settings is None else settings
        self.full_wait = full_wait
        # Absolute, since an agent may change its working directory.
        self._folder = (settings.journal if journal_folder is None else Path(journal_folder)).absolute()
        self._bound = settings.journal_bytes if journal_bytes is None else journal_bytes
        self._segment_bytes = segment_bytes
        self._agent_id = agent_id or settings.agent_id or "unnamed"
        self._open_sink = _opener(database) if open_sink is None else open_sink
        self._limits = (batch_events, batch_bytes, batch_age)
        self._reset()
        lifecycle.keep(self)

    def _reset(self) -> None:
        self._opening = threading.Lock()
        self._segments: Segments | None = None
        self._queue: deque[Queued] = deque()
        self._counts = Counts()
        self._drain: Drain | None = None
        self.put_encoded: Put = self.submit_encoded
        self._starter = 0
        self._started: Drain | None = None
        self.gaps = Gaps()

    def submit(self, event: Prepared, *, durable: bool = False) -> None:
        """Take an event.

        Args:
            event: What `prepare` made.
            durable: Wait until it is committed so that it survives a power cut.

        Raises:
            JournalFull: There was no room in the journal within `full_wait`. The event was not taken.
            JournalUnavailable: The journal's folder can't be written. The event was not taken.
            WouldDeadlock: `durable` inside a decision or on the thread of an event loop.
            EventConflict: `durable`, and its id is in the log with other content. It is in quarantine now.
        """
        if not durable:
            self._put(journal.EVENT, encode(event), None, None, wait=self.full_wait)
            return
        refuse_in_event_loop("durable=True", "emit_async(event, durable=True)")
        self._refuse_waiting("durable=True")
        waiter = Waiter()
        self._put(journal.EVENT, encode(event), event, waiter, wait=self.full_wait)
        waiter.wait()
        if waiter.error is not None:
            raise waiter.error

    def submit_or_drop(self, event: Prepared) -> bool:
        """Take an event without ever waiting; without room it is counted and told later as `capture.gapped`.

        Returns:
            False when the event was dropped.
        """
        return self.put_encoded(encode(event)) is not False

    def submit_encoded(self, data: bytes) -> bool:
        """As `submit_or_drop`, for an event that `encode` made bytes of; from the second on `put_encoded` does it."""
        try:
            self._put(journal.EVENT, data, None, None, wait=0)
        except Exception as error:  # noqa: BLE001 - a source that may not raise: whatever it is, it is counted and told
            self._drop(decode(data).event_type, error)
            return False
        segments, drain = self._segments, self._drain
        segment = None if segments is None else segments.active
        if segments is not None and segment is not None and drain is not None:
            self.put_encoded = lane(
                segments, segment, self._queue, drain, otherwise=self.submit_encoded, rouse=self._rouse
            )
        return True

    def _rouse(self, data: bytes) -> None:
        drain, segments = self._drain, self._segments
        if drain is None or segments is None or drain.ended:
            # The thread ended behind this event, which is in the journal of an orphan now. Twice is once.
            self.submit_encoded(data)
        else:
            # Said here too: it may be 5 ms until the woken thread runs, and each `set` until then costs 2 µs.
            drain.idle = False
            drain.wake.set()

    def submit_quarantine(self, record: Quarantined) -> bool:
        """Take what can't be an event, on its way to quarantine; never waits.

        Returns:
            False when there was no room.
        """
        try:
            self._put(journal.QUARANTINED, quarantine.encode(record), None, None, wait=0)
        except Exception as error:  # noqa: BLE001 - as in submit_or_drop
            self._drop(record.event_type or "unknown", error)
            return False
        return True

    async def submit_async(self, event: Prepared, *, durable: bool = False) -> None:
        """As `submit`, without blocking the event loop."""
        import asyncio

        waiter, answered = self._async_waiter() if durable else (None, None)
        data, until = encode(event), time.monotonic() + self.full_wait
        record = None if waiter is None else event
        while True:
            try:
                self._put(journal.EVENT, data, record, waiter, wait=0)
                break
            except JournalFull:
                if time.monotonic() >= until:
                    raise
                await asyncio.sleep(min(0.01, self.full_wait))
        if waiter is not None and answered is not None:
            await answered.wait()
            if waiter.error is not None:
                raise waiter.error

    def flush(self, timeout: float | None = 10.0) -> bool:
        """Wait until everything that was submitted before is committed.

        Args:
            timeout: In seconds; None waits for ever.

        Returns:
            False when it was not committed in time. Nothing is lost then: it is in the journal.

        Raises:
            WouldDeadlock: Inside a decision, or on the thread of an event loop.
        """
        refuse_in_event_loop("flush", "flush_async(timeout)")
        self._refuse_waiting("flush")
        waiter = Waiter()
        if not self._ask(waiter):
            return self._is_empty()
        return waiter.wait(timeout) and waiter.error is None

    async def flush_async(self, timeout: float | None = 10.0) -> bool:
        """As `flush`, without blocking the event loop."""
        import asyncio

        waiter, answered = self._async_waiter()
        if not self._ask(waiter):
            return self._is_empty()
        try:
            await asyncio.wait_for(answered.wait(), timeout)
        except TimeoutError:
            return False
        return waiter.error is None

    def close(self, timeout: float | None = 10.0, *, insist: bool = True) -> bool:
        """Commit what is waiting and let go of database and journal. What is submitted later opens both again.

        Args:
            timeout: In seconds; None waits for ever.
            insist: Try again until the timeout when the database is away.

        Returns:
            False when something stayed behind; the journal keeps it, and the next process adopts it.
        """
        drain, segments = self._drain, self._segments
        if drain is None or segments is None:
            return True
        done = drain.stop(timeout, insist=insist)
        with self._opening:
            if drain.ended and self._drain is drain:
                self._let_go(segments)
        return done

    def stats(self) -> Stats:
        """What the writer did, in counts."""
        segments, done = self._segments, self._counts
        waiting = len(self._queue) + (self._drain.in_flight if self._drain is not None else 0)
        return Stats(
            submitted=done.settled + waiting,
            committed=done.committed,
            quarantined=done.quarantined,
            waiting=waiting,
            dropped=self.gaps.dropped,
            batches=done.batches,
            durable_batches=done.durable_batches,
            failures=done.failures,
            adopted=done.adopted,
            journal_bytes=segments.size if segments is not None else 0,
            segments=len(segments) if segments is not None else 0,
            last_error=done.last_error,
        )

    def after_fork_in_child(self) -> None:
        """Begin anew: journal, queue and thread belong to the parent, which goes on with them."""
        self._reset()

    def _put(self, kind: int, data: bytes, record: Prepared | None, waiter: Waiter | None, *, wait: float) -> None:
        segments = self._segments
        if segments is None:
            segments = self._open()
        until: float | None = None
        while True:
            try:
                segments.put(kind, data, record, waiter)
                break
            except JournalFull:
                if until is None:
                    until = time.monotonic() + (0 if wait and in_event_loop() else wait)
                left = until - time.monotonic()
                if left <= 0:
                    raise
                # The batch that the writer is busy with may free a segment at any time.
                segments.room.wait(min(left, 0.05))
                segments.room.clear()
        drain = self._drain
        if drain is None:
            drain = self._start(segments)
        if waiter is None and not drain.idle:
            return
        if drain.ended:
            self._begin_anew(drain, segments)
            self._put(kind, data, record, waiter, wait=wait)
        elif waiter is None:
            # Said here too: it may be 5 ms until the woken thread runs, and each `set` until then costs 2 µs.
            drain.idle = False
            drain.wake.set()
        else:
            drain.hurry()
            if self._is_without_thread(drain) and not drain.ended:
                waiter.answer(_no_thread())

    def _begin_anew(self, drain: Drain, segments: Segments) -> None:
        # The writer was closed while this event came, into a journal that is an orphan now. Twice is once.
        with self._opening:
            if self._drain is drain:
                self._let_go(segments)

    def _let_go(self, segments: Segments) -> None:
        self._segments = self._drain = None
        self.put_encoded = self.submit_encoded
        segments.release()
        # What was not committed is in the journal, and whoever opens the next one adopts it.
        self._queue.clear()

    def _open(self) -> Segments:
        with self._opening:
            if self._segments is None:
                self._segments = Segments(
                    self._folder, self._queue, bound=self._bound, segment_bytes=self._segment_bytes
                )
            return self._segments

    def _start(self, segments: Segments) -> Drain:
        with self._opening:
            if self._drain is None:
                events, size, age = self._limits
                self._drain = Drain(
                    self._queue,
                    segments,
                    self.gaps,
                    self._counts,
                    self._open_sink,
                    folder=self._folder,
                    agent_id=self._agent_id,
                    batch_events=events,
                    batch_bytes=size,
                    batch_age=age,
                )
                self._starter = threading.get_ident()
                lifecycle.at_exit()
                # RuntimeError: the interpreter is ending and starts no more threads. The journal keeps the event.
                with suppress(RuntimeError):
                    self._drain.start()
                self._starter, self._started = 0, self._drain
                if not self._drain.is_alive():
                    for item in list(self._queue):
                        if item[5] is not None:
                            item[5].answer(_no_thread())
            return self._drain

    def _is_without_thread(self, drain: Drain) -> bool:
        """Whether waiting for this thread makes no sense. While another thread is still starting it, it does.

        A signal handler that runs in the middle of the start must not wait for what it has interrupted.
        """
        return not drain.is_alive() and (self._started is drain or self._starter == threading.get_ident())

    def _ask(self, waiter: Waiter) -> bool:
        """Leave a question in the queue; False when no thread is there to answer it."""
        drain = self._drain
        if drain is None or self._is_without_thread(drain):
            return False
        self._queue.append((None, 0, 0, 0, None, waiter))
        drain.hurry()
        if drain.ended:
            waiter.answer(_no_thread())
        return True

    def _async_waiter(self) -> tuple[Waiter, asyncio.Event]:
        self._refuse_waiting("waiting for a commit")
        import asyncio

        loop, answered = asyncio.get_running_loop(), asyncio.Event()
        return Waiter(lambda: loop.call_soon_threadsafe(answered.set)), answered

    def _refuse_waiting(self, what: str) -> None:
        refuse_inside_decision(what)
        if self._drain is not None:
            self._drain.refuse_waiting(what)

    def _is_empty(self) -> bool:
        return not self._queue and not self.gaps.open

    def _drop(self, event_type: str, error: Exception) -> None:
        self.gaps.count(event_type, str(error))
        drain = self._drain
        if drain is not None and drain.idle:
            drain.wake.set()


def _no_thread() -> DatabaseUnavailable:
    return DatabaseUnavailable(
        "the writer is closed, or the interpreter is ending and starts no more threads",
        hint="the event is in the journal, and the next process to start commits it",
    )


def _opener(database: DatabaseManager | str | None) -> OpenSink:
    def open_sink() -> Sink:
        from capture.writer.sink import DatabaseSink

        return DatabaseSink(database)

    return open_sink
