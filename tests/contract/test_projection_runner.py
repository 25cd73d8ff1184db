"""What a runner promises about tables and checkpoints, on both backends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from capture import CopydeskError, DatabaseManager, EventLog, NamespaceCollision, Prepared, Recorded, claim, prepare
from capture.vocabulary import ErrorLearned, MemoryLearned, PatternLearned
from projections import (
    Integer,
    Key,
    ProjectionRunner,
    Projector,
    Rows,
    StaleProjection,
    Text,
    WaitTimedOut,
    agents_table,
    dead_letters_of,
    handles,
    module_table,
    replay,
    status,
    wait_for,
)
from projections.errors import UnknownProjection
from tests.conftest import MakeDatabase
from tests.fixtures.projectors import ALL, Balances, Errors, Notes, append, by_hand, live, rows_of, some_events


def _checkpoints(manager: DatabaseManager) -> dict[str, int]:
    return {row["projection"]: row["position"] for row in manager.execute_query("SELECT * FROM agents_checkpoints")}


def test_tables_are_what_the_log_makes(manager: DatabaseManager) -> None:
    """After a run every table holds exactly what the events of the log come to."""
    append(manager, some_events(300))
    runner = ProjectionRunner(manager, ALL, batch_size=64)
    assert runner.run_once() > 0
    assert live(manager) == by_hand(manager)
    assert runner.stopped == {}
    assert runner.run_once() == 0


def test_the_batch_size_changes_nothing(make_database: MakeDatabase, backend_name: str) -> None:
    """A batch size of 1 gives the same rows as one of 10,000."""
    found = []
    for size in (1, 7, 10_000):
        with DatabaseManager(make_database(backend_name)) as manager:
            append(manager, some_events(120, poison_at=[9, 60]))
            ProjectionRunner(manager, ALL, batch_size=size).run_once()
            letters = [(one.projection, one.position, one.error) for one in dead_letters_of(manager)]
            rows = live(manager)
            for row in rows["agents_tested_errors"].values():
                del row["last_at"]  # the time of the append
            found.append((rows, letters))
    assert found[0] == found[1] == found[2]


def test_rows_are_equal_on_both_backends(make_database: MakeDatabase) -> None:
    """The same events give equal rows on SQLite and on PostgreSQL, decimals, JSON and times included."""
    found = []
    with DatabaseManager(make_database("sqlite")) as first, DatabaseManager(make_database("postgresql")) as second:
        append(first, some_events(100))
        EventLog(second).append_prepared(_prepared_again(first))
        for manager in (first, second):
            ProjectionRunner(manager, ALL).run_once()
            found.append(live(manager))
    assert found[0] == found[1]


def _prepared_again(manager: DatabaseManager) -> list[Prepared]:
    return [
        prepare(fact.payload, agent_id=fact.agent_id, event_id=fact.event_id, occurred_at=fact.occurred_at)
        for fact in EventLog(manager).read()
    ]


def test_a_checkpoint_passes_what_the_projector_does_not_handle(manager: DatabaseManager) -> None:
    """Events of other types move the checkpoint to the head, so that a projection is not behind for ever."""
    append(manager, [PatternLearned(pattern_type="x") for _ in range(30)])
    assert ProjectionRunner(manager, [Errors], batch_size=10).run_once() == 0
    assert _checkpoints(manager) == {"agents_tested_errors": 30}
    assert status(manager, [Errors])[0].state == "current"


def test_a_poison_event_is_a_dead_letter(manager: DatabaseManager) -> None:
    """An event that a handler fails on leaves no row, is recorded with the checkpoint that passes it, stops nobody."""
    append(manager, some_events(50, poison_at=[1, 20, 50]))
    ProjectionRunner(manager, ALL, batch_size=16).run_once()
    assert live(manager) == by_hand(manager)
    letters = dead_letters_of(manager)
    assert {(one.projection, one.position) for one in letters} == {
        (projector.name, position) for projector in ALL for position in (1, 20, 50)
    }
    assert letters[0].error == "ValueError: this memory is poison"
    assert letters[0].event_type == "memory.learned"
    assert set(_checkpoints(manager).values()) == {50}
    assert status(manager, [Errors])[0].dead_letters == 3


class _TooLong(Projector, version=1):
    """Writes what only the database refuses, once the test has told it to."""

    table = agents_table("tested_refused", Key("key"), Text("kind"), Integer("times"))

    @handles(MemoryLearned)
    def learned(self, fact: Recorded[MemoryLearned], rows: Rows) -> None:
        rows.at(key=fact.payload.key).set(kind=fact.payload.kind).add(times=1)


_REFUSING = {
    "sqlite": """CREATE TRIGGER agents_tested_no BEFORE INSERT ON agents_tested_refused WHEN NEW.kind = 'refused'
        BEGIN SELECT RAISE(ABORT, 'refused by a trigger'); END""",
    "postgresql": "ALTER TABLE agents_tested_refused ADD CONSTRAINT refused CHECK (kind <> 'refused')",
}


def _execute(manager: DatabaseManager, sql: str) -> None:
    with manager.transaction() as transaction:
        transaction.connection.execute(sa.text(sql))


@pytest.mark.parametrize("at", [1, 8, 16])
def test_what_the_database_refuses_is_found_by_halving(manager: DatabaseManager, at: int) -> None:
    """A row that the database refuses rolls its batch back; halving finds the event, the others are in the table."""
    ProjectionRunner(manager, [_TooLong]).run_once()
    _execute(manager, _REFUSING[manager.backend.name])
    append(
        manager,
        [MemoryLearned(key=f"k{n}", value=n, kind="refused" if n == at else "taken") for n in range(1, 17)],
    )
    assert ProjectionRunner(manager, [_TooLong]).run_once() == 15
    assert [(one.position, one.projection) for one in dead_letters_of(manager)] == [(at, "agents_tested_refused")]
    assert set(rows_of(manager, _TooLong.tables[0])) == {(f"k{n}",) for n in range(1, 17) if n != at}
    assert _checkpoints(manager) == {"agents_tested_refused": 16}


def test_trouble_with_the_table_is_no_dead_letter(manager: DatabaseManager) -> None:
    """A table that is gone stops its projection, names the reason, loses no event, and leaves the others current."""
    append(manager, some_events(20))
    ProjectionRunner(manager, ALL).run_once()
    _execute(manager, "DROP TABLE agents_tested_errors")
    append(manager, some_events(20))
    runner = ProjectionRunner(manager, ALL)
    runner.run_once()
    assert "agents_tested_errors" in runner.stopped["agents_tested_errors"]
    assert dead_letters_of(manager) == []
    assert _checkpoints(manager) == {
        "agents_tested_errors": 20,
        "agents_tested_notes": 40,
        "agents_tested_balances": 40,
    }
    stopped = {one.projection: (one.state, one.reason) for one in status(manager, ALL)}
    assert stopped["agents_tested_errors"] == ("stopped", "the table agents_tested_errors is gone; replay it")
    assert stopped["agents_tested_notes"] == ("current", "")


class _Overtaken(ProjectionRunner):
    """Lets something happen between the folding of its first batch and the write."""

    def __init__(self, manager: DatabaseManager, then: Callable[[], object], **options: int) -> None:
        super().__init__(manager, ALL, **options)
        self._then: Callable[[], object] | None = then

    def _write(self, *arguments: Any) -> Any:
        then, self._then = self._then, None
        if then is not None:
            then()
        return super()._write(*arguments)


def test_of_two_runners_one_writes_a_batch(manager: DatabaseManager) -> None:
    """A runner that another one has overtaken writes nothing of its batch, and goes on from where the other stands."""
    append(manager, some_events(100))
    other = ProjectionRunner(manager, ALL)
    _Overtaken(manager, other.run_once, batch_size=10).run_once()
    assert live(manager) == by_hand(manager)
    append(manager, some_events(30))
    assert _Overtaken(manager, other.run_once, batch_size=10).run_once() >= 0
    assert live(manager) == by_hand(manager)


def test_code_that_a_replay_has_overtaken_writes_nothing(manager: DatabaseManager) -> None:
    """A batch that was folded before a swap is not written to the new table."""
    append(manager, some_events(100))
    _Overtaken(manager, lambda: replay(manager, "all", projectors=ALL), batch_size=10).run_once()
    assert live(manager) == by_hand(manager)
    assert {row["generation"] for row in manager.execute_query("SELECT generation FROM agents_checkpoints")} == {2}


def test_many_runners_at_once(manager: DatabaseManager) -> None:
    """Runners in threads, from an empty database on, make the tables once and apply every event once."""
    append(manager, some_events(400))
    runners = [ProjectionRunner(manager, ALL, batch_size=20) for _ in range(4)]
    threads = [threading.Thread(target=runner.run_once) for runner in runners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [runner.stopped for runner in runners] == [{}] * 4
    assert live(manager) == by_hand(manager)


def test_run_follows_the_log_until_it_is_stopped(manager: DatabaseManager) -> None:
    """`run` holds the leases, brings in what comes, and gives the leases back at the end."""
    stop = threading.Event()
    thread = threading.Thread(target=ProjectionRunner(manager, ALL).run, args=(stop,))
    thread.start()
    try:
        for _ in range(5):
            append(manager, some_events(20))
        for projector in ALL:
            wait_for(100, projector, 30, manager=manager)
        assert all(one.holder is not None and one.state == "current" for one in status(manager, ALL))
    finally:
        stop.set()
        thread.join()
    assert live(manager) == by_hand(manager)
    assert manager.execute_query("SELECT * FROM agents_leases") == []


def test_only_the_named_projections_run(manager: DatabaseManager) -> None:
    """`only` brings the named projections up to date and no other; an unknown name is an error that lists them."""
    append(manager, some_events(30))
    runner = ProjectionRunner(manager, ALL)
    runner.run_once("agents_tested_notes")
    assert _checkpoints(manager) == {"agents_tested_notes": 30}
    with pytest.raises(UnknownProjection, match="agents_tested_errors"):
        runner.run_once(["agents_nothing"])


class _Changed(Errors, version=2):
    """As Errors, under another version: its table is another table."""


def test_a_table_of_other_code_is_left_alone(manager: DatabaseManager) -> None:
    """When the fingerprint does not match, the runner leaves the live table as it is and the status says what to do."""
    append(manager, some_events(30))
    ProjectionRunner(manager, [Errors]).run_once()
    before = rows_of(manager, Errors.tables[0])
    append(manager, some_events(30))
    runner = ProjectionRunner(manager, [_Changed, Notes])
    runner.run_once()
    assert rows_of(manager, Errors.tables[0]) == before
    stale, current = status(manager, [_Changed, Notes])
    assert (stale.state, stale.position, stale.lag) == ("stale", 30, 30)
    assert stale.reason == "replay needed: its tables were made by version 1 of the projector, this is 2"
    assert current.state == "current"
    with pytest.raises(StaleProjection, match="replay needed"):
        wait_for(60, _Changed, 30, manager=manager)


class _Intruder(Projector, version=1):
    """Wants a table whose full name another module's table has."""

    table = module_table("chat", "rules_users", Key("user_id"))

    @handles(ErrorLearned)
    def learned(self, fact: Recorded[ErrorLearned], rows: Rows) -> None:
        rows.upsert(user_id=fact.agent_id)


