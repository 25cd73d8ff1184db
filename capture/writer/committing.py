"""From a batch to the log: one append for all of it, and the search for the event that the log refuses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from capture.errors import EventConflict, InvalidEvent
from capture.events.content import Prepared
from capture.writer.quarantine import Quarantined, refused


class Sink(Protocol):
    """Where the writer's thread puts a batch: the database, or something that stands for it in a test."""

    def log_id(self) -> bytes:
        """What names the log, 16 bytes."""
        ...

    def append(self, events: Sequence[Prepared], *, durable: bool) -> None:
        """Append events in one transaction. One that is in the log already is no error."""
        ...

    def quarantine(self, records: Sequence[Quarantined], *, durable: bool) -> None:
        """Keep what the log refuses. A record that is kept already is no error."""
        ...

    def sync(self) -> None:
        """Make everything committed so far survive a power cut."""
        ...

    def refuses(self, error: Exception) -> bool:
        """Whether an error means that the database refused what was sent, and would again."""
        ...

    def waits_for_caller(self) -> bool:
        """Whether a commit would wait for a lock that the calling thread holds."""
        ...

    def close(self) -> None:
        """Let go of the database."""
        ...


def commit(
    sink: Sink,
    events: Sequence[Prepared],
    records: Sequence[Quarantined] = (),
    *,
    durable: bool,
    source: str = "emit",
) -> dict[str, Exception]:
    """Put a batch into the log and what it refuses into quarantine.

    Args:
        sink: The database.
        events: To be appended, in order.
        records: To be put into quarantine as they are.
        durable: Whether it must survive a power cut.
        source: The way in by which the events came.

    Returns:
        The errors of the events that the log refused, by event id.

    Raises:
        Exception: The database is away. What of the batch is committed can be given again.
    """
    errors: dict[str, Exception] = {}
    guilty = list(records)

    def refuse(event: Prepared, error: Exception) -> None:
        errors[event.event_id] = error
        guilty.append(refused(event, f"{type(error).__name__}: {error}", source=source))

    _append(sink, events, refuse, durable=durable)
    if guilty:
        sink.quarantine(guilty, durable=durable)
    return errors


def is_refusal(sink: Sink, error: Exception) -> bool:
    """Whether an error is about an event and not about the database."""
    # ValueError and its kin: a driver that can't even encode what it was given.
    return isinstance(error, EventConflict | InvalidEvent | ValueError | TypeError) or sink.refuses(error)


def _append(
    sink: Sink, events: Sequence[Prepared], refuse: Callable[[Prepared, Exception], object], *, durable: bool
) -> None:
    if not events:
        return
    try:
        sink.append(events, durable=durable)
    except Exception as error:
        if not is_refusal(sink, error):
            raise
        if len(events) == 1:
            refuse(events[0], error)
            return
        # Halves, each in a transaction of its own: one bad event in 1,000 costs ten appends, and order is kept.
        middle = len(events) // 2
        _append(sink, events[:middle], refuse, durable=durable)
        _append(sink, events[middle:], refuse, durable=durable)
