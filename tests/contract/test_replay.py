"""What a replay promises: the same table, made again, while the old one serves."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from capture import DatabaseManager, EventLog, Recorded
from capture.vocabulary import ErrorLearned, MemoryLearned
from projections import (
    Integer,
    Json,
    Key,
    Progress,
    ProjectionRunner,
    Projector,
    ReplayRunning,
    ReplayStopped,
    Rows,
    Text,
    Timestamp,
    ViewInTheWay,
    agents_table,
    dead_letters_of,
    diff,
    handles,
    replay,
    status,
    verify,
)
from projections import lease as leases
from tests.fixtures.projectors import ALL, POISON, Errors, Notes, append, by_hand, live, rows_of, some_events


class Interrupted(BaseException):
    """Ends a replay as a kill does: nothing of copydesk's own handles it."""


def _execute(manager: DatabaseManager, *statements: str) -> None:
    with manager.transaction() as transaction:
        for statement in statements:
            transaction.connection.execute(sa.text(statement))


def test_a_replay_gives_the_live_table(manager: DatabaseManager) -> None:
    """A replayed table equals the one that the runner made; the log and other tables are as they were."""
    append(manager, some_events(500))
    ProjectionRunner(manager, ALL, batch_size=37).run_once()
    before = live(manager)
    done = replay(manager, "all", projectors=ALL)
    assert live(manager) == before == by_hand(manager)
    assert [(one.projection, one.position, one.generation) for one in done] == [
        (name, 500, 2) for name in sorted(projector.name for projector in ALL)
    ]
    assert EventLog(manager).head() == 500
    names = [row["projection"] for row in manager.execute_query("SELECT projection FROM agents_checkpoints")]
    assert not [name for name in names if "shadow" in name]
    append(manager, some_events(50))
    ProjectionRunner(manager, ALL).run_once()
    assert live(manager) == by_hand(manager)


def test_a_row_that_the_log_cannot_make_is_gone(manager: DatabaseManager) -> None:
    """What somebody wrote into a read table by hand is found by `diff` and `verify`, and gone after a replay."""
    append(manager, some_events(60))
    ProjectionRunner(manager, ALL).run_once()
    manager.execute_write("INSERT INTO agents_tested_notes (agent_id, key, kind) VALUES ('x', 'forged', 'f')")
    manager.execute_write("UPDATE agents_tested_errors SET occurrences = 99 WHERE error_hash = 'h1'")
    (forged,) = diff(manager, "agents_tested_notes", projectors=ALL)
    assert (forged.added, forged.changed, forged.gone) == (0, 0, 1)
    assert forged.sample[0].key == {"agent_id": "x", "key": "forged"}
    assert [(one.projection, one.ok) for one in verify(manager, projectors=ALL)] == [
        ("agents_tested_balances", True),
        ("agents_tested_errors", False),
        ("agents_tested_notes", False),
    ]
    replay(manager, ["agents_tested_notes", "agents_tested_errors"], projectors=ALL)
    assert live(manager) == by_hand(manager)
    assert all(one.ok for one in verify(manager, projectors=ALL))


def test_only_what_is_stale_is_replayed(manager: DatabaseManager) -> None:
    """Without a name, a replay rebuilds the tables that other code made and no other."""
    append(manager, some_events(40))
    ProjectionRunner(manager, ALL).run_once()
    assert replay(manager, projectors=ALL) == []
    assert [one.projection for one in replay(manager, projectors=[WithColumn, Notes])] == ["agents_tested_errors"]
    generations = manager.execute_query("SELECT projection, generation FROM agents_checkpoints ORDER BY projection")
    assert [row["generation"] for row in generations] == [1, 2, 1]


class WithColumn(Projector, version=2):
    """Errors with one column more and one column less."""

    table = agents_table(
        "tested_errors",
        Key("agent_id"),
        Key("error_hash"),
        Integer("occurrences"),
        Text("error_type"),
        Json("seen"),
        indexes=[("error_type", "occurrences")],
    )

    @handles(ErrorLearned)
    def learned(self, fact: Recorded[ErrorLearned], rows: Rows) -> None:
        row = rows.at(agent_id=fact.agent_id, error_hash=fact.payload.error_hash)
        row.add(occurrences=fact.payload.occurrences).set(error_type=fact.payload.error_type).append(seen=fact.position)


def test_columns_come_and_go(manager: DatabaseManager) -> None:
    """New code with other columns: `diff` names them and the rows beforehand, and the replay brings them in."""
    append(manager, some_events(90))
    ProjectionRunner(manager, [Errors]).run_once()
    (seen,) = diff(manager, projectors=[WithColumn])
    assert seen.new_columns == ("agents_tested_errors.error_type",)
    assert seen.old_columns == ("agents_tested_errors.last_at", "agents_tested_errors.solution")
    assert seen.changed == len(rows_of(manager, Errors.tables[0])) > 0
    replay(manager, projectors=[WithColumn])
    (after,) = diff(manager, projectors=[WithColumn])
    assert after.empty
    assert status(manager, [WithColumn])[0].state == "current"
    assert {row["error_type"] for row in rows_of(manager, WithColumn.tables[0]).values()} == {"E"}


