"""A fork in the middle of the writer's first imports: the child must not be left with half of the database's code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from capture import DatabaseManager, EventLog
from tests.conftest import MakeDatabase

ROOT = Path(__file__).parents[2]

AGENT = """
import importlib.abc, os, sys, threading, time
from capture import configure, emit, flush
from capture.vocabulary import MemoryForgotten

importing = threading.Event()


class Slow(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == sys.argv[1] and threading.current_thread() is not threading.main_thread():
            importing.set()
            time.sleep(0.3)


sys.meta_path.insert(0, Slow())
configure(agent_id="agent")
emit(MemoryForgotten(key="parent"))
assert importing.wait(60)
child = os.fork()
if child == 0:
    emit(MemoryForgotten(key="child"))
    os._exit(0 if flush(60) else 1)
assert os.waitpid(child, 0)[1] == 0
assert flush(60)
"""


@pytest.mark.parametrize("module", ["capture.database.parameters", "capture.eventlog.head", "alembic.command"])
def test_a_fork_waits_for_what_the_writer_is_importing(
    module: str, backend_name: str, make_database: MakeDatabase, tmp_path: Path
) -> None:
    """A fork while the writer's thread imports waits for the import: the child's events are committed by the child."""
    url = make_database(backend_name, migrated=False)
    environment = {**os.environ, "DATABASE_URL": url, "COPYDESK_JOURNAL": str(tmp_path / "journal")}
    done = subprocess.run(
        [sys.executable, "-c", AGENT, module],
        env={**environment, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    with DatabaseManager(url) as manager:
        assert sorted(event.payload.key for event in EventLog(manager).read()) == ["child", "parent"]  # type: ignore[union-attr]
