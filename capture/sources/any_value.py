"""Any value of an agent's as JSON: what JSON or a database has no form for becomes text instead of being refused."""

from __future__ import annotations

import base64
import dataclasses
from collections import deque
from collections.abc import Mapping
from datetime import date, time
from decimal import Decimal
from enum import Enum
from math import isfinite
from pathlib import PurePath
from uuid import UUID

from pydantic import BaseModel, JsonValue

from capture.errors import InvalidEvent
from capture.events.strict_json import read_object

MAX_DEPTH = 40
"""The deepest nesting that is kept; what lies deeper is shown as text. A payload may have 64 levels in all."""

MAX_VALUES = 50_000
"""The most values that are looked at: a list that holds itself twice has no end, and the agent waits for this."""

MAX_BITS = 1_000
"""The longest whole number that stays one; a longer one becomes hexadecimal text."""

_SHOWN = 1_000


def as_json(value: object, longest: int) -> JsonValue:
    """Any value as JSON values, never raising.

    Args:
        value: Whatever an agent or a framework holds: models and dataclasses become objects, bytes text, NaN `"NaN"`.
        longest: Texts are cut to so many characters.
    """
    return _Reader(longest).read(value, 0)


def as_text(value: object, longest: int) -> str:
    """Any value as text that both databases keep: a text as it is, anything else as it shows itself, cut to `longest`.

    A NUL and a lone surrogate stand there as their escapes.
    """
    plain = str.__str__(value) if isinstance(value, str) else _shown(value)
    if len(plain) > longest:
        plain = f"{plain[:longest]} … [{len(plain):,} characters]"
    plain = plain.replace("\0", "\\0")
    return plain if plain.isascii() else plain.encode(errors="backslashreplace").decode()


def opened(value: object) -> object:
    """The values in a JSON text, so that redaction sees their keys; anything else, and what is no JSON, as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            members = read_object(b'{"value":' + value.encode() + b"}", max_depth=MAX_DEPTH)
        except (InvalidEvent, UnicodeEncodeError):
            return value
        if len(members) == 1:
            return members["value"].value
    return value


class _Reader:
    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._left = MAX_VALUES

    def read(self, value: object, depth: int) -> JsonValue:
        self._left -= 1
        try:
            return self._read(value, depth)
        except Exception:  # noqa: BLE001 - any object can come from an agent, and whatever it is asked may do anything
            return as_text(_shown(value), self._longest)

    def _read(self, value: object, depth: int) -> JsonValue:  # noqa: PLR0911, PLR0912 - one way out a kind of value
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, Enum):
            return self.read(value.value, depth + 1)
        if isinstance(value, str):
            return as_text(value, self._longest)
        if isinstance(value, int):
            number = int.__int__(value)
            return number if number.bit_length() <= MAX_BITS else as_text(hex(number), self._longest)
        if isinstance(value, float):
            plain = float.__float__(value)
            return plain if isfinite(plain) else {"inf": "Infinity", "-inf": "-Infinity"}.get(str(plain), "NaN")
        if isinstance(value, bytes | bytearray | memoryview):
            return self._bytes(bytes(value))
        if isinstance(value, date | time):
            return value.isoformat()
        if isinstance(value, UUID | Decimal | PurePath):
            return as_text(str(value), self._longest)
        if depth >= MAX_DEPTH or self._left < 0:
            return as_text(_shown(value), self._longest)
        if isinstance(value, BaseModel):
            value = value.model_dump(warnings=False)
        elif dataclasses.is_dataclass(value) and not isinstance(value, type):
            value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        if isinstance(value, Mapping):
            return self._object(value, depth)
        if isinstance(value, list | tuple | set | frozenset | deque):
            return [self.read(item, depth + 1) for item in list(value)]
        return as_text(_shown(value), self._longest)

    def _object(self, value: Mapping[object, object], depth: int) -> dict[str, JsonValue]:
        found: dict[str, JsonValue] = {}
        for key, item in list(value.items()):
            name = unused = as_text(key, _SHOWN)
            number = 1
            while unused in found:  # 1 and "1" are two keys
                number += 1
                unused = f"{name} ({number})"
            found[unused] = self.read(opened(item) if _is_opened(name, value) else item, depth + 1)
        return found

    def _bytes(self, value: bytes) -> str:
        try:
            return as_text(value.decode(), self._longest)
        except UnicodeDecodeError:
            return as_text(base64.b64encode(value).decode(), self._longest)


def _is_opened(name: str, value: Mapping[object, object]) -> bool:
    """True where a message has JSON as text: the arguments of a call, and what a tool returned."""
    return name == "arguments" or (
        (name == "content" and value.get("role") == "tool")
        or (name == "output" and value.get("type") == "function_call_output")
        or (name == "result" and value.get("type") == "tool_call_response")
    )


def _shown(value: object) -> str:
    kind = type(value).__name__
    try:
        # Their own text would be that of all they hold, without an end where they hold the same thing many times.
        if isinstance(value, Mapping | list | tuple | set | frozenset | deque):
            return f"<{kind} of {len(value):,} values>"
        if isinstance(value, BaseModel) or (dataclasses.is_dataclass(value) and not isinstance(value, type)):
            return f"<{kind}>"
        return f"{value!r:.{_SHOWN}}"
    except Exception:  # noqa: BLE001 - see `_Reader.read`
        return f"<{kind}>"
