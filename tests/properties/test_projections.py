"""For any sequence of events and any batching: the tables are the fold of the events up to the checkpoint."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capture import DatabaseManager, Event, Stored
from capture.vocabulary import ErrorLearned, MemoryForgotten, MemoryLearned, PatternLearned
from projections import ProjectionRunner, as_of, diff, replay, verify
from projections.facts import decoded
from projections.folding import Plan, fold
from projections.testing import stored_events
from projections.working import Working
from tests.conftest import MakeDatabase
from tests.fixtures.projectors import ALL, POISON, append, by_hand, live

keys = st.sampled_from(["a", "b", "c"])
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=3)
values = st.one_of(st.none(), st.integers(-9, 9), texts, st.lists(st.booleans(), max_size=2))
events = st.lists(
    st.one_of(
        st.builds(MemoryLearned, key=keys, value=values, kind=st.sampled_from(["fact", "habit", POISON])),
        st.builds(MemoryForgotten, key=keys),
        st.builds(
            ErrorLearned,
            error_type=st.just("E"),
            error_hash=keys,
            solution=values,
            occurrences=st.integers(1, 2**62),
        ),
        st.builds(PatternLearned, pattern_type=keys),
    ),
    max_size=40,
)
cuts = st.lists(st.integers(1, 12), min_size=1, max_size=40)

Rows = dict[str, dict[Any, Any]]


def _folded(plan: Plan, stored: list[Stored], sizes: list[int]) -> tuple[Rows, list[int]]:
    """The rows and the dead positions of a plan over batches of these sizes, each read from what the last one wrote."""
    table: Rows = {one.full_name: {} for one in plan.tables}
    dead: list[int] = []
    left, turn = list(stored), 0
    while left:
        size = sizes[turn % len(sizes)]
        batch, left, turn = left[:size], left[size:], turn + 1

        def read(of: Any, wanted: Any) -> Iterator[Any]:
            rows = table[of.full_name]
            return iter([list(rows[key]) for key in wanted if key in rows])

        result = fold(plan, decoded(batch), lambda: Working(plan.tables, read))
        dead += [one.fact.position for one in result.dead]
        for of, written, gone in result.working.changed_rows():
            width = len(of.key_names)
            table[of.full_name].update({tuple(row[:width]): row for row in written})
            for key in gone:
                table[of.full_name].pop(key, None)
    return table, dead


@settings(max_examples=200, deadline=None)
@given(events, cuts, cuts)
def test_any_batching_gives_the_same_rows(happened: list[Event], first: list[int], second: list[int]) -> None:
    """However events are cut into batches, rows and dead letters come out the same, with an overflow in between too."""
    stored = stored_events(happened)
    for projector in ALL:
        plan = Plan(projector)
        one_by_one = _folded(plan, stored, [1])
        assert _folded(plan, stored, first) == one_by_one
        assert _folded(plan, stored, second) == one_by_one
        assert _folded(plan, stored, [len(stored) + 1]) == one_by_one


@contextmanager
def _database(backend: str, make_database: MakeDatabase) -> Iterator[DatabaseManager]:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'log.db'}" if backend == "sqlite" else make_database(backend)
        with DatabaseManager(url) as manager:
            yield manager


_small = events.map(
    lambda happened: [
        event.model_copy(update={"occurrences": 1}) if isinstance(event, ErrorLearned) else event for event in happened
    ]
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_small, _small, st.integers(1, 9), st.data())
def test_every_path_gives_the_fold(
    make_database: MakeDatabase,
    backend_name: str,
    first: list[Event],
    later: list[Event],
    size: int,
    data: st.DataObject,
) -> None:
    """Runner, replay, verify, diff and as-of agree with a fold by hand, at every position."""
    with _database(backend_name, make_database) as manager:
        for happened in (first, later):
            if happened:
                append(manager, happened)
            ProjectionRunner(manager, ALL, batch_size=size).run_once()
        head = len(first) + len(later)
        hand = by_hand(manager) if head else {table.full_name: {} for one in ALL for table in one.tables}
        assert live(manager) == hand
        assert all(one.ok and one.difference.empty for one in verify(manager, projectors=ALL))
        replay(manager, "all", projectors=ALL, skip_dead=True)
        assert live(manager) == hand
        assert all(one.empty for one in diff(manager, projectors=ALL))
        position = data.draw(st.integers(0, head))
        for projector in ALL:
            was = as_of(manager, projector.name, position, projectors=ALL)
            past = by_hand(manager, upto=position) if position else {}
            for table in projector.tables:
                expected = past.get(table.full_name, {})
                assert {
                    tuple(row[name] for name in table.key_names): row for row in was.rows[table.full_name]
                } == expected
