"""A finding: what was expected, what was found, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad it is."""

    ERROR = "error"
    """Something is not what it must be; `db check` ends with exit code 1."""
    WARNING = "warning"
    """Something may become an error, or was left undone."""
    NOTE = "note"
    """How things are."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the page.

    Attributes:
        check: What was looked at: `log`, `schema`, `server`, `approvals` …
        severity: How bad it is.
        expected: What should be; empty for a note.
        found: What is.
        hint: What to do; empty where there is nothing to do.
        positions: The positions of the log that it is about, the first of them.
    """

    check: str
    severity: Severity
    expected: str
    found: str
    hint: str = ""
    positions: tuple[int, ...] = ()


def error(check: str, expected: str, found: str, hint: str, positions: tuple[int, ...] = ()) -> Finding:
    """A finding that must not be."""
    return Finding(check, Severity.ERROR, expected, found, hint, positions)


def warning(check: str, expected: str, found: str, hint: str) -> Finding:
    """A finding to look at."""
    return Finding(check, Severity.WARNING, expected, found, hint)


def note(check: str, found: str, hint: str = "") -> Finding:
    """How things are."""
    return Finding(check, Severity.NOTE, "", found, hint)
