"""The way back: an agent waits for what became of its output.

Silence never approves. Expired, withdrawn and rejected are three outcomes, and each is told as what it is.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass

from capture import DatabaseManager, EventLog, flush, flush_async
from review.decider import fold, stream_of
from review.diff import Change, words
from review.output import Ignored, Output, State

_UNDECIDED = frozenset({State.AWAITED, State.PENDING})
_DECIDES = frozenset(
    {
        "review.approved",
        "review.changes_requested",
        "review.rejected",
        "review.expired",
        "review.withdrawn",
        "review.superseded",
        "output.withdrawn",
    }
)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5  # seconds between two looks at the log


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of an output.

    Attributes:
        output_id: The output.
        decided: False when the time was over before anybody decided.
        state: Where it stands; None when no draft of it has come yet.
        actor: Who decided.
        reason_code: Why, from the list.
        note: Why, in words.
        body: The body as it stands, a reviewer's edit included.
        content_hash: The hash of the content as it stands.
        edited: True when a reviewer changed the agent's content.
        diff: From the agent's own body to the one that stands; empty unless edited.
        ignored: Events of the stream that changed nothing, and why.
    """

    output_id: str
    decided: bool
    state: State | None = None
    actor: str | None = None
    reason_code: str | None = None
    note: str | None = None
    body: str | None = None
    content_hash: str | None = None
    edited: bool = False
    diff: tuple[Change, ...] = ()
    ignored: tuple[Ignored, ...] = ()


def verdict_of(output_id: str, output: Output | None) -> Verdict:
    """What an output says about its verdict."""
    if output is None or not output.drafted:
        return Verdict(output_id, decided=False)
    decided = output.state not in _UNDECIDED
    entry = next((entry for entry in reversed(output.history) if entry.what in _DECIDES), None) if decided else None
    own = next(revision for revision in reversed(output.revisions) if not revision.edited)
    return Verdict(
        output_id,
        decided=decided,
        state=output.state,
        actor=None if entry is None else entry.by,
        reason_code=None if entry is None else entry.reason_code,
        note=None if entry is None else entry.note,
        body=output.body,
        content_hash=output.content_hash,
        edited=output.current.edited,
        diff=words(own.body, output.body) if output.current.edited else (),
        ignored=output.ignored,
    )


def wait(output_id: str, timeout: float, *, manager: DatabaseManager | None = None) -> Verdict:
    """Wait until an output is decided. Own events are flushed first; an output that is not there yet is waited for.

    Args:
        output_id: The output.
        timeout: How long at most, in seconds.
        manager: The database; `DatabaseManager.get()` when left out.

    Returns:
        The verdict; `decided` is False when the time was over first.

    Raises:
        WouldDeadlock: In an event loop: `await wait_async(…)` there.
    """
    end = time.monotonic() + timeout
    flush(timeout)
    watch = _Watch(output_id, manager)
    for pause in _pauses(end):
        verdict = watch.look()
        if verdict.decided or pause is None:
            return verdict
        time.sleep(pause)
    raise AssertionError("the pauses end with None")


async def wait_async(output_id: str, timeout: float, *, manager: DatabaseManager | None = None) -> Verdict:
    """As `wait`, without holding up the event loop.

    Args:
        output_id: The output.
        timeout: How long at most, in seconds.
        manager: The database; `DatabaseManager.get()` when left out.
    """
    end = time.monotonic() + timeout
    await flush_async(timeout)
    watch = await asyncio.to_thread(_Watch, output_id, manager)
    for pause in _pauses(end):
        verdict = await asyncio.to_thread(watch.look)
        if verdict.decided or pause is None:
            return verdict
        await asyncio.sleep(pause)
    raise AssertionError("the pauses end with None")


class _Watch:
    """Folds a stream as it grows: each look reads only what is new."""

    def __init__(self, output_id: str, manager: DatabaseManager | None) -> None:
        self._log = EventLog(manager)
        self._output_id = output_id
        self._output: Output | None = None
        self._seen = 0

    def look(self) -> Verdict:
        """The verdict by now."""
        head = self._log.head()
        if head > self._seen:
            events = list(self._log.read(self._seen, stream=stream_of(self._output_id)))
            self._output = fold(events, self._output)
            # What was read may lie beyond the head that was asked before.
            self._seen = max([head, *(event.position for event in events[-1:])])
        return verdict_of(self._output_id, self._output)


def _pauses(end: float) -> Iterator[float | None]:
    pause = _FIRST_PAUSE
    while (left := end - time.monotonic()) > 0:
        yield min(pause, left)
        pause = min(pause * 1.5, _LONGEST_PAUSE)
    yield None
