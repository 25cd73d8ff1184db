"""The rules of a class run on plain dicts: the bytes and the refusals are those of the class itself."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from pydantic import ValidationError, model_validator

from capture.events import registry
from capture.events.event import Event
from capture.events.flat import flat

VALUES: tuple[Any, ...] = (
    *("a", "", "é\u2028", "x" * 600, "1.50", "EUR", "original", "a" * 64, "2026-11-25T10:00:00Z", "image/png"),
    *(0, 1, -7, 0.5, 1.0, float("nan"), True, None, Decimal("1.10")),
    *((), ["a", "b"], ("c",), {}, {"k": [1, {"b": None, "a": 1e2}]}, [{"sha256": "a" * 64, "media_type": "a/b"}]),
    *(datetime(2026, 11, 25, tzinfo=UTC), datetime(2026, 11, 25, tzinfo=timezone(timedelta(hours=9)))),
    object(),
)


TYPES = {name: found for name, found in registry.known().items() if not registry.is_reserved(name)}


def answer(encode: Callable[[], bytes]) -> tuple[bytes | None, list[tuple[Any, ...]]]:
    try:
        return encode(), []
    except ValidationError as error:
        return None, [(fault["type"], fault["loc"], fault["msg"]) for fault in error.errors(include_url=False)]


@pytest.mark.parametrize("event_class", TYPES.values(), ids=TYPES)
def test_a_dict_is_validated_and_encoded_as_an_event_is(event_class: type[Event]) -> None:
    """For every class of the vocabulary, whatever the fields: equal bytes, or the same refusal."""
    rules = flat(event_class)
    assert rules is not None
    chance = random.Random(event_class.event_type)
    encoded = 0
    good: dict[str, Any] = {}
    for attempt in range(400):
        # A field that was right once is kept most of the time: whole events must come about too.
        fields: Mapping[str, Any] = {
            name: good[name] if name in good and chance.random() < 0.8 else chance.choice(VALUES)
            for name, field in event_class.model_fields.items()
            if field.is_required() or chance.random() < 0.3
        }
        for name in {"output_id", "plan_id"} & set(event_class.model_fields):
            fields = {**fields, name: "o-1"}  # else the default makes a new one each time
        event, line = partial(event_class, **fields), {**fields, "event": "a line's own key"}
        expected, refused = answer(lambda event=event: event_class.__pydantic_serializer__.to_json(event()))
        assert answer(lambda line=line: rules.to_json(rules.validate(line))) == (expected, refused), attempt
        wrong = {where[0] for _, where, _ in refused}
        good |= {name: value for name, value in fields.items() if name not in wrong}
        encoded += expected is not None
    assert encoded > 10


def test_a_class_with_rules_of_the_whole_has_no_flat_form() -> None:
    """A validator of the whole event would not run on a dict, so there is no shorter way."""

    class WhiteLieTold(Event, type="white_lie.told"):
        text: str

        @model_validator(mode="after")
        def _short(self) -> WhiteLieTold:
            return self

    assert flat(WhiteLieTold) is None
    registry._types.pop("white_lie.told")
