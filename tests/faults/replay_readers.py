"""Readers of every kind loop over a table while replays swap it under them, and note what they should not have seen.

Every event writes the number of its round into each row. A table that is missing raises, an empty or half one has too
few rows, a mixed one has two rounds, and an older one has a round that is lower than one which the reader saw before.
"""

from __future__ import annotations

import json
import random
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy.engine import make_url

from capture import DatabaseManager, Recorded
from capture.vocabulary import MemoryLearned
from projections import Integer, Key, ProjectionRunner, Projector, Rows, agents_table, handles, replay, verify
from tests.faults.nursery import born, end_of
from tests.fixtures.projectors import append

ROWS = 20
FORGED = 999
"""The key of a row that no event makes; readers look past it, and each replay has to take it away."""

SELECT = f"SELECT row, round FROM agents_tested_rounds WHERE row < {FORGED}"
THROUGH_A_VIEW = f"SELECT row, round FROM agents_tested_rounds_seen WHERE row < {FORGED}"
ROLE = "copydesk_tested_reader"

Read = Callable[[], list[tuple[int, int]]]


class _Rounds(Projector):
    def values(self, fact: Recorded[MemoryLearned]) -> dict[str, int]:
        """What stands in each row."""
        return {"round": int(fact.payload.key), "position": fact.position}

    @handles(MemoryLearned)
    def learned(self, fact: Recorded[MemoryLearned], rows: Rows) -> None:
        for number in range(ROWS):
            rows.upsert(row=number, **self.values(fact))


class Plain(_Rounds, version=1):
    """Three columns."""

    table = agents_table("tested_rounds", Key("row", of=Integer), Integer("round"), Integer("position"))


class WithColumn(_Rounds, version=2):
    """A column more."""

    table = agents_table(
        "tested_rounds", Key("row", of=Integer), Integer("more"), Integer("round"), Integer("position")
    )

    def values(self, fact: Recorded[MemoryLearned]) -> dict[str, int]:
        return {**super().values(fact), "more": 1}


class WithoutColumn(_Rounds, version=3):
    """A column less."""

    table = agents_table("tested_rounds", Key("row", of=Integer), Integer("round"))

    def values(self, fact: Recorded[MemoryLearned]) -> dict[str, int]:
        return {"round": int(fact.payload.key)}


class Watch:
    """What one reader saw, judged at once."""

    def __init__(self) -> None:
        self.reads = self.newest = 0
        self.faults: Counter[str] = Counter()

    def see(self, read: Read, *, same: int | None = None) -> int | None:
        """Read once; the round that was seen. In a snapshot it has to be the `same` as before."""
        try:
            found = read()
        except Exception as error:
            self.faults[f"{type(error).__name__}: {str(error).splitlines()[0]}"] += 1
            return same
        self.reads += 1
        rounds = {row[1] for row in found}
        if len(found) != ROWS or len(rounds) != 1:
            self.faults[f"{len(found)} rows of the rounds {sorted(rounds)}"] += 1
            return same
        (now,) = rounds
        if now < self.newest or (same is not None and now != same):
            self.faults[f"round {now} after {self.newest if same is None else same}"] += 1
        self.newest = max(self.newest, now)
        return now