def test_an_interrupted_replay_goes_on(manager: DatabaseManager) -> None:
    """A replay that was cut off goes on from its last commit, and the old table served untouched meanwhile."""
    append(manager, some_events(3_500))
    ProjectionRunner(manager, ALL).run_once()
    before = live(manager)
    pages: list[int] = []

    def cut(progress: Progress) -> None:
        pages.append(progress.position)
        if len(pages) == 2:
            raise Interrupted

    with pytest.raises(Interrupted):
        replay(manager, "all", cut, projectors=ALL, commit_seconds=0)
    assert live(manager) == before
    rebuilding = {one.projection: one.rebuilding for one in status(manager, ALL)}
    assert all(position is not None and 1_000 <= position < 3_500 for position in rebuilding.values())
    handled = {one.projection: one.events for one in replay(manager, "all", projectors=ALL)}
    whole = {one.projection: one.events for one in replay(manager, "all", projectors=ALL, anew=True)}
    assert all(0 < handled[name] < whole[name] for name in whole)
    assert live(manager) == by_hand(manager)


def test_what_other_code_left_is_not_gone_on_with(manager: DatabaseManager) -> None:
    """A shadow that other code began is thrown away: rows of two versions never stand in one table."""
    append(manager, some_events(2_500))
    ProjectionRunner(manager, [Errors]).run_once()

    def cut(progress: Progress) -> None:
        if progress.position >= 1_000:
            raise Interrupted

    with pytest.raises(Interrupted):
        replay(manager, "all", cut, projectors=[Errors], commit_seconds=0)
    replay(manager, projectors=[WithColumn])
    assert diff(manager, projectors=[WithColumn])[0].empty


def test_a_poison_event_stops_its_replay(manager: DatabaseManager) -> None:
    """A replay stops at an event that its projector can't handle, names it, and leaves the old table as it was."""
    append(manager, some_events(30, poison_at=[12]))
    ProjectionRunner(manager, ALL).run_once()
    before = live(manager)
    with pytest.raises(ReplayStopped, match=r"position 12 .*this memory is poison") as stopped:
        replay(manager, "agents_tested_notes", projectors=ALL)
    assert stopped.value.position == 12
    assert live(manager) == before
    (done,) = replay(manager, "agents_tested_notes", projectors=ALL, skip_dead=True)
    assert (done.position, done.passed) == (30, 1)
    assert live(manager) == by_hand(manager)
    assert [one.position for one in dead_letters_of(manager, "agents_tested_notes")] == [12]


def test_one_poisoned_projection_holds_up_no_other(manager: DatabaseManager) -> None:
    """When one projection of a pass can't go on, the others are rebuilt and swapped all the same."""
    append(manager, [MemoryLearned(key="k", value=1, kind="fact"), *some_events(30)])
    ProjectionRunner(manager, [Notes, OnlyErrors]).run_once()
    append(manager, [MemoryLearned(key="k", value=1, kind=POISON)])
    with pytest.raises(ReplayStopped, match="agents_tested_notes"):
        replay(manager, "all", projectors=[Notes, OnlyErrors])
    assert [one.generation for one in status(manager, [Notes, OnlyErrors])] == [1, 2]


class OnlyErrors(Projector, version=1):
    """Handles no memories."""

    table = agents_table("tested_only_errors", Key("error_hash"), Integer("times"))

    @handles(ErrorLearned)
    def learned(self, fact: Recorded[ErrorLearned], rows: Rows) -> None:
        rows.at(error_hash=fact.payload.error_hash).add(times=1)


class Cured(Projector, version=2):
    """Notes, by code that takes the poison."""

    table = agents_table("tested_notes", Key("agent_id"), Key("key"), Json("value"), Text("kind"))

    @handles(MemoryLearned)
    def learned(self, fact: Recorded[MemoryLearned], rows: Rows) -> None:
        memory = fact.payload
        rows.upsert(agent_id=fact.agent_id, key=memory.key, value=memory.value, kind=memory.kind)


def test_a_dead_letter_is_cured_by_new_code(manager: DatabaseManager) -> None:
    """A fault under version 1 does not hold up version 2, whose replay takes the event in and the letter away."""
    append(manager, some_events(30, poison_at=[28]))
    ProjectionRunner(manager, [Notes]).run_once()
    assert [one.version for one in dead_letters_of(manager)] == [1]
    replay(manager, projectors=[Cured])
    assert dead_letters_of(manager) == []
    assert POISON in {row["kind"] for row in rows_of(manager, Cured.tables[0]).values()}


def test_one_replay_at_a_time(manager: DatabaseManager) -> None:
    """A second replay of a projection is refused while the first one's process lives."""
    append(manager, some_events(10))
    held = leases.acquire(manager, "agents_tested_notes@replay", "elsewhere:1:a")
    assert held is not None
    with pytest.raises(ReplayRunning):
        replay(manager, "agents_tested_notes", projectors=ALL)
    leases.release(manager, held)
    assert len(replay(manager, "agents_tested_notes", projectors=ALL)) == 1


