#!/usr/bin/env python3
"""Writers in processes of their own append beside tailing readers; some roll back, some are killed. Who missed what?

usage: scripts/campaign/many_writers.py [--backend sqlite] [--count 1000000] [--seed 1] [--url URL]

Of a writer's batches (1 to 200 events) 5 % are rolled back and 2 % end with a kill of the process: inside the
transaction, between the commit and the note of it, or at any moment. Another takes its place.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from scripts.campaign.checker import Row, faults  # noqa: E402 - found through the line above

if TYPE_CHECKING:
    from capture import EventLog, Prepared

WRITERS, READERS = 8, 3
ROLLED_BACK, KILLED = 0.05, 0.02
BATCH = 200


class RolledBackOnPurpose(Exception):
    """Leaves a transaction."""


def die() -> None:
    """As kill -9 does."""
    os.kill(os.getpid(), signal.SIGKILL)


def write(url: str, notes: Path, name: str, quota: int, seed: str) -> None:
    """A writer: appends until its quota is committed, and notes what is safe (+) and what must never be there (-)."""
    from capture import DatabaseManager, EventLog, prepare
    from capture.errors import DatabaseBusy
    from capture.vocabulary import MemoryLearned

    def append(log: EventLog, batch: list[Prepared]) -> None:
        while True:
            try:
                log.append_prepared(batch)
                return
            except DatabaseBusy:  # SQLite on a machine that has far too much to do: the same ids are tried again
                continue

    rng, out = random.Random(seed), os.open(notes, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with DatabaseManager(url) as manager:
        log = EventLog(manager)
        while quota > 0:
            batch = [
                prepare(MemoryLearned(key="k", value=n, kind="fact"), agent_id=name)
                for n in range(min(quota, rng.randint(1, BATCH)))
            ]
            line = " ".join(event.event_id for event in batch)
            fate, kind = rng.random(), rng.randrange(3)
            rolls_back, dies = fate < ROLLED_BACK, ROLLED_BACK <= fate < ROLLED_BACK + KILLED
            if rolls_back or (dies and kind == 0):
                os.write(out, f"- {line}\n".encode())
                try:
                    with manager.transaction():
                        log.append_prepared(batch)
                        if dies:
                            die()
                        raise RolledBackOnPurpose  # noqa: TRY301 - the transaction is what it leaves
                except (RolledBackOnPurpose, DatabaseBusy):
                    continue
            if dies and kind == 1:
                threading.Timer(rng.uniform(0, 0.01), die).start()
            append(log, batch)
            if dies:
                time.sleep(0.02 if kind == 1 else 0)
                die()
            os.write(out, f"+ {line}\n".encode())
            quota -= len(batch)


def follow(url: str, result: Path, stop: Path, *, decodes: bool) -> None:
    """A reader: a follower of decoded events, or pages of stored rows; keeps a digest of what it saw, and the gaps."""
    from capture import DatabaseManager, EventLog, Follower

    seen, gaps, count, last = hashlib.sha256(), 0, 0, 0
    with DatabaseManager(url) as manager:
        log = EventLog(manager)
        follower = Follower(log)
        while True:
            stopping = stop.exists()
            page = follower.poll() if decodes else list(log.read_stored(last, 1000))
            for event in page:
                gaps += event.position - last - 1
                last = event.position
                seen.update(f"{event.position} {event.event_id}\n".encode())
            count += len(page)
            if not page:
                if stopping:
                    break
                time.sleep(0.01)
    result.write_text(f"{count} {gaps} {seen.hexdigest()}")


def digest_of(rows: Iterable[Row]) -> str:
    """What a reader that saw all of these in this order has as its digest."""
    seen = hashlib.sha256()
    for position, event_id in rows:
        seen.update(f"{position} {event_id}\n".encode())
    return seen.hexdigest()


def noted(folder: Path) -> tuple[list[str], set[str]]:
    """What writers wrote down: the ids that are safe, and those that must not be there."""
    told: list[str] = []
    never: set[str] = set()
    for path in folder.glob("notes-*"):
        for line in path.read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                (told.extend if line[0] == "+" else never.update)(line.split()[1:])
    return told, never


def run(url: str, folder: Path, count: int, seed: int) -> tuple[int, list[str]]:
    """Writers and readers to their end; how many writers were killed, and what went wrong with processes."""
    from tests.faults.nursery import born, end_of

    stop, wrong, kills = folder / "stop", [], 0
    readers = [born(partial(follow, url, folder / f"seen-{n}", stop, decodes=n == 0)) for n in range(READERS)]
    writers: dict[int, tuple[int, int]] = {}

    def start(slot: int, life: int) -> None:
        notes = folder / f"notes-{slot}"
        lines = notes.read_text().splitlines() if notes.exists() else []
        done = sum(len(line.split()) - 1 for line in lines if line.startswith("+"))
        quota = count // WRITERS - done
        writers[born(partial(write, url, notes, f"writer-{slot}", quota, f"{seed} {slot} {life}"))] = (slot, life)

    for slot in range(WRITERS):
        start(slot, 0)
    while writers:
        child, status = os.wait()
        if child in readers:
            wrong.append("a reader failed")
            readers.remove(child)
            continue
        slot, life = writers.pop(child)
        if os.waitstatus_to_exitcode(status) == -signal.SIGKILL:
            kills += 1
            start(slot, life + 1)
        elif status != 0:
            wrong.append(f"writer {slot} failed")
    stop.touch()
    wrong += [f"a reader ended with {code}" for code in map(end_of, readers) if code != 0]
    return kills, wrong


@contextmanager
def database(backend: str, folder: Path) -> Iterator[str]:
    """A migrated database."""
    from capture import DatabaseManager
    from tests.fixtures.postgres import postgres_server

    if backend == "sqlite":
        url = f"sqlite:///{folder / 'campaign.db'}"
        with DatabaseManager(url) as manager:
            manager.upgrade()
        yield url
    else:
        with postgres_server() as server:
            yield server.make()


def main() -> int:
    """Parse, run, judge; 1 when a promise was broken."""
    import capture.database.backends.postgresql
    import capture.database.backends.sqlite
    import capture.vocabulary
    from tests.fixtures.raw_rows import raw_rows

    assert capture
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--backend", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--url", help="an empty database of copydesk's, instead of one made for the purpose")
    given = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="copydesk-writers-") as made:
        folder = Path(made)
        with nullcontext(given.url) if given.url else database(given.backend, folder) as url:
            kills, wrong = run(url, folder, given.count, given.seed)
            rows = raw_rows(url)
        told, never = noted(folder)
        wrong += faults(told, rows, never=never)
        right = digest_of(rows)
        for number in range(READERS):
            path = folder / f"seen-{number}"
            count, gaps, digest = path.read_text().split() if path.exists() else ("0", "?", "")
            if digest != right:
                wrong.append(f"reader {number} saw {int(count):,} of {len(rows):,} events, with {gaps} gaps")
    print(
        f"many writers {url.split(':')[0]} seed {given.seed}: {len(rows):,} events by {WRITERS} writers"
        f" ({kills} killed, {len(never):,} events rolled back or killed in their transaction) with {READERS} readers"
        f" in {time.monotonic() - begun:,.0f} s; {len(told):,} acknowledged, count {len(rows):,},"
        f" max(position) {rows[-1][0] if rows else 0:,};"
        f" {'; '.join(wrong) if wrong else '0 lost, 0 twice, 0 missed by any reader'}"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
