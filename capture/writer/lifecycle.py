"""What happens to a writer when its process forks or ends.

A fork leaves journal, queue and thread to the parent; the child begins anew at its first event. An ending interpreter
waits for the commit, but not long: the journal keeps the rest, and the next process adopts it. SIGTERM is the agent's
own business: by default it ends the process as a kill does, and the journal is there for that.
"""

from __future__ import annotations

import atexit
import os
import sys
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from capture.writer.batching import BatchingWriter

EXIT_WAIT = 10.0
"""How long an ending interpreter waits for the last commit, in seconds; not longer than until an attempt fails."""

_writers: weakref.WeakSet[BatchingWriter] = weakref.WeakSet()
_registered_in = 0


def keep(writer: BatchingWriter) -> None:
    """Look after a writer for as long as it exists."""
    _writers.add(writer)


def at_exit() -> None:
    """See that the writers are closed when this interpreter ends; called when a writer's thread starts."""
    global _registered_in  # noqa: PLW0603 - once a process, and a fork makes another process
    if _registered_in == os.getpid():
        return
    if not _registered_in:
        atexit.register(_close_all)
    _registered_in = os.getpid()
    # A child of multiprocessing leaves by os._exit after its own finalizers: atexit is never asked there.
    process, util = sys.modules.get("multiprocessing.process"), sys.modules.get("multiprocessing.util")
    if process is not None and util is not None and process.parent_process() is not None:
        util.Finalize(None, _close_all, exitpriority=0)


def _close_all() -> None:
    for writer in list(_writers):
        writer.close(EXIT_WAIT, insist=False)


def _after_fork_in_child() -> None:
    for writer in list(_writers):
        writer.after_fork_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
