"""Raises agents and has them killed: at each of their system calls, or at random moments. See `killer.c`.

Usage: nursery.py URL FOLDER calls HOW FIRST LAST STEP RECOVERS | nursery.py URL FOLDER moments SEED COUNT

Agents are forked from this process, which has imported everything: a life and its recovery take a fifth of a second.
One JSON line a round: how the lives ended, the ids that the agents were told are safe, what the recovery left behind.
"""

from __future__ import annotations

import ctypes
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(__file__).with_name("killer.c")
COMMITS = 50
PATIENCE = 60.0
HOWS = ("before", "behind", "half")


@contextmanager
def raising(url: str, folder: Path, *arguments: object) -> Iterator[Iterator[dict[str, Any]]]:
    """Start a nursery behind `killer.c`, compiled for it; yields its rounds as they are done."""
    with tempfile.TemporaryDirectory(prefix="copydesk-killer-") as made:
        library = Path(made) / "killer.so"
        compiler = ["cc", "-shared", "-fPIC", "-O1", "-Wall", "-U_FORTIFY_SOURCE", "-o", library, SOURCE, "-ldl"]
        subprocess.run(compiler, check=True)
        environment = {**os.environ, "LD_PRELOAD": str(library), "PYTHONPATH": str(ROOT)}
        command = [sys.executable, __file__, url, str(folder), *map(str, arguments)]
        with subprocess.Popen(
            command, env=environment, cwd=folder, stdout=subprocess.PIPE, text=True, start_new_session=True
        ) as nursery:
            assert nursery.stdout is not None
            try:
                yield map(json.loads, nursery.stdout)
            finally:
                # With all that it raised: whoever has seen enough leaves in the middle of a round.
                with suppress(ProcessLookupError):
                    os.killpg(nursery.pid, signal.SIGKILL)


def agent(url: str, journal: Path, acknowledgements: Path, *, threads: int, rng: random.Random) -> None:
    """A life: 50 commits of two or three events, some of them durable; each id is written down once `emit` returned."""
    from capture import configure, emit, flush
    from capture.vocabulary import MemoryLearned
    from capture.writer.emit import capture

    configure(agent_id=f"agent-{os.getpid()}", database_url=url, journal=journal, journal_bytes=128 * 1024)
    told = os.open(acknowledgements, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def live(commits: int) -> None:
        for number in range(commits):
            for last in (False, True):
                durable = last and number % 10 == 9
                event = MemoryLearned(key=f"{number}", value="x" * rng.randrange(400), kind="fact")
                os.write(told, f"{emit(event, durable=durable)}\n".encode())
            flush(30)

    lives = [threading.Thread(target=live, args=(COMMITS // threads,)) for _ in range(threads - 1)]
    for one in lives:
        one.start()
    live(COMMITS // threads)
    for one in lives:
        one.join()
    assert capture.taker is not None
    capture.taker.close()


def recover(url: str, journal: Path) -> None:
    """The next process: adopts what the killed one left."""
    from capture import DatabaseManager, Settings, recover_journals

    with DatabaseManager(url) as manager:
        recover_journals(manager, settings=replace(Settings.from_environment({}), journal=journal))


def born(life: Callable[[], object]) -> int:
    """Fork a child that does this and leaves; its process id."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            life()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    return child


def end_of(child: int) -> int | str:
    """Wait for a child: its exit code, negative for a signal, or `hung`."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "hung"


def safe(path: Path) -> list[str]:
    """The ids that were written down whole; half a line is of an agent that was killed while it wrote."""
    if not path.exists():
        return []
    return [line.strip() for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]


def at_calls(
    url: str, folder: Path, how: str, first: int, last: int, step: int, recovers: int
) -> Iterator[dict[str, Any]]:
    """An agent for each call from the first to the last or until one lives to its end."""
    library = ctypes.CDLL(None)
    for call in range(first, last, step):
        journal, told = folder / f"journal-{how}-{call}", folder / f"told-{how}-{call}"

        def life(call: int = call, journal: Path = journal, told: Path = told) -> None:
            library.kill_at(ctypes.c_long(call), HOWS.index(how))
            agent(url, journal, told, threads=1, rng=random.Random(call))
            library.kill_at(ctypes.c_long(0), 0)

        ended = end_of(born(life))
        yield after(url, journal, told, call=call, ended=[ended], recovers=bool(recovers))
        if ended == 0:
            return


def at_moments(url: str, folder: Path, seed: int, count: int) -> Iterator[dict[str, Any]]:
    """Two agents share a journal folder; both are killed at some moment, and at times the one that recovers them."""
    rng = random.Random(seed)
    for number in range(count):
        journal, told = folder / f"journal-{number}", folder / f"told-{number}"
        pair = []
        for _ in range(2):
            own = random.Random(rng.random())
            threads = rng.choice([1, 2, 5])
            pair.append(born(partial(agent, url, journal, told, threads=threads, rng=own)))
        for child in pair:
            time.sleep(rng.uniform(0, rng.choice([0.05, 0.25])))
            os.kill(child, signal.SIGKILL)
        ended = [end_of(child) for child in pair]
        if rng.random() < 0.4:
            adopter = born(partial(recover, url, journal))
            time.sleep(rng.uniform(0, 0.15))
            os.kill(adopter, signal.SIGKILL)
            ended.append(end_of(adopter))
        yield after(url, journal, told, call=number, ended=ended)


def after(
    url: str, journal: Path, told: Path, *, call: int, ended: list[int | str], recovers: bool = True
) -> dict[str, Any]:
    """Recover by a new process, and say what there is to judge."""
    recovered = end_of(born(partial(recover, url, journal))) if recovers else 0
    left = sorted(path.name for path in journal.iterdir()) if journal.is_dir() else []
    return {"call": call, "ended": ended, "recovered": recovered, "left": left, "acknowledged": safe(told)}


def main(url: str, folder: str, what: str, *arguments: str) -> int:
    """Do the rounds."""
    # What a child would import anyway, once for all of them. No connection is opened here.
    import filelock
    import tenacity

    import capture.database.backends.postgresql
    import capture.database.backends.sqlite
    import capture.eventlog.follower
    import capture.vocabulary
    import capture.writer.adoption
    import capture.writer.sink

    assert all((filelock, tenacity, capture))
    if what == "calls":
        how, *numbers = arguments
        rounds = at_calls(url, Path(folder), how, *map(int, numbers))
    else:
        rounds = at_moments(url, Path(folder), *map(int, arguments))
    for done in rounds:
        print(json.dumps(done), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
