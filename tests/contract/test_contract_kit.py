"""`capture.testing.LogContract`: our own backends pass it, and a log that breaks a promise does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from capture import DatabaseManager, EventConflict, EventLog
from capture.eventlog.condition import AppendCondition
from capture.identifiers import new_id
from capture.testing import LogContract


class TestOurLog(LogContract):
    @pytest.fixture
    def log(self, manager: DatabaseManager) -> EventLog:
        return EventLog(manager)


class ForgetsConditions(EventLog):
    def append(self, events: Any, condition: AppendCondition | None = None, **more: Any) -> list[int]:
        return super().append(events, None, **more)


class StoresTwice(EventLog):
    def append(self, events: Any, condition: AppendCondition | None = None, **more: Any) -> list[int]:
        try:
            return super().append(events, condition, **more)
        except EventConflict:
            return super().append([event._replace(event_id=str(new_id())) for event in events], condition, **more)


class ReadsAll(EventLog):
    def read(self, after: int = 0, limit: int | None = None, types: Any = None, stream: str | None = None) -> Any:
        return super().read(after, limit)


@pytest.mark.parametrize(
    ("broken", "promise"),
    [
        (ForgetsConditions, LogContract.test_of_simultaneous_appends_on_one_condition_one_wins),
        (StoresTwice, LogContract.test_the_same_event_again_has_its_first_position),
        (ReadsAll, LogContract.test_a_read_selects),
    ],
    ids=lambda value: value.__name__,
)
def test_the_contract_catches_a_broken_log(
    manager: DatabaseManager, broken: type[EventLog], promise: Callable[[LogContract, EventLog], None]
) -> None:
    """A log that forgets conditions, stores a conflicting event or reads too much fails the contract."""
    with pytest.raises(AssertionError):
        promise(LogContract(), broken(manager))
