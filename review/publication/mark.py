"""The mark: what this machine last acted on, kept outside of the database, so that a restored one is noticed.

A database that was restored from before a send, or a replica that was promoted without it, says `approved` of what has
gone out: to send by it would be to send twice. So before each send the worker writes down, in a satellite file, which
event lets it send; and a database that does not have that event any more holds publication until a person has looked.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa
from pydantic import TypeAdapter

from capture import CopydeskError, DatabaseManager, Settings, new_id, tables

HINT = (
    "compare what the platforms have with what `copydesk publish status` lists, withdraw what is out already, "
    'then `copydesk publish resume --after-restore --reason "…"`'
)
"""What an operator does about a held publication."""

# Executable by everyone unless somebody took that away; a function that may not be called is asked nothing.
# The timeline is not `pg_control_checkpoint()`'s: after a promotion that is the old one until the next checkpoint.
_MAY_ASK_AND_TIMELINE = (
    "SELECT has_function_privilege('pg_control_system()', 'EXECUTE'), CASE WHEN NOT pg_is_in_recovery() "
    "THEN (('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32))::int END"
)
_SYSTEM = "SELECT system_identifier::text FROM pg_control_system()"


@dataclass(frozen=True, slots=True)
class Mark:
    """What is kept.

    Attributes:
        log_id: The log.
        epoch: How often it was restored or copied.
        position: The newest event that this machine acted on; 0 when it has sent nothing yet.
        digest: Of that event, in hexadecimal.
        database: Where the log was, without a password.
        system: On PostgreSQL, the identifier of the cluster.
        timeline: On PostgreSQL, the timeline: a promoted replica has another.
    """

    log_id: str
    epoch: int
    position: int
    digest: str
    database: str
    system: str | None = None
    timeline: int | None = None


_MARK = TypeAdapter(Mark)


@dataclass(frozen=True, slots=True)
class _Found:
    """What the database says: who it is now, and the digests at the positions that were asked for."""

    now: Mark
    head: int
    digests: dict[int, str]


class Held(CopydeskError):
    """Publication holds: the database is not the one that this machine published from."""

    code = "HELD"
    exit_code = 4


class Marks:
    """The marks of this machine, a file for each log; shared by all its workers.

    Args:
        manager: The database that publishing goes by.
    """

    def __init__(self, manager: DatabaseManager) -> None:
        self.manager = manager
        self.folder = folder_of(manager.settings)

    def held(self, *, begin: bool = False) -> str | None:
        """Why publication holds, in words; None when the database is the one that was published from.

        Args:
            begin: Make the first mark where nothing was published yet.
        """
        try:
            with self.alone() if begin else nullcontext():
                return self._held(begin=begin)
        except OSError as error:
            return f"the mark in {self.folder} can't be kept: {error}"

    def advance(self, position: int) -> None:
        """Write down, so that no power cut forgets it, that this machine is about to act on an event.

        Args:
            position: Of the event, which is committed.

        Raises:
            Held: The database is another than the one that was published from; nothing was written.
            OSError: The mark can't be written.
        """
        with self.alone():
            found = self._ask(position)
            mark, why = self._kept(found.now)
            if why is None and mark is None:
                why = f"the mark {self._path(found.now.log_id)} is gone"
            if why is None and mark is not None:
                why = self._against(mark, self._ask(mark.position))
            if why is None and position not in found.digests:
                why = f"the log has no event at position {position}"
            if why is not None or mark is None:
                raise Held(f"publication holds: {why}", hint=HINT)
            if position > mark.position:
                self._write(_at(found, position))

    def accept(self, position: int) -> None:
        """Publish from the database as it is from now on.

        Args:
            position: The order that says so.
        """
        with self.alone():
            found = self._ask(position)
            self._write(_at(found, position))
            for path in self._others(found.now):
                path.unlink(missing_ok=True)

    def _held(self, *, begin: bool) -> str | None:
        self.manager.ensure_schema()
        now = self._ask().now
        mark, why = self._kept(now)
        if why is not None:
            return why
        if mark is not None:
            return self._against(mark, self._ask(mark.position))
        if self._has_started():
            return f"the mark {self._path(now.log_id)} is missing, and this log has sends that began before"
        if begin:
            self._write(now)
        return None

    def _ask(self, *positions: int) -> _Found:
        head, events = tables.head, tables.events
        with self.manager.connect() as connection:
            row = connection.execute(
                sa.select(head.c.log_id, head.c.epoch, head.c.position).where(head.c.id == 1)
            ).one()
            system, timeline = self._server(connection)
            query = sa.select(events.c.position, events.c.digest).where(events.c.position.in_(positions))
            digests = {at: bytes(digest).hex() for at, digest in connection.execute(query)} if positions else {}
        now = Mark(row.log_id, row.epoch, 0, "", self.manager.url, system, timeline)
        return _Found(now, row.position, digests)

    def _server(self, connection: sa.Connection) -> tuple[str | None, int | None]:
        if self.manager.backend.name != "postgresql":
            return None, None
        may_ask, timeline = connection.exec_driver_sql(_MAY_ASK_AND_TIMELINE).one()
        return connection.exec_driver_sql(_SYSTEM).scalar_one() if may_ask else None, timeline

    def _has_started(self) -> bool:
        events = tables.events
        query = sa.select(events.c.position).where(events.c.event_type == "publication.started").limit(1)
        with self.manager.connect() as connection:
            return connection.execute(query).first() is not None

    def _against(self, mark: Mark, found: _Found) -> str | None:
        now = found.now
        if now.epoch != mark.epoch:
            return f"the log was restored or copied: its epoch is {now.epoch}, this machine published in {mark.epoch}"
        if None not in (now.system, mark.system) and now.system != mark.system:
            return f"it is another PostgreSQL cluster: {now.system}, this machine published from {mark.system}"
        if None not in (now.timeline, mark.timeline) and now.timeline != mark.timeline:
            return (
                f"the PostgreSQL was restored or promoted: it is on timeline {now.timeline}, "
                f"this machine published from {mark.timeline}"
            )
        if mark.position > found.head:
            return (
                f"the database is older than what was sent by it: its newest event is {found.head}, "
                f"this machine acted on {mark.position}"
            )
        if mark.position and found.digests.get(mark.position) != mark.digest:
            return (
                f"event {mark.position} is another than the one that this machine acted on: the database was restored"
            )
        return None

    def _kept(self, now: Mark) -> tuple[Mark | None, str | None]:
        """The mark of this log, and why it can't be gone by."""
        path = self._path(now.log_id)
        try:
            mark = _read(path)
        except (OSError, ValueError, TypeError) as error:
            return None, f"the mark {path} can't be read: {error}"
        if mark is None:
            other = next(iter(self._others(now)), None)
            if other is not None:
                return None, f"another log was published from {now.database} before: {other} is its mark"
        elif mark.log_id != now.log_id:
            return None, f"the mark {path} is of another log: {mark.log_id:.60}"
        return mark, None

    def _others(self, now: Mark) -> Iterator[Path]:
        """Marks of other logs that were at the same address."""
        for path in sorted(self.folder.glob("*.json")):
            try:
                mark = _read(path)
            except (OSError, ValueError, TypeError):
                continue  # it says nothing about any address
            if mark is not None and mark.database == now.database and mark.log_id != now.log_id:
                yield path

    def _path(self, log_id: str) -> Path:
        return self.folder / f"{quote(log_id, safe='')}.json"

    def _write(self, mark: Mark) -> None:
        path = self._path(mark.log_id)
        unfinished = self.folder / f".new-{new_id()}"
        try:
            made = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(made, "w", encoding="utf-8") as file:
                file.write(json.dumps(asdict(mark), indent=1) + "\n")
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    @contextmanager
    def alone(self, name: str = "mark") -> Iterator[None]:
        """Keep the other workers of this machine from doing the same.

        Args:
            name: What is done; each has a lock of its own.
        """
        from filelock import FileLock  # 80 ms that no other command need take

        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with FileLock(self.folder / f"{name}.lock", mode=0o600).acquire(poll_interval=0.005):
            yield


def folder_of(settings: Settings) -> Path:
    """Where the marks are: beside the journal, in `{foundup}.publishing/`."""
    return settings.journal.parent / f"{settings.foundup}.publishing"


def _at(found: _Found, position: int) -> Mark:
    now = found.now
    return Mark(now.log_id, now.epoch, position, found.digests[position], now.database, now.system, now.timeline)


def _read(path: Path) -> Mark | None:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    return _MARK.validate_json(text, strict=True)
