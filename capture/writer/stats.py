"""What a writer has done, in counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Stats(NamedTuple):
    """What a writer has done since it was made, or since the fork that made its process.

    Attributes:
        submitted: Records taken: events, and what goes to quarantine.
        committed: Events that are in the log.
        quarantined: Records that are in quarantine.
        waiting: Records taken and not yet committed.
        dropped: Events that found no room and were dropped by a source that may not wait.
        batches: Commits.
        durable_batches: Commits that survive a power cut.
        failures: Attempts that failed because the database was away.
        adopted: Records of processes that are gone, brought into the log.
        journal_bytes: Bytes of all segments.
        segments: How many there are.
        last_error: The newest failure, or None since the database answers again.
    """

    submitted: int
    committed: int
    quarantined: int
    waiting: int
    dropped: int
    batches: int
    durable_batches: int
    failures: int
    adopted: int
    journal_bytes: int
    segments: int
    last_error: str | None


@dataclass(slots=True)
class Counts:
    """The same as the writer's thread counts it; no other thread writes here."""

    settled: int = 0
    committed: int = 0
    quarantined: int = 0
    batches: int = 0
    durable_batches: int = 0
    failures: int = 0
    adopted: int = 0
    last_error: str | None = None
