"""A replay of what is stale in a process of its own, beside a process that serves: start it, hear from it, end it.

In a thread of the serving process it would keep its readers waiting for the interpreter's lock (see `replaying`).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from types import FrameType
from typing import NamedTuple

from capture import CopydeskError, DatabaseManager, Settings
from projections.replaying import replay

FIRST_PAUSE, LONGEST_PAUSE = 30.0, 3_600.0
"""Seconds until what failed is tried again: the pause doubles from the one to the other."""

GRACE = 10.0
"""How many seconds a process has to give its leases back when it is asked to end."""


class Ended(NamedTuple):
    """What a process of replays came to.

    Attributes:
        replayed: The projections whose tables were swapped.
        error: What the first one that could not be rebuilt said; empty when all were.
        hint: What to do about it.
    """

    replayed: tuple[str, ...]
    error: str = ""
    hint: str = ""


class ReplayProcess:
    """At most one process that replays what is stale.

    Args:
        database_url: The database, with its password, which goes to the process by its environment.
        now: Tells the seconds from a fixed point on.

    Attributes:
        projections: What the process that runs was started for.
    """

    def __init__(self, database_url: str, *, now: Callable[[], float] = time.monotonic) -> None:
        self.projections: tuple[str, ...] = ()
        self._url, self._now = database_url, now
        self._process: subprocess.Popen[bytes] | None = None
        self._pause, self._not_before = FIRST_PAUSE, 0.0

    @property
    def running(self) -> bool:
        """Whether a process was started whose end was not told yet."""
        return self._process is not None

    def start(self, stale: Iterable[str]) -> bool:
        """Start a process, unless one runs, nothing is stale, or the last one failed a moment ago.

        Args:
            stale: The projections that need a replay.

        Returns:
            Whether one was started.
        """
        names = tuple(stale)
        if self.running or not names or self._now() < self._not_before:
            return False
        here = os.pathsep.join(path for path in sys.path if path)
        self._process = subprocess.Popen(
            # -P: what lies in the working directory is no part of copydesk.
            [sys.executable, "-P", "-m", "projections.replay_process"],
            env=Settings.environment_with(DATABASE_URL=self._url, PYTHONPATH=here),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C at the terminal is for who started it, who then ends this
        )
        self.projections = names
        return True

    def ended(self, timeout: float = 0.0) -> Ended | None:
        """What the process came to, once; None while it runs, or when there is none.

        Args:
            timeout: How many seconds to wait for its end.
        """
        if self._process is None:
            return None
        try:
            told, _ = self._process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            return None
        code, self._process = self._process.returncode, None
        try:
            said = json.loads(told)
            ended = Ended(tuple(said["replayed"]), said["error"], said["hint"])
        except ValueError:
            ended = Ended((), f"the process of the replay ended with {code}", "its log says why")
        if ended.error:
            self._not_before = self._now() + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
        else:
            self._pause = FIRST_PAUSE
        return ended

    def stop(self) -> None:
        """End the process, if there is one: what it has committed stays, and the next replay goes on from there."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.communicate(timeout=GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
        self._process = None


def main() -> int:
    """Replay what is stale, and tell on standard output how it ended; what `ReplayProcess` starts."""

    def leave(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, leave)
    replayed: list[str] = []
    error = hint = ""
    try:
        with DatabaseManager() as manager:
            replayed = [one.projection for one in replay(manager)]
    except KeyboardInterrupt:
        return 128 + signal.SIGTERM
    except CopydeskError as failure:
        error, hint = failure.message, failure.hint
        replayed = [one.projection for one in failure.data.get("done", ())]  # type: ignore[attr-defined] # of `Replayed`
    sys.stdout.write(json.dumps({"replayed": replayed, "error": error, "hint": hint}))
    return 1 if error else 0


if __name__ == "__main__":
    sys.exit(main())
