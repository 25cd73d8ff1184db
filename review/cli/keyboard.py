"""One key at a time from the person at the terminal, and what happens when the terminal goes away."""

from __future__ import annotations

import io
import os
import signal
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

_ARROWS = {"\x1b[B": "j", "\x1b[A": "k", "\x1b[6~": " "}


class Gone(Exception):
    """The terminal went away, or the process is asked to end. A signal within this package, never shown."""


def read_key() -> str:
    """The next key; arrows down and up are `j` and `k`, page down is a blank.

    Raises:
        Gone: There is nobody to press one.
        KeyboardInterrupt: Ctrl-C.
    """
    from readchar import readkey

    # A fresh reader a key: what was pasted behind it is dropped with the reader, and is no answer to what comes next.
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), errors="replace")
    try:
        key = readkey()
    except (OSError, termios.error):
        raise _left() from None
    if not key:
        raise _left()
    if key == "\x04":
        raise Gone
    sys.stdout.write("\n")
    return _ARROWS.get(key, key)


def read_line() -> str:
    """The next line, without its end.

    Raises:
        Gone: There is nobody to type one.
    """
    line = sys.stdin.readline()
    if not line:
        raise Gone
    return line.strip()


def forget_typed() -> None:
    """Drop what was typed and not read yet."""
    with suppress(termios.error):
        termios.tcflush(0, termios.TCIFLUSH)


@contextmanager
def told_when_gone() -> Iterator[None]:
    """Turn a lost terminal and SIGTERM into `Gone`, so that what is held is given back."""

    def gone(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            raise _left()
        _ignore_all()
        raise Gone

    with _handled(gone, signal.SIGHUP, signal.SIGTERM):
        yield


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let no signal interrupt what has to be done at the end: a second Ctrl-C, or the hangup after it."""
    with _handled(signal.SIG_IGN, signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        yield


@contextmanager
def _handled(by: Callable[[int, FrameType | None], None] | signal.Handlers, *numbers: int) -> Iterator[None]:
    before = {number: signal.signal(number, by) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _left() -> Gone:
    """The terminal is gone. Its SIGHUP may come after a read has failed, and must not interrupt what is still to do."""
    _ignore_all()
    # Nobody reads any more: what is still written goes nowhere, without an error.
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (1, 2):
        os.dup2(nothing, stream)
    return Gone()


def _ignore_all() -> None:
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
