"""`copydesk` as a user runs it: a process, in a folder of its own, with an environment of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import pytest

from capture import DatabaseManager, EventLog, prepare
from capture.vocabulary import MemoryLearned

ROOT = Path(__file__).parents[2]

NOT_INHERITED = ("COPYDESK_", "DATABASE_", "FOUNDUP", "NO_COLOR", "PYTHON", "COLUMNS", "TERM")


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def object(self) -> dict[str, Any]:
        """The one JSON object on standard output."""
        (line,) = self.out.splitlines()
        value = json.loads(line)
        assert isinstance(value, dict)
        return value

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The JSON objects on standard output, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]


class Forks:
    """The process of `tests.acceptance.forking`, and the way to it."""

    def __init__(self) -> None:
        self._orders, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with far:
            self._process = subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("forking.py")), str(far.fileno())],
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                pass_fds=[far.fileno()],
            )

    def run(self, folder: Path, environment: dict[str, str], arguments: Sequence[str], streams: Sequence[int]) -> int:
        """Run a command to its end; its exit code, negative for a signal."""
        order = {"folder": str(folder), "environment": environment, "arguments": arguments}
        socket.send_fds(self._orders, [json.dumps(order).encode()], list(streams))
        return int(json.loads(self._orders.recv(100)))

    def close(self) -> None:
        """End the process."""
        self._orders.close()
        self._process.wait(30)


class Copydesk:
    """Runs commands in a folder.

    Args:
        folder: The working directory.
        forks: Where commands run.
        database_url: What DATABASE_URL says; nothing when left out.
    """

    def __init__(self, folder: Path, forks: Forks, database_url: str | None = None) -> None:
        self.folder = folder
        self.forks = forks
        kept = {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}
        self.environment = {**kept, "PYTHONPATH": str(ROOT), "COPYDESK_ACTOR": "operator"}
        if database_url is not None:
            self.environment["DATABASE_URL"] = database_url

    def __call__(self, *arguments: str, stdin: str | bytes = b"", env: dict[str, str] | None = None) -> Ran:
        """Run `copydesk` with these arguments, in a process of its own."""
        with TemporaryFile() as given, TemporaryFile() as out, TemporaryFile() as err:
            given.write(_bytes(stdin))
            given.seek(0)
            streams = [given.fileno(), out.fileno(), err.fileno()]
            code = self.forks.run(self.folder, {**self.environment, **(env or {})}, arguments, streams)
            out.seek(0)
            err.seek(0)
            return _ran(code, out.read(), err.read())

    def python(self, *arguments: str, stdin: str | bytes = b"", env: dict[str, str] | None = None) -> Ran:
        """Start Python with these arguments."""
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env={**self.environment, **(env or {})},
            input=_bytes(stdin),
            capture_output=True,
            timeout=120,
            check=False,
        )
        return _ran(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        """Start `copydesk` with these arguments and leave it running."""
        command = [sys.executable, "-m", "review.cli.app", *arguments]
        return subprocess.Popen(command, cwd=self.folder, env=self.environment, **options)

    def import_events(self, *events: dict[str, Any]) -> None:
        """Put events in, each as its type and its payload: `{"type": …, "data": {…}}`."""
        lines = [
            {"specversion": "1.0", "id": f"e{number}-{len(events)}", "source": "/agents/scribe", **event}
            for number, event in enumerate(events)
        ]
        text = "".join(json.dumps({"time": "2026-11-24T10:00:00Z", **line}) + "\n" for line in lines)
        ran = self("events", "import", "-", "--json", stdin=text)
        assert ran.object["refused"] == 0, ran.out


def draft(output_id: str = "o1", **fields: Any) -> dict[str, Any]:
    """A comment that an agent drafted."""
    data = {"output_id": output_id, "channel": "youtube", "identity": "@us", "body": "Thank you!", **fields}
    return {"id": f"draft-{output_id}", "type": "comment.drafted", "data": data}


def append_newer(database_url: str) -> int:
    """Append an event of a version that this code does not know yet, a dead letter of `agents_memory`; its position."""
    newer = prepare(MemoryLearned(key="k", value=1, kind="fact"), agent_id="a")._replace(schema_version=9)
    with DatabaseManager(database_url) as manager:
        (position,) = EventLog(manager).append_prepared([newer])
    return position


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _ran(code: int, out: bytes, err: bytes) -> Ran:
    ran = Ran(code, out.decode(), err.decode())
    assert "Traceback" not in ran.out + ran.err, ran.err
    return ran


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """The process that commands are forked from."""
    made = Forks()
    yield made
    made.close()


@pytest.fixture
def copydesk(tmp_path: Path, forks: Forks, database_url: str) -> Copydesk:
    """`copydesk` on a fresh database, on each backend in turn."""
    return Copydesk(_folder(tmp_path / "desk"), forks, database_url)


@pytest.fixture
def alone(tmp_path: Path, forks: Forks) -> Copydesk:
    """`copydesk` in an empty folder, with nothing set: the embedded database, which is not there yet."""
    return Copydesk(_folder(tmp_path / "alone"), forks)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, forks: Forks) -> Copydesk:
    """As `alone`, for the tests of a file that change nothing of what stands there."""
    return Copydesk(tmp_path_factory.mktemp("shared"), forks)


@pytest.fixture
def agent_script(tmp_path: Path) -> Callable[[str], Path]:
    """Writes an agent's script."""

    def write(text: str) -> Path:
        path = tmp_path / "agent.py"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def _folder(folder: Path) -> Path:
    folder.mkdir()
    return folder
