"""The log itself: every event is read once, in pages, and nothing is kept of it but its leaf in the tree.

Without a checkpoint it shows what contradicts itself: a digest that is not the content's, a gap, a time that falls, an
end that is not the head's. Who rewrites all of that together is found against a checkpoint that was kept elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from capture import clock
from capture.check.finding import Finding, error
from capture.database.manager import DatabaseManager
from capture.database.tables import events, head
from capture.errors import CopydeskError, OtherLog
from capture.eventlog.merkle import MerkleTree
from capture.eventlog.reading import PAGE, stored_rows
from capture.eventlog.tree_head import TreeHead, origin_of
from capture.events.content import Prepared, digest

Row = Sequence[Any]

_BELOW_ALL = -(2**63)
"""No position lies below it, whoever wrote it."""

_NAMED = 20
"""So many positions are named for each kind of fault; the others are counted."""

_NO_REPAIR = (
    "nothing mends a log: compare it with a backup or a copy, find out who could write to the database, "
    "and keep checkpoints elsewhere (`copydesk db checkpoint`)"
)
_DIGEST = "the digest of each event is the one of its content"
_READABLE = "each event can be read"
_DENSE = "the positions are 1, 2, 3 … without a gap"
_TIMES = "times of recording never fall as positions rise"
_FUTURE = "no event was recorded after the head's time"


class Checked(NamedTuple):
    """What reading the whole log showed.

    Attributes:
        findings: What is wrong with it.
        tree_head: Over all of it, up to the head when the reading began.
    """

    findings: tuple[Finding, ...]
    tree_head: TreeHead


class _Faults:
    """Positions by what is wrong with them, the first of each kind."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._first: dict[str, list[tuple[int, str]]] = {}

    def add(self, expected: str, position: int, told: str = "") -> None:
        first = self._first.setdefault(expected, [])
        self._counts[expected] = self._counts.get(expected, 0) + 1
        if len(first) < _NAMED:
            first.append((position, told))

    def findings(self) -> Iterator[Finding]:
        for expected, first in self._first.items():
            more = self._counts[expected] - len(first)
            found = ", ".join(f"position {position}{told}" for position, told in first)
            found += f", and {more} more" if more else ""
            yield error("log", expected, f"otherwise at {found}", _NO_REPAIR, tuple(position for position, _ in first))


def check_log(
    manager: DatabaseManager, older: Sequence[TreeHead] = (), advance: Callable[[int], None] = lambda _: None
) -> Checked:
    """Read all events up to the head, each once.

    Args:
        manager: The database.
        older: Checkpoints of this log that were kept elsewhere; a change before any of them is found.
        advance: Told of each page, how many events it had.

    Raises:
        OtherLog: A checkpoint is of another log.
    """
    with manager.connect() as connection:
        columns = (head.c.log_id, head.c.position, sa.cast(head.c.recorded_at, sa.Text), _newest())
        log_id, end, head_time, newest = connection.execute(sa.select(*columns).where(head.c.id == 1)).one()
    origin = origin_of(log_id)
    for one in older:
        if one.origin != origin:
            raise OtherLog(
                f"a checkpoint of {origin} was expected, found one of {one.origin[:200]!a}",
                hint="`copydesk db status` shows the log's id; set DATABASE_URL to the other log",
            )
    reading = _Reading(older)
    for page in _pages(manager, end, reading.faults):
        for row in page:
            reading.take(row)
        advance(len(page))
    findings = list(reading.faults.findings())
    if newest != end:
        findings.append(
            error(
                "log",
                f"the newest event is at the head's position, {end}",
                f"the newest event is at position {newest}",
                _NO_REPAIR,
                (min(newest, end) + 1,),
            )
        )
    if reading.latest is not None and reading.latest > _time(head_time):
        findings.append(error("log", _FUTURE, f"the head says {head_time}", _NO_REPAIR))
    findings += reading.contradicted()
    return Checked(tuple(findings), TreeHead(origin, reading.tree.size, reading.tree.root()))


