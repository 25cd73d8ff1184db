"""What `transaction()` promises: together or not at all, joined by its own thread and task, no waiting for itself."""

from __future__ import annotations

import asyncio
import threading

import pytest
import sqlalchemy as sa

from capture.database import retry
from capture.database.manager import DatabaseManager
from capture.errors import CopydeskError, DatabaseBusy, RolledBack, WouldDeadlock
from tests.fixtures.killing import Killed, killing

INSERT = "INSERT INTO modules_test_notes (id) VALUES (?)"


@pytest.fixture
def notes(manager: DatabaseManager) -> DatabaseManager:
    """A manager whose database has a table `modules_test_notes`."""
    manager.execute_write("CREATE TABLE modules_test_notes (id INTEGER PRIMARY KEY)")
    return manager


def ids(manager: DatabaseManager) -> list[int]:
    """What the table has."""
    return [row["id"] for row in manager.execute_query("SELECT id FROM modules_test_notes ORDER BY id")]


def test_all_or_nothing(notes: DatabaseManager) -> None:
    """An error that leaves the block takes every statement of it back, the definition of a table included."""
    with pytest.raises(ValueError, match="enough"), notes.transaction() as transaction:
        transaction.execute_write(INSERT, (1,))
        transaction.execute_write("CREATE TABLE modules_test_more (id INTEGER)")
        raise ValueError("enough")
    assert ids(notes) == []
    with pytest.raises(sa.exc.DBAPIError):
        notes.execute_query("SELECT * FROM modules_test_more")


def test_a_ctrl_c_inside_reaches_who_began_it(notes: DatabaseManager) -> None:
    """What ends a transaction at any statement or its commit takes it back and arrives as it is; the next one works."""
    ended = 0
    while True:
        try:
            with killing(ended + 1), notes.transaction() as transaction:
                transaction.connection.exec_driver_sql("INSERT INTO modules_test_notes (id) VALUES (1)")
                transaction.connection.exec_driver_sql("SELECT id FROM modules_test_notes")
        except Killed:
            ended += 1
            assert ids(notes) == []
            continue
        break
    assert ended >= 3
    assert ids(notes) == [1]


def test_all_calls_of_the_thread_join(notes: DatabaseManager) -> None:
    """Inside the block `execute_write`, `execute_query`, `connect` and an inner `transaction` are part of it."""
    with notes.transaction() as outer:
        assert notes.in_transaction()
        notes.execute_write(INSERT, (1,))
        with notes.transaction() as inner:
            assert inner is outer
            inner.execute_write(INSERT, (2,))
        assert ids(notes) == [1, 2]
        with notes.connect() as connection:
            assert connection is outer.connection
        other: list[int] = []
        thread = threading.Thread(target=lambda: other.extend(ids(notes)))
        thread.start()
        thread.join()
        assert other == []
    assert ids(notes) == [1, 2]
    assert not notes.in_transaction()


def test_an_inner_error_that_is_caught_still_ends_the_whole(notes: DatabaseManager) -> None:
    """Half of an inner block is never committed: the outer block ends with `RolledBack`, which names the cause."""
    with pytest.raises(RolledBack, match="half done") as caught, notes.transaction():
        notes.execute_write(INSERT, (1,))
        with pytest.raises(ValueError, match="half done"), notes.transaction():
            notes.execute_write(INSERT, (2,))
            raise ValueError("half done")
    assert isinstance(caught.value.__cause__, ValueError)
    assert ids(notes) == []


def test_a_failed_statement_that_is_caught_ends_the_whole(notes: DatabaseManager) -> None:
    """After a violated constraint nothing of the transaction is kept, on SQLite as on PostgreSQL."""
    with pytest.raises(RolledBack), notes.transaction() as transaction:
        transaction.execute_write(INSERT, (1,))
        with pytest.raises(sa.exc.IntegrityError):
            transaction.execute_write(INSERT, (1,))
    assert ids(notes) == []


