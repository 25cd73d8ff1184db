"""`emit` and what belongs to it: the three names that the author of an agent needs, and their kin."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from capture.errors import ReservedEventType
from capture.events import registry
from capture.events.content import Prepared
from capture.events.event import Event
from capture.events.prepare import check_id, prepare
from capture.identifiers import as_uuid
from capture.settings import Settings
from capture.writer.batching import BatchingWriter
from capture.writer.identity import UNNAMED, Identity, bound_ids
from capture.writer.quarantine import Quarantined
from capture.writer.redaction import Redact, Redaction


class Taker(Protocol):
    """What takes prepared events: a `BatchingWriter`, or the memory of `capture.testing.captured`."""

    def submit(self, event: Prepared, *, durable: bool = False) -> None:
        """See `BatchingWriter.submit`."""
        ...

    def submit_or_drop(self, event: Prepared) -> bool:
        """See `BatchingWriter.submit_or_drop`."""
        ...

    @property
    def put_encoded(self) -> Callable[[bytes], object]:
        """See `BatchingWriter.put_encoded`."""
        ...

    def submit_quarantine(self, record: Quarantined) -> bool:
        """See `BatchingWriter.submit_quarantine`."""
        ...

    async def submit_async(self, event: Prepared, *, durable: bool = False) -> None:
        """See `BatchingWriter.submit_async`."""
        ...

    def flush(self, timeout: float | None = 10.0) -> bool:
        """See `BatchingWriter.flush`."""
        ...

    async def flush_async(self, timeout: float | None = 10.0) -> bool:
        """See `BatchingWriter.flush_async`."""
        ...

    def close(self, timeout: float | None = 10.0) -> bool:
        """See `BatchingWriter.close`."""
        ...


class Capture:
    """What this process captures with: one, replaced by tests alone.

    Attributes:
        identity: Who emits.
        redaction: What is replaced before an event becomes bytes.
        taker: What takes the events; None before the first.
    """

    def __init__(self, taker: Taker | None = None) -> None:
        self.identity = Identity()
        self.redaction = Redaction()
        self.taker = taker
        self._options: dict[str, Any] = {}
        self._lock = threading.Lock()

    def set_options(self, **options: Any) -> None:
        """Set how the writer is made; one that exists already is closed and made anew at the next event."""
        given = {name: value for name, value in options.items() if value is not None}
        if not given:
            return
        with self._lock:
            self._options |= given
            taker, self.taker = self.taker, None
        if taker is not None:
            taker.close()

    def take(self) -> Taker:
        """The taker, made at the first event."""
        taker = self.taker
        if taker is not None:
            return taker
        with self._lock:
            if self.taker is None:
                settings = Settings.from_environment()
                options = dict(self._options)
                self.taker = BatchingWriter(
                    options.pop("database_url", None),
                    options.pop("journal", None),
                    settings=settings,
                    # Of the writer's own events; only an agent's event without a name is worth a warning.
                    agent_id=self.identity.agent_id or settings.agent_id or UNNAMED,
                    **options,
                )
            return self.taker

    def prepare(
        self,
        event: Event,
        *,
        agent_id: str | None,
        run_id: str | None,
        correlation_id: str | None,
        causation_id: str | None,
        trace_id: str | None = None,
        event_id: UUID | str | None = None,
        occurred_at: datetime | None = None,
    ) -> Prepared:
        """Redact an event and make it ready for the log; ids that are left out come from the context.

        Raises:
            ReservedEventType: Only copydesk itself writes this type.
            InvalidEvent: The event can't be stored as it is.
        """
        if registry.is_reserved(event.event_type):
            raise ReservedEventType(
                f"{event.event_type} is written by copydesk alone",
                hint="decide through `copydesk review`, or emit a type of your own",
            )
        bound, identity = bound_ids(), self.identity
        return prepare(
            self.redaction.event(event),
            agent_id=agent_id or bound.get("agent_id") or identity.agent(),
            run_id=run_id or bound.get("run_id") or identity.run_id,
            correlation_id=correlation_id or bound.get("correlation_id") or identity.correlation_id,
            causation_id=causation_id or bound.get("causation_id"),
            trace_id=trace_id or bound.get("trace_id"),
            event_id=event_id,
            occurred_at=occurred_at,
        )


capture = Capture()


def configure(
    *,
    agent_id: str | None = None,
    run_id: str | None = None,
    correlation_id: str | None = None,
    database_url: str | None = None,
    journal: Path | str | None = None,
    journal_bytes: int | None = None,
    redact: Redact | None = None,
    full_wait: float | None = None,
) -> None:
    """Say once how this process captures. What is left out keeps its value; nothing is opened yet.

    Args:
        agent_id: Who emits, unless the call or the bound context says it; else `COPYDESK_AGENT_ID`.
        run_id: The run of the agent.
        correlation_id: What its events belong to.
        database_url: The database; else `DATABASE_URL`, else the embedded one.
        journal: The folder of the journals; else `COPYDESK_JOURNAL`.
        journal_bytes: The bound of the journal, in bytes; else `COPYDESK_JOURNAL_BYTES`.
        redact: The keys whose values become `[redacted]`, instead of the usual ones (password, token, secret,
            authorization …); or a function that takes an event's payload and returns what to keep of it.
        full_wait: How long `emit` waits for room when the journal is full, in seconds; 1.0 by default.

    Raises:
        InvalidEvent: An id is no plain name.
    """
    for name, value in (("agent_id", agent_id), ("run_id", run_id), ("correlation_id", correlation_id)):
        if value is not None:
            check_id(name, value)
    capture.identity = capture.identity.but(agent_id, run_id, correlation_id)
    if redact is not None:
        capture.redaction = Redaction(redact)
    capture.set_options(database_url=database_url, journal=journal, journal_bytes=journal_bytes, full_wait=full_wait)


def emit(
    event: Event,
    *,
    durable: bool = False,
    agent_id: str | None = None,
    run_id: str | None = None,
    correlation_id: str | None = None,
    causation_id: str | None = None,
    event_id: UUID | str | None = None,
    occurred_at: datetime | None = None,
) -> UUID:
    """Put an event out. When this returns, the event survives a kill of the process.

    Args:
        event: An instance of an `Event` class with a type.
        durable: Wait until it is committed so that it survives a power cut too.
        agent_id: Who emits; see `configure`.
        run_id: The run of the agent.
        correlation_id: What the event belongs to.
        causation_id: The event that caused it.
        event_id: A UUID; a new one of version 7 when left out. The same id with the same content is stored once.
        occurred_at: An aware time; now when left out.

    Returns:
        The event's id.

    Raises:
        InvalidEvent: It can't be stored as it is; the message says which part and why.
        ReservedEventType: Only copydesk itself writes this type.
        JournalFull: There was no room in the journal in time. The event was not taken.
        JournalUnavailable: The journal's folder can't be written. The event was not taken.
        WouldDeadlock: `durable` inside a decision, or on the thread of an event loop: `await emit_async(…)` there.
        EventConflict: `durable`, and the id is in the log already with other content.
    """
    prepared = capture.prepare(
        event,
        agent_id=agent_id,
        run_id=run_id,
        correlation_id=correlation_id,
        causation_id=causation_id,
        event_id=event_id,
        occurred_at=occurred_at,
    )
    capture.take().submit(prepared, durable=durable)
    return event_id if isinstance(event_id, UUID) else as_uuid(prepared.event_id)


async def emit_async(
    event: Event,
    *,
    durable: bool = False,
    agent_id: str | None = None,
    run_id: str | None = None,
    correlation_id: str | None = None,
    causation_id: str | None = None,
    event_id: UUID | str | None = None,
    occurred_at: datetime | None = None,
) -> UUID:
    """As `emit`, without blocking the event loop: not when the journal is full, and not with `durable`."""
    prepared = capture.prepare(
        event,
        agent_id=agent_id,
        run_id=run_id,
        correlation_id=correlation_id,
        causation_id=causation_id,
        event_id=event_id,
        occurred_at=occurred_at,
    )
    await capture.take().submit_async(prepared, durable=durable)
    return event_id if isinstance(event_id, UUID) else as_uuid(prepared.event_id)


def flush(timeout: float | None = 10.0) -> bool:
    """Wait until everything that this process emitted before is committed.

    Args:
        timeout: In seconds; None waits for ever.

    Returns:
        False when it was not committed in time. Nothing is lost then: it is in the journal.

    Raises:
        WouldDeadlock: Inside a decision, or on the thread of an event loop: `await flush_async(timeout)` there.
    """
    return capture.taker is None or capture.taker.flush(timeout)


async def flush_async(timeout: float | None = 10.0) -> bool:
    """As `flush`, without blocking the event loop."""
    return capture.taker is None or await capture.taker.flush_async(timeout)
