"""Which fields of an event class can hold any JSON, and which are closed: texts, numbers, times, and models of those.

Only open fields can hide a secret under a key, nest without end, or be changed after they were validated. So the
agent's thread looks into those alone, and only when they are not empty.
"""

from __future__ import annotations

import types
import typing
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
