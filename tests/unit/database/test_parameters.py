"""Placeholders: which are found, and what is only text."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.database.parameters import Statement, bind, parse
from capture.errors import BadStatement

BOTH = ("sqlite", "postgresql")


def names(sql: str, backend: str) -> list[str]:
    """The placeholders that are found, `?` for the positional ones."""
    return [name or "?" for name in parse(sql, backend).names]


@pytest.mark.parametrize("backend", BOTH)
@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("SELECT ?, ?", ["?", "?"]),
        ("SELECT :a, :b, :a", ["a", "b", "a"]),
        ("SELECT '?', ':a', 'it''s ?', ?", ["?"]),
        ('SELECT "a?" , "b"":c", ?', ["?"]),
        ("SELECT ? -- and ? or :b", ["?"]),
        ("-- ?\nSELECT ?", ["?"]),
        ("SELECT /* ? :a ' */ ?", ["?"]),
        ("SELECT :a::text", ["a"]),
        ("SELECT 100 % 7, '100%', :a", ["a"]),
        ("SELECT x'3f', ?", ["?"]),
        ("SELECT :größe", ["größe"]),
        ("SELECT ?;  -- done\n", ["?"]),
        ("SELECT a FROM t WHERE a=?AND b=?", ["?", "?"]),
    ],
)
def test_a_placeholder_in_a_string_a_name_or_a_comment_is_text(backend: str, sql: str, found: list[str]) -> None:
    """Only what stands outside of strings, quoted names and comments is a placeholder, on every backend."""
    assert names(sql, backend) == found


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        (r"SELECT E'it\'s ?', ?", ["?"]),
        (r"SELECT e'\\', ?", ["?"]),
        ("SELECT E'a'\n  'b\\'?', ?", ["?"]),
        ("SELECT $$ ? :a ' $$, ?", ["?"]),
        ("SELECT $body$ ? $$ ? $body$, ?", ["?"]),
        ("SELECT /* /* ? */ ? */ ?", ["?"]),
        ("SELECT U&'\\0441?' , ?", ["?"]),
        ("SELECT a$b$ FROM t WHERE c = ?", ["?"]),
        ("SELECT -- ?\r ?", ["?"]),
        ("SELECT p ?? 'k' AND q ??| :keys", ["keys"]),
        ("SELECT a[1 : 2], f(x := ?)", ["?"]),
    ],
)
def test_postgresql_has_strings_and_comments_of_its_own(sql: str, found: list[str]) -> None:
    """Escape strings, dollar quotes, nested comments and casts are read as PostgreSQL reads them."""
    assert names(sql, "postgresql") == found


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        (r"SELECT '\', ?", ["?"]),
        ("SELECT [a?], `b?`, ?", ["?"]),
        ("SELECT /* /* ? */ ?", ["?"]),
        ("SELECT ? /* never closed ?", ["?"]),
        ("SELECT -- ?\r ?\n, ?", ["?"]),
    ],
)
def test_sqlite_has_names_and_comments_of_its_own(sql: str, found: list[str]) -> None:
    """Bracketed names, comments that do not nest, and backslashes that mean nothing are read as SQLite reads them."""
    assert names(sql, "sqlite") == found


def test_the_driver_gets_its_own_placeholders() -> None:
    """A name that is used twice is sent twice; `??` is sent as PostgreSQL's operator `?`."""
    assert bind("SELECT :a, :b, :a", {"a": 1, "b": 2, "c": 3}, "postgresql")[:2] == ("SELECT $1, $2, $3", (1, 2, 1))
    assert bind("SELECT :a, :b, :a", {"a": 1, "b": 2}, "sqlite")[:2] == ("SELECT ?, ?, ?", (1, 2, 1))
    assert bind("SELECT p ?? ?", ("k",), "postgresql")[:2] == ("SELECT p ? $1", ("k",))
    assert bind("SELECT '100%' LIKE '%s'", None, "postgresql").sql == "SELECT '100%' LIKE '%s'"


@pytest.mark.parametrize("backend", BOTH)
@pytest.mark.parametrize(
    ("sql", "parameters", "part"),
    [
        ("SELECT ?, ?", (1,), "2 placeholders, found 1 value"),
        ("SELECT ?", None, "1 placeholders, found 0 values"),
        ("SELECT 1", (1, 2), "0 placeholders, found 2 values"),
        ("SELECT :a, :b", {"a": 1}, ":b"),
        ("SELECT :a", (1,), "takes a mapping"),
        ("SELECT :a", None, "takes a mapping"),
        ("SELECT ?", {"a": 1}, "takes a sequence"),
        ("SELECT ?, :a", {"a": 1}, "one style"),
        ("SELECT ?", "x", "found str"),
        ("SELECT ?", 7, "found int"),
        ("SELECT 1; SELECT 2", None, "one statement"),
        ("SELECT 1;; ;-- end\nDELETE FROM t", None, "one statement"),
        ("", None, "empty"),
        ("  -- nothing", None, "empty"),
        (";", None, "empty"),
        ("SELECT '\0'", None, "NUL"),
        ("SELECT ?", ({"a": 1},), "dict"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(backend: str, sql: str, parameters: object, part: str) -> None:
    """A statement and parameters that do not fit together are refused before anything is sent."""
    with pytest.raises(BadStatement, match=part):
        bind(sql, parameters, backend)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("backend", "sql"), [("sqlite", "SELECT ?1"), ("postgresql", "SELECT $1"), ("sqlite", "a ?? b")]
)
def test_a_placeholder_of_the_driver_is_refused(backend: str, sql: str) -> None:
    """What works on one backend alone is refused rather than sent on."""
    with pytest.raises(BadStatement):
        parse(sql, backend)


def test_sqlite_gets_values_that_it_can_hold() -> None:
    """Times, dates, UUIDs and decimals are written as the tables' own columns write them."""
    values = (
        datetime(2026, 11, 24, 10, 0, 0, 123, tzinfo=UTC),
        date(2026, 11, 24),
        UUID("00000000-0000-7000-8000-000000000001"),
        Decimal("1.10"),
        bytearray(b"x"),
        True,
    )
    assert bind("SELECT ?,?,?,?,?,?", values, "sqlite").values == (
        "2026-11-24T10:00:00.000123Z",
        "2026-11-24",
        "00000000-0000-7000-8000-000000000001",
        "1.10",
        b"x",
        True,
    )


PIECES = ("'", '"', "$", "a", "? ", ":a", "--", "/*", "*/", "\n", " ", "E'", "\\", ";", "$$", "%", "[", "`")


@given(st.lists(st.sampled_from(PIECES)))
def test_taking_apart_loses_nothing(pieces: list[str]) -> None:
    """The text that is sent is the text that was given, but for its placeholders."""
    sql = "".join(pieces)
    for backend in BOTH:
        try:
            parsed = parse(sql, backend)
        except BadStatement:
            continue
        marks = [f":{name}" if name else "?" for name in parsed.names]
        written = parsed.pieces[0] + "".join(mark + piece for mark, piece in zip(marks, parsed.pieces[1:], strict=True))
        assert written == sql
        values = dict.fromkeys((name for name in parsed.names if name), 1) or (1,) * len(parsed.names)
        assert isinstance(bind(sql, values, backend), Statement)
