"""What a failure means: worth another try, or not; the statement's fault, or the database's.

The three questions are asked about an error wherever it stands among the causes of another, and on either backend:
SQLite's errors carry `sqlite_errorcode`, psycopg's `sqlstate`.
"""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from capture.errors import CommitUnknown, DatabaseBusy

T = TypeVar("T")

ATTEMPTS = 8
"""How often work is tried in all."""

SECONDS = 30.0
"""After this long no further try begins, in seconds."""


_SQLITE_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_PROTOCOL)
_SQLITE_REFUSED = (sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_RANGE)

_REPEAT = ("40001", "40P01", "53300", "57P01", "57P02", "57P03")
"""Serialization failure, deadlock, too many connections; the server is being stopped, has crashed, is starting."""

_LAST_WORDS = ("08", "57P01", "57P02")

_REFUSED = ("22", "23", "P0")
"""Classes of PostgreSQL's codes: a value it can't hold, a constraint, a trigger."""


def transient(error: BaseException) -> bool:
    """Whether the database says that the same work may succeed when it is done again now.

    Busy, a serialization failure or a deadlock, a server that restarts, a connection lost before the commit. Never a
    connection lost *during* the commit (`CommitUnknown`): the work may have been done.
    """
    if isinstance(error, CommitUnknown):
        return False
    return any(
        isinstance(cause, DatabaseBusy) or sqlite_code(cause) in _SQLITE_BUSY or sqlstate(cause) in _REPEAT
        for cause in _causes(error)
    ) or lost(error)


def refused(error: BaseException) -> bool:
    """Whether the database refused what was sent and would refuse it again: a constraint, a trigger, a value.

    What is neither refused nor transient is the database's trouble (a full disk, a missing table, a password) and no
    reason to give the data up.
    """
    return any(
        sqlite_code(cause) in _SQLITE_REFUSED
        or (sqlstate(cause) or "")[:2] in _REFUSED
        or type(cause).__name__ in ("DataError", "IntegrityError", "OverflowError", "UnicodeEncodeError")
        for cause in _causes(error)
    )


def lost(error: BaseException) -> bool:
    """Whether the connection to the server broke.

    Psycopg's operational error without a code, one of class 08, or the server's last word before it ends a session: a
    commit that is answered so may have taken place.
    """
    psycopg: Any = sys.modules.get("psycopg")
    return psycopg is not None and any(
        isinstance(cause, psycopg.OperationalError) and (cause.sqlstate or "08000").startswith(_LAST_WORDS)
        for cause in _causes(error)
    )


def sqlite_code(error: BaseException) -> int | None:
    """SQLite's primary result code (https://www.sqlite.org/rescode.html), if the error has one itself."""
    code = getattr(error, "sqlite_errorcode", None)
    return code & 0xFF if isinstance(code, int) else None


def sqlstate(error: BaseException) -> str | None:
    """PostgreSQL's code, of five characters, if the error has one itself.

    https://www.postgresql.org/docs/current/errcodes-appendix.html
    """
    code = getattr(error, "sqlstate", None)
    return code if isinstance(code, str) else None


def _causes(error: BaseException) -> Iterator[BaseException]:
    # `raise error from error` makes an error its own cause: each is looked at once.
    seen: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in seen:
        yield cause
        seen.append(cause)
        cause = getattr(cause, "orig", None) or cause.__cause__


def repeating(
    work: Callable[[], T],
    transient: Callable[[BaseException], bool],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Run work, and run it again while it fails by something that passes: exponential pauses with jitter, bounded.

    Args:
        work: What to do; it must have had no effect when it failed.
        transient: Whether an error is one that passes.
        sleep: Waits for a count of seconds.

    Returns:
        What the work returned.

    Raises:
        Exception: The error of the last try.
    """
    try:
        return work()
    except Exception as error:
        if not transient(error):
            raise
    from tenacity import (
        Retrying,
        retry_if_exception,
        stop_after_attempt,
        stop_after_delay,
        wait_exponential,
        wait_random,
    )

    sleep(0.01)
    again = Retrying(
        retry=retry_if_exception(transient),
        stop=stop_after_attempt(ATTEMPTS - 1) | stop_after_delay(SECONDS),
        wait=wait_exponential(multiplier=0.02, max=2.0) + wait_random(0, 0.05),
        sleep=sleep,
        reraise=True,
    )
    return again(work)
