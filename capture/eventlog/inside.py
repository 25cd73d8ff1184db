"""Whether this thread and task stand inside a decision, where waiting for the writer could never end.

Apart from the decision itself, since the writer asks on the agent's thread, which never imports the database.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import get_ident

_decision_of: ContextVar[int | None] = ContextVar("copydesk_decision_of_thread", default=None)


def a_decision() -> bool:
    """True inside `EventLog.deciding()` of this thread. A thread that only copied the context is not inside."""
    return _decision_of.get() == get_ident()


@contextmanager
def entered() -> Iterator[None]:
    """Mark the thread for the time of a decision."""
    token = _decision_of.set(get_ident())
    try:
        yield
    finally:
        _decision_of.reset(token)
