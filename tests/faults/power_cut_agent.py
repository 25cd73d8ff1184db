"""A recorded agent: emits, waits, loses its database for a while, ends and starts again, and notes what was promised.

Usage: power_cut_agent.py FOLDER SEED VARIANT, behind the recorder. FOLDER has `log.db` and `journal`; what was promised
goes to `promises` in it, a line each:

    I id digest     an event is about to be submitted
    E id            `submit` returned
    D id            `submit(durable=True)` returned
"""

from __future__ import annotations

import os
import random
import sqlite3
import sys
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Connection

from capture.database.backends import sqlite
from capture.database.backends.sqlite import SqliteBackend
from capture.database.manager import DatabaseManager
from capture.errors import DatabaseUnavailable
from capture.events.content import Prepared, digest
from capture.events.prepare import prepare
from capture.vocabulary import MemoryLearned
from capture.writer import draining, safekeeping
from capture.writer.batching import BatchingWriter
from capture.writer.draining import Drain
from capture.writer.sink import DatabaseSink
from tests.faults.recorder import Recorder


class GivesUpEarly(Drain):
    """The mutant: gives the journal up after any commit, synced or not."""

    def _commit(self, batch: list[object]) -> None:  # type: ignore[override]
        super()._commit(batch)  # type: ignore[arg-type]
        self._synced()


def never_sync() -> None:
    """The control: SQLite waits for nothing, whatever it was asked for."""

    def off(connection: Connection, _level: str) -> None:
        connection.connection.dbapi_connection.execute("PRAGMA synchronous = OFF")  # type: ignore[union-attr]

    SqliteBackend._set_synchronous = staticmethod(off)  # type: ignore[method-assign]


def checkpoint_every(pages: int) -> None:
    """Several checkpoints in a short run."""
    write_ahead = sqlite._write_ahead

    def and_checkpoint(raw: sqlite3.Connection) -> None:
        write_ahead(raw)
        raw.execute(f"PRAGMA wal_autocheckpoint = {pages}")

    sqlite._write_ahead = and_checkpoint


class Leaving(DatabaseSink):
    """A database that can be away."""

    away = False

    def append(self, events: Sequence[Prepared], *, durable: bool) -> None:
        if Leaving.away:
            raise DatabaseUnavailable("away", hint="wait")
        super().append(events, durable=durable)


def main(folder: Path, seed: int, variant: str) -> None:
    """Run."""
    rng = random.Random(seed)
    safekeeping._SYNC_EVERY = 0.0
    draining.DURABLE_EVERY = rng.choice([0.02, 0.2, 30.0])
    draining._ADOPT_AGAIN = 0.0
    if variant == "early":
        draining.DURABLE_EVERY = 30.0
        sys.modules["capture.writer.batching"].Drain = GivesUpEarly  # type: ignore[attr-defined]
    elif variant == "off":
        never_sync()

    checkpoint_every(rng.choice([10, 40, 1000]))
    Recorder().record(folder, folder.parent / "operations")
    promises = os.open(folder / "promises", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    manager = DatabaseManager(f"sqlite:///{folder / 'log.db'}")
    options = {
        "segment_bytes": rng.choice([6000, 12000, 30000]),
        "batch_events": rng.choice([3, 10, 100]),
        "batch_age": rng.choice([0.0, 0.003]),
    }

    def say(writer: BatchingWriter, number: int, *, durable: bool) -> None:
        text = rng.choice("aäß漢") * rng.randrange(1, 800)
        event = prepare(MemoryLearned(key=f"k{number}", value=[number, text], kind="fact"), agent_id="agent")
        os.write(promises, f"I {event.event_id} {digest(event).hex()}\n".encode())
        writer.submit(event, durable=durable)
        os.write(promises, f"{'D' if durable else 'E'} {event.event_id}\n".encode())

    number = 0
    for life in range(3):
        writer = BatchingWriter(journal_folder=folder / "journal", open_sink=lambda: Leaving(manager), **options)
        for _ in range(3):
            Leaving.away = variant != "off" and rng.random() < 0.4
            for _ in range(rng.randrange(4, 14)):
                number += 1
                say(writer, number, durable=not Leaving.away and rng.random() < 0.2)
            if Leaving.away:
                writer.flush(0.12)
            elif rng.random() < 0.5:
                writer.flush(5)
        # The last life ends in order; an earlier one may leave its journal to the next.
        Leaving.away = life < 2 and rng.random() < 0.4
        writer.close(0.1 if Leaving.away else 10)
        Leaving.away = False
    manager.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
