"""`copydesk db`: the database's tables, and how it is."""

from __future__ import annotations

from pydantic import JsonValue

from capture.cli.command import command, group
from capture.cli.options import Database
from capture.cli.output import ExitCode, Screen

db = group("db", "Make the database's tables, bring them up to date, and see how it is.")


@command(db, "init", example="copydesk db init\ncopydesk db init --database-url postgresql://owner@host/copydesk")
def init(screen: Screen, database: Database) -> int | None:
    """Make the tables in an empty database; nothing to do where they are."""
    _upgrade(screen, database)
    return None


@command(db, "upgrade", example="copydesk db upgrade")
def upgrade(screen: Screen, database: Database) -> int | None:
    """Bring the tables up to this version of copydesk."""
    _upgrade(screen, database)
    return None


@command(db, "status", example="copydesk db status\ncopydesk db status --json | jq .warnings")
def status(screen: Screen, database: Database) -> int | None:
    """Say which database it is, whether its tables are current, and what is wrong with it."""
    from capture.database.condition import condition

    found = condition(database.manager)
    value: dict[str, JsonValue] = {
        "database": found.url,
        "backend": found.backend,
        "server": found.server,
        "revision": found.revision,
        "newest_revision": found.newest_revision,
        "log_id": found.log_id,
        "epoch": found.epoch,
        "head": found.head,
        "moved_to": found.moved_to,
        "journal": str(database.manager.settings.journal),
        "warnings": list(found.warnings),
    }
    labels = {
        "database": "Database",
        "server": "Server",
        "revision": "Tables",
        "log_id": "Log",
        "epoch": "Epoch",
        "head": "Head",
        "moved_to": "Moved to",
        "journal": "Journal",
    }
    screen.object(value, labels)
    if not screen.json:
        for warning in found.warnings:
            screen.say_parts(("warning  ", "yellow"), (warning, ""))
    return None if found.revision in (None, found.newest_revision) else ExitCode.FAILURE


def _upgrade(screen: Screen, database: Database) -> None:
    before, after = database.manager.upgrade()
    if screen.json:
        screen.value({"database": database.manager.url, "before": before, "after": after, "changed": before != after})
    elif before == after:
        screen.say(f"{database.manager.url} has the tables of revision {after} already")
    elif before is None:
        screen.say(f"{database.manager.url} has its tables now, at revision {after}")
    else:
        screen.say(f"{database.manager.url} went from revision {before} to {after}")
