"""What readers see while tables are swapped under them: always a whole table, never an older one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from capture import DatabaseManager, EventLog, Recorded
from capture.vocabulary import MemoryLearned
from projections import (
    Integer,
    Key,
    ProjectionRunner,
    Projector,
    Rows,
    SwapHeldUp,
    agents_table,
    handles,
    replay,
    verify,
)
from projections.folding import Plan
from projections.shadow import Shadow
from projections.swap import swap
from tests.conftest import MakeDatabase
from tests.fixtures.projectors import append

ROWS = 20


class Rounds(Projector, version=1):
    """Every event writes the number of its round into each of its rows: a mixed table would show two rounds."""

    table = agents_table("tested_rounds", Key("row", of=Integer), Integer("round"), Integer("position"))

    @handles(MemoryLearned)
    def learned(self, fact: Recorded[MemoryLearned], rows: Rows) -> None:
        for number in range(ROWS):
            rows.upsert(row=number, round=int(fact.payload.key), position=fact.position)


class Reader:
    """Reads the table in a loop until it is stopped, and keeps what it should not have seen."""

    def __init__(self, read: Callable[[], list[tuple[int, int]]]) -> None:
        self._read = read
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop)
        self.faults: list[str] = []
        self.reads = 0

    def _loop(self) -> None:
        newest = 0
        while not self._stop.is_set():
            try:
                found = self._read()
            except Exception as error:
                self.faults.append(f"{type(error).__name__}: {error}")
                return
            rounds = {row[1] for row in found}
            if len(found) != ROWS or len(rounds) != 1:
                self.faults.append(f"{len(found)} rows of the rounds {rounds}")
                return
            if max(rounds) < newest:
                self.faults.append(f"round {max(rounds)} after round {newest}")
                return
            newest = max(rounds)
            self.reads += 1

    def __enter__(self) -> Reader:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def _reads(manager: DatabaseManager) -> Callable[[], list[tuple[int, int]]]:
    def read() -> list[tuple[int, int]]:
        found = manager.execute_query("SELECT row, round FROM agents_tested_rounds")
        return [(row["row"], row["round"]) for row in found]

    return read


def test_a_reader_never_notices_a_swap(manager: DatabaseManager) -> None:
    """Readers of the table, while events come, a runner runs and replays swap: whole, of one round, never older."""
    append(manager, [MemoryLearned(key="1", value=None, kind="round")])
    runner = ProjectionRunner(manager, [Rounds])
    runner.run_once()
    stop = threading.Event()
    running = threading.Thread(target=runner.run, args=(stop,))
    readers = [Reader(_reads(manager)), Reader(_reads(manager))]
    running.start()
    try:
        with readers[0], readers[1]:
            for number in range(2, 22):
                append(manager, [MemoryLearned(key=str(number), value=None, kind="round")])
                replay(manager, "all", projectors=[Rounds])
    finally:
        stop.set()
        running.join()
    assert [reader.faults for reader in readers] == [[], []]
    assert min(reader.reads for reader in readers) > 20
    ProjectionRunner(manager, [Rounds]).run_once()
    assert verify(manager, projectors=[Rounds])[0].ok


@contextmanager
def _session(manager: DatabaseManager) -> Iterator[sa.Connection]:
    """A connection as another program has one."""
    with manager.backend.open() as connection:
        yield connection


def _tell_of(told: list[str]) -> Callable[[object], None]:
    def tell(progress: object) -> None:
        message = getattr(progress, "message", "")
        if message:
            told.append(message)

    return tell


@pytest.fixture
def postgresql(make_database: MakeDatabase) -> Iterator[DatabaseManager]:
    """PostgreSQL alone, with a table of one round: SQLite readers keep their snapshot of the whole file."""
    with DatabaseManager(make_database("postgresql")) as manager:
        append(manager, [MemoryLearned(key="1", value=None, kind="round")])
        ProjectionRunner(manager, [Rounds]).run_once()
        yield manager


READ = "SELECT row, round FROM agents_tested_rounds"


def test_an_old_snapshot_holds_the_swap_up(postgresql: DatabaseManager) -> None:
    """PostgreSQL: a snapshot from before the shadow was filled would see an empty table, so the swap waits for it."""
    told: list[str] = []
    with _session(postgresql) as reader:
        reader.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ")
        reader.exec_driver_sql("SELECT 1")  # takes the snapshot, and no lock on the table
        with pytest.raises(SwapHeldUp, match="the swap waits for process"):
            replay(postgresql, "all", _tell_of(told), projectors=[Rounds], patience=0.3)
        assert len(reader.exec_driver_sql(READ).all()) == ROWS
        reader.exec_driver_sql("ROLLBACK")
    assert told
    assert "in a transaction since" in told[0]
    assert [one.generation for one in replay(postgresql, "all", projectors=[Rounds])] == [2]
    assert len(_reads(postgresql)()) == ROWS


def test_a_snapshot_sees_the_last_events_too(postgresql: DatabaseManager) -> None:
    """PostgreSQL: a snapshot that saw the live table further than the shadow's commits holds the swap up too."""
    shadow = Shadow(postgresql, Plan(Rounds))
    shadow.begin()
    shadow.catch_up(EventLog(postgresql), 1)
    append(postgresql, [MemoryLearned(key="2", value=None, kind="round")])
    ProjectionRunner(postgresql, [Rounds]).run_once()
    with _session(postgresql) as reader:
        reader.exec_driver_sql("BEGIN ISOLATION LEVEL REPEATABLE READ")
        assert reader.exec_driver_sql("SELECT position FROM agents_checkpoints WHERE generation = 1").all() == [(2,)]
        with pytest.raises(SwapHeldUp):
            swap(postgresql, EventLog(postgresql), shadow, patience=0.1)
        assert {row[1] for row in reader.exec_driver_sql(READ)} == {2}
        reader.exec_driver_sql("ROLLBACK")
    assert swap(postgresql, EventLog(postgresql), shadow).position == 2
    assert {row[1] for row in _reads(postgresql)()} == {2}


