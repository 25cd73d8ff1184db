"""A reader at the end of the log is woken by a notice; a notice that is lost costs a pause and nothing else.

Only PostgreSQL has notices: who reads a SQLite file looks at it again.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest

from capture import DatabaseManager, EventLog, Follower
from capture.database.backends import postgresql
from capture.eventlog import follower
from capture.eventlog.news import News
from capture.vocabulary import MemoryLearned
from tests.conftest import MakeDatabase

NEVER = 60.0
"""A pause that no test waits for, in seconds."""

SOON = 10.0
"""What is seen so soon was not waited for with `NEVER`, in seconds; most often it takes milliseconds."""


@pytest.fixture
def url(make_database: MakeDatabase) -> str:
    """A database on PostgreSQL."""
    return make_database("postgresql")


@contextmanager
def following(url: str, pause: float, monkeypatch: pytest.MonkeyPatch) -> Iterator[queue.Queue[int]]:
    """The positions that a follower sees, which looks again after so many seconds if nobody wakes it."""
    monkeypatch.setattr(follower, "SHORTEST_PAUSE", pause)
    seen: queue.Queue[int] = queue.Queue()
    stop = threading.Event()
    with DatabaseManager(url) as manager:

        def follow() -> None:
            for event in Follower(EventLog(manager), longest_pause=pause).until(stop):
                seen.put(event.position)

        thread = threading.Thread(target=follow)
        thread.start()
        yield seen
        stop.set()
        thread.join(SOON)
        assert not thread.is_alive()


def note(number: int) -> MemoryLearned:
    """An event."""
    return MemoryLearned(key="k", value=number, kind="fact")


def one(log: EventLog) -> None:
    """One event, in one statement."""
    log.append([note(1)])


def many(log: EventLog) -> None:
    """A batch, by COPY."""
    log.append([note(number) for number in range(50)])


def decided(log: EventLog) -> None:
    """A decision of the desk."""
    with log.deciding() as decision:
        decision.append([note(1)])


@pytest.mark.parametrize("append", [one, many, decided], ids=lambda append: append.__name__)
def test_a_commit_wakes_a_follower(
    url: str, append: Callable[[EventLog], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A follower that would look again in a minute sees each commit at once, however it was made."""
    with DatabaseManager(url) as manager, following(url, NEVER, monkeypatch) as seen:
        log = EventLog(manager)
        for _ in range(3):
            append(log)
            head = log.head()
            while seen.get(timeout=SOON) != head:
                pass
            time.sleep(postgresql.NOTICE_SECONDS)  # the next one is announced again


def test_a_lost_notice_costs_a_pause(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing is announced, and where the listening session was ended, a follower sees every commit."""
    with DatabaseManager(url) as manager, following(url, 0.1, monkeypatch) as seen:
        log = EventLog(manager)
        log.append([note(1)])
        assert seen.get(timeout=SOON) == 1
        with psycopg.connect(url, autocommit=True) as connection:
            end = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE query = 'LISTEN agents_events'"
            while connection.execute(end.encode()).fetchone() is None:
                log.head()
        log.append([note(2)])
        assert seen.get(timeout=SOON) == 2
        monkeypatch.setattr(manager.backend, "announce", lambda _: None)
        log.append([note(3)])
        assert seen.get(timeout=SOON) == 3


def test_a_wait_without_notices_ends_in_time(manager: DatabaseManager) -> None:
    """On every backend a wait ends when its time is over or it is stopped, whatever was heard."""
    news, stop = News(manager), threading.Event()
    try:
        news.wait(0.01)  # begins to listen, where there is something to hear
        began = time.monotonic()
        assert not news.wait(0.05)
        assert time.monotonic() - began >= 0.05
        stop.set()
        assert not news.wait(NEVER, stop)
        assert time.monotonic() - began < SOON
    finally:
        news.close()


def test_a_process_announces_now_and_then(url: str) -> None:
    """A hundred commits in a row send few notices: each takes a lock of the whole server."""
    with DatabaseManager(url) as manager, psycopg.connect(url, autocommit=True) as connection:
        connection.execute("LISTEN agents_events")
        log, began = EventLog(manager), time.monotonic()
        for number in range(100):
            log.append([note(number)])
        most = (time.monotonic() - began) / postgresql.NOTICE_SECONDS + 1
        heard = sum(1 for _ in connection.notifies(timeout=0.1))
        assert 1 <= heard <= most
