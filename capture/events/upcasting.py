"""Upcasters: an event stored under an old version is brought up to date when it is read, never in the store."""

from __future__ import annotations

from collections.abc import Callable

from capture.errors import InvalidEvent
from capture.events.event import JsonObject

Upcaster = Callable[[JsonObject], JsonObject]

_upcasters: dict[tuple[str, int], Upcaster] = {}


def upcasts(event_type: str, *, from_version: int) -> Callable[[Upcaster], Upcaster]:
    """Declare how a payload of one version becomes a payload of the next.

    Args:
        event_type: The type, as `output.revised`.
        from_version: The version that the function takes; it returns version `from_version + 1`.

    Raises:
        TypeError: There is another upcaster for this step.
    """

    def declare(function: Upcaster) -> Upcaster:
        held = _upcasters.get((event_type, from_version))
        if held is not None and (held.__module__, held.__qualname__) != (function.__module__, function.__qualname__):
            raise TypeError(f"two upcasters for {event_type} from version {from_version}")
        _upcasters[event_type, from_version] = function
        return function

    return declare


def upcast(event_type: str, payload: JsonObject, *, from_version: int, to_version: int) -> JsonObject:
    """Bring a payload from one version to another, step by step.

    Raises:
        InvalidEvent: A step has no upcaster or fails, or the payload is newer than the code.
    """
    if from_version > to_version:
        raise InvalidEvent(
            f"{event_type} version {from_version} is newer than this code, which knows version {to_version}",
            hint="deploy the code that wrote it",
        )
    for version in range(from_version, to_version):
        step = _upcasters.get((event_type, version))
        if step is None:
            raise InvalidEvent(
                f"{event_type} has no upcaster from version {version} to {version + 1}",
                hint=f'declare one with @upcasts("{event_type}", from_version={version})',
            )
        try:
            payload = step(payload)
        except Exception as error:
            raise InvalidEvent(
                f"the upcaster of {event_type} from version {version} fails: {type(error).__name__}: {error}",
                hint=f"mend {step.__module__}.{step.__qualname__}; `copydesk events check --all` finds its events",
            ) from error
    return payload


def known_steps(event_type: str) -> list[int]:
    """The versions of a type that have an upcaster."""
    return sorted(version for kind, version in _upcasters if kind == event_type)