def test_a_reader_that_stays_is_told_of_and_waited_for(postgresql: DatabaseManager) -> None:
    """PostgreSQL: who holds the table is named, later readers do not queue up, and the swap goes on afterwards."""
    told: list[str] = []
    done: list[object] = []
    with _session(postgresql) as reader:
        reader.exec_driver_sql("BEGIN")
        reader.exec_driver_sql(READ)
        thread = threading.Thread(
            target=lambda: done.append(replay(postgresql, "all", _tell_of(told), projectors=[Rounds]))
        )
        thread.start()
        until = time.monotonic() + 30
        slowest = 0.0
        while len(told) < 3 and time.monotonic() < until:
            began = time.monotonic()
            assert len(_reads(postgresql)()) == ROWS
            slowest = max(slowest, time.monotonic() - began)
        reader.exec_driver_sql("ROLLBACK")
    thread.join(60)
    assert len(told) >= 3
    assert "idle in transaction" in told[0]
    assert slowest < 2.0
    assert done
    assert verify(postgresql, projectors=[Rounds])[0].ok


def test_steady_readers_of_a_view_do_not_hold_a_swap_up(postgresql: DatabaseManager) -> None:
    """PostgreSQL: readers of a view hold it while they wait for its table, so the swap locks views before tables."""
    _execute(postgresql, "CREATE VIEW agents_tested_seen AS SELECT row, round FROM agents_tested_rounds")

    def read() -> list[tuple[int, int]]:
        found = postgresql.execute_query("SELECT row, round FROM agents_tested_seen")
        return [(row["row"], row["round"]) for row in found]

    readers = [Reader(read) for _ in range(4)]
    with readers[0], readers[1], readers[2], readers[3]:
        for generation in (2, 3):
            (done,) = replay(postgresql, "all", projectors=[Rounds], patience=20)
            assert done.generation == generation
    assert [reader.faults for reader in readers] == [[]] * 4


def _grants(manager: DatabaseManager, name: str) -> set[tuple[str, str, bool]]:
    found = manager.execute_query(
        "SELECT coalesce(r.rolname, 'PUBLIC') AS who, g.privilege_type AS what, g.is_grantable AS further "
        "FROM pg_class c CROSS JOIN LATERAL aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) g "
        "LEFT JOIN pg_roles r ON r.oid = g.grantee WHERE c.relname = ?",
        (name,),
    )
    return {(row["who"], row["what"], row["further"]) for row in found}


def test_grants_owners_and_views_stand(postgresql: DatabaseManager) -> None:
    """PostgreSQL: grants on the table, its columns and its views, owners, options and comments are as before a swap."""
    role, owner = "copydesk_tested_reader", "copydesk_tested_owner"
    _execute(
        postgresql,
        f"DO $$ BEGIN CREATE ROLE {role}; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        f"DO $$ BEGIN CREATE ROLE {owner}; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        f"GRANT SELECT ON agents_tested_rounds TO {role} WITH GRANT OPTION",
        f"GRANT UPDATE (round) ON agents_tested_rounds TO {role}",
        f"GRANT SELECT ON agents_tested_rounds TO {owner}",
        "CREATE VIEW agents_tested_view WITH (security_barrier = true) AS "
        "SELECT row, 'a % sign; and a '' quote' AS said FROM agents_tested_rounds",
        "CREATE VIEW agents_tested_above AS SELECT count(*) AS n FROM agents_tested_view",
        "COMMENT ON VIEW agents_tested_view IS 'it''s read by 100 %'",
        f"GRANT SELECT ON agents_tested_view TO {role}",
        "GRANT SELECT ON agents_tested_above TO PUBLIC",
        f"ALTER VIEW agents_tested_view OWNER TO {owner}",
        "CREATE MATERIALIZED VIEW agents_tested_stored AS SELECT row, round FROM agents_tested_rounds",
        "CREATE UNIQUE INDEX agents_tested_stored_row ON agents_tested_stored (row)",
    )
    names = ("agents_tested_rounds", "agents_tested_view", "agents_tested_above", "agents_tested_stored")
    facts = (
        "SELECT c.relname, pg_get_userbyid(c.relowner) AS owner, c.reloptions, "
        "obj_description(c.oid, 'pg_class') AS comment, pg_get_viewdef(c.oid) AS view FROM pg_class c "
        "WHERE c.relname LIKE 'agents_tested_%' AND c.relkind IN ('v', 'm') ORDER BY 1"
    )
    columns = "SELECT attname, attacl::text FROM pg_attribute WHERE attacl IS NOT NULL AND attname = 'round'"
    before = [_grants(postgresql, name) for name in names], postgresql.execute_query(facts)
    column_grants = postgresql.execute_query(columns)
    assert column_grants
    for _ in range(2):
        replay(postgresql, "all", projectors=[Rounds])
        assert ([_grants(postgresql, name) for name in names], postgresql.execute_query(facts)) == before
        assert postgresql.execute_query(columns) == column_grants
    assert postgresql.execute_query("SELECT n FROM agents_tested_above") == [{"n": ROWS}]
    assert postgresql.execute_query("SELECT count(*) AS n FROM agents_tested_stored") == [{"n": ROWS}]
    with postgresql.connect() as connection:
        assert [index["name"] for index in sa.inspect(connection).get_indexes("agents_tested_stored")] == [
            "agents_tested_stored_row"
        ]


def _execute(manager: DatabaseManager, *statements: str) -> None:
    with manager.transaction() as transaction:
        for statement in statements:
            transaction.connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
