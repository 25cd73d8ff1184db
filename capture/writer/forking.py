"""A fork waits until no writer's thread is busy with its database.

A child has one thread, the one that forked. What another thread was in the middle of stays so for good: a module that
is half imported, a lock inside SQLite or the driver that nobody will ever let go of. The writer's thread is invisible
to the agent, so the agent can't be asked to mind it.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE = 5.0
"""How long a fork waits, in seconds. Not for ever: the database may be away, or held by the thread that forks."""


class _Gate:
    """Who is busy, and whether somebody forks."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.busy: Counter[int] = Counter()
        self.forks = 0

    @contextmanager
    def held(self) -> Iterator[None]:
        thread = threading.get_ident()
        with self.changed:
            # Who is in already goes on: the fork waits for them.
            self.changed.wait_for(lambda: not self.forks or self.busy[thread])
            self.busy[thread] += 1
        try:
            yield
        finally:
            with self.changed:
                self.busy[thread] -= 1
                self.changed.notify_all()

    def before_fork(self) -> None:
        thread = threading.get_ident()
        with self.changed:
            self.forks += 1
            self.changed.wait_for(
                lambda: not any(count for other, count in self.busy.items() if other != thread), PATIENCE
            )

    def after_fork_in_parent(self) -> None:
        with self.changed:
            self.forks -= 1
            self.changed.notify_all()


_gate = _Gate()


@contextmanager
def undivided() -> Iterator[None]:
    """A block that the fork of another thread waits for, and that does not begin while one forks."""
    with _gate.held():
        yield


def _before_fork() -> None:
    _gate.before_fork()


def _after_fork_in_parent() -> None:
    _gate.after_fork_in_parent()


def _after_fork_in_child() -> None:
    global _gate  # noqa: PLW0603 - of the process, and a fork makes another process
    _gate = _Gate()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
