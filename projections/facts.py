"""Events as projectors get them: read a page in one statement, and decoded once for all projectors.

Runner, replay, diff, verify and as-of all get theirs here, so upcasters run on every path. It is the hot path of a
replay: ids and times stay text until they are asked for (a UUID takes as long to make as half a payload), and the rows
don't pass through SQLAlchemy's types.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from pydantic import ValidationError

from capture import DatabaseManager, InvalidEvent, Recorded, decode_payload, find_event, stored_rows
from projections import columns


class Undecodable(NamedTuple):
    """What stands in the place of a payload that does not decode.

    Attributes:
        error: Why.
    """

    error: Exception


class Fact(Recorded[Any]):
    """A `Recorded` as it comes from the log: its id and times are made when they are asked for."""

    __slots__ = ()

    @property
    def event_id(self) -> UUID:
        """The event's own id."""
        return UUID(self[1])  # type: ignore[arg-type] # the tuple holds the text

    @property
    def occurred_at(self) -> datetime:
        """The agent's clock; aware, UTC."""
        return _time(self[10])

    @property
    def recorded_at(self) -> datetime:
        """The database's clock at the append; aware, UTC."""
        return _time(self[11])


def _time(stored: object) -> datetime:
    if isinstance(stored, str):
        time = datetime.fromisoformat(stored)
        columns.remember(time, stored)
        return time
    if isinstance(stored, datetime):
        return stored if stored.tzinfo is UTC else stored.astimezone(UTC)
    raise TypeError(f"a stored time was expected, found {type(stored).__name__}")


def page(manager: DatabaseManager, after: int, to: int, types: Iterable[str], limit: int) -> Sequence[Sequence[Any]]:
    """Read stored events of some types, in one short statement.

    Args:
        manager: The database.
        after: Read from the position after this one.
        to: The last position to read.
        types: Event types.
        limit: At most so many.

    Returns:
        Rows in the order of `Stored`, by position.
    """
    return stored_rows(manager, after=after, upto=to, types=types, limit=limit)


def _newest(
    newest: dict[str, tuple[int, Callable[[str], object]]], event_type: str
) -> tuple[int, Callable[[str], object]]:
    """The version that needs no upcaster, and what decodes it; no version of a type that nobody knows."""
    found = find_event(event_type)
    newest[event_type] = (
        (-1, json.loads) if found is None else (found.schema_version, found.__pydantic_validator__.validate_json)
    )
    return newest[event_type]


def _undecodable(row: Sequence[Any]) -> Undecodable:
    try:
        decode_payload(row[2], row[3], row[12])
    except InvalidEvent as error:
        return Undecodable(error)
    raise AssertionError("a payload decodes or does not")  # pragma: no cover


def decoded(rows: Iterable[Sequence[Any]]) -> list[Fact]:
    """Decode stored events; one that does not decode carries an `Undecodable`.

    Args:
        rows: In the order of `Stored`, times as text or aware.
    """
    facts = []
    new = tuple.__new__
    newest: dict[str, tuple[int, Callable[[str], object]]] = {}
    for row in rows:
        try:
            version, validate = newest.get(row[2]) or _newest(newest, row[2])
            if row[3] == version:
                payload: object = validate(row[12])
            else:
                payload = decode_payload(row[2], row[3], row[12])
        except ValidationError:
            payload = _undecodable(row)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - an upcaster is foreign code: whatever it raises is about this event
            payload = Undecodable(error)
        facts.append(new(Fact, (*row[:12], payload, row[13])))
    return facts
