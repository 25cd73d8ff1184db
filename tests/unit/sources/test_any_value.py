"""Any value as JSON: what is kept as it is, what becomes text, and that nothing raises or goes on for ever."""

from __future__ import annotations

import base64
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from time import monotonic
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel, computed_field

from capture.sources.any_value import MAX_DEPTH, as_json, as_text, opened

LONGEST = 10_000


class Colour(Enum):
    RED = "red"


class Ship(BaseModel):
    name: str
    berth: object = None


class Sinking(BaseModel):
    name: str = "Vasa"

    @computed_field  # type: ignore[prop-decorator]
    @property
    def depth(self) -> float:
        raise OSError("no")


@dataclass
class Port:
    name: str
    ships: list[Ship]


class Shouting(str):
    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __len__ = __str__  # type: ignore[assignment]


class Nameless:
    def __repr__(self) -> str:
        raise RuntimeError("no")


class Trap(Mapping[str, object]):
    def __getitem__(self, key: str) -> object:
        raise KeyError(key)

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("no")

    def __len__(self) -> int:
        return 3


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (-3, -3),
        (1.5, 1.5),
        ("ümlaut 漢 🙂", "ümlaut 漢 🙂"),
        ({"a": [1, {"b": ()}]}, {"a": [1, {"b": []}]}),
        (MappingProxyType({1: "number", "1": "text", None: 0}), {"1": "number", "1 (2)": "text", "None": 0}),
        ({1}, [1]),
        (deque([1, 2]), [1, 2]),
        (Port("Kiel", [Ship(name="Vasa", berth=b"7")]), {"name": "Kiel", "ships": [{"name": "Vasa", "berth": "7"}]}),
        (Ship, repr(Ship)),
        (Colour.RED, "red"),
        (UUID(int=7), str(UUID(int=7))),
        (Decimal("1.10"), "1.10"),
        (Path("a/b"), "a/b"),
        (datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01T00:00:00+00:00"),
        (b"text", "text"),
        (b"\xff\x00", base64.b64encode(b"\xff\x00").decode()),
        (float("nan"), "NaN"),
        (float("inf"), "Infinity"),
        (float("-inf"), "-Infinity"),
        (1 << 1_001, hex(1 << 1_001)),
        ("a\0b", "a\\0b"),
        ("a\ud800b", "a\\ud800b"),
        ({"\ud800\0": 1}, {"\\ud800\\0": 1}),
        ("x" * 10_003, "x" * LONGEST + " … [10,003 characters]"),
        (object, "<class 'object'>"),
        (ValueError("no"), "ValueError('no')"),
    ],
    ids=lambda value: f"{value!a:.30}",
)
def test_any_value_becomes_json(value: object, expected: object) -> None:
    """What JSON can say stays as it is; everything else becomes an object, a list or text."""
    found = as_json(value, LONGEST)
    assert (found, type(found)) == (expected, type(expected))


def test_a_hostile_value_becomes_text() -> None:
    """What raises when it is looked at harms neither the agent nor the values beside it."""
    values = [Nameless(), Trap(), Sinking(), Shouting("hello"), {"deep": Nameless()}, "well"]
    assert as_json(values, LONGEST) == [
        "<Nameless>",
        "<Trap of 3 values>",
        "<Sinking>",
        "hello",
        {"deep": "<Nameless>"},
        "well",
    ]
    assert as_text(Nameless(), 10) == "<Nameless>"


def test_a_value_without_an_end_has_one() -> None:
    """A list that holds itself, or one thing many times over, is kept to a depth and a number of values."""
    once: list[Any] = []
    once.append(once)
    twice: list[Any] = []
    twice += [twice, twice]
    began = monotonic()
    found = as_json(once, LONGEST)
    for _ in range(MAX_DEPTH):
        assert isinstance(found, list)
        (found,) = found
    assert found == "<list of 1 values>"
    shared: Any = Port("Kiel", [])
    for _ in range(200):
        shared = {(1, "a"): shared, "b": [Port("Vasa", [shared])]}
    for value in (twice, shared, [{"a": shared}]):
        assert isinstance(as_json(value, LONGEST), list | dict)
    assert monotonic() - began < 20


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('{"a": 1, "b": [{}]}', {"a": 1, "b": [{}]}),
        (" [1]", [1]),
        ('{"a": 1, "a": 2}', '{"a": 1, "a": 2}'),
        ('{"a": NaN}', '{"a": NaN}'),
        ('[1], "value": 2', '[1], "value": 2'),
        ('{"a": "cut of', '{"a": "cut of'),
        ("[" * 100_000, "[" * 100_000),
        ("\ud800", "\ud800"),
        ("12", "12"),
        (12, 12),
    ],
    ids=range(10),
)
def test_json_text_is_opened(value: object, expected: object) -> None:
    """An object or a list in a text is read if every parser reads the same from it; else it stays the text."""
    assert opened(value) == expected


def test_json_in_a_message_is_opened() -> None:
    """The arguments of a call and what a tool returned are values, wherever a framework writes them as text."""
    messages = [
        {"tool_calls": [{"function": {"name": "f", "arguments": '{"a": 1}'}}]},
        {"role": "tool", "content": '{"a": 1}'},
        {"type": "function_call_output", "output": '{"a": 1}'},
        {"type": "tool_call_response", "result": '{"a": 1}'},
        {"role": "user", "content": '{"a": 1}', "arguments": "none"},
    ]
    assert as_json(messages, LONGEST) == [
        {"tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]},
        {"role": "tool", "content": {"a": 1}},
        {"type": "function_call_output", "output": {"a": 1}},
        {"type": "tool_call_response", "result": {"a": 1}},
        {"role": "user", "content": '{"a": 1}', "arguments": "none"},
    ]
