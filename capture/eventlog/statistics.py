"""How much is in the log, and in which versions: counted by the database, one statement each."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from capture.database.manager import DatabaseManager
from capture.database.tables import events, head, quarantine


@dataclass(frozen=True, slots=True)
class Statistics:
    """How much is in the log.

    Attributes:
        count: Events in the log.
        head: The position of the newest; equal to `count`.
        by_type: Events of each type, the most frequent first.
        quarantined: What could not be taken as an event and is kept aside.
    """

    count: int
    head: int
    by_type: dict[str, int]
    quarantined: int


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """A version of an event type that the log holds.

    Attributes:
        event_type: The type.
        schema_version: The version.
        count: Events of it.
        newest: The position of the newest of them.
    """

    event_type: str
    schema_version: int
    count: int
    newest: int


def statistics(manager: DatabaseManager) -> Statistics:
    """Count what is there."""
    manager.ensure_schema()
    by_type = (
        sa.select(events.c.event_type, sa.func.count().label("events"))
        .group_by(events.c.event_type)
        .order_by(sa.desc("events"), events.c.event_type)
    )
    with manager.connect() as connection:
        position = connection.execute(sa.select(head.c.position).where(head.c.id == 1)).scalar_one()
        counts = {row.event_type: row.events for row in connection.execute(by_type)}
        aside = connection.execute(sa.select(sa.func.count()).select_from(quarantine)).scalar_one()
    return Statistics(sum(counts.values()), position, counts, aside)


def stored_versions(manager: DatabaseManager) -> list[StoredVersion]:
    """Every type and version that the log holds, by name."""
    manager.ensure_schema()
    query = (
        sa.select(
            events.c.event_type,
            events.c.schema_version,
            sa.func.count(),
            sa.func.max(events.c.position).label("newest"),
        )
        .group_by(events.c.event_type, events.c.schema_version)
        .order_by(events.c.event_type, events.c.schema_version)
    )
    with manager.connect() as connection:
        return [StoredVersion(*row) for row in connection.execute(query)]
