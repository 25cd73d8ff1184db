"""What runs the database, what holds it up, and what waits in the quarantine."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from capture.check.finding import Finding, error, note, warning
from capture.database.condition import condition, has_reset_race
from capture.database.manager import DatabaseManager
from capture.database.tables import quarantine

LONG_SECONDS = 300
"""A transaction that is open for longer is told: it keeps PostgreSQL from removing dead versions of the head row."""

# Of the own role alone unless pg_monitor was granted: of others the times are hidden.
_OLDEST = """
SELECT pid, coalesce(usename, ''), coalesce(application_name, ''), coalesce(state, ''),
       extract(epoch FROM clock_timestamp() - xact_start)::bigint
  FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL
 ORDER BY xact_start LIMIT 1
"""
_PREPARED = """
SELECT gid, extract(epoch FROM clock_timestamp() - prepared)::bigint FROM pg_prepared_xacts
 WHERE database = current_database() ORDER BY prepared LIMIT 1
"""


def check_server(manager: DatabaseManager) -> Iterator[Finding]:
    """The server's version, its known faults, and its oldest transaction."""
    found = condition(manager)
    yield note("server", f"{found.backend} {found.server}, tables of revision {found.revision}")
    racing = found.backend == "sqlite" and has_reset_race(tuple(int(part) for part in found.server.split(".")))
    for told in found.warnings[:racing]:
        yield warning(
            "server", "a SQLite without known faults", told, "update SQLite; until then, one process at a time"
        )
    for told in found.warnings[racing:]:
        yield error("server", f"tables of revision {found.newest_revision}", told, "do that, then look again")
    if found.moved_to is not None:
        yield note("server", f"the log was moved to {found.moved_to}", "set DATABASE_URL to it")
    if found.backend != "postgresql":
        return
    with manager.connect() as connection:
        oldest = connection.exec_driver_sql(_OLDEST).first()
        prepared = connection.exec_driver_sql(_PREPARED).first()
    if oldest is not None and oldest[4] > LONG_SECONDS:
        pid, user, application, state, seconds = oldest
        yield warning(
            "server",
            f"no transaction is open for more than {LONG_SECONDS:,} s",
            f"process {pid} of {user} ({application or 'no name'}, {state}) has one open for {seconds:,} s",
            f"end it: it slows every append (SELECT pg_terminate_backend({pid}))",
        )
    if prepared is not None and prepared[1] > LONG_SECONDS:
        yield warning(
            "server",
            "no prepared transaction is left behind",
            f"{prepared[0]!a} waits for {prepared[1]:,} s",
            "COMMIT PREPARED or ROLLBACK PREPARED it",
        )


def check_quarantine(manager: DatabaseManager) -> Iterator[Finding]:
    """How much could not be taken as an event."""
    with manager.connect() as connection:
        count = connection.execute(sa.select(sa.func.count()).select_from(quarantine)).scalar_one()
    if count:
        yield warning(
            "quarantine",
            "nothing waits in the quarantine",
            f"{count:,} could not be taken as events",
            "`copydesk events quarantine` lists, tries again and discards",
        )
