"""Upcasters: a stored payload of an old version is read as the newest, step by step, or it is said what is missing."""

from __future__ import annotations

import pytest

from capture.errors import InvalidEvent
from capture.events.decoding import decode_payload
from capture.events.event import Event, JsonObject
from capture.events.recorded import UnknownEvent
from capture.events.upcasting import known_steps, upcasts


class BellRung(Event, type="bell.rung", version=3):
    """Version 1 had `who`, version 2 `by`; version 3 has `by` and `times`."""

    by: str
    times: int


@upcasts("bell.rung", from_version=1)
def _who_became_by(old: JsonObject) -> JsonObject:
    return {"by": old["who"]}


@upcasts("bell.rung", from_version=2)
def _it_rang_once(old: JsonObject) -> JsonObject:
    return {**old, "times": 1}


class BellMended(Event, type="bell.mended", version=3):
    """An event whose first step has no upcaster."""

    by: str


@upcasts("bell.mended", from_version=2)
def _as_it_was(old: JsonObject) -> JsonObject:
    return old


@pytest.mark.parametrize(
    ("version", "payload"), [(1, '{"who": "ana"}'), (2, '{"by": "ana"}'), (3, '{"by": "ana", "times": 1}')]
)
def test_every_version_is_read_as_the_newest(version: int, payload: str) -> None:
    """A payload goes through the steps from its own version on, and through no other."""
    assert decode_payload("bell.rung", version, payload) == BellRung(by="ana", times=1)
    assert known_steps("bell.rung") == [1, 2]


def test_a_missing_step_is_named() -> None:
    """A version from which no upcaster leads is refused, with the step that is missing and how to declare it."""
    with pytest.raises(InvalidEvent, match="no upcaster from version 1 to 2") as refused:
        decode_payload("bell.mended", 1, '{"by": "ana"}')
    assert refused.value.hint == 'declare one with @upcasts("bell.mended", from_version=1)'


def test_a_newer_version_is_refused() -> None:
    """A payload of a version that this code does not know yet is never guessed at."""
    with pytest.raises(InvalidEvent, match="version 4 is newer than this code, which knows version 3"):
        decode_payload("bell.rung", 4, '{"by": "ana", "times": 1}')


def test_what_an_upcaster_makes_is_checked() -> None:
    """What comes out of the last step has the fields of the newest version, or the fault is named."""
    with pytest.raises(InvalidEvent, match=r"bell\.rung: times: input should be a valid integer"):
        decode_payload("bell.rung", 3, '{"by": "ana", "times": "often"}')


def test_a_step_has_one_upcaster() -> None:
    """A second upcaster for one step is refused when it is declared: which one runs must not depend on imports."""

    def other(old: JsonObject) -> JsonObject:
        return old

    with pytest.raises(TypeError, match=r"two upcasters for bell\.rung from version 1"):
        upcasts("bell.rung", from_version=1)(other)


def test_a_type_that_no_code_knows_is_shown_raw() -> None:
    """An event of an unknown type decodes to its raw JSON, whatever its version."""
    assert decode_payload("bell.cast", 7, '{"by": ["ana"]}') == UnknownEvent("bell.cast", {"by": ["ana"]})
