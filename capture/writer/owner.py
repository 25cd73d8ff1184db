"""Who owns which file in the journal folder: a name and a lock for each process.

A lock is held as long as its process lives and is let go by the operating system when it dies. A raw `flock` would be
inherited by a fork and outlive its owner in the child; `filelock` closes it there.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from capture.errors import JournalUnavailable
from capture.writer.segment import SUFFIX, UNBORN

if TYPE_CHECKING:
    from filelock import BaseFileLock

LOCK = ".lock"
DAMAGED = ".damaged"
"""A segment that did not read back whole is kept under this suffix once its records are in the log."""

_log = logging.getLogger("copydesk.writer")


class Owner:
    """This process's name and lock in the journal folder.

    Args:
        folder: The journal folder; made if it is not there, readable by its owner alone.

    Raises:
        JournalUnavailable: The folder can't be made or written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        _make(folder)
        while True:
            self.name = f"{os.getpid()}-{uuid.uuid4().hex[:12]}"
            self._path = folder / (self.name + LOCK)
            self._lock = _new_lock(self._path)
            try:
                self._lock.acquire(timeout=0)
            except (OSError, TimeoutError) as error:
                raise JournalUnavailable(
                    f"the journal folder {folder} can't be written: {error}",
                    hint="make it writable for this user, or set COPYDESK_JOURNAL to another folder",
                ) from error
            # An adopter that saw the file between its making and its locking took it for an orphan and removed it.
            if self._path.exists():
                return
            self._lock.release()

    def segment(self, number: int) -> Path:
        """The path of this process's segment with a number."""
        return self.folder / f"{self.name}.{number:06d}{SUFFIX}"

    def sync_folder(self) -> None:
        """Bring the names in the folder to the disk.

        Raises:
            OSError: The disk refused.
        """
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        except OSError as error:
            # Some file systems can't sync a folder, and say so.
            if error.errno != errno.EINVAL:
                raise
        finally:
            os.close(folder)

    def release(self) -> None:
        """Let go: the segments that are left are orphans now, and without any the lock file goes too."""
        try:
            if not any(self.folder.glob(f"{self.name}.*{SUFFIX}")):
                self._path.unlink(missing_ok=True)
        except OSError as error:
            _log.warning("the lock %s can't be removed: %s; whoever adopts the journal removes it", self._path, error)
        self._lock.release()


class Orphan(NamedTuple):
    """The journal of a process that is gone; its lock is ours.

    Attributes:
        name: The name of its owner.
        segments: Its segments, in the order in which they were written.
    """

    name: str
    segments: list[Path]


@contextmanager
def _held(folder: Path, name: str) -> Iterator[bool]:
    path = folder / (name + LOCK)
    lock = _new_lock(path)
    try:
        lock.acquire(timeout=0)
    except TimeoutError:
        yield False
        return
    try:
        yield True
        # Under the lock, and only when nothing is left: who opened the file before us then finds nothing to adopt.
        if not _of_owner(folder, name):
            path.unlink(missing_ok=True)
    finally:
        lock.release()


def is_held(folder: Path, name: str) -> bool:
    """True while the owner of this name is alive; its lock is let go again, and nothing is removed."""
    path = folder / (name + LOCK)
    if not path.exists():
        return False
    lock = _new_lock(path)
    try:
        lock.acquire(timeout=0)
    except TimeoutError:
        return True
    lock.release()
    return False


def orphans(folder: Path) -> Iterator[Orphan]:
    """The orphans of a folder, one at a time, each locked until the next is asked for.

    Journals of another user are told in the log of diagnostics and left alone.
    """
    try:
        names = sorted({path.name.split(".")[0] for path in folder.iterdir() if path.suffix in (SUFFIX, UNBORN, LOCK)})
    except FileNotFoundError:
        return
    except OSError as error:
        _log.warning("journals in %s can't be looked at: %s; records in them are not in the log yet", folder, error)
        return
    for name in names:
        foreign = _foreign(folder, name)
        if foreign is not None:
            _log.warning(
                "the journal %s belongs to user id %d and may hold events that are not in the log yet; "
                "run `copydesk run --once` as that user, or give the file to this one",
                foreign,
                foreign.stat().st_uid,
            )
            continue
        try:
            with _held(folder, name) as ours:
                if ours:
                    for unborn in folder.glob(f"{name}.*{UNBORN}"):
                        unborn.unlink(missing_ok=True)
                    yield Orphan(name, _of_owner(folder, name))
        except OSError as error:
            _log.warning("the journal %s can't be adopted now: %s", folder / name, error)


def _of_owner(folder: Path, name: str) -> list[Path]:
    return sorted(folder.glob(f"{name}.*{SUFFIX}"))


def _foreign(folder: Path, name: str) -> Path | None:
    for path in folder.glob(f"{name}.*"):
        try:
            if os.geteuid() not in (0, path.stat().st_uid):
                return path
        except FileNotFoundError:
            continue
    return None


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
        if found.st_uid == os.geteuid() and stat.S_IMODE(found.st_mode) & 0o077:
            folder.chmod(0o700)
    except OSError as error:
        raise JournalUnavailable(
            f"the journal folder {folder} can't be made: {error}",
            hint="set COPYDESK_JOURNAL to a folder that this user can write",
        ) from error


def _new_lock(path: Path) -> BaseFileLock:
    # Imported at the first event: 80 ms that `from capture import emit` need not take.
    from filelock import FileLock

    return FileLock(path, mode=0o600, thread_local=False)
