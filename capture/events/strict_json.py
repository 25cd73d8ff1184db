"""A strict reader of one JSON object: what two parsers would read differently is refused, not guessed.

Duplicate keys, trailing text, NaN, numbers that would be rounded, lone surrogates, bytes that are no UTF-8, and nesting
that a recursive parser could not stand. The text of each member is kept, so that a payload can be copied byte by byte.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from json.decoder import JSONDecodeError
from typing import Any, NamedTuple, NoReturn

from pydantic import JsonValue

from capture.errors import InvalidEvent
from capture.events.content import MAX_DIGITS

# An unterminated string runs to the end, so that the scan stays linear on any input.
_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*+"?|([\[{])|([\]}])', re.DOTALL)
_BLANKS = re.compile(r"[ \t\n\r]*")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class Member(NamedTuple):
    """A member of the object.

    Attributes:
        value: As Python values; every number is exact.
        text: The JSON text of the value, as it stands in the source.
    """

    value: JsonValue
    text: str


def read_object(source: bytes, *, max_depth: int) -> dict[str, Member]:
    """Read one JSON object.

    Args:
        source: UTF-8, with nothing but blanks around the object.
        max_depth: The deepest nesting of objects and lists that is accepted, the object itself included.

    Raises:
        InvalidEvent: It is not one JSON object, or two parsers would not read the same from it.
    """
    try:
        text = source.decode()
    except UnicodeDecodeError as error:
        raise InvalidEvent(
            f"UTF-8 was expected, byte {error.start + 1} is 0x{source[error.start]:02x}", hint="save the file as UTF-8"
        ) from None
    if text.startswith("\ufeff"):
        raise InvalidEvent(
            "a JSON object was expected, found a byte order mark (U+FEFF)", hint="save the file as UTF-8 without it"
        )
    if _depth(text) > max_depth:
        raise InvalidEvent(f"at most {max_depth} levels of objects and lists were expected, found {_depth(text)}")
    try:
        members = _members(text)
    except JSONDecodeError as error:
        raise InvalidEvent(
            f"one JSON object was expected: {error.msg[:1].lower()}{error.msg[1:]} at character {error.pos + 1}"
        ) from None
    if _SURROGATE.search(text):
        _refuse_lone_surrogates(members)
    return members


def _members(text: str) -> dict[str, Member]:
    position = _blanks(text, 0)
    if text[position : position + 1] != "{":
        raise JSONDecodeError("no object" if position < len(text) else "the line is blank", text, position)
    members: dict[str, Member] = {}
    position = _blanks(text, position + 1)
    more = text[position : position + 1] != "}"
    while more:
        if text[position : position + 1] != '"':
            raise JSONDecodeError("a key in double quotes is missing", text, position)
        key, position = _decoder.raw_decode(text, position)
        if key in members:
            _refuse_duplicate(key)
        position = _blanks(text, position)
        if text[position : position + 1] != ":":
            raise JSONDecodeError("a colon is missing", text, position)
        start = _blanks(text, position + 1)
        value, position = _decoder.raw_decode(text, start)
        members[key] = Member(value, text[start:position])
        position = _blanks(text, position)
        more = text[position : position + 1] == ","
        if more:
            position = _blanks(text, position + 1)
    if text[position : position + 1] != "}":
        raise JSONDecodeError("a comma or the closing brace is missing", text, position)
    position = _blanks(text, position + 1)
    if position < len(text):
        raise JSONDecodeError("there is text after the object", text, position)
    return members


def _blanks(text: str, position: int) -> int:
    found = _BLANKS.match(text, position)
    return position if found is None else found.end()


def _depth(text: str) -> int:
    depth = deepest = 0
    for match in _BRACKETS.finditer(text):
        if match[1]:
            depth += 1
            deepest = max(deepest, depth)
        elif match[2]:
            depth -= 1
    return deepest


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                _refuse_duplicate(key)
            seen.add(key)
    return found


def _refuse_duplicate(key: str) -> NoReturn:
    raise InvalidEvent(f"each key once was expected, found {key!a:.60} twice")


def _whole(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise InvalidEvent(f"a number of at most {MAX_DIGITS} digits was expected, found {len(digits)}")
    if digits == "-0":
        raise InvalidEvent("a number that is kept exactly was expected, found -0", hint="write 0 or -0.0")
    return int(digits)


def _real(digits: str) -> float:
    if len(digits) > MAX_DIGITS:
        raise InvalidEvent(f"a number of at most {MAX_DIGITS} digits was expected, found {len(digits)}")
    number = float(digits)
    try:
        exact = Decimal(digits) == Decimal(repr(number))
    except ArithmeticError:
        exact = False
    if not exact:
        raise InvalidEvent(
            f"a number that is kept exactly was expected, {digits:.60} would become {number!r}",
            hint="write it with fewer digits, or as a text",
        )
    return number


def _constant(name: str) -> NoReturn:
    raise InvalidEvent(f"a JSON number was expected, found {name}")


def _refuse_lone_surrogates(members: dict[str, Member]) -> None:
    try:
        json.dumps({key: member.value for key, member in members.items()}, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        code = ord(error.object[error.start])
        raise InvalidEvent(f"text was expected, found a lone surrogate (U+{code:04X}), which is no character") from None


_decoder = json.JSONDecoder(object_pairs_hook=_object, parse_int=_whole, parse_float=_real, parse_constant=_constant)
