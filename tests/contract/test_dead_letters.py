"""Events that a projector can't handle: they stop nobody else, are listed per version, and new code cures them."""

from __future__ import annotations

import pytest

from capture import DatabaseManager, Event, EventLog, NotFound, Recorded
from capture.vocabulary import MemoryLearned
from projections import (
    Integer,
    Key,
    ProjectionRunner,
    Projector,
    ReplayStopped,
    Rows,
    agents_table,
    dead_letters_of,
    handles,
    replay,
    status,
    verify,
)
from projections.dead_letters import dead_letter
from tests.fixtures.projectors import POISON, append

COUNT = 3_001
PLACES = (1, 1_000, 2_000, 3_000, 3_001)
"""The first, the last, and every 1,000th: the ends of pages and of batches among them."""


class Fragile(Projector, version=1):
    """Fails on poison."""

    table = agents_table("tested_fragile", Key("key"), Integer("times"))

    @handles(MemoryLearned)
    def learned(self, fact: Recorded[MemoryLearned], rows: Rows) -> None:
        if fact.payload.kind == POISON:
            raise ValueError("this memory is poison")
        rows.at(key=fact.payload.key).add(times=1)


class Sturdy(Projector, version=1):
    """Takes everything."""

    table = agents_table("tested_sturdy", Key("key"), Integer("times"))

    @handles(MemoryLearned)
    def learned(self, fact: Recorded[MemoryLearned], rows: Rows) -> None:
        rows.at(key=fact.payload.key).add(times=1)


class Mended(Sturdy, version=2):
    """Fragile, by code that takes everything."""

    table = Fragile.tables[0]


def _events() -> list[Event]:
    return [
        MemoryLearned(key=f"k{number % 7}", value=number, kind=POISON if number in PLACES else "fact")
        for number in range(1, COUNT + 1)
    ]


def _times(manager: DatabaseManager, table: str) -> int:
    return int(manager.execute_query(f"SELECT sum(times) AS n FROM {table}")[0]["n"])


def test_poison_stops_its_own_projector_at_most(manager: DatabaseManager) -> None:
    """Poison at the first, the last and every 1,000th place: all of it is put aside, every other event counts."""
    append(manager, _events())
    runner = ProjectionRunner(manager, [Fragile, Sturdy])
    runner.run_once()
    assert runner.stopped == {}
    assert [(one.state, one.dead_letters) for one in status(manager, [Fragile, Sturdy])] == [
        ("current", len(PLACES)),
        ("current", 0),
    ]
    assert (_times(manager, "agents_tested_fragile"), _times(manager, "agents_tested_sturdy")) == (
        COUNT - len(PLACES),
        COUNT,
    )
    assert tuple(one.position for one in dead_letters_of(manager, Fragile.name)) == PLACES


def test_poison_stops_its_own_replay_at_most(manager: DatabaseManager) -> None:
    """Nothing is dead yet, so the replay stops at the first poison and names it; the other projection is rebuilt."""
    append(manager, _events()[1:])
    with pytest.raises(ReplayStopped, match="position 999 ") as stopped:
        replay(manager, "all", projectors=[Fragile, Sturdy])
    assert (stopped.value.projection, stopped.value.position) == (Fragile.name, 999)
    fragile, sturdy = status(manager, [Fragile, Sturdy])
    assert (fragile.generation, fragile.position) == (1, 0)
    assert (sturdy.generation, sturdy.position, sturdy.state) == (2, COUNT - 1, "current")


def test_a_letter_belongs_to_a_version_and_is_cured_by_the_next(manager: DatabaseManager) -> None:
    """`replay --skip-dead` passes what is dead under this version alone; new code and a replay take all of it in."""
    append(manager, _events())
    ProjectionRunner(manager, [Fragile]).run_once()
    (again,) = replay(manager, "all", projectors=[Fragile], skip_dead=True)
    assert again.passed == len(PLACES)
    assert tuple(one.position for one in dead_letters_of(manager, version=1)) == PLACES
    (cured,) = replay(manager, projectors=[Mended], skip_dead=True)
    assert cured.passed == 0
    assert dead_letters_of(manager) == []
    assert _times(manager, "agents_tested_fragile") == COUNT
    assert verify(manager, projectors=[Mended])[0].ok


def test_a_letter_is_shown_with_its_event(manager: DatabaseManager) -> None:
    """A dead letter is found by projection and position, with the event as it is stored; another is not found."""
    append(manager, _events()[:1])
    ProjectionRunner(manager, [Fragile]).run_once()
    letter, event = dead_letter(manager, Fragile.name, 1)
    (stored,) = EventLog(manager).read_stored()
    assert (letter.error, letter.version, event) == ("ValueError: this memory is poison", 1, stored)
    for name, position, version in ((Fragile.name, 2, None), (Sturdy.name, 1, None), (Fragile.name, 1, 2)):
        with pytest.raises(NotFound, match=f"{name}' has none at position {position}"):
            dead_letter(manager, name, position, version)
