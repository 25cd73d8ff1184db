"""For tests of agents: what they would put out, without a database and without a journal.

with captured() as events:
    my_agent.run()
assert [event.event_type for event in events] == ["comment.drafted"]

For authors of a backend: `LogContract`, the tests that a log has to pass.
"""
# ruff: noqa: S101 - what a test asserts

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Barrier, Lock, Thread
from typing import TYPE_CHECKING, TypeVar

from capture import clock
from capture.errors import ConcurrentAppend, CopydeskError, EventConflict, LogRewound, ReservedEventType
from capture.events.content import Prepared, digest
from capture.events.content import decode as decode_event
from capture.events.decoding import decode
from capture.events.event import Event
from capture.events.prepare import prepare
from capture.events.recorded import AnyRecorded, Stored
from capture.identifiers import new_id
from capture.vocabulary import MemoryLearned, ReviewApproved, SocialPostDrafted
from capture.writer import emit
from capture.writer.quarantine import Quarantined

if TYPE_CHECKING:
    from capture.eventlog.event_log import EventLog

E = TypeVar("E", bound=Event)


class Captured(list[AnyRecorded]):
    """The events as the log would give them back, in order; positions begin at 1.

    Attributes:
        quarantined: What was refused: log lines that make no valid event.
    """

    def __init__(self) -> None:
        super().__init__()
        self.quarantined: list[Quarantined] = []

    def of(self, event_class: type[E]) -> list[E]:
        """The payloads of one class, in order."""
        return [event.payload for event in self if isinstance(event.payload, event_class)]


@contextmanager
def captured() -> Iterator[Captured]:
    """Collect in memory what `emit` and `CaptureProcessor` take, in every thread of this process.

    Redaction and limits are those of production; `flush` and `durable=True` return at once.

    Yields:
        The list that fills up.
    """
    events = Captured()
    before = emit.capture
    emit.capture = inside = emit.Capture(_Memory(events))
    inside.identity, inside.redaction = before.identity, before.redaction
    try:
        yield events
    finally:
        emit.capture = before


class _Memory:
    def __init__(self, events: Captured) -> None:
        self._events = events
        self._lock = Lock()

    def submit(self, event: Prepared, *, durable: bool = False) -> None:
        del durable  # memory knows no power cut
        with self._lock:
            for known in self._events:
                if str(known.event_id) == event.event_id:
                    if known.digest == digest(event):
                        return
                    raise EventConflict(
                        f"the event id {event.event_id} was put out before, with other content",
                        hint="give the new event an id of its own",
                    )
            now = clock.utc_now()
            row = Stored(
                len(self._events) + 1,
                *event[:9],
                clock.from_text(event.occurred_at),
                now,
                event.payload.decode(),
                digest(event),
            )
            self._events.append(decode(row))

    def submit_or_drop(self, event: Prepared) -> bool:
        self.submit(event)
        return True

    def put_encoded(self, data: bytes) -> None:
        self.submit(decode_event(data))

    def submit_quarantine(self, record: Quarantined) -> bool:
        self._events.quarantined.append(record)
        return True

    async def submit_async(self, event: Prepared, *, durable: bool = False) -> None:
        self.submit(event, durable=durable)

    def flush(self, timeout: float | None = 10.0) -> bool:
        del timeout
        return True

    async def flush_async(self, timeout: float | None = 10.0) -> bool:
        del timeout
        return True

    def close(self, timeout: float | None = 10.0) -> bool:
        del timeout
        return True


