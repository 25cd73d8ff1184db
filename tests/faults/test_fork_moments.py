"""A fork at any moment of the writer's thread: the child is never left with half of what that thread was doing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from capture import DatabaseManager, EventLog
from tests.conftest import MakeDatabase

ROOT = Path(__file__).parents[2]

PREAMBLE = """
import importlib.abc, os, random, sys, threading, time
from capture import configure, emit, flush
from capture.vocabulary import MemoryForgotten

configure(agent_id="agent")

def child(key):
    forked = os.fork()
    if forked == 0:
        emit(MemoryForgotten(key=key))
        os._exit(0 if flush(30) else 1)
    return forked
"""

WHILE_IMPORTING = """
importing = threading.Event()

class Slow(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == sys.argv[1] and threading.current_thread() is not threading.main_thread():
            importing.set()
            time.sleep(0.3)

sys.meta_path.insert(0, Slow())
emit(MemoryForgotten(key="parent"))
assert importing.wait(60)
assert os.waitpid(child("child"), 0)[1] == 0
assert flush(30)
"""

AT_ANY_MOMENT = """
rng = random.Random(int(sys.argv[1]))
children = []
for number in range(12):
    for _ in range(20):
        emit(MemoryForgotten(key="parent"))
    time.sleep(rng.uniform(0, 0.02))
    children.append(child("child"))
assert [os.waitpid(one, 0)[1] for one in children] == [0] * 12
assert flush(30)
"""


def _run(code: str, argument: str, url: str, folder: Path) -> list[str]:
    """Run an agent to its end; the keys that the log holds afterwards."""
    environment = {**os.environ, "DATABASE_URL": url, "COPYDESK_JOURNAL": str(folder / "journal")}
    done = subprocess.run(
        [sys.executable, "-c", PREAMBLE + code, argument],
        env={**environment, "PYTHONPATH": str(ROOT)},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    with DatabaseManager(url) as manager:
        return sorted(event.payload.key for event in EventLog(manager).read())  # type: ignore[union-attr]


@pytest.mark.parametrize("module", ["capture.database.parameters", "capture.eventlog.head", "alembic.command"])
def test_a_fork_waits_for_what_the_writer_imports(
    module: str, backend_name: str, make_database: MakeDatabase, tmp_path: Path
) -> None:
    """A fork in the middle of the writer's first imports leaves the child whole modules: it commits its own events."""
    url = make_database(backend_name, migrated=False)
    assert _run(WHILE_IMPORTING, module, url, tmp_path) == ["child", "parent"]


@pytest.mark.parametrize("seed", range(3))
def test_a_fork_at_any_moment_leaves_the_child_able_to_commit(
    seed: int, backend_name: str, make_database: MakeDatabase, tmp_path: Path
) -> None:
    """A fork while the writer's thread is inside its database leaves the child no lock that nobody lets go of."""
    url = make_database(backend_name, migrated=False)
    assert _run(AT_ANY_MOMENT, str(seed), url, tmp_path) == ["child"] * 12 + ["parent"] * 240
