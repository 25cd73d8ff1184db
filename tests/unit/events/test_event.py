"""Event classes: type, version and stream are declared once, and mistakes are found when the class is made."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from capture.errors import InvalidEvent
from capture.events import registry
from capture.events.event import Event
from capture.events.prepare import prepare


class ShipLaunched(Event, type="ship.launched", version=2, stream="ship_id"):
    """An event with all of a header."""

    ship_id: str
    name: str = ""


def test_the_header_says_type_version_and_stream() -> None:
    """What a class declares in its header is what is stored with each of its events."""
    stored = prepare(ShipLaunched(ship_id="s1"), agent_id="yard")
    assert (stored.event_type, stored.schema_version, stored.stream_id) == ("ship.launched", 2, "ship-s1")
    assert registry.find("ship.launched") is ShipLaunched


@pytest.mark.parametrize(
    "name", ["ship", "Ship.launched", "ship.launched.twice", "ship launched", "ship.", ".launched", ""]
)
def test_a_type_is_noun_and_past_participle(name: str) -> None:
    """A type of another form is refused when the class is made."""
    with pytest.raises(TypeError, match=r"noun\.past_participle"):
        type("Wrong", (Event,), {"__module__": __name__}, type=name)


def test_a_stream_names_a_field() -> None:
    """A stream that is no field of the event is refused when the class is made."""
    with pytest.raises(TypeError, match="there is no field 'boat_id'"):
        type("Wrong", (Event,), {"__module__": __name__}, type="boat.launched", stream="boat_id")


def test_a_version_is_1_or_more() -> None:
    """Version 0 is refused when the class is made."""
    with pytest.raises(TypeError, match="1 or more, found 0"):
        type("Wrong", (Event,), {"__module__": __name__}, type="boat.launched", version=0)


def test_a_type_and_version_have_one_class() -> None:
    """A second class for a type and version is refused, and the first is named."""
    with pytest.raises(TypeError, match=r"taken by .*ShipLaunched"):
        type("Other", (Event,), {"__module__": __name__}, type="ship.launched", version=2)


def test_a_class_without_a_type_is_no_event() -> None:
    """A base of other events can't be emitted."""
    base = type("Base", (Event,), {"__module__": __name__})
    with pytest.raises(InvalidEvent, match="with a type was expected"):
        prepare(base(), agent_id="a")


def test_an_event_is_frozen_and_has_no_other_fields() -> None:
    """A field is not changed after the event is made, and an unknown one is refused."""
    event = ShipLaunched(ship_id="s1")
    with pytest.raises(ValidationError, match="frozen"):
        event.ship_id = "s2"  # type: ignore[misc]
    with pytest.raises(ValidationError, match="nam"):
        ShipLaunched.model_validate({"ship_id": "s1", "nam": "Vasa"})


@pytest.mark.parametrize("agent_id", ["", " a", "a\n", "a\0", "a" * 201, "\u202eana", None, 7])
def test_an_id_is_plain_text(agent_id: object) -> None:
    """An agent id that a screen, a file name or a database would not take as it is, is refused."""
    with pytest.raises(InvalidEvent, match="agent_id is a text of 1 to 200 printable characters"):
        prepare(ShipLaunched(ship_id="s1"), agent_id=agent_id)  # type: ignore[arg-type]


def test_an_event_id_is_a_uuid_of_version_7_unless_it_is_given() -> None:
    """A new event has a time-ordered id; a given one is kept, and one that is no UUID is refused."""
    assert prepare(ShipLaunched(ship_id="s1"), agent_id="a").event_id[14] == "7"
    given = "0190b3f2-7c1e-4a8b-9d54-0F6A3C1E2B90"
    assert prepare(ShipLaunched(ship_id="s1"), agent_id="a", event_id=given).event_id == given.lower()
    with pytest.raises(InvalidEvent, match="event_id is a UUID"):
        prepare(ShipLaunched(ship_id="s1"), agent_id="a", event_id="seven")