def test_another_thread_has_a_transaction_of_its_own(notes: DatabaseManager) -> None:
    """A thread never joins another's transaction, also when it runs in a copy of its context."""
    import contextvars

    order: list[str] = []

    def other() -> None:
        assert not notes.in_transaction()
        with notes.transaction() as transaction:
            assert transaction is not outer
            transaction.execute_write(INSERT, (2,))
            order.append("other")

    with notes.transaction() as outer:
        outer.execute_write(INSERT, (1,))
        thread = threading.Thread(target=contextvars.copy_context().run, args=(other,))
        thread.start()
        thread.join(0.05)  # on SQLite it waits for this one, on PostgreSQL it is done
        order.append("outer")
    thread.join()
    assert ids(notes) == [1, 2]
    assert sorted(order) == ["other", "outer"]


def test_tasks_do_not_join_each_other(notes: DatabaseManager) -> None:
    """A task that was started inside a transaction reads and writes outside of it."""

    async def reads() -> list[int]:
        return ids(notes)

    async def main() -> tuple[list[int], list[int]]:
        with notes.transaction() as transaction:
            transaction.execute_write(INSERT, (1,))
            seen = await asyncio.create_task(reads())
            in_thread = await asyncio.to_thread(ids, notes)
        return seen, in_thread

    assert asyncio.run(main()) == ([], [])
    assert ids(notes) == [1]


def test_two_tasks_of_one_thread_never_wait_for_each_other(notes: DatabaseManager) -> None:
    """A second transaction on one loop is its own on PostgreSQL; on SQLite it is refused at once, not after 5 s."""

    async def second() -> str:
        try:
            with notes.transaction() as transaction:
                transaction.execute_write(INSERT, (2,))
        except WouldDeadlock:
            return "refused"
        return "written"

    async def main() -> str:
        with notes.transaction() as transaction:
            transaction.execute_write(INSERT, (1,))
            return await asyncio.wait_for(asyncio.create_task(second()), 2)

    assert asyncio.run(main()) == ("refused" if notes.backend.one_writer else "written")
    assert ids(notes) == ([1] if notes.backend.one_writer else [1, 2])


def test_transient_failures_are_repeated_and_others_are_not(notes: DatabaseManager) -> None:
    """`retrying` does the work again from a clean start while the failure passes, and once when it does not."""
    tries: list[int] = []

    def busy_twice(_: object) -> str:
        notes.execute_write(INSERT, (1,))
        tries.append(1)
        if len(tries) < 3:
            raise DatabaseBusy("busy")
        return "done"

    assert notes.retrying(busy_twice) == "done"
    assert (len(tries), ids(notes)) == (3, [1])

    def broken(_: object) -> None:
        tries.append(1)
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        notes.retrying(broken)
    assert len(tries) == 4

    def inner() -> None:
        notes.retrying(lambda _: (tries.append(1), busy())[0])

    def busy() -> None:
        raise DatabaseBusy("busy")

    with pytest.raises(DatabaseBusy), notes.transaction():
        inner()
    assert len(tries) == 5


def test_repeating_is_bounded() -> None:
    """What never passes is given up after a bounded count of tries, with its own error; pauses grow."""
    pauses: list[float] = []
    tries: list[int] = []

    def busy() -> None:
        tries.append(1)
        raise DatabaseBusy("busy")

    with pytest.raises(DatabaseBusy):
        retry.repeating(busy, retry.transient, sleep=pauses.append)
    assert len(tries) == retry.ATTEMPTS
    assert max(pauses) <= 2.1
    assert pauses[-1] > pauses[0]


