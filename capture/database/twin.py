"""A statement that each backend needs in its own words: both texts in sight, under one name.

A twin that lacks a backend fails when its module is imported, not when the first user of that backend meets it.
"""

from __future__ import annotations

from dataclasses import dataclass

from capture.database.backend import Backend


@dataclass(frozen=True, slots=True)
class Twin:
    """The text of one statement on every backend."""

    sqlite: str
    postgresql: str

    def __getitem__(self, name: str) -> str:
        """The text for the backend of this name.

        Raises:
            KeyError: There is no such backend.
        """
        if name == "sqlite":
            return self.sqlite
        if name == "postgresql":
            return self.postgresql
        raise KeyError(name)

    def for_(self, backend: Backend) -> str:
        """The text for this backend."""
        return self[backend.name]


def twin(*, sqlite: str, postgresql: str) -> Twin:
    """Pair the texts of one statement.

    Args:
        sqlite: The statement as SQLite wants it.
        postgresql: The statement as PostgreSQL wants it.
    """
    return Twin(sqlite, postgresql)