def test_a_full_name_has_one_owner(manager: DatabaseManager) -> None:
    """A projector whose table's full name another owner has is stopped, and both owners are named."""
    append(manager, some_events(10))
    manager.ensure_schema()
    with manager.transaction() as transaction:
        claim(transaction, "modules_chat_rules_users", "modules", "chat_rules", "users")
    runner = ProjectionRunner(manager, [_Intruder, Notes])
    runner.run_once()
    reason = runner.stopped["modules_chat_rules_users"]
    assert "users of chat_rules" in reason
    assert "rules_users of chat" in reason
    assert status(manager, [Notes])[0].state == "current"
    assert status(manager, [_Intruder])[0].position == 0


class _Renamed(Projector, version=1):
    """The same full name and columns as another projector's, of another owner."""

    table = module_table("chat_rules", "users", Key("user_id"))

    @handles(ErrorLearned)
    def learned(self, fact: Recorded[ErrorLearned], rows: Rows) -> None:
        rows.upsert(user_id=fact.agent_id)


def test_another_owners_projection_is_not_taken_over(manager: DatabaseManager) -> None:
    """A projector of another owner finds the table stale, and its replay is refused before anything is made."""
    append(manager, some_events(10))
    ProjectionRunner(manager, [_Intruder]).run_once()
    ProjectionRunner(manager, [_Renamed]).run_once()
    assert status(manager, [_Renamed])[0].state == "stale"
    with pytest.raises(NamespaceCollision):
        replay(manager, projectors=[_Renamed])
    assert rows_of(manager, _Intruder.tables[0]) == {("a",): {"user_id": "a"}}


