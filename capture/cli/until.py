"""Work without an end that ends well: at Ctrl-C with exit code 130, at SIGTERM with 0, after the work at hand."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from capture.cli.output import ExitCode
from capture.errors import DatabaseUnavailable

_logger = logging.getLogger("copydesk.cli")


class Stop(threading.Event):
    """Set when the process is asked to end.

    Attributes:
        signal: What asked for it first, if anything did.
    """

    signal: int | None = None

    @property
    def exit_code(self) -> ExitCode:
        """What the command ends with."""
        return ExitCode.INTERRUPTED if self.signal == signal.SIGINT else ExitCode.OK


@contextmanager
def stopping() -> Iterator[Stop]:
    """Turn Ctrl-C and SIGTERM into a wish; a second one interrupts at once."""
    stop = Stop()

    def ask(number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.signal = number
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def until_stopped(work: Callable[[], bool], pause: float) -> ExitCode:
    """Repeat work until the process is asked to end.

    Args:
        work: Does what there is to do; True when there may be more at once.
        pause: Seconds to wait when there was nothing.

    Raises:
        CopydeskError: What `work` raises, unless the database is away: that is waited for.
    """
    with stopping() as stop:
        while not stop.is_set():
            try:
                more = work()
            except DatabaseUnavailable as error:
                _logger.warning("waiting for the database: %s", error)
                more = False
            if not more:
                stop.wait(pause)
    return stop.exit_code
