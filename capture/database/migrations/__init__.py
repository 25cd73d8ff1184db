"""The way from an empty database to the tables of this version, by alembic, one set for both backends.

Alembic takes most of a second to import, so it is imported only when there is something to migrate: which revisions
there are stands here too, and `tests/migration` holds it equal to the files.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy

from capture.errors import CopydeskError, DatabaseUnavailable, NewerDatabase, OlderDatabase, SchemaMissing

if TYPE_CHECKING:
    from capture.database.manager import DatabaseManager
    from capture.database.transaction import Transaction

REVISIONS = ("0001", "0002")
"""All revisions, oldest first."""

VERSION_TABLE = "agents_schema_version"

_ONE_AT_A_TIME = threading.Lock()
"""Alembic keeps the migration that runs in module globals."""


def ensure(manager: DatabaseManager) -> None:
    """See that the schema is current; make it in an empty database. See `DatabaseManager.ensure_schema`."""
    try:
        with manager.connect() as connection:
            version = manager.backend.schema_version(connection)
    except sqlalchemy.exc.DBAPIError as error:
        raise manager.backend.explain(error) or error from error
    if version is None:
        upgrade(manager)
        return
    if version == REVISIONS[-1]:
        manager.schema_is_current()
        return
    _refuse_newer(manager, version)
    raise OlderDatabase(
        f"the database {manager.url} has the tables of revision {version}, this copydesk works with {REVISIONS[-1]}",
        hint="stop what writes to it and run `copydesk db upgrade`",
    )


def upgrade(manager: DatabaseManager) -> tuple[str | None, str]:
    """Migrate to the newest revision, under a lock. See `DatabaseManager.upgrade`."""

    def migrate(transaction: Transaction) -> str | None:
        backend, connection = manager.backend, transaction.connection
        backend.lock_definitions(connection)
        before = backend.schema_version(connection)
        if before == REVISIONS[-1]:
            return before
        if before is not None:
            _refuse_newer(manager, before)
        with backend.migrating(connection), _ONE_AT_A_TIME:
            _run_alembic(connection)
        transaction.after_commit(backend.after_migration)
        return before

    def whole(transaction: Transaction) -> str | None:
        before = migrate(transaction)
        transaction.after_commit(manager.schema_is_current)
        return before

    try:
        # Inside a running transaction it is that one's to be durable or not: SQLite can't change it half-way.
        before = manager.retrying(whole, durable=not manager.in_transaction())
    except (sqlalchemy.exc.DBAPIError, DatabaseUnavailable) as error:
        raise _not_allowed(manager, error) or error from error
    return before, REVISIONS[-1]


def _run_alembic(connection: sqlalchemy.Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _refuse_newer(manager: DatabaseManager, version: str) -> None:
    if version not in REVISIONS:
        raise NewerDatabase(
            f"the database {manager.url} has the tables of revision {version}, "
            f"this copydesk knows up to {REVISIONS[-1]}; nothing was written",
            hint="pip install --upgrade copydesk",
        )


def _not_allowed(manager: DatabaseManager, error: BaseException) -> CopydeskError | None:
    explained = manager.backend.explain(error)
    if isinstance(explained, SchemaMissing):
        return SchemaMissing(
            f"the database {manager.url} has no copydesk tables yet, and this role may not make them",
            hint="let a role that may run `copydesk db init`",
        )
    return explained
