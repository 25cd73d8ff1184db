"""Damage to a journal of 20 records, and what its adoption must make of any of it."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from itertools import combinations, permutations
from pathlib import Path
from typing import NamedTuple

from capture.events import content
from capture.writer import journal
from capture.writer.adoption import adopt
from capture.writer.segment import Segment
from tests.fixtures.writer import LOG_ID, MemoryLog, note, value_of

RECORDS = 20
NAME = "1-a.000001.journal"


class Damaged(NamedTuple):
    """A journal with damage.

    Attributes:
        how: The kind of damage, and where.
        data: The file.
        harmless: Records that the damage does not touch: they must come back.
    """

    how: str
    data: bytes
    harmless: frozenset[int]


class Adopted(NamedTuple):
    """What became of it."""

    refused: str
    values: list[object]
    quarantined: int
    told: str
    aside: bool


def make(folder: Path) -> bytes:
    """The journal of a process that was killed after 20 records."""
    segment = Segment.create(folder / NAME, 1, 8192, LOG_ID)
    for number in range(1, RECORDS + 1):
        assert segment.append(journal.EVENT, content.encode(note([number, "ü漢" * (number % 5)]))) > 0
    segment.close()
    data = segment.path.read_bytes()
    segment.path.unlink()
    return data


def frames(data: bytes) -> list[tuple[int, int]]:
    """Where each frame begins and ends."""
    places, at = [], journal.RECORDS_AT
    while (found := journal.read_frame(data, at, len(data) - journal.HEADER_SIZE)) is not None:
        places.append((at, found[1]))
        at = found[1]
    return places


def every(data: bytes) -> Iterator[Damaged]:
    """Every bit flipped; a cut at every byte; each frame zeroed, put over each other one, swapped with each other."""
    places = frames(data)
    for at in range(len(data)):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[at] ^= 1 << bit
            yield Damaged(f"bit {bit} of byte {at} flipped", bytes(flipped), _untouched(places, at, at + 1))
    for at in range(len(data)):
        whole = data if at > len(data) - journal.HEADER_SIZE else data[:at]
        yield Damaged(f"cut at byte {at}", data[:at], _untouched(places, len(whole), len(data)))
    for number, (start, stop) in enumerate(places, 1):
        zeroed = data[:start] + bytes(stop - start) + data[stop:]
        yield Damaged(f"frame {number} zeroed", zeroed, _untouched(places, start, stop))
        doubled = data[:stop] + data[start:stop] + data[stop:]
        yield Damaged(f"frame {number} doubled, the rest moved", doubled[: len(data)], frozenset(range(1, RECORDS + 1)))
    for (one, (start, stop)), (other, (at, _)) in permutations(enumerate(places, 1), 2):
        end = at + stop - start
        over = data[:at] + data[start:stop] + data[end:]
        yield Damaged(f"frame {one} put over frame {other}", over, _untouched(places, at, end))
    for (one, (start, middle)), (other, (at, end)) in combinations(enumerate(places, 1), 2):
        swapped = data[:start] + data[at:end] + data[middle:at] + data[start:middle] + data[end:]
        yield Damaged(f"frames {one} and {other} swapped", swapped, frozenset(range(1, RECORDS + 1)))


def some(data: bytes, rng: random.Random) -> Iterator[Damaged]:
    """Sectors, runs of bytes and several bits at once, without an end. The headers and marks are left whole."""
    places = frames(data)
    while True:
        damaged, touched = bytearray(data), []
        for _ in range(rng.randint(1, 4)):
            start = rng.randrange(journal.RECORDS_AT, len(data) - journal.HEADER_SIZE)
            stop = min(start + rng.choice([1, 4, 32, 512, 4096]), len(data) - journal.HEADER_SIZE)
            source = rng.randrange(len(data) - (stop - start))
            damaged[start:stop] = rng.choice(
                [bytes(stop - start), rng.randbytes(stop - start), data[source : source + stop - start]]
            )
            touched.append((start, stop))
        whole = frozenset.intersection(*(_untouched(places, *place) for place in touched))
        yield Damaged(f"bytes {touched} overwritten", bytes(damaged), whole)


def _untouched(places: list[tuple[int, int]], start: int, stop: int) -> frozenset[int]:
    return frozenset(number for number, (at, end) in enumerate(places, 1) if end <= start or at >= stop)


class _Told(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.words: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.words.append(record.getMessage())


def adopted(damaged: Damaged, folder: Path) -> Adopted:
    """Adopt a damaged journal as the next process to start does."""
    for path in folder.iterdir():
        path.unlink()
    (folder / NAME).write_bytes(damaged.data)
    log, told, refused = MemoryLog(), _Told(), ""
    logger = logging.getLogger("copydesk.writer")
    logger.addHandler(told)
    try:
        for _ in adopt(folder, log):
            pass
    except Exception as error:
        refused = f"{type(error).__name__}: {error}"
    finally:
        logger.removeHandler(told)
    kept = [path for path in folder.iterdir() if path.suffix == ".damaged"]
    aside = [path.read_bytes() for path in kept] == [damaged.data]
    return Adopted(refused, [value_of(event) for event in log.events], len(log.records), " ".join(told.words), aside)


def scanned(damaged: Damaged) -> Adopted:
    """What the reader of the format alone makes of it; adoption does as it says, at a hundredth of the speed."""
    found = journal.scan(damaged.data)
    values = [value_of(content.decode(record.payload)) for record in found.records]
    told = "; ".join([*found.faults, *map(str, found.lost)])
    return Adopted("", values, 0, told, aside=bool(told))


def broken(damaged: Damaged, found: Adopted) -> list[str]:
    """The promises that were broken; pure."""
    words = []
    if found.refused:
        words.append(f"the start was refused: {found.refused}")
    numbers = [value[0] for value in found.values]  # type: ignore[index]
    if found.values != [[number, "ü漢" * (number % 5)] for number in numbers] or found.quarantined:
        words.append("a record came back that was not written")
    if numbers != sorted(set(numbers)) or not set(numbers) <= set(range(1, RECORDS + 1)):
        words.append("records came back twice, or out of order")
    if damaged.harmless - set(numbers):
        words.append(f"whole records did not come back: {sorted(damaged.harmless - set(numbers))}")
    if len(set(numbers)) < RECORDS and not (found.told and found.aside):
        words.append("records are lost in silence, or their bytes were not kept")
    return words
