"""An event's id and time, from one look at the clock."""

from __future__ import annotations

import os
import threading
from datetime import UTC, datetime, timedelta
from uuid import UUID

from capture import clock, stamp


def test_an_id_is_a_uuid_of_version_7_of_its_time() -> None:
    """The id's milliseconds are those of the time beside it, which is now."""
    before = datetime.now(UTC) - timedelta(microseconds=1)
    for _ in range(5000):
        identifier, text = stamp.stamp()
        parsed, time = UUID(identifier), clock.from_text(text)
        assert (parsed.version, parsed.variant, str(parsed)) == (7, "specified in RFC 4122", identifier)
        assert clock.to_text(time) == text
        assert parsed.int >> 80 == int(time.timestamp() * 1000 + 0.0001)
        assert before <= time
    assert time - before < timedelta(minutes=1)


def test_ids_sort_as_time_passes() -> None:
    """What was stamped later sorts later, to the quarter of a microsecond that an id can tell apart."""
    stamps = [stamp.stamp() for _ in range(20_000)]
    heads = [identifier[:18] for identifier, _ in stamps]
    assert heads == sorted(heads)


def test_no_id_comes_twice() -> None:
    """Not in several threads, and not in a child of this process."""
    found: list[str] = []

    def draw() -> None:
        found.extend([stamp.stamp()[0] for _ in range(10_000)])

    threads = [threading.Thread(target=draw) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 40_000
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, stamp._random.encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 100) != stamp._random.encode()
    os.close(reader)
    os.close(writer)
