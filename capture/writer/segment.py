"""One mapped file of a journal: preallocated, written from front to back, given up as a whole.

A copy into the mapping belongs to the operating system at once, so it survives a kill of the process (0.8 µs a record;
a write() costs 1.4 and gives up the interpreter's lock). The file's blocks are allocated before it is mapped: a page
that finds no room on the disk would be a SIGBUS instead of an error.
"""

from __future__ import annotations

import errno
import mmap
import os
from collections.abc import Callable
from pathlib import Path
from struct import Struct
from zlib import crc32

from capture.writer import journal
from capture.writer.journal import COMMITTED_AT, FRAME_OVERHEAD, MARKER, WRITTEN_AT

SUFFIX = ".journal"
UNBORN = ".new"
"""A segment's name ends so until it is whole: what a kill leaves behind here never held a record."""

_PAGE = mmap.PAGESIZE
_PAGES_AT_ONCE = 64
_ZEROS = bytes(1024 * 1024)
# The hot path below does what journal.write_frame and write_mark do; a test holds them equal.
_pack_frame = journal.FRAME.pack
_read_frame = journal.FRAME.unpack_from
# Signed, ~n has the bytes of the complement, and needs no number of 64 bits.
put_written = Struct("<Qq").pack_into
"""Write a mark into a mapping: its offset, the sequence, and `~sequence`."""


class Segment:
    """A segment that this process writes.

    Attributes:
        path: The file.
        number: 1, 2, 3 … in this process.
        size: The file's size, in bytes.
        sequence: The sequence of the last record written.
        offset: Where the next frame begins.
        end: Where the space for frames ends.
        mapping: The file in memory.
    """

    __slots__ = ("_file", "_log_id", "_write", "end", "mapping", "number", "offset", "path", "sequence", "size")

    def __init__(self, path: Path, number: int, size: int, file: int, log_id: bytes) -> None:
        self.path = path
        self.number = number
        self.size = size
        self.sequence = 0
        # The descriptor stays open from the first byte on: one opened later may not be told of a failed write-back.
        self._file = file
        self.mapping = mmap.mmap(file, size)
        self.mapping.seek(journal.RECORDS_AT)
        self._write = self.mapping.write
        self.offset = journal.RECORDS_AT
        self.end = size - journal.HEADER_SIZE
        self._log_id = log_id
        self._write_header()

    @classmethod
    def create(cls, path: Path, number: int, size: int, log_id: bytes = journal.UNKNOWN_LOG) -> Segment:
        """Make a new segment.

        Args:
            path: The file to make; its folder is there and is ours.
            number: Its number in this process.
            size: In bytes.
            log_id: The log that its records will be for.

        Raises:
            OSError: No room on the disk, or the folder can't be written.
        """
        unborn = path.with_suffix(UNBORN)
        file = os.open(unborn, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            allocate(file, size)
            segment = cls(path, number, size, file, log_id)
            unborn.rename(path)
        except BaseException:
            os.close(file)
            unborn.unlink(missing_ok=True)
            raise
        return segment

    def append(self, kind: int, payload: bytes) -> int:
        """Write a record. The caller holds the journal's lock. An agent's usual event goes by `capture.writer.lane`.

        Returns:
            The offset of its frame, or -1 when it does not fit any more.
        """
        sequence, start, length = self.sequence + 1, self.offset, len(payload)
        stop = start + FRAME_OVERHEAD + length
        if stop > self.end:
            return -1
        self._write(_pack_frame(MARKER, crc32(payload, sequence << 8 | kind), length, kind, sequence) + payload)
        put_written(self.mapping, WRITTEN_AT, sequence, ~sequence)
        self.offset, self.sequence = stop, sequence
        return start

    def payload(self, offset: int, size: int) -> bytes | None:
        """Read back the payload of the event at an offset that `append` returned.

        Args:
            offset: Of its frame.
            size: Of its payload, in bytes.

        Returns:
            None when it does not read back as an event that was written.
        """
        start = offset + FRAME_OVERHEAD
        payload: bytes = self.mapping[start : start + size]
        marker, crc, length, kind, sequence = _read_frame(self.mapping, offset)
        whole = marker == MARKER and length == size and kind == journal.EVENT
        return payload if whole and crc32(payload, sequence << 8 | kind) == crc else None

    def read(self, offset: int) -> journal.Record:
        """Read back the record at an offset that `append` returned.

        Raises:
            OSError: It does not read back as it was written.
        """
        frame = journal.read_frame(memoryview(self.mapping), offset, self.end)
        if frame is None:
            raise OSError(errno.EIO, "a journal record does not read back as it was written", str(self.path))
        return frame[0]

    def raw(self, offset: int, size: int) -> bytes:
        """The bytes of a frame with a payload of this size, whatever they are now."""
        return self.mapping[offset : offset + journal.FRAME_OVERHEAD + size]

    def is_half_full(self) -> bool:
        """True when it is time to make the next one."""
        return self.offset * 2 > self.end

    def prefault(self, pause: Callable[[], object]) -> None:
        """Touch every page before the first record, so that the agent's thread never waits for one.

        Args:
            pause: Called between groups of pages: the touching holds the interpreter's lock.
        """
        for start in range(_PAGE, self.size - _PAGE, _PAGE * _PAGES_AT_ONCE):
            pages = range(start, min(start + _PAGE * _PAGES_AT_ONCE, self.size - _PAGE), _PAGE)
            self.mapping[pages.start : pages.stop : _PAGE] = bytes(len(pages))
            pause()

    def name_log(self, log_id: bytes) -> None:
        """Say which log the records are for, once it is known."""
        if self._log_id == log_id:
            return
        self._log_id = log_id
        self._write_header()

    def mark_committed(self, sequence: int) -> None:
        """Say up to which record the log holds them for good: recovery need not look at those again."""
        put_written(self.mapping, COMMITTED_AT, sequence, ~sequence)

    def sync(self) -> None:
        """Bring everything to the disk.

        Raises:
            OSError: The disk refused. What the file holds there is unknown from now on.
        """
        os.fsync(self._file)

    def close(self) -> None:
        """Let go of the file and leave it where it is."""
        self.mapping.close()
        os.close(self._file)

    def _write_header(self) -> None:
        header = journal.write_header(journal.Header(self.number, self._log_id, self.size))
        self.mapping[: len(header)] = header
        self.mapping[self.size - len(header) :] = header


def allocate(file: int, size: int) -> None:
    """Give a new file all its blocks.

    Raises:
        OSError: No room on the disk.
    """
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
        return
    # macOS has no posix_fallocate; blocks that were written are there.
    while size > 0:
        size -= os.write(file, _ZEROS[:size])
