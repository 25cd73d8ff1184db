"""The journal's file format: whatever happens to a file, no wrong record and no silent loss."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from capture.events import content
from capture.events.prepare import prepare
from capture.vocabulary import MemoryLearned
from capture.writer import journal, quarantine
from capture.writer.quarantine import quarantined
from capture.writer.segment import Segment

RECORDS = 20


def payload(number: int) -> bytes:
    return f"record {number} ümlaut 漢".encode() * (1 + number % 3)


@pytest.fixture(scope="module")
def payloads() -> list[bytes]:
    return [payload(number) for number in range(RECORDS)]


@pytest.fixture(scope="module")
def whole(payloads: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A segment of 20 records, as a process that was killed leaves it."""
    segment = Segment.create(tmp_path_factory.mktemp("journal") / "1-a.000001.journal", 1, 8192, b"L" * 16)
    for data in payloads:
        assert segment.append(journal.EVENT, data) > 0
    segment.close()
    return segment.path.read_bytes()


def frames(whole: bytes) -> list[tuple[int, int]]:
    """Where each frame begins and ends."""
    places, at = [], journal.RECORDS_AT
    while (found := journal.read_frame(whole, at, len(whole) - journal.HEADER_SIZE)) is not None:
        places.append((at, found[1]))
        at = found[1]
    return places


def check(data: bytes, payloads: list[bytes]) -> journal.Scan:
    """What must hold for any damage: only records that were written, in order, and every missing one told."""
    found = journal.scan(data)
    for record in found.records:
        assert record.payload == payloads[record.sequence - 1]
    sequences = [record.sequence for record in found.records]
    assert sequences == sorted(set(sequences))
    if len(sequences) < len(payloads):
        missing = set(range(1, len(payloads) + 1)) - set(sequences)
        count_is_gone = found.header is None or "a mark is damaged" in found.faults
        assert set(found.lost) == missing or count_is_gone
        assert found.faults or found.lost
    return found


def test_what_was_written_is_read_back(whole: bytes, payloads: list[bytes]) -> None:
    """A sound segment gives back every record, in order, without a fault."""
    found = journal.scan(whole)
    assert found.header == journal.Header(1, b"L" * 16, 8192)
    assert [record.payload for record in found.records] == payloads
    assert not found.faults
    assert not found.lost


def test_the_hot_path_writes_the_documented_format(tmp_path: Path) -> None:
    """What `Segment.append` writes is what `write_frame` and `write_mark` say."""
    segment = Segment.create(tmp_path / "1-a.000001.journal", 1, 8192)
    segment.append(journal.EVENT, b"one")
    segment.append(journal.QUARANTINED, b"two!")
    segment.close()
    data = segment.path.read_bytes()
    frame = journal.write_frame(journal.EVENT, 1, b"one") + journal.write_frame(journal.QUARANTINED, 2, b"two!")
    assert data[journal.RECORDS_AT : journal.RECORDS_AT + len(frame)] == frame
    assert data[journal.WRITTEN_AT : journal.WRITTEN_AT + 16] == journal.write_mark(2)
    assert data[: journal.HEADER_SIZE] == journal.write_header(journal.Header(1, journal.UNKNOWN_LOG, 8192))


def test_any_flipped_bit_is_survived(whole: bytes, payloads: list[bytes]) -> None:
    """A flipped bit anywhere loses at most the record that it is in, and that is told."""
    end = frames(whole)[-1][1] + 40
    places = [*range(end), *range(len(whole) - journal.HEADER_SIZE, len(whole))]
    for place in places:
        for bit in range(8):
            data = bytearray(whole)
            data[place] ^= 1 << bit
            found = check(bytes(data), payloads)
            assert found.header is not None
            assert len(found.records) >= RECORDS - 1


def test_a_cut_at_any_byte_is_survived(whole: bytes, payloads: list[bytes]) -> None:
    """A file cut at any byte gives back every record that lies before the cut, and tells of the others."""
    places = frames(whole)
    for cut in [*range(places[-1][1] + 40), len(whole) - 1]:
        found = check(whole[:cut], payloads)
        assert len(found.records) == sum(1 for _, stop in places if stop <= cut)
        assert found.faults


def test_a_zeroed_frame_is_told(whole: bytes, payloads: list[bytes]) -> None:
    """Zeros over any record, the last one too, lose that record alone and name it."""
    for number, (start, stop) in enumerate(frames(whole), start=1):
        data = whole[:start] + bytes(stop - start) + whole[stop:]
        assert check(data, payloads).lost == [number]


def test_a_duplicated_frame_makes_no_second_record(whole: bytes, payloads: list[bytes]) -> None:
    """A frame copied over another gives one record; the one it covers is told as lost."""
    places = frames(whole)
    for number in range(RECORDS - 1):
        start, stop = places[number]
        frame = whole[start:stop]
        check(whole[:stop] + frame + whole[stop + len(frame) :], payloads)


def test_swapped_frames_come_back_in_order(whole: bytes, payloads: list[bytes]) -> None:
    """Two neighbours that changed places are both there, in the order of their sequence."""
    places = frames(whole)
    for (start, middle), (_, stop) in pairwise(places):
        data = whole[:start] + whole[middle:stop] + whole[start:middle] + whole[stop:]
        found = check(data, payloads)
        assert len(found.records) == RECORDS


def test_a_torn_record_that_was_never_acknowledged_is_no_damage(whole: bytes, payloads: list[bytes]) -> None:
    """A kill in the middle of a copy leaves half a frame behind the last record: nothing is lost, nothing is told."""
    end = frames(whole)[-1][1]
    torn = journal.write_frame(journal.EVENT, RECORDS + 1, payload(5))[:60]
    found = journal.scan(whole[:end] + torn + whole[end + len(torn) :])
    assert len(found.records) == RECORDS
    assert not found.faults
    assert not found.lost


def test_records_that_the_log_holds_are_left_out(tmp_path: Path) -> None:
    """After a commit that survives a power cut, recovery looks only at what came later."""
    segment = Segment.create(tmp_path / "1-a.000001.journal", 1, 8192)
    for number in range(5):
        segment.append(journal.EVENT, payload(number))
    segment.mark_committed(3)
    segment.close()
    found = journal.scan(segment.path.read_bytes())
    assert [record.sequence for record in found.records] == [4, 5]
    assert not found.lost


def test_a_text_can_not_forge_a_record() -> None:
    """A whole frame inside an agent's text is no frame: the marker's bytes stand in no UTF-8 text."""
    forged = journal.write_frame(journal.EVENT, 1, payload(1))
    text = forged.decode("latin-1").replace("\0", "0")
    event = MemoryLearned(key="k", value=text, kind="fact")
    assert journal.MARKER not in content.encode(prepare(event, agent_id="agent"))
    assert journal.MARKER not in quarantine.encode(quarantined(forged, text, source="processor"))


def test_a_quarantined_record_round_trips() -> None:
    """Raw bytes of any kind come back as they were."""
    record = quarantined(bytes(range(256)), "why \0 \ud800", source="import", event_type="a.b")
    again = quarantine.decode(quarantine.encode(record))
    assert again == record
    assert again.raw == bytes(range(256))
    assert "\0" not in again.error


def test_a_newer_format_keeps_its_header(tmp_path: Path) -> None:
    """The header of a newer format is read, so that the file can be left alone."""
    header = journal.Header(7, b"x" * 16, 4096, format=99)
    assert journal.read_header(journal.write_header(header)) == header
    assert journal.read_header(b"") is None
    assert journal.read_header(bytes(64)) is None
