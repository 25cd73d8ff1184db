"""Both parameter styles on every backend: `:named` with a mapping, `?` with a sequence.

A small tokenizer finds the placeholders, so that a `?`, a `:` or a `%` inside a string, a quoted name or a comment is
data, `::` is PostgreSQL's cast, and `??` is its operator `?`. It knows no grammar beyond that; the tokens also serve
`capture.database.readonly`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from capture import clock
from capture.errors import BadStatement, ReadOnlyViolation

Parameters = Mapping[str, Any] | Sequence[Any] | None
"""What a caller gives along with a statement."""

_SQLITE = re.compile(
    r"""
      (?P<space>  [\ \t\r\n\f\v]+ | --[^\n]* | /\*(?:.*?\*/|.*\Z) )
    | (?P<string> [xX]?'(?:[^']|'')*' )
    | (?P<name>   "(?:[^"]|"")*" | `(?:[^`]|``)*` | \[[^\]]*\] )
    | (?P<word>   [A-Za-z_\x80-\U0010ffff][\w$\x80-\U0010ffff]* )
    | (?P<number> \d[\w.]* )
    | (?P<cast>   :: )
    | (?P<operator>\?\? )
    | (?P<mark>   \?\d* )
    | (?P<named>  :[^\W\d]\w* )
    | (?P<end>    ; )
    | (?P<other>  . )
    """,
    re.VERBOSE | re.DOTALL,
)

# A string goes on behind a line break; it keeps the rules of its first part (PostgreSQL manual, section 4.1.2.1).
_POSTGRESQL = re.compile(
    r"""
      (?P<space>  [\ \t\r\n\f\v]+ | --[^\n\r]* )
    | (?P<block>  /\* )
    | (?P<string> [eE]'(?:[^'\\]|\\.|'')*'(?:[\ \t\f\v]*[\n\r][\ \t\r\n\f\v]*'(?:[^'\\]|\\.|'')*')*
                | (?:[uU]&|[bBxXnN])?'(?:[^']|'')*'
                | \$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$ )
    | (?P<name>   (?:[uU]&)?"(?:[^"]|"")*" )
    | (?P<word>   [A-Za-z_\x80-\U0010ffff][\w$\x80-\U0010ffff]* )
    | (?P<number> \d[\w.]* )
    | (?P<cast>   ::|:= )
    | (?P<operator>\?\? )
    | (?P<mark>   \? )
    | (?P<numbered>\$\d+ )
    | (?P<named>  :[^\W\d]\w* )
    | (?P<end>    ; )
    | (?P<other>  . )
    """,
    re.VERBOSE | re.DOTALL,
)
_BLOCK = re.compile(r"/\*|\*/")


class Token(NamedTuple):
    """A piece of a statement that the database would look at: no blanks, no comments.

    Attributes:
        kind: `word`, `name` (quoted), `string`, `number`, `mark`, `named`, `operator`, `cast`, `end` or `other`.
        text: As it is written; a `word` in lower case.
    """

    kind: str
    text: str


class Parsed(NamedTuple):
    """A statement, taken apart.

    Attributes:
        pieces: The text between the placeholders; one more than there are placeholders.
        names: The name of each placeholder; empty for a `?`.
        tokens: What the database would look at.
    """

    pieces: tuple[str, ...]
    names: tuple[str, ...]
    tokens: tuple[Token, ...]


class Statement(NamedTuple):
    """A statement as the driver wants it.

    Attributes:
        sql: The text, with `?` for SQLite and `$1`, `$2` … for PostgreSQL.
        values: A value for each placeholder.
        tokens: What the database would look at.
    """

    sql: str
    values: tuple[Any, ...]
    tokens: tuple[Token, ...]


@lru_cache(maxsize=512)
def parse(sql: str, backend: str) -> Parsed:
    """Take one statement apart.

    Args:
        sql: One statement; a semicolon may end it.
        backend: `sqlite` or `postgresql`: they differ in strings, comments and quoted names.

    Raises:
        BadStatement: More than one statement, a NUL character, placeholders of both styles or of the driver's own.
    """
    if "\0" in sql:
        raise BadStatement("a statement has no NUL character (U+0000)")
    pieces: list[str] = [""]
    names: list[str] = []
    tokens: list[Token] = []
    ended = False
    for kind, text in _scan(sql, backend):
        if kind in ("mark", "named"):
            names.append(text[1:])
            pieces.append("")
        else:
            pieces[-1] += "?" if kind == "operator" else text
        if kind == "end":
            ended = True
        elif kind != "space":
            if ended:
                raise BadStatement(f"one statement was expected, found another behind it: {text!a:.40}", several=True)
            tokens.append(Token(kind, text.lower() if kind == "word" else text))
    if not tokens:
        raise BadStatement("a statement was expected, found an empty text")
    if "" in names and any(names):
        raise BadStatement("a statement has placeholders of one style, ? or :name, found both")
    return Parsed(tuple(pieces), tuple(names), tuple(tokens))


def _scan(sql: str, backend: str) -> Iterator[tuple[str, str]]:
    """Every piece of the text, comments among the blanks."""
    pattern = _SQLITE if backend == "sqlite" else _POSTGRESQL
    at, end = 0, len(sql)
    while at < end:
        match = pattern.match(sql, at)
        assert match is not None and match.lastgroup is not None  # noqa: S101, PT018  (`other` takes any character)
        kind, text = match.lastgroup, match[0]
        if kind == "block":
            kind, text = "space", sql[at : _end_of_block(sql, at)]
        elif kind == "numbered" or (kind == "mark" and text != "?"):
            raise BadStatement(f"a placeholder is written ? or :name, found {text}")
        elif kind == "operator" and backend == "sqlite":
            raise BadStatement("?? is an operator of PostgreSQL, and this is SQLite")
        yield kind, text
        at += len(text)


def _end_of_block(sql: str, start: int) -> int:
    """Comments nest in PostgreSQL: a `*/` of an inner one ends nothing."""
    depth = 0
    for match in _BLOCK.finditer(sql, start):
        depth += 1 if match[0] == "/*" else -1
        if depth == 0:
            return match.end()
    return len(sql)


def bind(sql: str, parameters: Parameters, backend: str) -> Statement:
    """Fit a statement and its parameters together.

    Args:
        sql: One statement with `?` or `:name` as placeholders.
        parameters: A sequence for `?`, a mapping for `:name`; a mapping may have names that the statement has not.
        backend: `sqlite` or `postgresql`.

    Raises:
        BadStatement: Another count, a missing name, a style that does not fit what was given, or a value that no
            database column holds.
    """
    parsed = parse(sql, backend) if len(sql) <= 100_000 else parse.__wrapped__(sql, backend)
    names = parsed.names
    if isinstance(parameters, Mapping):
        if "" in names:
            raise BadStatement(
                "a statement with ? takes a sequence, found a mapping", hint="write :name, or give a tuple"
            )
        missing = sorted({name for name in names if name not in parameters})
        if missing:
            raise BadStatement(f"the statement has :{missing[0]}, and the parameters do not")
        values = [parameters[name] for name in names]
    else:
        given: Sequence[Any] = () if parameters is None else parameters
        if isinstance(given, (str, bytes, bytearray)) or not isinstance(given, Sequence):
            raise BadStatement(
                f"parameters are a sequence or a mapping, found {type(given).__name__}",
                hint="one value is written (value,)",
            )
        if any(names):
            raise BadStatement(f"a statement with :{names[0]} takes a mapping, found {_count(given)} without names")
        if len(given) != len(names):
            raise BadStatement(f"the statement has {len(names)} placeholders, found {_count(given)}")
        values = list(given)
    if backend == "sqlite":
        return Statement("?".join(parsed.pieces), tuple(map(_for_sqlite, values)), parsed.tokens)
    text = [parsed.pieces[0]]
    for number, piece in enumerate(parsed.pieces[1:], start=1):
        text.append(f"${number}")
        text.append(piece)
    return Statement("".join(text), tuple(map(_for_postgresql, values)), parsed.tokens)


def bind_query(sql: str, parameters: Parameters, backend: str) -> Statement:
    """Fit a statement that only reads and its parameters together; see `bind`.

    Raises:
        BadStatement: See `bind`.
        ReadOnlyViolation: There is a second statement: the usual way out of a guard, and never a read.
    """
    try:
        return bind(sql, parameters, backend)
    except BadStatement as error:
        if "several" in error.data:
            raise ReadOnlyViolation(error.message, hint="execute_query runs one statement that reads") from None
        raise


def _count(values: Sequence[Any]) -> str:
    return f"{len(values)} value" + ("" if len(values) == 1 else "s")


def _for_sqlite(value: Any) -> Any:
    """SQLite has five kinds of values; the rest is written as `capture.database.types` writes it."""
    if value is None or isinstance(value, (str, int, float, bytes)):
        return value
    if isinstance(value, datetime):
        return clock.to_text(value) if value.tzinfo is not None else value.isoformat(sep=" ")
    if isinstance(value, (UUID, Decimal)):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    raise _no_column_holds(value)


def _for_postgresql(value: Any) -> Any:
    if isinstance(value, (dict, set, frozenset)):
        raise _no_column_holds(value)
    return value


def _no_column_holds(value: Any) -> BadStatement:
    return BadStatement(
        f"no database column holds a {type(value).__name__}",
        hint="write JSON with json.dumps" if isinstance(value, (dict, list, tuple)) else "",
    )
