"""Which fields of an event class can hold any JSON, and which are closed: texts, numbers, times, and models of those.

Only open fields can hide a secret under a key, nest without end, or be changed after they were validated. So the
agent's thread looks into those alone, and only when they are not empty.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from uuid import UUID

from pydantic import AwareDatetime, BaseModel

_CLOSED: tuple[type, ...] = (
    *(str, bytes, int, float, bool, type(None), Decimal, Enum, UUID),
    *(datetime, date, time, timedelta, typing.cast("type", AwareDatetime)),
)
_open_fields: dict[type[BaseModel], tuple[str, ...]] = {}
_number_fields: dict[type[BaseModel], tuple[str, ...] | None] = {}


def open_fields(model: type[BaseModel]) -> tuple[str, ...]:
    """The names of the fields that can hold any JSON, in declared order."""
    held = _open_fields.get(model)
    if held is None:
        _open_fields[model] = ()  # a model that contains itself: it is as open as its other fields are
        held = tuple(name for name, field in model.model_fields.items() if not _is_closed(field.annotation))
        _open_fields[model] = held
    return held


def _is_closed(annotation: object) -> bool:
    origin = typing.get_origin(annotation)
    if origin is typing.Literal:
        return True
    if origin in (typing.Annotated, typing.Union, types.UnionType, tuple, list, set, frozenset):
        inner = typing.get_args(annotation)
        parts = inner[:1] if origin is typing.Annotated else inner
        return all(part is Ellipsis or _is_closed(part) for part in parts)
    if not isinstance(annotation, type):
        return False
    if issubclass(annotation, BaseModel):
        return annotation.model_config.get("extra") != "allow" and not open_fields(annotation)
    return issubclass(annotation, _CLOSED)


def number_fields(model: type[BaseModel]) -> tuple[str, ...] | None:
    """The names of the fields that are one floating-point number or None, in declared order.

    Returns:
        None when such numbers lie deeper too, in lists or models.
    """
    if model not in _number_fields:
        _number_fields[model] = ()  # a model that contains itself: its other fields decide
        _number_fields[model] = _find_numbers(model)
    return _number_fields[model]


def _find_numbers(model: type[BaseModel]) -> tuple[str, ...] | None:
    plain = []
    for name, field in model.model_fields.items():
        leaves = set(_leaves(field.annotation))
        if float in leaves:
            if not leaves <= {float, int, type(None)}:
                return None
            plain.append(name)
        for leaf in leaves:
            if isinstance(leaf, type) and issubclass(leaf, BaseModel) and number_fields(leaf) != ():
                return None
    return tuple(plain)


def _leaves(annotation: object) -> Iterator[object]:
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        yield from _leaves(inner[0])
    elif origin in (typing.Union, types.UnionType):
        for part in inner:
            yield from _leaves(part)
    elif inner and origin is not typing.Literal:
        # A container: what it holds counts, and that it is one.
        yield origin
        for part in inner:
            yield from _leaves(part)
    else:
        yield annotation
