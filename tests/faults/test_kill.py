"""Processes that end in every way: killed, forked, exiting. Nothing acknowledged is lost, nothing is there twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from capture import DatabaseManager, EventLog, Settings, recover_journals
from capture.vocabulary import MemoryLearned
from capture.writer.lifecycle import EXIT_WAIT
from capture.writer.segment import SUFFIX

EMITTER = Path(__file__).with_name("emitter.py")
ROOT = EMITTER.parents[2]
NOWHERE = "postgresql://nobody@127.0.0.1:9/nothing?connect_timeout=1"

PREAMBLE = """
import os, signal, sys, time
from capture import configure, emit, flush
from capture.vocabulary import MemoryLearned

configure(agent_id=f"agent-{os.getpid()}")

def say(value, **options):
    return emit(MemoryLearned(key="k", value=value, kind="fact"), **options)
"""


@pytest.fixture
def environment(database_url: str, tmp_path: Path) -> dict[str, str]:
    """Where the processes of a test write."""
    return {
        **os.environ,
        "DATABASE_URL": database_url,
        "COPYDESK_JOURNAL": str(tmp_path / "journal"),
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "error",
    }


def run(code: str, environment: dict[str, str], tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Run an agent to its end."""
    script = tmp_path / "agent.py"
    script.write_text(PREAMBLE + code)
    command = [sys.executable, str(script)]
    return subprocess.run(
        command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=90, check=False
    )


def recover(manager: DatabaseManager, tmp_path: Path) -> None:
    recover_journals(manager, settings=replace(Settings.from_environment({}), journal=tmp_path / "journal"))


def values(manager: DatabaseManager) -> list[object]:
    return [event.payload.value for event in EventLog(manager).read() if isinstance(event.payload, MemoryLearned)]


def journals(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "journal").glob(f"*{SUFFIX}"))


@pytest.mark.parametrize("seed", range(4))
def test_a_kill_loses_nothing_that_emit_acknowledged(
    seed: int, manager: DatabaseManager, environment: dict[str, str], tmp_path: Path
) -> None:
    """Kill -9 at a random moment: every id that emit returned is in the log exactly once after the next start."""
    moment = random.Random(seed).choice([1, 30, 200, 900, 2500])
    command = [sys.executable, str(EMITTER), "4000", "2"]
    with subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as emitter:
        assert emitter.stdout is not None
        lines = [emitter.stdout.readline() for _ in range(moment)]
        emitter.kill()
        lines += emitter.stdout.read().splitlines(keepends=True)
    acknowledged = [line.split()[0] for line in lines if line.endswith("\n")]
    assert emitter.returncode == -signal.SIGKILL
    assert len(acknowledged) >= moment
    recover(manager, tmp_path)
    found = Counter(str(event.event_id) for event in EventLog(manager).read())
    assert set(acknowledged) <= set(found)
    assert set(found.values()) == {1}
    assert EventLog(manager).head() == len(found)
    assert journals(tmp_path) == []


def test_order_survives_a_kill(manager: DatabaseManager, environment: dict[str, str], tmp_path: Path) -> None:
    """What a killed process emitted and had not committed is brought in in the order of emit."""
    environment["DATABASE_URL"] = NOWHERE
    done = run("for n in range(300): say(n)\nos.kill(os.getpid(), signal.SIGKILL)", environment, tmp_path)
    assert done.returncode == -signal.SIGKILL
    recover(manager, tmp_path)
    assert values(manager) == list(range(300))


