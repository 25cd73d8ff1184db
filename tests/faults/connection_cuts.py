"""Appends two events again and again, and has the connection cut at one byte more each time."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from sqlalchemy.engine import make_url

from capture import BatchingWriter, DatabaseManager, EventLog, Prepared
from capture.errors import CommitUnknown
from tests.faults.proxy import DOWN, UP, Proxy
from tests.fixtures.writer import note

LONGEST = 10.0
"""No append may take longer, in seconds, however often its connection is cut."""


class Cuts(NamedTuple):
    """What came of it.

    Attributes:
        told: The ids of the events whose append had returned.
        cuts: How many connections were cut.
        slowest: Seconds of the slowest append.
        unknown: How many appends were told that their commit may or may not have taken place, and repeated.
    """

    told: list[str]
    cuts: int
    slowest: float
    unknown: int


@contextmanager
def through_a_proxy(url: str) -> Iterator[tuple[Proxy, str]]:
    """A proxy to the server's unix socket, and the URL that leads through it."""
    parsed = make_url(url)
    folder, port = str(parsed.query["host"]), parsed.query.get("port", "5432")
    proxy = Proxy(f"{folder}/.s.PGSQL.{port}")
    try:
        # Nothing is tried first that would count other bytes on one machine than on another.
        query = {"sslmode": "disable", "gssencmode": "disable"}
        yield (
            proxy,
            parsed.set(host="127.0.0.1", port=proxy.port, query=query).render_as_string(hide_password=False),
        )
    finally:
        proxy.close()


def every_byte(step: int = 1, first: int = 0) -> Iterator[tuple[int, int]]:
    """Direction and byte, up and then down; `send` nothing, stop when a direction has no such byte any more."""
    for direction in (UP, DOWN):
        for after in range(first, 100_000, step):
            yield direction, after


def append_under_cuts(proxy: Proxy, url: str, cuts: Iterable[tuple[int, int]]) -> Cuts:
    """Append by the log, each time with a cut; an append whose commit is unknown is repeated with the same ids."""
    told: list[str] = []
    slowest, unknown, exhausted, before = 0.0, 0, Counter[int](), proxy.cuts
    with DatabaseManager(url) as manager:
        log = EventLog(manager)
        for number, (direction, after) in enumerate(cuts):
            if exhausted[direction]:
                continue
            assert log.head() >= 0  # a whole connection is in the pool
            pair = [note(number), note(-number)]
            proxy.arm(direction, after)
            begun, made = time.monotonic(), proxy.cuts
            unknown += _append(log, pair, durable=number % 2 == 1)
            slowest = max(slowest, time.monotonic() - begun)
            exhausted[direction] = proxy.cuts == made
            proxy.arm()
            told += [event.event_id for event in pair]
    return Cuts(told, proxy.cuts - before, slowest, unknown)


def _append(log: EventLog, pair: list[Prepared], *, durable: bool) -> int:
    try:
        log.append_prepared(pair, durable=durable)
    except CommitUnknown:
        log.append_prepared(pair, durable=durable)
        return 1
    return 0


def write_under_cuts(proxy: Proxy, url: str, folder: Path, cuts: Iterable[tuple[int, int]]) -> Cuts:
    """The same through a writer: it mends everything by itself."""
    told: list[str] = []
    slowest, exhausted, before = 0.0, Counter[int](), proxy.cuts
    writer = BatchingWriter(url, folder)
    try:
        for number, (direction, after) in enumerate(cuts):
            if exhausted[direction]:
                continue
            assert writer.flush(LONGEST)
            pair = [note(number), note(-number)]
            proxy.arm(direction, after)
            begun, made = time.monotonic(), proxy.cuts
            for event in pair:
                writer.submit(event)
            assert writer.flush(2 * LONGEST)
            slowest = max(slowest, time.monotonic() - begun)
            exhausted[direction] = proxy.cuts == made
            proxy.arm()
            told += [event.event_id for event in pair]
    finally:
        assert writer.close(LONGEST)
    return Cuts(told, proxy.cuts - before, slowest, 0)
