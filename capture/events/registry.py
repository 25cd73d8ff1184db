"""Which class stands for which event type: filled by importing the classes, asked by type."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from capture import plugins

if TYPE_CHECKING:
    from capture.events.event import Event

RESERVED = ("review.", "publication.", "capture.")
"""Prefixes of the types that copydesk alone writes: the desk, the publishing worker and the writer."""

_types: dict[str, type[Event]] = {}
_complete = False


def register(event_class: type[Event]) -> None:
    """Enter a class under its type. The class with the highest version stands for the type.

    Raises:
        TypeError: Another class holds this type and version.
    """
    held = _types.get(event_class.event_type)
    if held is not None and held.schema_version >= event_class.schema_version:
        same = (held.__module__, held.__qualname__) == (event_class.__module__, event_class.__qualname__)
        if held.schema_version == event_class.schema_version and not same:
            raise TypeError(
                f"the event type {event_class.event_type} version {event_class.schema_version} is taken by "
                f"{held.__module__}.{held.__qualname__}; give {event_class.__qualname__} another type or version"
            )
        if not same:
            return
    _types[event_class.event_type] = event_class


def find(event_type: str) -> type[Event] | None:
    """The class for a type, or None when no code at hand knows it."""
    found = _types.get(event_type)
    if found is None and not _complete:
        _load()
        found = _types.get(event_type)
    return found


def known() -> dict[str, type[Event]]:
    """Every known type with its class, by name."""
    _load()
    return dict(sorted(_types.items()))


def is_reserved(event_type: str) -> bool:
    """True when only copydesk itself may write events of this type."""
    return event_type.startswith(RESERVED)


def _load() -> None:
    # The vocabulary is 50 pydantic classes: built at the first question, not at `from capture import emit`.
    global _complete  # noqa: PLW0603 - the flag belongs to the table above; both live as long as the process
    if not _complete:
        importlib.import_module("capture.vocabulary")
        plugins.load("copydesk.events")
        _complete = True
