"""No reader skips an event, however many threads and processes write."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from capture import DatabaseManager, EventLog
from capture.database.manager import Transaction
from capture.eventlog import insertion
from capture.eventlog.follower import Follower
from capture.events.prepare import prepare
from capture.vocabulary import MemoryLearned

EMITTER = Path(__file__).with_name("emitter.py")
ROOT = EMITTER.parents[2]


class Tail(threading.Thread):
    """Follows the log while others write, and keeps the positions that it saw."""

    def __init__(self, log: EventLog) -> None:
        super().__init__()
        self.seen: list[int] = []
        self._follower, self._stop_asked = Follower(log), threading.Event()

    def run(self) -> None:
        self.seen += [event.position for event in self._follower.until(self._stop_asked)]

    def finish(self) -> list[int]:
        self._stop_asked.set()
        self.join()
        return self.seen


def test_three_processes_of_four_threads_lose_nothing(database_url: str, tmp_path: Path) -> None:
    """1,000 events from 4 threads in each of 3 processes: dense, each acknowledged id once, seen by a tail in order."""
    environment = {
        **os.environ,
        "DATABASE_URL": database_url,
        "COPYDESK_JOURNAL": str(tmp_path / "journal"),
        "PYTHONPATH": str(ROOT),
    }
    with DatabaseManager(database_url) as manager:
        log = EventLog(manager)
        assert log.head() == 0
        tail = Tail(log)
        tail.start()
        command = [sys.executable, str(EMITTER), "1000", "4"]
        emitters = [
            subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
            for _ in range(3)
        ]
        outputs = [emitter.communicate(timeout=120)[0] for emitter in emitters]
        seen = tail.finish()
        assert [emitter.returncode for emitter in emitters] == [0, 0, 0]

        acknowledged = sorted(line.split()[0] for output in outputs for line in output.splitlines())
        rows = list(log.read())
        count = manager.execute_query("SELECT count(*) AS n, max(position) AS top FROM agents_events")[0]
        assert (count["n"], count["top"]) == (3000, 3000)
        assert sorted(str(row.event_id) for row in rows) == acknowledged
        assert seen == list(range(1, 3001))
        for agent in {row.agent_id for row in rows}:
            for thread in "0123":
                order = [r.payload.value for r in rows if r.agent_id == agent and r.payload.key == thread]  # type: ignore[union-attr]
                assert order == sorted(order), "events of one thread are committed in the order of emit"


class PositionFromSequence(EventLog):
    """A mutant: takes positions from a sequence, seen at COMMIT in another order than given at INSERT."""

    def _append_new(self, transaction: Transaction, batch: list[insertion.Row]) -> list[int]:
        connection = transaction.connection
        positions = [connection.exec_driver_sql("SELECT nextval('agents_mutant')").scalar_one() for _ in batch]
        now = connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
        for position, row in zip(positions, batch, strict=True):
            insertion.insert(transaction, [row], position - 1, now)
        time.sleep(random.Random(positions[0]).random() / 100)
        connection.exec_driver_sql("UPDATE agents_head SET position = greatest(position, %s)", (positions[-1],))
        return positions


def appended_beside_a_tail(log: EventLog, writers: int, batches: int) -> tuple[list[int], list[int]]:
    """Append from many threads beside a tailing reader: the positions given out, and those that the reader saw."""
    tail, given = Tail(log), []
    tail.start()

    def write(writer: int) -> None:
        for batch in range(batches):
            events = [prepare(MemoryLearned(key="k", value=n, kind="fact"), agent_id=f"w{writer}") for n in range(3)]
            given.extend(log.append_prepared(events))
            assert batch >= 0

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(given), tail.finish()


def test_a_tail_beside_many_threads_sees_every_position(manager: DatabaseManager) -> None:
    """A follower sees 1, 2, 3 … however the appends of eight threads interleave."""
    given, seen = appended_beside_a_tail(EventLog(manager), 8, 20)
    assert given == seen == list(range(1, 481))


@pytest.mark.parametrize("backend_name", ["postgresql"])
def test_a_position_from_a_sequence_is_caught(manager: DatabaseManager) -> None:
    """The mutant that takes positions from a sequence loses events for the reader, and the tail shows it.

    PostgreSQL only: SQLite has one writer at a time, the mutant is harmless there.
    """
    log = PositionFromSequence(manager)
    assert log.head() == 0
    manager.execute_write("CREATE SEQUENCE agents_mutant")
    given, seen = appended_beside_a_tail(log, 8, 20)
    assert len(given) == 480
    assert len(seen) < 480


def test_rollbacks_and_kills_beside_readers(database_url: str) -> None:
    """Eight processes of which some roll back and some are killed, beside three readers: nobody misses an event.

    The whole of it: scripts/campaign/many_writers.py.
    """
    campaign = ROOT / "scripts" / "campaign" / "many_writers.py"
    command = [sys.executable, str(campaign), "--url", database_url, "--count", "5000", "--seed", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    killed = re.search(r"by 8 writers \((\d+) killed, (\d+) events rolled back", done.stdout)
    assert killed is not None
    assert int(killed[1]) > 0
    assert int(killed[2]) > 0
