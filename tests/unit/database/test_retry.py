"""What an error of a driver means, without a database."""

from __future__ import annotations

import sqlite3

import psycopg
import pytest
import sqlalchemy as sa

from capture.database import retry
from capture.errors import CommitUnknown, DatabaseBusy, DatabaseUnavailable


def sqlite_error(code: int, kind: type[sqlite3.Error] = sqlite3.OperationalError) -> sqlite3.Error:
    """An error as Python's sqlite3 raises it."""
    error = kind("as SQLite says it")
    error.sqlite_errorcode = code
    return error


TRANSIENT = {
    "SQLite is busy": sqlite_error(sqlite3.SQLITE_BUSY),
    "SQLite is busy with a snapshot": sqlite_error(sqlite3.SQLITE_BUSY_SNAPSHOT),
    "another writer": DatabaseBusy("busy"),
    "serialization": psycopg.errors.SerializationFailure("x"),
    "deadlock": psycopg.errors.DeadlockDetected("x"),
    "too many connections": psycopg.errors.TooManyConnections("x"),
    "the server stops": psycopg.errors.AdminShutdown("x"),
    "the server starts": psycopg.errors.CannotConnectNow("x"),
    "a broken connection": psycopg.OperationalError("consuming input failed: server closed the connection"),
    "a broken connection, by code": psycopg.errors.ConnectionFailure("x"),
}
REFUSED = {
    "a constraint of SQLite": sqlite_error(sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.IntegrityError),
    "a trigger of SQLite": sqlite_error(sqlite3.SQLITE_CONSTRAINT_TRIGGER, sqlite3.IntegrityError),
    "a value too large": sqlite_error(sqlite3.SQLITE_TOOBIG, sqlite3.DataError),
    "an integer too large": OverflowError("Python int too large to convert to SQLite INTEGER"),
    "a unique violation": psycopg.errors.UniqueViolation("x"),
    "a NUL in a text": psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes"),
    "text that is no number": psycopg.errors.InvalidTextRepresentation("x"),
    "a trigger of PostgreSQL": psycopg.errors.RaiseException("x"),
}
NEITHER = {
    "the disk is full": sqlite_error(sqlite3.SQLITE_FULL),
    "the disk fails": sqlite_error(sqlite3.SQLITE_IOERR_WRITE),
    "the file is read-only": sqlite_error(sqlite3.SQLITE_READONLY),
    "the disk of the server is full": psycopg.errors.DiskFull("x"),
    "a missing table": psycopg.errors.UndefinedTable("x"),
    "a missing right": psycopg.errors.InsufficientPrivilege("x"),
    "a wrong password": psycopg.errors.InvalidPassword("x"),
    "a commit of which nobody knows": CommitUnknown("lost"),
    "a server that can't be reached": DatabaseUnavailable("away"),
    "anything else": ValueError("x"),
}


@pytest.mark.parametrize("case", [*TRANSIENT, *REFUSED, *NEITHER])
def test_an_error_is_transient_refused_or_neither(case: str) -> None:
    """What passes is repeated, what is refused is the statement's fault, all else is the database's trouble."""
    error = {**TRANSIENT, **REFUSED, **NEITHER}[case]
    assert (retry.transient(error), retry.refused(error)) == (case in TRANSIENT, case in REFUSED)


@pytest.mark.parametrize("case", [*TRANSIENT, *REFUSED])
def test_the_drivers_error_is_found_among_the_causes(case: str) -> None:
    """It means the same under SQLAlchemy's error, and as the cause of one of copydesk's."""
    error = {**TRANSIENT, **REFUSED}[case]
    under = sa.exc.DBAPIError("SELECT 1", None, error)
    told = DatabaseUnavailable("told in words")
    told.__cause__ = under
    for wrapped in (under, told):
        assert (retry.transient(wrapped), retry.refused(wrapped)) == (case in TRANSIENT, case in REFUSED)


def test_a_lost_commit_is_never_repeated() -> None:
    """`CommitUnknown` has a broken connection as its cause, and still is no reason to do the work again."""
    error = CommitUnknown("lost")
    error.__cause__ = psycopg.OperationalError("server closed the connection unexpectedly")
    assert retry.lost(error)
    assert not retry.transient(error)
