"""Builds `recorder.c` and starts programs behind it."""

from __future__ import annotations

import atexit
import ctypes
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
SOURCE = Path(__file__).with_suffix(".c")

OPEN, WRITE, SYNC, TRUNCATE, ALLOCATE, RENAME, UNLINK, MAP = (1 << bit for bit in range(8))
"""The calls that can be made to fail."""

_HEAD = struct.Struct("=ciQI")


class Operation(NamedTuple):
    """One record of the recorder's log; see `recorder.c`."""

    kind: str
    number: int
    offset: int
    data: bytes


@cache
def library() -> Path:
    """The recorder, compiled once a run; removed at the end of it."""
    made = Path(os.environ.get("LD_PRELOAD", ""))
    if made.name != "recorder.so":
        made = Path(mkdtemp(prefix="copydesk-recorder-")) / "recorder.so"
        _compile(made)
    atexit.register(shutil.rmtree, made.parent, ignore_errors=True)
    return made


def _compile(made: Path) -> None:
    command = ["cc", "-shared", "-fPIC", "-O1", "-Wall", "-U_FORTIFY_SOURCE", "-o", made, SOURCE, "-ldl", "-lpthread"]
    subprocess.run(command, check=True)


def environment() -> dict[str, str]:
    """The environment of a program that runs behind the recorder."""
    return {**os.environ, "LD_PRELOAD": str(library()), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}


def start_anew() -> None:
    """Start this program anew behind the recorder, unless it is there already."""
    if Path(os.environ.get("LD_PRELOAD", "")).name != "recorder.so":
        os.execve(sys.executable, [sys.executable, *sys.argv], environment())
    library()


def start(program: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a program of this folder behind the recorder, to its end."""
    command = [sys.executable, str(program), *map(str, arguments)]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=550, check=False)


def operations(log: Path) -> Iterator[Operation]:
    """What a recorded process did, in order."""
    data, at = log.read_bytes(), 0
    while at < len(data):
        kind, number, offset, size = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        yield Operation(kind.decode(), number, offset, data[at : at + size])
        at += size


class Recorder:
    """The recorder that this process was started behind."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(None)

    def record(self, folder: Path, log: Path | None) -> None:
        """From now on, look at the files below a folder; without a log they can only be made to fail."""
        self._library.record(os.fsencode(folder), None if log is None else os.fsencode(log))

    def fail(self, calls: int, part: str, *, after: int, count: int, error: int) -> None:
        """Let calls on paths that hold `part` fail, `count` of them after the first ones; error 0: see `recorder.c`."""
        self._library.fail(calls, part.encode(), after, count, error)

    def skip_syncs(self, folder: Path) -> None:
        """Let syncs below a folder do nothing: a rebuilt disk need not survive, and they take most of the time."""
        self.record(folder, None)
        self.fail(SYNC, "", after=0, count=2**31 - 1, error=0)

    @property
    def seen(self) -> int:
        """How many calls were of the kind that shall fail."""
        return int(self._library.seen())

    @property
    def hits(self) -> int:
        """How many of them failed."""
        return int(self._library.hits())
