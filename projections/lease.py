"""Leases: who works on what. A lease only avoids double work; the truth is held by compare-and-set on the checkpoint.

So nothing is lost when two hold one after all (a process stopped beyond its lease and then continued): the slower one's
transactions come to nothing.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from capture import Clock, DatabaseManager, new_id, tables, utc_now

_TABLE = tables.leases

DURATION = timedelta(seconds=30)
"""How long a lease holds without being renewed."""

RETRY = timedelta(seconds=1)
"""How long to wait before asking again for a lease that another holds."""


class Lease(NamedTuple):
    """A lease that this process holds.

    Attributes:
        name: What it is for.
        holder: `host:process:random`.
        expires_at: When another may take it.
    """

    name: str
    holder: str
    expires_at: datetime


def new_holder() -> str:
    """A name for a new holder: the host, the process and a part that is never used again."""
    return f"{socket.gethostname()}:{os.getpid()}:{str(new_id())[-12:]}"


def is_gone(holder: str) -> bool:
    """True when the holder was a process of this host that is no more, so that its lease need not run out."""
    host, _, rest = holder.partition(":")
    process = rest.partition(":")[0]
    if host != socket.gethostname() or not process.isdigit():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def acquire(manager: DatabaseManager, name: str, holder: str, clock: Clock = utc_now) -> Lease | None:
    """Take or renew a lease.

    Args:
        manager: The database.
        name: What the lease is for.
        holder: Who takes it; the same holder renews.
        clock: Tells the time.

    Returns:
        The lease, or None while another holds it.
    """
    now = clock()
    insert = postgresql.insert if manager.backend.name == "postgresql" else sqlite.insert
    with manager.transaction() as transaction:
        row = transaction.connection.execute(sa.select(_TABLE).where(_TABLE.c.name == name)).one_or_none()
        if row is not None and row.holder != holder and row.expires_at > now and not is_gone(row.holder):
            return None
        lease = Lease(name, holder, now + DURATION)
        generation = 1 if row is None else row.generation + (row.holder != holder)
        statement = insert(_TABLE).values(name=name, holder=holder, generation=generation, expires_at=lease.expires_at)
        statement = statement.on_conflict_do_update(
            index_elements=["name"],
            set_={"holder": holder, "generation": generation, "expires_at": lease.expires_at},
            # Another process may have taken it since it was read: then it stays with that one.
            where=_TABLE.c.generation == (0 if row is None else row.generation),
        )
        taken = transaction.connection.execute(statement.returning(_TABLE.c.name)).first()
        return lease if taken is not None else None


def release(manager: DatabaseManager, lease: Lease) -> None:
    """Give a lease back, if it is still this holder's."""
    with manager.transaction() as transaction:
        mine = sa.delete(_TABLE).where(_TABLE.c.name == lease.name, _TABLE.c.holder == lease.holder)
        transaction.connection.execute(mine)


def holders(connection: sa.Connection, now: datetime) -> dict[str, str]:
    """Who holds what at the moment, by name."""
    rows = connection.execute(sa.select(_TABLE.c.name, _TABLE.c.holder).where(_TABLE.c.expires_at > now))
    return {row.name: row.holder for row in rows if not is_gone(row.holder)}


class Held:
    """The leases of one runner: renewed in time, and tried again where another holds them.

    Args:
        manager: The database.
        names: What the leases are for.
        holder: Who holds them.
        clock: Tells the time.
    """

    def __init__(self, manager: DatabaseManager, names: Iterable[str], holder: str, clock: Clock = utc_now) -> None:
        self._manager, self._holder, self._clock = manager, holder, clock
        self._leases: dict[str, Lease | None] = dict.fromkeys(names)
        self._tried: datetime | None = None

    def renewed(self) -> list[str]:
        """The names whose leases are held now."""
        now = self._clock()
        again = self._tried is None or now >= self._tried + RETRY
        for name, held in self._leases.items():
            if (held is None and again) or (held is not None and held.expires_at - now < DURATION / 2):
                self._leases[name] = acquire(self._manager, name, self._holder, self._clock)
        if again:
            self._tried = now
        return [name for name, held in self._leases.items() if held is not None]

    def release(self) -> None:
        """Give all of them back."""
        for held in self._leases.values():
            if held is not None:
                release(self._manager, held)
