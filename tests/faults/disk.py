"""A disk as a power cut leaves it: what was synced, and any part of the rest.

Until a file is synced, each of its pages may be on the disk in any state that the page cache held since the last sync,
whatever became of its other pages; a write may be torn between sectors. A name is on the disk once its folder is
synced; until then the changes of a folder may be there up to any of them, in order, as journals of metadata have it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import PurePath

from tests.faults.recorder import Operation

SECTOR, PAGE = 512, 4096

Choice = Callable[[int, int], int]
"""Of a page or sector (its offset) and a count of pending operations: how many of them reached the disk."""


@dataclass(eq=False)
class File:
    """A file: what is on the disk for good, and what happened since. An operation without data sets the size."""

    durable: bytes = b""
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)

    def sync(self) -> None:
        """All of it is on the disk."""
        self.durable = self.image(lambda _, count: count)
        self.pending.clear()

    def image(self, choice: Choice, unit: int = PAGE) -> bytes:
        """The file as a power cut leaves it, by what is chosen for each unit and for the size (offset -1)."""
        count, data, chosen = len(self.pending), bytearray(self.durable), {-1: choice(-1, len(self.pending))}
        for index, (offset, written) in enumerate(self.pending):
            if written is None:
                if index < chosen[-1]:
                    del data[offset:]
                    data.extend(bytes(offset - len(data)))
                continue
            at, end = offset, offset + len(written)
            while at < end:
                stop = min(end, at - at % unit + unit)
                place = at - at % unit
                if place not in chosen:
                    chosen[place] = choice(place, count)
                if index < chosen[place]:
                    if len(data) < stop:
                        data.extend(bytes(stop - len(data)))
                    data[at:stop] = written[at - offset : stop - offset]
                at = stop
        return bytes(data)


@dataclass(eq=False)
class Folder:
    """A folder: the names that are on the disk for good, and what happened to names since."""

    durable: dict[str, File] = field(default_factory=dict)
    pending: list[dict[str, File | None]] = field(default_factory=list)

    def image(self, count: int) -> dict[str, File]:
        """The names after so many of the pending changes."""
        names = dict(self.durable)
        for change in self.pending[:count]:
            for name, file in change.items():
                if file is None:
                    names.pop(name, None)
                else:
                    names[name] = file
        return names

    @property
    def names(self) -> dict[str, File]:
        """The names as the process sees them."""
        return self.image(len(self.pending))

    def sync(self) -> None:
        """All names are on the disk."""
        self.durable = self.names
        self.pending.clear()


class Disk:
    """Follows the operations of a recorded process.

    Args:
        folders: The folders to follow, with what is in them for good.
    """

    def __init__(self, folders: dict[str, dict[str, bytes]]) -> None:
        self.folders = {
            path: Folder({name: File(data) for name, data in files.items()}) for path, files in folders.items()
        }
        self._open: dict[int, File | Folder] = {}
        self._mapped: dict[int, File] = {}

    def apply(self, done: Operation) -> File | Folder | None:
        """Take one operation; returns the open file or folder that it was about."""
        kind, number, offset, data = done
        if kind == "O":
            return self._opened(number, data.decode(), truncated=bool(offset))
        if kind in "RU":
            self._renamed(*data.decode().split("\0")) if kind == "R" else self._renamed(data.decode())
            return None
        about = self._mapped[number] if kind == "M" else self._open[number]
        if kind == "C":
            del self._open[number]
        elif kind == "S":
            about.sync()
        elif isinstance(about, File):
            if kind == "P":
                self._mapped[offset] = about
            else:
                about.pending.append((offset, None if kind == "T" else data))
        return about

    def _opened(self, number: int, path: str, *, truncated: bool) -> File | Folder:
        if path in self.folders:
            self._open[number] = self.folders[path]
            return self.folders[path]
        folder, name = self._place(path)
        file = folder.names.get(name)
        if file is None:
            file = File()
            folder.pending.append({name: file})
        if truncated:
            file.pending.append((0, None))
        self._open[number] = file
        return file

    def _renamed(self, path: str, to: str | None = None) -> None:
        folder, name = self._place(path)
        change: dict[str, File | None] = {name: None}
        if to is not None:
            change[PurePath(to).name] = folder.names[name]
        folder.pending.append(change)

    def _place(self, path: str) -> tuple[Folder, str]:
        return self.folders[str(PurePath(path).parent)], PurePath(path).name


def whole(files: Iterable[tuple[str, File]]) -> dict[str, bytes]:
    """Files as the process sees them."""
    return {name: file.image(lambda _, count: count) for name, file in files}
