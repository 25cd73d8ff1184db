"""How a database is: asked without writing to it, and without making what is missing."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from capture.database import migrations
from capture.database.manager import DatabaseManager
from capture.database.tables import head
from capture.errors import NewerDatabase, OlderDatabase

_FIXED = ((3, 44, 6), (3, 50, 7), (3, 51, 3))


@dataclass(frozen=True, slots=True)
class Condition:
    """How a database is.

    Attributes:
        url: Its address, without the password.
        backend: `sqlite` or `postgresql`.
        server: The version of what runs it.
        revision: The revision of its tables; None when it has none.
        newest_revision: The revision that this copydesk works with.
        log_id: What names its log; None when there are no tables.
        epoch: How often the log was restored or copied.
        head: The position of its newest event.
        moved_to: Where the log went, when it is here no more.
        warnings: What is wrong with it, a sentence each.
    """

    url: str
    backend: str
    server: str
    revision: str | None
    newest_revision: str
    log_id: str | None
    epoch: int | None
    head: int | None
    moved_to: str | None
    warnings: tuple[str, ...]


def condition(manager: DatabaseManager) -> Condition:
    """Ask a database how it is.

    Raises:
        DatabaseUnavailable: It can't be reached or opened.
        NotADatabase: It is something else.
    """
    newest = migrations.REVISIONS[-1]
    warnings = []
    with manager.connect() as connection:
        backend = manager.backend.name
        server = ".".join(str(part) for part in connection.dialect.server_version_info or ())
        revision = manager.backend.schema_version(connection)
        row = None
        if revision == newest:
            columns = (head.c.log_id, head.c.epoch, head.c.position, head.c.moved_to)
            row = connection.execute(sa.select(*columns).where(head.c.id == 1)).one()
        if backend == "sqlite":
            server = connection.exec_driver_sql("SELECT sqlite_version()").scalar_one()
            if has_reset_race(tuple(int(part) for part in server.split("."))):
                warnings.append(
                    f"SQLite {server} can lose committed data when two connections reset the write-ahead log at once; "
                    "3.51.3, 3.50.7 and 3.44.6 do not"
                )
    if revision is None:
        warnings.append("there are no tables yet: the first event, or `copydesk db init`, makes them")
    elif revision != newest:
        kind = OlderDatabase if revision in migrations.REVISIONS else NewerDatabase
        warnings.append(
            f"the tables are of revision {revision}, this copydesk works with {newest} ({kind.code}): "
            + ("`copydesk db upgrade`" if kind is OlderDatabase else "use a newer copydesk")
        )
    log_id, epoch, position, moved_to = row if row is not None else (None, None, None, None)
    return Condition(manager.url, backend, server, revision, newest, log_id, epoch, position, moved_to, tuple(warnings))


def has_reset_race(version: tuple[int, ...]) -> bool:
    """True for a SQLite from 3.7.0 on in which the reset of the write-ahead log races with a second connection."""
    branch = [fixed for fixed in _FIXED if fixed[:2] == version[:2]]
    return version < branch[0] if branch else (3, 7, 0) <= version < _FIXED[-1]