class _Reading:
    def __init__(self, older: Sequence[TreeHead]) -> None:
        self.tree = MerkleTree()
        self.faults = _Faults()
        self.latest: datetime | None = None
        self._older = sorted(older, key=lambda one: one.size)
        self._roots: list[tuple[int, bytes]] = []
        self._last = 0
        self._time_text: object = None
        self._before: datetime | None = None

    def take(self, row: Row) -> None:
        """Look at one event, and add it to the tree."""
        position = row[0]
        while len(self._roots) < len(self._older) and position > self._older[len(self._roots)].size:
            self._roots.append((self.tree.size, self.tree.root()))
        if position < 1:
            self.faults.add(_DENSE, position, " (the first is 1)")
        elif position != self._last + 1:
            missing = position - self._last - 1
            self.faults.add(_DENSE, self._last + 1, f" ({missing:,} missing)" if missing > 1 else " (missing)")
        self._last = max(position, 0)
        stored = bytes(row[13]) if not isinstance(row[13], str) else row[13].encode()
        try:
            right = _digest(row) == stored
        except (ValueError, TypeError, AttributeError, UnicodeError):
            right = False
        if not right:
            self.faults.add(_DIGEST, position)
        self._look_at_time(position, row[11])
        self.tree.append(stored + _text(row[11]).encode("utf-8", "surrogateescape"))

    def _look_at_time(self, position: int, value: Any) -> None:
        if value == self._time_text:
            return
        self._time_text = value
        try:
            at = _time(value)
        except (ValueError, TypeError):
            self.faults.add(_READABLE, position, f": no time is {str(value)[:40]!a}")
            return
        if self._before is not None and at < self._before:
            self.faults.add(_TIMES, position)
        self._before = at
        self.latest = at if self.latest is None else max(at, self.latest)

    def contradicted(self) -> Iterator[Finding]:
        """What the checkpoints say, the smallest first: a change lies behind the last that holds."""
        self._roots += [(self.tree.size, self.tree.root())] * (len(self._older) - len(self._roots))
        held = 0
        for one, (size, root) in zip(self._older, self._roots, strict=True):
            if (size, root) == (one.size, one.root):
                held = one.size
                continue
            found = f"the root is {TreeHead(one.origin, size, root).root_text}"
            if size != one.size:
                found = f"{size:,} of them are there"
            where = f"the change lies among the positions {held + 1} to {one.size}"
            if one.size <= held:
                where = "another checkpoint of the same size holds, so this one is not of this log's past"
            yield error(
                "against",
                f"the first {one.size:,} events have the root {one.root_text}",
                f"{found}; {where}",
                _NO_REPAIR,
            )


def _newest() -> Any:
    return sa.select(sa.func.coalesce(sa.func.max(events.c.position), 0)).scalar_subquery()


def _pages(manager: DatabaseManager, end: int, faults: _Faults) -> Iterator[Sequence[Row]]:
    after = _BELOW_ALL
    while True:
        try:
            page: Sequence[Row] = stored_rows(manager, after=after, upto=end, limit=PAGE)
            last = page[-1][0] if page else None
        except CopydeskError:
            raise
        except Exception:  # noqa: BLE001 - each driver has errors of its own for a value that it can't turn into Python's
            page, last = _one_by_one(manager, after, end, faults)
        if last is None:
            return
        yield page
        after = last


def _one_by_one(manager: DatabaseManager, after: int, end: int, faults: _Faults) -> tuple[list[Row], int | None]:
    """A page in which a row can't be read: each by itself."""
    query = sa.select(events.c.position).where(events.c.position > after, events.c.position <= end)
    with manager.connect() as connection:
        positions = list(connection.execute(query.order_by(events.c.position).limit(PAGE)).scalars())
    page: list[Row] = []
    for position in positions:
        try:
            page += stored_rows(manager, after=position - 1, upto=position, limit=1)
        except CopydeskError:
            raise
        except Exception as failure:  # noqa: BLE001 - see `_pages`
            faults.add(_READABLE, position, f": {str(failure).splitlines()[0][:200]!a}")
    return page, positions[-1] if positions else None


def _digest(row: Row) -> bytes:
    payload = row[12]
    as_bytes = payload if isinstance(payload, bytes) else payload.encode()
    return digest(Prepared._make((*row[1:10], _text(row[10]), as_bytes)))


def _text(value: Any) -> str:
    return clock.to_text(value.astimezone(UTC)) if isinstance(value, datetime) else str(value)


def _time(value: Any) -> datetime:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    text = str(value)
    return datetime.fromisoformat(text).astimezone(UTC) if " " in text else clock.from_text(text)