def test_an_ending_interpreter_waits_for_the_commit(
    manager: DatabaseManager, environment: dict[str, str], tmp_path: Path
) -> None:
    """A script that just ends has everything in the log, and leaves no journal."""
    done = run("for n in range(500): say(n)", environment, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert values(manager) == list(range(500))
    assert list((tmp_path / "journal").iterdir()) == []


def test_an_exit_with_an_error_loses_nothing(
    manager: DatabaseManager, environment: dict[str, str], tmp_path: Path
) -> None:
    """An uncaught exception, and events of other exit handlers, are no reason to lose anything."""
    code = "import atexit\natexit.register(lambda: say('last'))\nsay(1)\natexit.register(lambda: say('first'))\n1 / 0"
    done = run(code, environment, tmp_path)
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    recover(manager, tmp_path)
    assert values(manager) == [1, "first", "last"]


def test_an_exit_does_not_wait_long_for_a_database_that_is_away(
    manager: DatabaseManager, environment: dict[str, str], tmp_path: Path
) -> None:
    """The process ends within its bound, the journal keeps the events, and the next process adopts them."""
    # Exit handlers run in the reverse order of registration: this one is there before the writer's own.
    code = """
import atexit
atexit.register(lambda: print(time.monotonic() - begun))
for n in range(10):
    say(n)
begun = time.monotonic()
"""
    done = run(code, {**environment, "DATABASE_URL": NOWHERE}, tmp_path)
    assert done.returncode == 0
    assert float(done.stdout.splitlines()[-1]) < EXIT_WAIT
    assert "stay in the journal" in done.stderr
    assert len(journals(tmp_path)) == 1
    done = run("say('next')", environment, tmp_path)
    assert done.returncode == 0
    assert sorted(map(str, values(manager))) == sorted([*map(str, range(10)), "next"])
    assert journals(tmp_path) == []


@pytest.mark.parametrize("ending", ["os._exit(3)", "os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)"])
def test_an_end_without_exit_handlers_loses_nothing(
    ending: str, manager: DatabaseManager, environment: dict[str, str], tmp_path: Path
) -> None:
    """`os._exit` and SIGTERM end a process at once; the journal is there for that."""
    done = run(f"for n in range(50): say(n)\n{ending}", environment, tmp_path)
    assert done.returncode in (3, -signal.SIGTERM)
    recover(manager, tmp_path)
    assert values(manager) == list(range(50))


def test_the_agent_s_own_signal_handler_stays(
    manager: DatabaseManager, environment: dict[str, str], tmp_path: Path
) -> None:
    """The writer installs no handler; one of the agent's may emit and exit, and loses nothing."""
    code = """
def handler(number, frame):
    say("in the handler")
    sys.exit(7)
signal.signal(signal.SIGTERM, handler)
say("before")
assert flush(30)
assert signal.getsignal(signal.SIGTERM) is handler
assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
os.kill(os.getpid(), signal.SIGTERM)
time.sleep(60)
"""
    done = run(code, environment, tmp_path)
    assert (done.returncode, done.stderr) == (7, "")
    assert values(manager) == ["before", "in the handler"]


def test_a_fork_gives_parent_and_child_a_writer_each(
    manager: DatabaseManager, environment: dict[str, str], tmp_path: Path
) -> None:
    """What the parent had emitted before the fork is committed once, by the parent; the child's own by the child."""
    code = """
for n in range(200):
    say(["parent", n])
child = os.fork()
if child == 0:
    for n in range(200):
        say(["child", n])
    sys.exit(0 if flush(30) else 1)
for n in range(200, 400):
    say(["parent", n])
assert os.waitpid(child, 0)[1] == 0
assert flush(30)
"""
    done = run(code, environment, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    found = values(manager)
    assert len(found) == 600
    assert [value[1] for value in found if value[0] == "parent"] == list(range(400))  # type: ignore[index]
    assert [value[1] for value in found if value[0] == "child"] == list(range(200))  # type: ignore[index]
    assert journals(tmp_path) == []


def test_a_forked_child_does_not_keep_its_parent_s_journal(
    manager: DatabaseManager, environment: dict[str, str], tmp_path: Path
) -> None:
    """The parent is killed while a child that it forked lives on: its journal is an orphan and adopted at once."""
    code = """
for n in range(100):
    say(n)
if os.fork() == 0:
    time.sleep(60)
print(os.getpid(), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    environment["DATABASE_URL"] = NOWHERE
    script = tmp_path / "agent.py"
    script.write_text(PREAMBLE + code)
    with subprocess.Popen(
        [sys.executable, str(script)], env=environment, cwd=tmp_path, stdout=subprocess.PIPE, start_new_session=True
    ) as agent:
        try:
            assert agent.wait(60) == -signal.SIGKILL
            recover(manager, tmp_path)
            assert values(manager) == list(range(100))
        finally:
            os.killpg(agent.pid, signal.SIGKILL)


def test_a_multiprocessing_child_commits_before_it_ends(
    manager: DatabaseManager, environment: dict[str, str], tmp_path: Path
) -> None:
    """A child of multiprocessing leaves without exit handlers, and its events are in the log all the same."""
    code = """
import multiprocessing
def work(n):
    say(n)
if __name__ == "__main__":
    for method in ("fork", "spawn"):
        children = [multiprocessing.get_context(method).Process(target=work, args=(method,)) for _ in range(2)]
        for child in children:
            child.start()
        for child in children:
            child.join()
            assert child.exitcode == 0
"""
    done = run(code, environment, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(values(manager)) == ["fork", "fork", "spawn", "spawn"]  # type: ignore[type-var]
    assert journals(tmp_path) == []
