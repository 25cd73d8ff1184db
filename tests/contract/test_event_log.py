"""What the log promises, on every backend."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from capture import (
    AppendCondition,
    ConcurrentAppend,
    DatabaseManager,
    EventConflict,
    EventLog,
    LogMoved,
    LogRewound,
    ReservedEventType,
)
from capture.events.content import Prepared, digest
from capture.events.prepare import prepare
from capture.identifiers import new_id
from capture.vocabulary import MemoryLearned, OutputWithdrawn, ReviewApproved, SocialPostDrafted

HASH = "0" * 64


def note(number: int) -> MemoryLearned:
    return MemoryLearned(key=f"k{number}", value=number, kind="fact")


def prepared(number: int, agent_id: str = "writer") -> Prepared:
    return prepare(note(number), agent_id=agent_id)


@pytest.fixture
def log(manager: DatabaseManager) -> EventLog:
    return EventLog(manager)


@pytest.mark.parametrize("size", [1, 3, 19, 20, 21, 300, 1300])
def test_positions_are_dense_whatever_the_size_of_the_batch(log: EventLog, size: int) -> None:
    """A batch of any size gets the next positions, in the order given."""
    assert log.append([note(0)]) == [1]
    batch = [prepared(number) for number in range(size)]
    assert log.append(batch) == list(range(2, size + 2))
    assert [(row.position, str(row.event_id)) for row in log.read(after=1)] == [
        (position, event.event_id) for position, event in enumerate(batch, start=2)
    ]
    assert log.head() == size + 1


def test_what_is_read_is_what_was_appended(log: EventLog) -> None:
    """Every field of an event comes back as it went in, at the microsecond."""
    occurred = datetime(2026, 11, 24, 10, 0, 0, 123456, tzinfo=UTC)
    body = 'tab\t quote" back\\slash \\u0000 \\N ümlaut 漢 🙂 \u2028 %s :name ? $1 \x7f \x01'
    draft = SocialPostDrafted(channel="x", identity="@us", body=body, metadata={"a": [1.0, None, {"b": "\\"}]})
    event = prepare(
        draft,
        agent_id="poster\\N",
        run_id="run 1",
        correlation_id="c",
        causation_id="d",
        trace_id="t",
        occurred_at=occurred,
    )
    few, many = event, [event._replace(event_id=str(new_id())) for _ in range(30)]
    log.append([few])
    log.append(many)
    for row, sent in zip(log.read(), [few, *many], strict=True):
        assert row.payload == draft
        assert row.digest == digest(sent)
        assert (str(row.event_id), row.agent_id, row.run_id, row.correlation_id, row.causation_id, row.trace_id) == (
            sent.event_id,
            "poster\\N",
            "run 1",
            "c",
            "d",
            "t",
        )
        assert row.occurred_at == occurred
        assert row.occurred_at.tzinfo is UTC
        assert row.recorded_at.tzinfo is UTC
        assert row.stream_id == f"output-{draft.output_id}"
    assert [row.payload.encode() for row in log.read_stored()] == [few.payload] * 31


def test_the_same_event_again_is_the_same_position(log: EventLog) -> None:
    """An event id with the same content is stored once, alone, beside new ones and twice in one batch."""
    first, second, third = prepared(1), prepared(2), prepared(3)
    assert log.append([first]) == [1]
    assert log.append([first]) == [1]
    assert log.append([second, first, third, second]) == [2, 1, 3, 2]
    batch = [prepared(number) for number in range(50)]
    assert log.append([*batch, first]) == [*range(4, 54), 1]
    assert log.head() == 53


@pytest.mark.parametrize("size", [1, 40])
def test_the_same_id_with_other_content_is_a_conflict(log: EventLog, size: int) -> None:
    """An event id with other content is refused, and nothing of its batch is stored."""
    first = prepared(1)
    log.append([first])
    other = first._replace(payload=b'{"key":"other"}')
    with pytest.raises(EventConflict, match="position 1"):
        log.append([*(prepared(number) for number in range(size)), other])
    assert log.head() == 1


def test_a_condition_holds_until_its_stream_moves(log: EventLog) -> None:
    """A conditional append is refused when its stream has an event after the position, and only then."""
    draft = SocialPostDrafted(channel="x", identity="us", body="b")
    stream = f"output-{draft.output_id}"
    assert log.append([draft], AppendCondition(stream, 0)) == [1]
    log.append([note(1)])
    withdrawn = OutputWithdrawn(output_id=draft.output_id)
    with pytest.raises(ConcurrentAppend) as refusal:
        log.append([withdrawn], AppendCondition(stream, 0))
    assert (refusal.value.stream, refusal.value.expected, refusal.value.actual) == (stream, 0, 1)
    assert log.append([withdrawn], AppendCondition(stream, 1)) == [3]


def test_a_conditional_append_that_is_repeated_succeeds_again(log: EventLog) -> None:
    """A retry of a conditional append whose answer was lost gets the first positions, not a refusal."""
    event = prepared(1)
    condition = AppendCondition("agent-writer", 0)
    assert log.append([event], condition) == [1]
    assert log.append([event], condition) == [1]


def test_of_twenty_simultaneous_appends_on_one_condition_one_wins(log: EventLog) -> None:
    """Of 20 simultaneous appends on one condition exactly one wins; the others are told who was first."""
    start, won, lost = threading.Barrier(20), [], []

    def attempt(number: int) -> None:
        start.wait()
        try:
            won.append(log.append([prepared(number)], AppendCondition("agent-writer", 0)))
        except ConcurrentAppend as error:
            lost.append(error.actual)

    threads = [threading.Thread(target=attempt, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won == [[1]]
    assert lost == [1] * 19


def test_reserved_types_are_refused(log: EventLog) -> None:
    """An append from outside can't approve: `review.*` is the desk's alone."""
    approval = ReviewApproved(output_id="o", revision=1, content_hash=HASH, actor="me")
    with pytest.raises(ReservedEventType):
        log.append([approval])
    assert log.head() == 0


def test_a_decision_reads_and_appends_as_one(log: EventLog) -> None:
    """A decision sees its own appends, commits them together, and leaves nothing when it fails."""
    approval = ReviewApproved(output_id="o", revision=1, content_hash=HASH, actor="me")
    with log.deciding() as decision:
        assert decision.head == 0
        assert decision.append([approval]) == [1]
        assert [row.payload for row in decision.read(stream="output-o")] == [approval]
        assert decision.head == 1
        assert decision.append([approval]) == [2]
    with pytest.raises(ZeroDivisionError), log.deciding() as decision:
        decision.append([approval])
        raise ZeroDivisionError
    assert log.head() == 2
    assert all(row.agent_id == "desk" and row.recorded_at == row.occurred_at for row in log.read())


def test_decisions_are_serial(log: EventLog) -> None:
    """Of many threads that each add one if there is none, one adds."""
    start = threading.Barrier(8)

    def decide() -> None:
        start.wait()
        with log.deciding() as decision:
            if not decision.read(stream="output-o"):
                decision.append([ReviewApproved(output_id="o", revision=1, content_hash=HASH, actor="me")])

    threads = [threading.Thread(target=decide) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log.head() == 1


def test_the_time_of_recording_never_falls(manager: DatabaseManager) -> None:
    """A clock that is set back does not set the log back."""
    times = [datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 3, tzinfo=UTC)]
    log = EventLog(manager, clock=lambda: times.pop(0))
    for number in range(3):
        log.append([note(number)])
    assert [row.recorded_at.day for row in log.read()] == [2, 2, 3]
    with EventLog(manager).deciding() as decision:
        assert decision.now - datetime.now(UTC) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, [1, 2, 3, 4, 5]),
        ({"after": 2}, [3, 4, 5]),
        ({"limit": 2}, [1, 2]),
        ({"limit": 0}, []),
        ({"after": 5}, []),
        ({"types": ["social_post.drafted"]}, [2, 4]),
        ({"types": []}, []),
        ({"stream": "output-o2"}, [2, 4]),
        ({"stream": "output-o2", "after": 2, "limit": 1}, [4]),
    ],
)
def test_reading_selects(log: EventLog, arguments: dict[str, object], expected: list[int]) -> None:
    """A read takes a start, a limit, types and a stream, alone and together."""
    post = SocialPostDrafted(output_id="o2", channel="x", identity="us", body="b")
    log.append([note(1), post, note(2), post, note(3)])
    assert [row.position for row in log.read(**arguments)] == expected  # type: ignore[arg-type]


def test_reading_crosses_pages(log: EventLog) -> None:
    """A read longer than a page misses nothing and repeats nothing, with and without a limit."""
    log.append([prepared(number) for number in range(2500)])
    assert [row.position for row in log.read()] == list(range(1, 2501))
    assert [row.position for row in log.read(limit=1500)] == list(range(1, 1501))


def test_a_reader_beyond_the_head_is_told(log: EventLog) -> None:
    """A position beyond the head is `LogRewound`, never an endless wait."""
    log.append([note(1)])
    with pytest.raises(LogRewound, match="position 7"):
        list(log.read(after=7))


def test_a_moved_log_refuses(log: EventLog, manager: DatabaseManager) -> None:
    """A log that was moved refuses appends of every size and decisions, and names where it went."""
    log.append([note(1)])
    manager.execute_write("UPDATE agents_head SET moved_to = ?", ("postgresql://there/db",))
    for size in (1, 30):
        with pytest.raises(LogMoved, match="postgresql://there/db"):
            log.append([prepared(number) for number in range(size)])
    with pytest.raises(LogMoved), log.deciding():
        pass
    assert log.head() == 1


def test_an_event_of_an_unknown_type_is_kept_and_shown_raw(log: EventLog) -> None:
    """An event type that the code does not know is stored and read back as raw JSON."""
    event = prepared(1)._replace(event_type="robot.danced", payload=b'{"steps":3}')
    log.append_prepared([event])
    (row,) = log.read()
    assert row.payload == ("robot.danced", {"steps": 3})


def test_an_append_inside_a_transaction_joins_it(log: EventLog, manager: DatabaseManager) -> None:
    """An append within a caller's transaction commits and rolls back with it."""
    log.append([note(1)])
    with pytest.raises(ZeroDivisionError), manager.transaction():
        assert log.append([note(2)]) == [2]
        raise ZeroDivisionError
    assert log.head() == 1
    with manager.transaction():
        log.append([note(3)])
    assert log.head() == 2
