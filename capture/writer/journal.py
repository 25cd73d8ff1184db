"""The journal's file format: pure functions on bytes. What is read back is what was written; what is missing is told.

A segment is a file of a fixed size, written from front to back through a memory mapping:

    0     header: magic, format, number, log id, size, CRC-32                    64 bytes
    64    mark: the sequence of the last record written, and its complement      16 bytes
    80    mark: the sequence of the last record that the log holds for good      16 bytes
    128   frames, one after another; zeros behind the last
    -64   the header once more: a damaged first page must not hide which log the records are for

A frame is a marker, the CRC-32 (zlib) of the payload, begun at 256 * sequence + kind, the payload's length, a kind, a
sequence (1, 2, 3 … in each segment) and the payload. CRCs of one payload begun at two values always differ, so that the
sequence and the kind are covered as well as the payload, in one pass and without a copy. The first mark is why a zeroed
last record is noticed: the zeros look like the end.

After damage the reader looks for the next marker. An agent's text can't forge a record there: the marker's bytes stand
in no UTF-8 text, and neither in the lengths of an encoded event, whose highest byte is 0x00 or 0xFF.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

EVENT = 1
"""The kind of a frame whose payload is `events.content.encode(prepared)`."""

QUARANTINED = 2
"""The kind of a frame whose payload is `quarantine.encode(quarantined)`."""

UNKNOWN_LOG = bytes(16)
"""The log id of a segment whose process had not reached its database yet."""

FORMAT = 1
MAGIC = b"copydesk-journal"
MARKER = b"\xf5\xf8\xfb\xfe"

HEADER_SIZE = 64
WRITTEN_AT = 64
COMMITTED_AT = 80
RECORDS_AT = 128

_HEADER = struct.Struct("<16sII16sQ")
_HEADER_CRC = struct.Struct("<I")
_MARK = struct.Struct("<QQ")
_COMPLEMENT = (1 << 64) - 1
_MAX_SEQUENCE = 1 << 24
FRAME = struct.Struct("<4sIIBxxxQ")
"""Marker, CRC-32, length, kind, sequence; the payload follows."""

FRAME_OVERHEAD = FRAME.size
"""Bytes of a frame beside its payload."""

SEGMENT_OVERHEAD = RECORDS_AT + HEADER_SIZE
"""Bytes of a segment beside its frames."""


class Header(NamedTuple):
    """What a segment says about itself.

    Attributes:
        number: 1, 2, 3 … in one process.
        log_id: The log that the records are for, 16 bytes; `UNKNOWN_LOG` before it was known.
        size: The file's size, in bytes.
        format: The version of the format.
    """

    number: int
    log_id: bytes
    size: int
    format: int = FORMAT


class Record(NamedTuple):
    """A frame that was read back whole."""

    sequence: int
    kind: int
    payload: bytes


class Scan(NamedTuple):
    """What a segment holds.

    Attributes:
        header: None when both copies are damaged.
        records: The whole records, in the order of their sequence; those that the log holds for good are left out.
        faults: What is wrong with the file, in words; empty for a sound one.
        lost: Sequences of records that were written and can't be read back.
    """

    header: Header | None
    records: list[Record]
    faults: list[str]
    lost: list[int]


def write_header(header: Header) -> bytes:
    """The 64 bytes of a header."""
    body = _HEADER.pack(MAGIC, header.format, header.number, header.log_id, header.size)
    return (body + _HEADER_CRC.pack(zlib.crc32(body))).ljust(HEADER_SIZE, b"\0")


def read_header(data: bytes) -> Header | None:
    """Read what `write_header` wrote; None when it is damaged or no header."""
    body, crc = data[: _HEADER.size], data[_HEADER.size : _HEADER.size + _HEADER_CRC.size]
    if len(crc) < _HEADER_CRC.size or _HEADER_CRC.unpack(crc)[0] != zlib.crc32(body):
        return None
    magic, version, number, log_id, size = _HEADER.unpack(body)
    return Header(number, log_id, size, version) if magic == MAGIC else None


def write_mark(sequence: int) -> bytes:
    """The 16 bytes of a mark."""
    return _MARK.pack(sequence, sequence ^ _COMPLEMENT)


def read_mark(data: bytes) -> int | None:
    """The sequence of a mark; 0 for one never set, None for a damaged one."""
    if len(data) < _MARK.size:
        return None
    if not any(data):
        return 0
    sequence, complement = _MARK.unpack(data)
    return int(sequence) if sequence ^ complement == _COMPLEMENT else None


def write_frame(kind: int, sequence: int, payload: bytes) -> bytes:
    """The bytes of a frame."""
    return FRAME.pack(MARKER, zlib.crc32(payload, sequence << 8 | kind), len(payload), kind, sequence) + payload


def read_frame(data: bytes | memoryview, at: int, end: int) -> tuple[Record, int] | None:
    """Read the frame at an offset.

    Args:
        data: The segment.
        at: Where the frame begins.
        end: Where the space for frames ends.

    Returns:
        The record and the offset behind it, or None when no whole frame stands there.
    """
    start = at + FRAME.size
    if start > end or data[at : at + 4] != MARKER:
        return None
    _, crc, length, kind, sequence = FRAME.unpack_from(data, at)
    stop = start + length
    if stop > end or sequence >= _MAX_SEQUENCE or zlib.crc32(data[start:stop], sequence << 8 | kind) != crc:
        return None
    return Record(sequence, kind, bytes(data[start:stop])), stop


def scan(data: bytes) -> Scan:
    """Read a segment, damaged or whole.

    Args:
        data: The bytes of the file.
    """
    first, last = read_header(data), read_header(data[-HEADER_SIZE:]) if len(data) >= HEADER_SIZE else None
    header = first or last
    if header is None:
        return Scan(None, [], ["both copies of the header are damaged"], [])
    faults = []
    if first is None:
        faults.append("the first copy of the header is damaged")
    if len(data) != header.size:
        faults.append(f"the file has {len(data):,} bytes, {header.size:,} were expected")
    elif last is None:
        faults.append("the second copy of the header is damaged")

    written, committed = (read_mark(data[at : at + _MARK.size]) for at in (WRITTEN_AT, COMMITTED_AT))
    if written is None or committed is None:
        faults.append("a mark is damaged")
    found: dict[int, Record] = {}
    end = min(len(data), max(header.size - HEADER_SIZE, 0))
    for part in _frames(data, end):
        if isinstance(part, Record):
            found.setdefault(part.sequence, part)
        elif part.stop < end or written is None or len(found) < written:
            # Else it is the torn tail of a record whose `emit` never returned: every acknowledged one is there.
            faults.append(f"bytes {part.start:,} to {part.stop:,} are damaged")
    kept = committed or 0
    lost = [number for number in range(kept + 1, max([written or 0, *found]) + 1) if number not in found]
    records = [found[number] for number in sorted(found) if number > kept]
    return Scan(header, records, faults, lost)


class _Damage(NamedTuple):
    start: int
    stop: int


def _frames(data: bytes, end: int) -> Iterator[Record | _Damage]:
    view, at = memoryview(data), RECORDS_AT
    while at < end:
        frame = read_frame(view, at, end)
        if frame is not None:
            record, at = frame
            yield record
            continue
        start, at = at, _next_frame(data, view, at + 1, end)
        if at < end or data.count(0, start, end) < end - start:
            yield _Damage(start, at)


def _next_frame(data: bytes, view: memoryview, at: int, end: int) -> int:
    while (at := data.find(MARKER, at, end)) >= 0:
        if read_frame(view, at, end) is not None:
            return at
        at += 1
    return end
