"""For tests of agents: what they would put out, without a database and without a journal.

with captured() as events:
    my_agent.run()
assert [event.event_type for event in events] == ["comment.drafted"]
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import TypeVar

from capture import clock
from capture.errors import EventConflict
from capture.events.content import Prepared, digest
from capture.events.decoding import decode
from capture.events.event import Event
from capture.events.recorded import AnyRecorded, Stored
from capture.writer import emit
from capture.writer.quarantine import Quarantined

E = TypeVar("E", bound=Event)


class Captured(list[AnyRecorded]):
    """The events as the log would give them back, in order; positions begin at 1.

    Attributes:
        quarantined: What was refused: log lines that make no valid event.
    """

    def __init__(self) -> None:
        super().__init__()
        self.quarantined: list[Quarantined] = []

    def of(self, event_class: type[E]) -> list[E]:
        """The payloads of one class, in order."""
        return [event.payload for event in self if isinstance(event.payload, event_class)]


@contextmanager
def captured() -> Iterator[Captured]:
    """Collect in memory what `emit` and `CaptureProcessor` take, in every thread of this process.

    Redaction and limits are those of production; `flush` and `durable=True` return at once.

    Yields:
        The list that fills up.
    """
    events = Captured()
    before = emit.capture
    emit.capture = inside = emit.Capture(_Memory(events))
    inside.identity, inside.redaction = before.identity, before.redaction
    try:
        yield events
    finally:
        emit.capture = before


class _Memory:
    def __init__(self, events: Captured) -> None:
        self._events = events
        self._lock = Lock()

    def submit(self, event: Prepared, *, durable: bool = False) -> None:
        del durable  # memory knows no power cut
        with self._lock:
            for known in self._events:
                if str(known.event_id) == event.event_id:
                    if known.digest == digest(event):
                        return
                    raise EventConflict(
                        f"the event id {event.event_id} was put out before, with other content",
                        hint="give the new event an id of its own",
                    )
            now = clock.utc_now()
            row = Stored(
                len(self._events) + 1,
                *event[:9],
                clock.from_text(event.occurred_at),
                now,
                event.payload.decode(),
                digest(event),
            )
            self._events.append(decode(row))

    def submit_or_drop(self, event: Prepared) -> bool:
        self.submit(event)
        return True

    def submit_quarantine(self, record: Quarantined) -> bool:
        self._events.quarantined.append(record)
        return True

    async def submit_async(self, event: Prepared, *, durable: bool = False) -> None:
        self.submit(event, durable=durable)

    def flush(self, timeout: float | None = 10.0) -> bool:
        del timeout
        return True

    async def flush_async(self, timeout: float | None = 10.0) -> bool:
        del timeout
        return True

    def close(self, timeout: float | None = 10.0) -> bool:
        del timeout
        return True


__all__ = ["Captured", "captured"]