def _by_the_manager(url: str, watches: list[Watch], stop: Path) -> None:
    """Threads of one process that serves, over copydesk's own manager."""
    with DatabaseManager(url) as manager:

        def read(sql: str) -> list[tuple[int, int]]:
            return [(row["row"], row["round"]) for row in manager.execute_query(sql)]

        def loop(watch: Watch, sql: str) -> None:
            while not stop.exists():
                watch.see(partial(read, sql))

        threads = [
            threading.Thread(target=loop, args=(watch, sql))
            for watch, sql in zip(watches, [SELECT, SELECT, THROUGH_A_VIEW], strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def _connect(url: str) -> Any:
    """A connection of a program that knows nothing of copydesk."""
    if url.startswith("sqlite"):
        return sqlite3.connect(make_url(url).database or "", isolation_level=None)
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(plain, autocommit=True)


def _prepared(url: str, watches: list[Watch], stop: Path) -> None:
    """A program with one prepared statement a query, for ever; SQLite's driver keeps each in its cache."""
    more: dict[str, Any] = {} if url.startswith("sqlite") else {"prepare": True}
    connection = _connect(url)
    while not stop.exists():
        for watch, sql in zip(watches, (SELECT, THROUGH_A_VIEW), strict=True):
            watch.see(lambda sql=sql: list(connection.execute(sql, **more)))  # type: ignore[misc]
    connection.close()


def _in_snapshots(url: str, watches: list[Watch], stop: Path, seconds: float) -> None:
    """A program in long REPEATABLE READ transactions, whose first look at the table comes after their snapshot."""
    begin = "BEGIN" if url.startswith("sqlite") else "BEGIN ISOLATION LEVEL REPEATABLE READ"
    connection, rng, (watch,) = _connect(url), random.Random(1), watches
    while not stop.exists():
        connection.execute(begin)
        connection.execute("SELECT position FROM agents_head").fetchall()
        time.sleep(rng.uniform(0, seconds / 4))
        until, seen = time.monotonic() + seconds, None
        while time.monotonic() < until and not stop.exists():
            seen = watch.see(lambda: list(connection.execute(SELECT)), same=seen)
            time.sleep(0.002)
        connection.execute("COMMIT")
        time.sleep(rng.uniform(seconds / 4, seconds))
    connection.close()


def _reader(url: str, kind: Callable[..., None], count: int, stop: Path, result: Path) -> None:
    watches = [Watch() for _ in range(count)]
    kind(url, watches, stop)
    result.write_text(json.dumps([[watch.reads, watch.faults] for watch in watches]))


@contextmanager
def reading(url: str, folder: Path, *, seconds: float) -> Iterator[dict[str, list[Any]]]:
    """Start readers of all kinds; when the block ends, what each saw, by kind: reads and faults.

    Args:
        url: The database.
        folder: Where they tell what they saw.
        seconds: How long a snapshot is held.
    """
    stop = folder / "stop"
    kinds: dict[str, tuple[Callable[..., None], int]] = {
        "threads": (_by_the_manager, 3),
        "prepared": (_prepared, 2),
        "snapshots": (partial(_in_snapshots, seconds=seconds), 1),
    }
    children = {
        name: born(partial(_reader, url, kind, count, stop, folder / name)) for name, (kind, count) in kinds.items()
    }
    saw: dict[str, list[Any]] = {}
    try:
        yield saw
    finally:
        stop.touch()
        for name, child in children.items():
            code = end_of(child)
            saw[name] = json.loads((folder / name).read_text()) if code == 0 else [[0, {f"ended with {code}": 1}]]


def begin(manager: DatabaseManager) -> None:
    """A table of one round with an index, a view and, on PostgreSQL, grants on both."""
    append(manager, [MemoryLearned(key="1", value=None, kind="round")])
    ProjectionRunner(manager, [Plain]).run_once()
    statements = [
        "CREATE INDEX agents_tested_by_hand ON agents_tested_rounds (round)",
        "CREATE VIEW agents_tested_rounds_seen AS SELECT row, round FROM agents_tested_rounds",
    ]
    if manager.backend.name == "postgresql":
        statements += [
            f"DO $$ BEGIN CREATE ROLE {ROLE}; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
            f"GRANT SELECT ON agents_tested_rounds, agents_tested_rounds_seen TO {ROLE}",
        ]
    with manager.transaction() as transaction:
        for statement in statements:
            transaction.connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


def replays(manager: DatabaseManager, count: int) -> list[str]:
    """Replays while events come and a runner takes them in: at a third a column is added, at two thirds one removed.

    Returns:
        What was wrong besides what readers saw.
    """
    wrong: list[str] = []
    for number in range(count):
        code = (Plain, WithColumn, WithoutColumn)[3 * number // count]
        runner, stop = ProjectionRunner(manager, [code]), threading.Event()
        running = threading.Thread(target=runner.run, args=(stop,))
        running.start()
        try:
            append(manager, [MemoryLearned(key=str(number + 2), value=None, kind="round")])
            manager.execute_write("INSERT INTO agents_tested_rounds (row, round) VALUES (?, -1)", (FORGED,))
            replay(manager, "all", projectors=[code])
        finally:
            stop.set()
            running.join()
        if manager.execute_query("SELECT row FROM agents_tested_rounds WHERE row = ?", (FORGED,)):
            wrong.append(f"a row that no event makes stands after replay {number + 1}")
    runner.run_once()
    if not verify(manager, projectors=[code])[0].ok:
        wrong.append("the table is not what the log makes")
    return wrong + _hangings(manager)


def _hangings(manager: DatabaseManager) -> list[str]:
    import sqlalchemy as sa

    with manager.connect() as connection:
        indexes = {index["name"] for index in sa.inspect(connection).get_indexes("agents_tested_rounds")}
    wrong = [] if "agents_tested_by_hand" in indexes else ["the index is gone"]
    if manager.backend.name == "postgresql":
        names = ("agents_tested_rounds", "agents_tested_rounds_seen")
        for name in names:
            (row,) = manager.execute_query(f"SELECT has_table_privilege('{ROLE}', '{name}', 'SELECT') AS may")
            wrong += [] if row["may"] else [f"the grant on {name} is gone"]
    return wrong


def faults(saw: dict[str, list[Any]]) -> list[str]:
    """What readers should not have seen, by kind."""
    return [
        f"{kind}: {times} times {fault}"
        for kind, watches in saw.items()
        for _, found in watches
        for fault, times in found.items()
    ]


def reads(saw: dict[str, list[Any]]) -> dict[str, int]:
    """How often each kind read."""
    return {kind: sum(watch[0] for watch in watches) for kind, watches in saw.items()}
