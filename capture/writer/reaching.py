"""Reaching the database: again and again while it is away, for hours if need be. The journal holds what comes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from capture.errors import CopydeskError, DatabaseBusy, DatabaseUnavailable
from capture.writer.committing import Sink
from capture.writer.forking import undivided
from capture.writer.stats import Counts

T = TypeVar("T")
OpenSink = Callable[[], Sink]

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 5.0
_TELL_EVERY = 60.0
_log = logging.getLogger("copydesk.writer")


class Abandoned(Exception):
    """The writer is closed while the database is away: the journal keeps what is left."""


class Reach:
    """The connection of the writer's thread to its database.

    Args:
        open_sink: Opens the database.
        counts: What was done so far.
        wake: Set by who wants a pause between two attempts to end.
        connected: Called with the log's id each time that the database was opened.
        pausing: Called before each pause.

    Attributes:
        abandoned: Set to end the attempts.
        sink: The open database, or None.
    """

    def __init__(
        self,
        open_sink: OpenSink,
        counts: Counts,
        wake: threading.Event,
        *,
        connected: Callable[[bytes], object],
        pausing: Callable[[], object],
    ) -> None:
        self.abandoned = False
        self.sink: Sink | None = None
        self._open_sink = open_sink
        self._counts = counts
        self._wake = wake
        self._connected = connected
        self._pausing = pausing
        self._log_id: bytes | None = None
        self._told_at = -_TELL_EVERY

    def until_done(self, work: Callable[[Sink], T]) -> T:
        """Do something with the database, and do it again while that fails.

        Raises:
            Abandoned: The attempts were ended.
        """
        try:
            result = self._attempt(work)
        except Exception as error:  # noqa: BLE001 - what is about one event was sorted out before; this is the database
            self._failed(error)
            result = self._again(work)
        if self._counts.last_error is not None:
            _log.warning("the database takes events again")
            self._counts.last_error = None
            self._told_at = -_TELL_EVERY
        return result

    def close(self) -> None:
        """Let go of the database."""
        sink, self.sink = self.sink, None
        if sink is not None:
            with undivided():
                sink.close()

    def _attempt(self, work: Callable[[Sink], T]) -> T:
        with undivided():
            return work(self._open())

    def _again(self, work: Callable[[Sink], T]) -> T:
        with undivided():
            from tenacity import (
                RetryCallState,
                RetryError,
                Retrying,
                retry_if_exception_type,
                wait_exponential,
                wait_random,
            )

        def failed(state: RetryCallState) -> None:
            if state.outcome is not None:
                self._failed(state.outcome.exception())

        self._pause(_FIRST_PAUSE)
        retrying = Retrying(
            retry=retry_if_exception_type(Exception),
            stop=lambda _: self.abandoned,
            wait=wait_exponential(multiplier=_FIRST_PAUSE, max=_LONGEST_PAUSE) + wait_random(0, 0.25),
            sleep=self._pause,
            before_sleep=failed,
        )
        try:
            return retrying(lambda: self._attempt(work))
        except RetryError:
            raise Abandoned from None

    def _open(self) -> Sink:
        if self.sink is None:
            sink = self._open_sink()
            try:
                self._know(sink.log_id())
            except BaseException:
                sink.close()
                raise
            self.sink = sink
        return self.sink

    def _know(self, log_id: bytes) -> None:
        if self._log_id not in (None, log_id):
            raise DatabaseUnavailable(
                f"the database holds the log {log_id.hex()} now, the journal is for {(self._log_id or b'').hex()}",
                hint="bring the first database back, or start the agent anew",
            )
        self._log_id = log_id
        self._connected(log_id)

    def _pause(self, seconds: float) -> None:
        if self.abandoned:
            raise Abandoned
        self._pausing()
        self._wake.wait(seconds)
        self._wake.clear()

    def _failed(self, error: BaseException | None) -> None:
        self._counts.failures += 1
        self._counts.last_error = f"{type(error).__name__}: {error}"
        if not isinstance(error, DatabaseBusy):
            self.close()
        now = time.monotonic()
        if now - self._told_at >= _TELL_EVERY:
            self._told_at = now
            hint = error.hint if isinstance(error, CopydeskError) else ""
            _log.warning(
                "events wait in the journal, the database does not take them: %s%s",
                self._counts.last_error,
                f" ({hint})" if hint else "",
            )
