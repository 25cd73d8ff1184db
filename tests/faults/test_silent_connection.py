"""A connection that stays open and passes nothing on, as a proxy's may: nobody waits for ever.

Only PostgreSQL: between a process and its file nothing stands that could fall silent.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from capture import BatchingWriter, DatabaseManager, EventLog
from capture.database.backends import patience
from capture.errors import CommitUnknown
from scripts.campaign.checker import faults
from tests.conftest import MakeDatabase
from tests.faults.connection_cuts import through_a_proxy
from tests.faults.proxy import Proxy
from tests.fixtures.raw_rows import raw_rows
from tests.fixtures.writer import note

LONGEST = 20.0
"""No append may take longer with the limit of these tests, in seconds."""


@pytest.fixture(autouse=True, params=[True, False], ids=["waits that end", "older psycopg"])
def short_limit(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask after a fifth of a second."""
    monkeypatch.setattr(patience, "_TIMED", request.param)
    monkeypatch.setattr(patience, "SILENT_SECONDS", 0.2)
    monkeypatch.setattr(patience, "_ON_ITS_WAY", 50)


@pytest.fixture
def url(make_database: MakeDatabase) -> str:
    """A database on PostgreSQL."""
    return make_database("postgresql")


def before_the_first_statement(proxy: Proxy, manager: DatabaseManager) -> Callable[[], None]:
    """The connection in the pool is silent when it is taken out."""
    proxy.fall_silent()
    return lambda: None


def before_the_commit(proxy: Proxy, manager: DatabaseManager) -> Callable[[], None]:
    """The server has the log's lock for us and never hears of the commit."""
    backend = manager.backend
    announce = backend.announce

    def announce_and_fall_silent(connection: object) -> None:
        announce(connection)  # type: ignore[arg-type]
        proxy.fall_silent()
        backend.announce = announce  # type: ignore[method-assign]

    backend.announce = announce_and_fall_silent  # type: ignore[method-assign]
    return lambda: None


@pytest.mark.parametrize("when", [before_the_first_statement, before_the_commit], ids=lambda when: when.__name__)
@pytest.mark.parametrize("count", [1, 300], ids=["one statement", "COPY"])
def test_an_append_whose_connection_falls_silent_is_there_once(
    url: str, when: Callable[[Proxy, DatabaseManager], object], count: int
) -> None:
    """An append that gets no answer ends in time, and is in the log once: the dead session keeps no lock."""
    batch = [note(number) for number in range(count)]
    with through_a_proxy(url) as (proxy, proxied), DatabaseManager(proxied) as manager:
        log = EventLog(manager)
        log.append_prepared([note(-1)])
        when(proxy, manager)
        began = time.monotonic()
        try:
            log.append_prepared(batch)
        except CommitUnknown:
            log.append_prepared(batch)
        assert time.monotonic() - began < LONGEST
    rows = raw_rows(url)
    assert faults([event.event_id for event in batch], rows) == []
    assert len(rows) == count + 1


def test_a_writer_whose_connection_falls_silent_goes_on(url: str, tmp_path: Path) -> None:
    """A writer finds a silent connection out by itself: a flush succeeds, and everything is in the log once."""
    events = [note(number) for number in range(20)]
    with through_a_proxy(url) as (proxy, proxied):
        writer = BatchingWriter(proxied, tmp_path / "journal")
        try:
            for number, event in enumerate(events):
                if number % 5 == 0:
                    assert writer.flush(LONGEST)
                    proxy.fall_silent()
                writer.submit(event)
            assert writer.flush(LONGEST)
        finally:
            assert writer.close(LONGEST)
    assert faults([event.event_id for event in events], raw_rows(url)) == []


def test_a_server_that_works_is_waited_for(url: str) -> None:
    """A statement that takes ten times as long as the limit, and one that waits for a lock, are not given up."""
    with DatabaseManager(url) as manager, DatabaseManager(url) as other:
        assert manager.execute_query("SELECT 1 AS one FROM pg_sleep(2)") == [{"one": 1}]
        log, done = EventLog(manager), threading.Event()
        with other.transaction() as transaction:
            transaction.execute_write("UPDATE agents_head SET epoch = epoch")
            thread = threading.Thread(target=lambda: (log.append_prepared([note(1)]), done.set()))
            thread.start()
            assert not done.wait(1.5)
        assert done.wait(LONGEST)
        thread.join()
    assert len(raw_rows(url)) == 1


def test_the_urls_own_limits_stay(url: str) -> None:
    """What a URL says of connecting and of TCP is what libpq is told; the rest has limits of its own."""
    given = make_url(url).update_query_dict({"connect_timeout": "3", "tcp_user_timeout": "5000"})
    with DatabaseManager(given.render_as_string(hide_password=False)) as manager, manager.connect() as connection:
        told = connection.connection.dbapi_connection.info.get_parameters()  # type: ignore[union-attr]
        assert (told["connect_timeout"], told["tcp_user_timeout"]) == ("3", "5000")
        assert (told["keepalives_idle"], told["keepalives_count"]) == ("30", "3")
