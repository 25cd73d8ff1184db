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
from tests.fixtures.projectors import ALL, POISON, Balances, Errors, Notes, append, by_hand, live

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

_tampering = st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["lose", "change", "forge"])), max_size=3)
_FORGED = {
    Errors: "INSERT INTO agents_tested_errors (agent_id, error_hash) VALUES ('x', 'forged-{number}')",
    Notes: "INSERT INTO agents_tested_kinds (kind, made) VALUES ('forged-{number}', 1)",
    Balances: "INSERT INTO agents_tested_balances (key, folded) VALUES ('forged-{number}', '{{}}')",
}
_CHANGED = {
    Errors: "UPDATE agents_tested_errors SET occurrences = occurrences + 1 WHERE error_hash = '{key}'",
    Notes: "UPDATE agents_tested_notes SET kind = kind || '!' WHERE key = '{key}'",
    Balances: "UPDATE agents_tested_balances SET times = times + 1 WHERE key = '{key}'",
}
_LOST = {
    Errors: "DELETE FROM agents_tested_errors WHERE error_hash = '{key}'",
    Notes: "DELETE FROM agents_tested_notes WHERE key = '{key}'",
    Balances: "DELETE FROM agents_tested_balances WHERE key = '{key}'",
}


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_diff_is_empty_if_and_only_if_verify_passes(
    make_database: MakeDatabase, backend_name: str, data: st.DataObject
) -> None:
    """Whatever was lost, changed or forged in the tables, `diff`, `verify` and a comparison by hand say the same."""
    happened = data.draw(_small)
    with _database(backend_name, make_database) as manager:
        if happened:
            append(manager, happened)
        ProjectionRunner(manager, ALL).run_once()
        hand = by_hand(manager) if happened else {table.full_name: {} for one in ALL for table in one.tables}
        tampered = data.draw(st.lists(st.sampled_from(ALL), max_size=2, unique=True))
        for projector in tampered:
            for number, how in data.draw(_tampering):
                text = {"lose": _LOST, "change": _CHANGED, "forge": _FORGED}[how][projector]
                sql = text.format(key="abc"[number % 3], number=number)
                manager.execute_write(sql + (" ON CONFLICT DO NOTHING" if how == "forge" else ""))
        rows = live(manager)
        whole = {one.name: all(rows[table.full_name] == hand[table.full_name] for table in one.tables) for one in ALL}
        found = {one.projection: one for one in diff(manager, projectors=ALL)}
        assert {name: one.empty for name, one in found.items()} == whole
        assert {one.projection: one.ok for one in verify(manager, projectors=ALL)} == whole
        expected = {
            one.name: sum(len(_unlike(rows[table.full_name], hand[table.full_name])) for table in one.tables)
            for one in ALL
        }
        assert {name: one.added + one.changed + one.gone for name, one in found.items()} == expected


def _unlike(one: Any, other: Any) -> set[Any]:
    return {key for key in {*one, *other} if one.get(key) != other.get(key)}


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