class LogContract:
    """What every log promises, whatever database is behind it: pytest tests for the author of a backend.

    Subclass it under a name that pytest collects, and give a fixture `log`: an empty `EventLog` on your backend,
    which several threads may use at once.

        class TestMyLog(LogContract):
            @pytest.fixture
            def log(self, tmp_path):
                with DatabaseManager(f"mydb:///{tmp_path}/log") as manager:
                    yield EventLog(manager)
    """

    def test_positions_are_dense_and_in_order(self, log: EventLog) -> None:
        """Batches of any size get the next positions, in the order given."""
        sent: list[Prepared] = []
        for size in (1, 3, 21, 300, 1300):
            batch = [_prepared(number) for number in range(size)]
            assert log.append(batch) == list(range(len(sent) + 1, len(sent) + size + 1))
            sent += batch
        assert [(row.position, str(row.event_id)) for row in log.read()] == [
            (position, event.event_id) for position, event in enumerate(sent, start=1)
        ]
        assert log.head() == len(sent)

    def test_what_is_read_is_what_was_appended(self, log: EventLog) -> None:
        """Every field comes back as it went in: the payload byte for byte, the time at the microsecond."""
        body = 'tab\t quote" back\\slash \\u0000 \\N ümlaut 漢 🙂 \u2028 %s :name ? $1 \x7f \x01'
        draft = SocialPostDrafted(channel="x", identity="@us", body=body, metadata={"a": [1.0, None, {"b": "\\"}]})
        one = prepare(draft, agent_id="poster\\N", run_id="r", correlation_id="c", causation_id="d", trace_id="t")
        many = [one._replace(event_id=str(new_id())) for _ in range(50)]
        log.append([one])
        log.append(many)
        for row, event in zip(log.read_stored(), [one, *many], strict=True):
            assert (str(row.event_id), *row[2:10]) == event[:9]
            assert (clock.to_text(row.occurred_at), row.payload.encode(), row.digest) == (*event[9:], digest(event))

    def test_the_same_event_again_has_its_first_position(self, log: EventLog) -> None:
        """An event id with the same content is stored once; with other content nothing of its batch is stored."""
        first, second, third = (_prepared(number) for number in range(3))
        assert log.append([first]) == [1]
        assert log.append([second, first, third, second]) == [2, 1, 3, 2]
        other = first._replace(payload=b'{"key":"other"}')
        assert isinstance(_refusal(lambda: log.append([_prepared(4), other])), EventConflict)
        assert log.head() == 3

    def test_of_simultaneous_appends_on_one_condition_one_wins(self, log: EventLog) -> None:
        """Of eight simultaneous appends on one condition one wins; the others are told where the stream ends."""
        from capture.eventlog.condition import AppendCondition

        start, won, lost = Barrier(8), list[list[int]](), list[CopydeskError]()

        def attempt(number: int) -> None:
            start.wait()
            try:
                won.append(log.append([_prepared(number)], AppendCondition("agent-author", 0)))
            except CopydeskError as error:
                lost.append(error)

        _together(attempt, 8)
        assert won == [[1]]
        assert [(type(error), error.data["actual"]) for error in lost] == [(ConcurrentAppend, 1)] * 7

    def test_decisions_are_serial_and_whole(self, log: EventLog) -> None:
        """Of eight threads that each decide if nobody did, one decides; a decision that fails leaves nothing."""
        start = Barrier(8)

        def decide(number: int) -> None:
            start.wait()
            with log.deciding() as decision:
                if not decision.read(stream="output-o"):
                    decision.append([_approval(number)])

        _together(decide, 8)
        assert log.head() == 1
        try:
            with log.deciding() as decision:
                assert decision.append([_approval(9)]) == [2]
                raise ZeroDivisionError  # noqa: TRY301 - the caller's own failure
        except ZeroDivisionError:
            assert log.head() == 1

    def test_reserved_types_are_refused(self, log: EventLog) -> None:
        """An append from outside can't approve."""
        assert isinstance(_refusal(lambda: log.append([_approval(1)])), ReservedEventType)
        assert log.head() == 0

    def test_a_read_selects(self, log: EventLog) -> None:
        """A read takes a start, a limit, types and a stream, alone and together; beyond the head it is refused."""
        post = SocialPostDrafted(output_id="o2", channel="x", identity="us", body="b")
        log.append([_prepared(1), post, _prepared(2), post, _prepared(3)], agent_id="author")
        assert [row.position for row in log.read(after=2)] == [3, 4, 5]
        assert [row.position for row in log.read(limit=2)] == [1, 2]
        assert [row.position for row in log.read(types=["social_post.drafted"])] == [2, 4]
        assert [row.position for row in log.read(stream="output-o2", after=2, limit=1)] == [4]
        assert isinstance(_refusal(lambda: list(log.read(after=7))), LogRewound)


def _prepared(number: int) -> Prepared:
    return prepare(MemoryLearned(key=f"k{number}", value=number, kind="fact"), agent_id="author")


def _approval(number: int) -> ReviewApproved:
    return ReviewApproved(output_id="o", revision=1, content_hash="0" * 64, actor=f"actor {number}")


def _refusal(act: Callable[[], object]) -> CopydeskError | None:
    try:
        act()
    except CopydeskError as error:
        return error
    return None


def _together(act: Callable[[int], None], count: int) -> None:
    threads = [Thread(target=act, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


__all__ = ["Captured", "LogContract", "captured"]
