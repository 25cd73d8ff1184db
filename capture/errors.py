"""Every error that copydesk raises on purpose: what was expected, what was found, what to do next.

The command line turns each into one or two lines and the error's exit code; a traceback is always a defect of copydesk.
"""

from __future__ import annotations

from typing import ClassVar


class CopydeskError(Exception):
    """Base of all errors that copydesk raises on purpose.

    Args:
        message: What was expected and what was found, in one sentence.
        hint: What to do next; empty when the message says it.
        data: What the error is about, by name; kept as attributes and through pickling.
    """

    code: ClassVar[str] = "ERROR"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "", **data: object) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.data = data

    def __getattr__(self, name: str) -> object:
        try:
            return self.__dict__["data"][name]
        except KeyError:
            raise AttributeError(name) from None

    def __reduce__(self) -> tuple[object, ...]:
        return _restore, (type(self), self.args, self.__dict__)


def _restore(kind: type[CopydeskError], args: tuple[object, ...], state: dict[str, object]) -> CopydeskError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class InvalidName(CopydeskError):
    """A name is outside the grammar: `[a-z][a-z0-9_]*`, at most 48 bytes as a whole."""

    code = "INVALID_NAME"
    exit_code = 2


class NamespaceCollision(CopydeskError):
    """Two owners claim one full table name. Rename a table of the second."""

    code = "NAMESPACE_COLLISION"


class ReadOnlyViolation(CopydeskError):
    """A statement given to `execute_query` would write. Use `execute_write`."""

    code = "READ_ONLY"


class CrossNamespace(CopydeskError):
    """A statement touches tables of two servers. Split it."""

    code = "CROSS_NAMESPACE"


class SchemaChanged(CopydeskError):
    """A module's table in the database differs from its declaration."""

    code = "SCHEMA_CHANGED"


class InvalidEvent(CopydeskError):
    """An event can't be stored as it is: wrong fields, too large, too deep, or text that no database keeps."""

    code = "INVALID_EVENT"
    exit_code = 2


class ReservedEventType(InvalidEvent):
    """`review.*`, `publication.*` and `capture.*` are copydesk's own: otherwise a log line could approve itself."""

    code = "RESERVED_EVENT_TYPE"


class EventConflict(CopydeskError):
    """An event id is in the log already, with other content. Give the new event an id of its own."""

    code = "EVENT_CONFLICT"
    exit_code = 3


class ConcurrentAppend(CopydeskError):
    """Another append reached the stream first. Read the stream again and decide anew.

    Attributes:
        stream: The stream id of the condition.
        expected: The position that the condition allowed last.
        actual: The position of the newest event of the stream.
    """

    code = "CONCURRENT_APPEND"
    exit_code = 3

    def __init__(self, stream: str, expected: int, actual: int) -> None:
        super().__init__(
            f"stream {stream} was expected to end at position {expected} and ends at {actual}",
            hint="read the stream again and decide anew",
            stream=stream,
            expected=expected,
            actual=actual,
        )


class LogRewound(CopydeskError):
    """A reader stands beyond the head: the database was restored, or a replica was promoted."""

    code = "LOG_REWOUND"


class LogMoved(CopydeskError):
    """The log was moved to another database and refuses new events here."""

    code = "LOG_MOVED"


class JournalFull(CopydeskError):
    """The journal reached its bound in bytes: the database is away and events pile up."""

    code = "JOURNAL_FULL"


class JournalUnavailable(CopydeskError):
    """The journal's folder can't be made or written, so nothing can be promised for an event."""

    code = "JOURNAL_UNAVAILABLE"


class WouldDeadlock(CopydeskError):
    """Waiting here could never end: inside a decision, or on the thread of an event loop."""

    code = "WOULD_DEADLOCK"


class NotACheckpoint(CopydeskError):
    """A file holds no checkpoint of a log: no three lines of origin, size and root."""

    code = "NOT_A_CHECKPOINT"


class OtherLog(CopydeskError):
    """A checkpoint is of another log than the one at hand."""

    code = "OTHER_LOG"


class BadSetting(CopydeskError):
    """An environment variable or an argument has a value that can't be used."""

    code = "BAD_SETTING"
    exit_code = 2


class BadDatabaseUrl(BadSetting):
    """A database URL does not parse, or names a database that copydesk does not speak."""

    code = "BAD_DATABASE_URL"


class MissingDriver(CopydeskError):
    """The driver for this database, or an extra that a command needs, is not installed."""

    code = "MISSING_DRIVER"


class MissingExtra(MissingDriver, ImportError):
    """A part of copydesk was imported whose extra is not installed. `pip install 'copydesk[…]'` as the message says."""

    code = "MISSING_EXTRA"


class DatabaseUnavailable(CopydeskError):
    """The database can't be reached or opened now."""

    code = "DATABASE_UNAVAILABLE"


class DatabaseBusy(DatabaseUnavailable):
    """Another writer held the database for as long as a write may wait. Repeating it may work."""

    code = "DATABASE_BUSY"


class CommitUnknown(DatabaseUnavailable):
    """The connection was lost while committing: whether the transaction took place is not known here."""

    code = "COMMIT_UNKNOWN"


class RolledBack(CopydeskError):
    """A statement or an inner block of this transaction failed before, so the whole was rolled back."""

    code = "ROLLED_BACK"


class BadStatement(CopydeskError):
    """A statement and its parameters do not fit together, or one statement was expected and there are more."""

    code = "BAD_STATEMENT"
    exit_code = 2


class NotADatabase(CopydeskError):
    """The file is not a SQLite database, or not one of copydesk's."""

    code = "NOT_A_DATABASE"


class SchemaMissing(CopydeskError):
    """The database has no copydesk tables yet, and this role may not make them."""

    code = "SCHEMA_MISSING"


class OlderDatabase(CopydeskError):
    """The database was written by an older copydesk. `copydesk db upgrade` brings it up to date."""

    code = "OLDER_DATABASE"


class NewerDatabase(CopydeskError):
    """The database was written by a newer copydesk. Nothing was changed."""

    code = "NEWER_DATABASE"


class NotFound(CopydeskError):
    """What was named does not exist."""

    code = "NOT_FOUND"
    exit_code = 5
