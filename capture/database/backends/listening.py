"""PostgreSQL's LISTEN, on a connection of its own: the pool's are handed from one to the other."""

from __future__ import annotations

from typing import Any

import psycopg

CHANNEL = "agents_events"


class PostgresqlListener:
    """Hears the notices of those who append.

    Args:
        raw: A connection that nobody else has.
    """

    def __init__(self, raw: psycopg.Connection[Any]) -> None:
        self._raw = raw
        if raw.info.transaction_status:
            raw.rollback()
        raw.autocommit = True
        raw.execute(f"LISTEN {CHANNEL}".encode())

    def wait(self, seconds: float) -> bool:
        """Wait for a notice; True when one came.

        Raises:
            psycopg.Error: The connection broke.
        """
        return any(True for _ in self._raw.notifies(timeout=seconds, stop_after=1))

    def close(self) -> None:
        """Close the connection."""
        self._raw.close()
