"""A connection to PostgreSQL that does not wait for ever on a server that it can't hear any more.

A machine that dies or a network that is cut leaves nothing to read and no end of the connection. TCP finds most of that
out by itself, since `LIMITS` ask it to. It can't where something between the two keeps the connection open and passes
nothing on, as a proxy or a load balancer may. So who has waited for an answer for a while asks the server by another
connection whether it is still at work on it: a long statement, or one that waits for a lock, is left to go on.
"""

from __future__ import annotations

import select
import time
from collections.abc import Generator
from contextlib import suppress
from inspect import signature
from typing import Any, TypeVar

import psycopg

T = TypeVar("T")

LIMITS = {
    "connect_timeout": 10,  # seconds, for a host
    "keepalives_idle": 30,  # seconds without a byte, then three questions
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,  # milliseconds that what was sent may go without a receipt
}
"""What libpq is told unless the URL says otherwise (PostgreSQL documentation, "Parameter Key Words")."""

SILENT_SECONDS = 30.0
"""After so long without a byte the server is asked, in seconds."""

_ON_ITS_WAY = 1_000
"""An answer that was given just before the question may still come, in milliseconds."""

_INTERVAL = 0.1
# Since psycopg 3.3 a wait can end in time. The names are its own affair, so they are looked for.
_TIMED = "timeout" in signature(psycopg.Connection.wait).parameters and hasattr(psycopg.errors, "_WaitTimeout")
_TimeIsOver: type[Exception] = getattr(psycopg.errors, "_WaitTimeout", TimeoutError)

_KEEPALIVES = ("tcp_keepalives_idle", "30"), ("tcp_keepalives_interval", "10"), ("tcp_keepalives_count", "3")
_ASK_THE_SAME_OF_THE_SERVER = "SELECT " + ", ".join(
    f"set_config('{name}', '{value}', false)" for name, value in _KEEPALIVES
)
_STATE = "SELECT state FROM pg_stat_activity WHERE pid = %s"
_AT_WORK = ("active", "fastpath function call", "disabled")


class PatientConnection(psycopg.Connection[Any]):
    """A connection that gives up when its server has nothing to do for it and says nothing.

    Attributes:
        way: The arguments that it was made with.
    """

    way: dict[str, Any]

    @classmethod
    def along(cls, arguments: dict[str, Any]) -> PatientConnection:
        """Connect.

        Args:
            arguments: What libpq and psycopg are told.

        Raises:
            psycopg.Error: The server does not answer, or refuses.
        """
        connection = cls.connect(**arguments)
        connection.way = arguments
        return connection

    def wait(self, gen: Any, interval: float = _INTERVAL, timeout: float | None = None) -> Any:
        """What psycopg calls for everything that it waits for.

        Raises:
            psycopg.OperationalError: The server is silent, and at work on no answer.
        """
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        if not _TIMED:
            return super().wait(self._watched(gen), interval)
        while True:
            try:
                return super().wait(gen, interval, SILENT_SECONDS)
            except _TimeIsOver:
                self._ask()

    def _watched(self, steps: Generator[Any, Any, T]) -> Generator[Any, Any, T]:
        # For a psycopg whose waits know no end: 6 µs for each.
        silent_since: float | None = None
        try:
            wanted = next(steps)
            while True:
                ready = yield wanted
                if ready:
                    silent_since = None
                elif silent_since is None:
                    silent_since = time.monotonic()
                elif time.monotonic() - silent_since > SILENT_SECONDS:
                    self._ask()
                    silent_since = None
                wanted = steps.send(ready)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]

    def _ask(self) -> None:
        if self._owes_an_answer() and self._is_left_alone():
            self.close()
            raise psycopg.OperationalError(
                f"the server said nothing for {SILENT_SECONDS:g} s and more, and is at work on no answer"
            )

    def _owes_an_answer(self) -> bool:
        return self.pgconn.transaction_status == psycopg.pq.TransactionStatus.ACTIVE

    def _is_left_alone(self) -> bool:
        """Whether the server does not work on what it was sent, or can't be asked; then its session is ended too."""
        own = self.pgconn.backend_pid
        try:
            with _Asking.along({**self.way, "autocommit": True}) as other:
                if other.execute("SELECT pg_backend_pid()").fetchone() != (other.pgconn.backend_pid,):
                    return False  # a pooler stands between, and these numbers are its own
                found = other.execute(_STATE, (own,)).fetchone()
                if (found is not None and found[0] in _AT_WORK) or self._is_heard():
                    return False
                # In a transaction whose end it never heard of, it would keep the log's lock.
                with suppress(psycopg.Error):
                    other.execute("SELECT pg_terminate_backend(%s)", (own,))
        except psycopg.Error:
            return True
        return True

    def _is_heard(self) -> bool:
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN)
        return bool(poll.poll(_ON_ITS_WAY))


class _Asking(PatientConnection):
    """Who asks does not ask again when nobody answers."""

    def _is_left_alone(self) -> bool:
        return True


def keep_alive(raw: psycopg.Connection[Any]) -> None:
    """Have the server look whether we are still there: a transaction of ours that it thinks open holds its locks."""
    with raw.cursor() as cursor:
        cursor.execute(_ASK_THE_SAME_OF_THE_SERVER.encode())
    if not raw.autocommit:
        raw.commit()
