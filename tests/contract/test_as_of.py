"""A read table as it was, at a position or at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from capture import DatabaseManager, EventLog, prepare
from projections import UnknownProjection, as_of
from projections.past import BeyondTheLog, position_at
from tests.fixtures.projectors import ALL, POISON, Errors, append, by_hand, some_events

BEGAN = datetime(2026, 11, 24, 12, tzinfo=UTC)


def test_a_position_shows_the_table_as_it_was(manager: DatabaseManager) -> None:
    """`as_of` gives the rows of a fresh fold up to the position, from none to all, and leaves the live table alone."""
    append(manager, some_events(60, poison_at=[31]))
    for position in (0, 1, 30, 31, 32, 60):
        for projector in ALL:
            was = as_of(manager, projector.name, position, projectors=ALL)
            assert was.position == position
            for table in projector.tables:
                hand = by_hand(manager, upto=position)[table.full_name] if position else {}
                found = {tuple(row[name] for name in table.key_names): row for row in was.rows[table.full_name]}
                assert found == hand
            assert was.dead == (position >= 31)
    assert POISON not in str(was.rows)
    with manager.connect() as connection:
        assert not sa.inspect(connection).has_table("agents_tested_errors")


def test_a_time_means_the_last_position_up_to_it(manager: DatabaseManager) -> None:
    """A time stands for the last event that was recorded up to it, events of the same moment included."""
    times = [0, 0, 10, 10, 10, 20]
    for number, seconds in enumerate(times):
        log = EventLog(manager, clock=lambda seconds=seconds: BEGAN + timedelta(seconds=seconds))
        log.append([prepare(some_events(number + 1)[-1], agent_id="a")])
    log = EventLog(manager)
    found = [position_at(manager, log, BEGAN + timedelta(seconds=seconds)) for seconds in (-1, 0, 5, 10, 19, 20, 99)]
    assert found == [0, 2, 2, 5, 5, 6, 6]
    assert as_of(manager, Errors.name, BEGAN + timedelta(seconds=10), projectors=ALL).position == 5


def test_a_table_can_be_built_beside(manager: DatabaseManager) -> None:
    """`build` writes the rows to a table beside the live one, and replaces an older one of these."""
    append(manager, some_events(40))
    for position in (40, 12):
        was = as_of(manager, Errors.name, position, build=True, projectors=ALL)
        assert was.built == ("agents_tested_errors_shadow_as_of",)
        (count,) = manager.execute_query("SELECT count(*) AS n FROM agents_tested_errors_shadow_as_of")
        assert count["n"] == len(by_hand(manager, upto=position)["agents_tested_errors"]) == len(was.rows[Errors.name])


def test_a_point_outside_the_log_is_refused(manager: DatabaseManager) -> None:
    """A position beyond the head, a time without a zone and an unknown projection are told as such."""
    append(manager, some_events(5))
    with pytest.raises(BeyondTheLog, match="a position from 0 to 5 was expected, found 6"):
        as_of(manager, Errors.name, 6, projectors=ALL)
    with pytest.raises(BeyondTheLog, match="has none"):
        as_of(manager, Errors.name, datetime(2026, 11, 24), projectors=ALL)  # noqa: DTZ001 - the mistake
    with pytest.raises(UnknownProjection):
        as_of(manager, "agents_nothing", 1, projectors=ALL)
