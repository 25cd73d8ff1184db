"""Column types that mean the same on both backends, and keep every byte and microsecond.

| type | SQLite | PostgreSQL | Python |
|---|---|---|---|
| `UtcTime` | TEXT, as `capture.clock` writes it | TIMESTAMP WITH TIME ZONE | aware datetime, UTC |
| `UuidText` | TEXT | UUID | str, lower case, with hyphens |
| `JsonText` | TEXT | JSON (never JSONB, which rewrites it) | str, the stored text |
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import TIMESTAMP, ColumnElement, Text, Uuid
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction
from sqlalchemy.types import TypeDecorator, TypeEngine, UserDefinedType

from capture import clock


class UtcTime(TypeDecorator[datetime]):
    """A moment: aware, in UTC, with microseconds."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Text on SQLite, a time with zone elsewhere."""
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else TIMESTAMP(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """An aware time, in the form that the backend stores."""
        if value is None:
            return None
        return clock.to_text(value) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002  (SQLAlchemy's signature)
        """The stored moment, in UTC whatever the session's zone is."""
        if value is None:
            return None
        return clock.from_text(value) if isinstance(value, str) else value.astimezone(UTC)


class UuidText(TypeDecorator[str]):
    """A UUID that Python sees as text, as an event's id."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Text on SQLite, `uuid` elsewhere."""
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else Uuid(as_uuid=False))

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002  (SQLAlchemy's signature)
        """The usual text form; a `uuid.UUID` will do."""
        return None if value is None else str(value).lower()


class _Json(UserDefinedType[str]):
    """PostgreSQL's `json`, bound as it is: SQLAlchemy's own type would encode the text once more."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        return "JSON"


class _stored_text(GenericFunction[str]):  # noqa: N801  (SQL functions are named as SQL names them)
    """The text of a JSON column: psycopg would parse `json`, and parsing loses what the bytes were."""

    type = Text()
    inherit_cache = True


@compiles(_stored_text)
def _as_it_is(element: _stored_text, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.clauses, **options)


@compiles(_stored_text, "postgresql")
def _as_text(element: _stored_text, compiler: SQLCompiler, **options: Any) -> str:
    return f"CAST({compiler.process(element.clauses, **options)} AS TEXT)"


class JsonText(TypeDecorator[str]):
    """JSON that is never parsed and never written again: the text that went in is the text that comes out."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Text on SQLite, `json` elsewhere."""
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else _Json())

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002  (SQLAlchemy's signature)
        """Text; UTF-8 bytes will do."""
        return value.decode() if isinstance(value, bytes) else value

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """Read as text on every backend."""
        return _stored_text(column)
