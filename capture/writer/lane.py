"""The agent's way into the journal in one function: what `Segments.put` does, for a segment that has room.

A captured line is a few microseconds of the agent's, and calls from function to function and looks at attributes were a
third of them. What may change is looked at under the lock; whatever is not as usual goes the longer way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from zlib import crc32

from capture.writer import journal
from capture.writer.draining import Drain
from capture.writer.segment import Segment, put_written
from capture.writer.segments import Queued, Segments

Put = Callable[[bytes], object]


def lane(
    segments: Segments, segment: Segment, queue: deque[Queued], drain: Drain, *, otherwise: Put, rouse: Put
) -> Put:
    """The way into one segment.

    Args:
        segments: The journal.
        segment: The segment of it that is being written.
        queue: What is written waits there.
        drain: The thread that takes it from there.
        otherwise: Called with an encoded event that can't go this way.
        rouse: Called with an encoded event that is in the journal, when the thread sleeps.
    """
    lock, append = segments.lock, queue.append
    mapping, write, end = segment.mapping, segment.mapping.write, segment.end
    pack, marker, overhead, event = journal.FRAME.pack, journal.MARKER, journal.FRAME_OVERHEAD, journal.EVENT
    written_at = journal.WRITTEN_AT

    def put(data: bytes) -> object:
        length = len(data)
        with lock:
            start = segment.offset
            stop = start + overhead + length
            usual = segments.active is segment and stop <= end and not segments.writing
            if usual:
                segments.writing = True
                try:
                    sequence = segment.sequence + 1
                    crc = crc32(data, sequence << 8 | event)
                    write(pack(marker, crc, length, event, sequence) + data)
                    put_written(mapping, written_at, sequence, ~sequence)
                    segment.offset, segment.sequence = stop, sequence
                    append((segment, start, sequence, length, None, None))
                finally:
                    segments.writing = False
        if not usual:
            return otherwise(data)
        return rouse(data) if drain.idle else None

    return put