def test_wait_for_tells_when_it_was_too_long(manager: DatabaseManager) -> None:
    """`wait_for` gives the position of an event once it is in the table, and says where the table stands if not."""
    append(manager, some_events(3))
    ProjectionRunner(manager, [Notes]).run_once()
    event_id = next(iter(EventLog(manager).read(after=1))).event_id
    assert wait_for(event_id, Notes, 0, manager=manager) == 2
    with pytest.raises(WaitTimedOut, match="it stands at 3"):
        wait_for(4, Notes, 0.02, manager=manager)
    with pytest.raises(CopydeskError):
        wait_for("00000000-0000-7000-8000-000000000000", Notes, 0.02, manager=manager)


def test_a_restored_log_stops_what_is_ahead_of_it(manager: DatabaseManager) -> None:
    """A checkpoint beyond the head is told as such and a replay brings it back to what the log holds."""
    append(manager, some_events(30))
    ProjectionRunner(manager, [Notes]).run_once()
    manager.execute_write("UPDATE agents_checkpoints SET position = 99")
    runner = ProjectionRunner(manager, [Notes])
    runner.run_once()
    assert "the log ends at 30" in runner.stopped["agents_tested_notes"]
    assert status(manager, [Notes])[0].state == "stopped"
    assert [one.position for one in replay(manager, projectors=[Notes])] == [30]
    assert status(manager, [Notes])[0].state == "current"


def test_a_keyed_fold_reads_what_it_needs(manager: DatabaseManager) -> None:
    """A keyed fold goes on from the stored value after each batch, and keeps its counters right."""
    for part in range(4):
        append(manager, some_events(10 * part + 7))
        ProjectionRunner(manager, [Balances], batch_size=5).run_once()
        hand = by_hand(manager)
        for table in Balances.tables:
            assert rows_of(manager, table) == hand[table.full_name]
