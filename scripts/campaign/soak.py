#!/usr/bin/env python3
"""An agent that emits at a steady rate for minutes beside a tailing reader: nothing it holds may grow.

usage: scripts/campaign/soak.py [--seconds 900] [--rate 5000] [--backend sqlite] [--seed 1] [--every 5]

Sampled from outside: resident memory and descriptors of the agent, the write-ahead log, the journal folder. The first
third warms up; of what follows, the last third's peak may not be above the middle third's by more than the slack of
`GROWTH`. The reader must see 1, 2, 3 … to the last event that was acknowledged.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

MIB = 1024 * 1024
GROWTH = {"memory": 8 * MIB, "descriptors": 4, "wal": 8 * MIB, "journal": 8 * MIB, "waiting": 5000}
"""How far the peak of the last third may lie above that of the middle third: a segment or two, a batch or two."""


def growing(samples: Sequence[Mapping[str, float]]) -> list[str]:
    """Judge a history of samples: what grew, in words; empty when all stayed flat."""
    third = len(samples) // 3
    middle, last = samples[third : 2 * third], samples[2 * third :]
    grown = []
    for name, slack in GROWTH.items():
        before, after = (max(sample[name] for sample in part) for part in (middle, last))
        if after > before + slack:
            grown.append(f"{name} grew from {before:,.0f} to {after:,.0f}")
    return grown


def emit_steadily(rate: int, seconds: float, seed: int) -> int:
    """The agent: emits at the rate, and says every second what it has done."""
    from capture import configure, emit, flush
    from capture.vocabulary import MemoryLearned
    from capture.writer.emit import capture

    configure(agent_id="soak")
    texts = [f"{random.Random(seed + n).getrandbits(800):x}" for n in range(64)]
    done, begun, told = 0, time.monotonic(), 0.0
    while (now := time.monotonic() - begun) < seconds:
        for _ in range(int(now * rate) - done):
            emit(MemoryLearned(key=texts[done % 61][:12], value=texts[done % 64], kind="fact"))
            done += 1
        if now - told >= 1:
            told = now
            print(done, capture.taker.stats().waiting, flush=True)
        time.sleep(0.005)
    flushed = flush(120)
    print(done, capture.taker.stats().waiting, flush=True)
    return 0 if flushed else 1


class Tail(threading.Thread):
    """Follows the log in another process than the agent's, and counts what it did not see in order."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.position = self.missed = 0
        self.stop_asked = threading.Event()
        self._url = url

    def run(self) -> None:
        from capture import DatabaseManager, EventLog
        from capture.eventlog.follower import Follower

        with DatabaseManager(self._url) as manager:
            for event in Follower(EventLog(manager)).until(self.stop_asked):
                self.missed += event.position - self.position - 1
                self.position = event.position


@contextmanager
def database(backend: str, folder: Path) -> Iterator[str]:
    """A migrated database."""
    from capture import DatabaseManager
    from tests.fixtures.postgres import postgres_server

    if backend == "sqlite":
        url = f"sqlite:///{folder / 'soak.db'}"
        with DatabaseManager(url) as manager:
            manager.upgrade()
        yield url
    else:
        with postgres_server() as server:
            yield server.make()


def size_of(*paths: Path) -> int:
    """Bytes of what is there of these files and folders."""
    total = 0
    for path in paths:
        for file in path.iterdir() if path.is_dir() else [path]:
            try:
                total += file.stat().st_size
            except FileNotFoundError:
                continue
    return total


def soak(backend: str, rate: int, seconds: float, seed: int, every: float) -> int:
    """Run an agent, sample it, judge, print one line."""
    import psutil

    with tempfile.TemporaryDirectory(prefix="copydesk-soak-") as made, database(backend, Path(made)) as url:
        folder = Path(made)
        journal = folder / "journal"
        environment = {**os.environ, "DATABASE_URL": url, "COPYDESK_JOURNAL": str(journal), "PYTHONPATH": str(ROOT)}
        command = [sys.executable, __file__, "--agent", "--rate", str(rate), "--seconds", str(seconds)]
        tail = Tail(url)
        tail.start()
        said = [0, 0]
        samples: list[dict[str, float]] = []
        with subprocess.Popen(
            [*command, "--seed", str(seed)], env=environment, cwd=folder, stdout=subprocess.PIPE, text=True
        ) as agent:

            def listen() -> None:
                assert agent.stdout is not None
                for line in agent.stdout:
                    said[:] = map(int, line.split())

            listener = threading.Thread(target=listen)
            listener.start()
            process, begun = psutil.Process(agent.pid), time.monotonic()
            while agent.poll() is None:
                if 2 < time.monotonic() - begun < seconds:
                    samples.append(
                        {
                            "at": time.monotonic() - begun,
                            "memory": process.memory_info().rss,
                            "descriptors": process.num_fds(),
                            "wal": size_of(folder / "soak.db-wal"),
                            "journal": size_of(journal) if journal.is_dir() else 0,
                            "waiting": said[1],
                        }
                    )
                time.sleep(every)
            listener.join()
        tail.stop_asked.set()
        tail.join(60)
        faults = growing(samples)
        if agent.returncode != 0:
            faults.append("the agent failed, or not everything was committed within two minutes after the end")
        if tail.missed or tail.position != said[0]:
            faults.append(f"the reader saw {tail.position:,} of {said[0]:,} events and missed {tail.missed:,}")
        reached = said[0] / seconds
        if reached < 0.95 * rate:
            faults.append(f"the agent emitted {reached:,.0f}/s instead of {rate:,}/s")
        parts = [
            samples[: len(samples) // 10],
            samples[len(samples) // 3 : 2 * len(samples) // 3],
            samples[-len(samples) // 3 :],
        ]
        figures = ", ".join(
            f"{name} {' / '.join(f'{max(sample[name] for sample in part) / unit:,.1f}' for part in parts)}{text}"
            for name, unit, text in (
                ("memory", MIB, " MiB"),
                ("descriptors", 1, ""),
                ("wal", MIB, " MiB"),
                ("journal", MIB, " MiB"),
                ("waiting", 1, " events"),
            )
        )
        print(
            f"soak {backend}: {said[0]:,} events in {seconds:,.0f} s ({reached:,.0f}/s), seed {seed},"
            f" {len(samples)} samples, peaks of the first tenth / middle third / last third: {figures}; "
            f"{'; '.join(faults) if faults else 'flat, 0 missed'}"
        )
        return 1 if faults else 0


def main() -> int:
    """Parse, run; 1 when something grew or was missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=900)
    parser.add_argument("--rate", type=int, default=5000)
    parser.add_argument("--backend", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=float, default=5)
    parser.add_argument("--agent", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.agent:
        return emit_steadily(given.rate, given.seconds, given.seed)
    return soak(given.backend, given.rate, given.seconds, given.seed, given.every)


if __name__ == "__main__":
    sys.exit(main())