def test_what_the_database_refuses_is_told_from_its_troubles(notes: DatabaseManager) -> None:
    """A constraint, a trigger and an impossible value are refusals; a missing table is not."""
    notes.execute_write(INSERT, (1,))

    def error_of(sql: str) -> BaseException:
        with pytest.raises(sa.exc.DBAPIError) as caught:
            notes.execute_write(sql)
        return caught.value

    refused = [
        error_of("INSERT INTO modules_test_notes (id) VALUES (1)"),
        error_of("INSERT INTO agents_head (id, log_id, epoch, position, recorded_at) VALUES (2, 'x', 1, 0, 'now')"),
        error_of("INSERT INTO agents_leases (name) VALUES ('x')"),
    ]
    assert [retry.refused(error) for error in refused] == [True] * 3
    assert not any(retry.transient(error) for error in refused)
    missing = error_of("INSERT INTO modules_test_nowhere (id) VALUES (1)")
    assert not retry.refused(missing)
    assert not retry.transient(missing)


@pytest.fixture
def levels(notes: DatabaseManager) -> str:
    """What a connection's commit waits for, as SQL that tells it."""
    on_sqlite = notes.backend.name == "sqlite"
    return "PRAGMA synchronous" if on_sqlite else "SELECT current_setting('synchronous_commit')"


def test_a_durable_commit_waits_for_the_disk(notes: DatabaseManager, levels: str) -> None:
    """`durable=True` is FULL or `synchronous_commit=on`, for this transaction alone, whatever was set before."""
    off = "PRAGMA synchronous" if notes.backend.one_writer else "SET LOCAL synchronous_commit = off"
    with notes.transaction(durable=True) as transaction:
        assert transaction.connection.exec_driver_sql(levels).scalar() in (2, "on")
    with notes.transaction() as transaction:
        usual = transaction.connection.exec_driver_sql(levels).scalar()
        assert usual in (1, "on")
        transaction.connection.exec_driver_sql(off)
        if not notes.backend.one_writer:
            with notes.transaction(durable=True):
                assert transaction.connection.exec_driver_sql(levels).scalar() == "on"
    with notes.transaction(durable=True), notes.transaction(durable=True):
        pass


def test_sqlite_says_that_durability_can_not_be_added_half_way(notes: DatabaseManager) -> None:
    """A durable block inside one that is not: PostgreSQL makes the whole durable, SQLite says to open it so."""
    if notes.backend.one_writer:
        with pytest.raises(CopydeskError, match="durable"), notes.transaction(), notes.transaction(durable=True):
            pass
    else:
        with notes.transaction() as transaction, notes.transaction(durable=True):
            transaction.execute_write(INSERT, (1,))
        assert ids(notes) == [1]


def test_what_waits_for_the_commit_is_called_after_it_and_only_then(notes: DatabaseManager) -> None:
    """`after_commit` calls run once the transaction is over, and not at all when it is rolled back."""
    seen: list[object] = []
    with notes.transaction() as transaction:
        transaction.after_commit(lambda: seen.append((ids(notes), notes.in_transaction())))
        transaction.execute_write(INSERT, (1,))
        assert seen == []
    assert seen == [([1], False)]
    with pytest.raises(ValueError, match="no"), notes.transaction() as transaction:
        transaction.after_commit(lambda: seen.append("never"))
        raise ValueError("no")
    assert len(seen) == 1


def test_another_process_waits_its_turn(notes: DatabaseManager) -> None:
    """Two managers on one database are as two processes: the second writes when the first is done."""
    with DatabaseManager(_url(notes)) as second:
        done = threading.Event()

        def write() -> None:
            second.execute_write("UPDATE modules_test_notes SET id = 7 WHERE id = 1")
            done.set()

        with notes.transaction() as transaction:
            transaction.execute_write(INSERT, (1,))
            thread = threading.Thread(target=write)
            thread.start()
            assert not (notes.backend.one_writer and done.wait(0.05))
        thread.join()
        assert done.is_set()


def _url(manager: DatabaseManager) -> str:
    with manager.connect() as connection:
        url = connection.engine.url
    return url.set(drivername=url.get_backend_name()).render_as_string(hide_password=False)