def test_progress_is_told(manager: DatabaseManager) -> None:
    """Progress rises to the head, with a rate, the time left and the phase."""
    append(manager, some_events(2_200))
    told: list[Progress] = []
    replay(manager, "all", told.append, projectors=ALL)
    folding = [one for one in told if one.phase == "folding"]
    assert [one.position for one in folding] == sorted(one.position for one in folding)
    assert folding[-1].position == folding[-1].head == 2_200
    assert all(one.rate > 0 and one.seconds_left is not None for one in folding)
    assert told[-1].phase == "swapping"


def test_a_view_that_would_break_is_named_first(manager: DatabaseManager) -> None:
    """A view that needs a removed column is named before the replay does anything; the live table is untouched."""
    append(manager, some_events(30))
    ProjectionRunner(manager, [Errors]).run_once()
    _execute(
        manager,
        "CREATE VIEW agents_tested_solved AS SELECT error_hash, solution FROM agents_tested_errors",
        "CREATE VIEW agents_tested_many AS SELECT error_hash, occurrences FROM agents_tested_errors",
    )
    with pytest.raises(ViewInTheWay, match="agents_tested_solved") as refused:
        replay(manager, projectors=[WithColumn])
    assert refused.value.exit_code == 3
    assert status(manager, [Errors])[0].state == "current"
    assert manager.execute_query("SELECT count(*) AS n FROM agents_tested_solved")[0]["n"] > 0
    _execute(manager, "DROP VIEW agents_tested_solved")
    replay(manager, projectors=[WithColumn])
    assert manager.execute_query("SELECT count(*) AS n FROM agents_tested_many")[0]["n"] > 0


def test_views_over_views_go_on(manager: DatabaseManager) -> None:
    """Views, and views over views, show the new table after a swap."""
    append(manager, some_events(60))
    ProjectionRunner(manager, ALL).run_once()
    _execute(
        manager,
        "CREATE VIEW agents_tested_a AS SELECT agent_id, key, kind FROM agents_tested_notes WHERE key LIKE 'k%'",
        "CREATE VIEW agents_tested_b AS SELECT a.kind, count(*) AS n FROM agents_tested_a AS a GROUP BY a.kind",
    )
    for _ in range(3):
        append(manager, [MemoryLearned(key=f"k-new-{_}", value=1, kind="brand new")])
        replay(manager, "all", projectors=ALL)
        ProjectionRunner(manager, ALL).run_once()
    counts = {row["kind"]: row["n"] for row in manager.execute_query("SELECT kind, n FROM agents_tested_b")}
    assert counts["brand new"] == 3


def _indexes(manager: DatabaseManager, table: str) -> set[tuple[str, tuple[Any, ...]]]:
    with manager.connect() as connection:
        found = sa.inspect(connection).get_indexes(table)
    return {(str(index["name"]), tuple(index["column_names"])) for index in found}


def test_indexes_stand(manager: DatabaseManager) -> None:
    """After a swap the table has its declared indexes under the new generation, and those that a person made."""
    append(manager, some_events(20))
    ProjectionRunner(manager, [Errors]).run_once()
    _execute(manager, "CREATE INDEX agents_tested_by_hand ON agents_tested_errors (last_at, error_hash)")
    for generation in (2, 3):
        replay(manager, "all", projectors=[Errors])
        assert _indexes(manager, "agents_tested_errors") == {
            (f"agents_tested_errors_g{generation}_1", ("occurrences",)),
            ("agents_tested_by_hand", ("last_at", "error_hash")),
        }
        with manager.connect() as connection:
            assert sa.inspect(connection).get_pk_constraint("agents_tested_errors")["constrained_columns"] == [
                "agent_id",
                "error_hash",
            ]


def test_no_shadow_is_left(manager: DatabaseManager) -> None:
    """After replays there is no table but the live ones."""
    append(manager, some_events(20))
    replay(manager, "all", projectors=ALL)
    replay(manager, "all", projectors=ALL)
    with manager.connect() as connection:
        names = sa.inspect(connection).get_table_names()
    assert sorted(name for name in names if "tested" in name) == sorted(
        table.full_name for projector in ALL for table in projector.tables
    )


class Timed(Projector, version=1):
    """Holds a time, which the two backends store in their own ways."""

    table = agents_table("tested_times", Key("at", of=Timestamp), Key("position", of=Integer), Text("kind"))

    @handles(MemoryLearned)
    def learned(self, fact: Recorded[MemoryLearned], rows: Rows) -> None:
        rows.at(at=fact.occurred_at, position=fact.position).set(kind=fact.payload.kind)
        rows.at(at=fact.occurred_at, position=fact.position).first(kind="never")


def test_keys_of_every_kind_are_found_again(manager: DatabaseManager) -> None:
    """Rows whose key is a time or a number are read, written and deleted by that key."""
    append(manager, some_events(40))
    ProjectionRunner(manager, [Timed], batch_size=3).run_once()
    assert len(rows_of(manager, Timed.tables[0])) == sum(
        isinstance(fact.payload, MemoryLearned) for fact in EventLog(manager).read()
    )
    replay(manager, "all", projectors=[Timed])
    assert verify(manager, projectors=[Timed])[0].ok
