"""The moment in which the writer's thread is being started, seen by the other threads that emit just then."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from capture.errors import DatabaseUnavailable
from capture.writer import batching, lifecycle
from capture.writer.batching import BatchingWriter
from capture.writer.draining import Drain
from tests.fixtures.writer import MemoryLog, note, writing


class Start:
    """Holds the thread that starts the writer's thread in the middle of it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self.go_on = threading.Event(), threading.Event()
        monkeypatch.setattr(batching.lifecycle, "at_exit", self._hold)

    def _hold(self) -> None:
        self.reached.set()
        assert self.go_on.wait(30)


def beside(start: Start, writer: BatchingWriter, act: Callable[[], object]) -> list[object]:
    """Let one thread start the writer's thread, and another act meanwhile; what the other got, or its error."""
    got: list[object] = []

    def other() -> None:
        try:
            got.append(act())
        except Exception as error:
            got.append(error)

    threads = [threading.Thread(target=writer.submit, args=(note(1),)), threading.Thread(target=other)]
    threads[0].start()
    assert start.reached.wait(30)
    threads[1].start()
    threads[1].join(0.1)
    start.go_on.set()
    for thread in threads:
        thread.join(30)
    return got


def test_a_durable_event_beside_the_start_waits_for_its_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that emit at once, the first of them starting the writer's thread, all get their commits."""
    log, start = MemoryLog(), Start(monkeypatch)
    with writing(log, tmp_path) as writer:
        assert beside(start, writer, lambda: writer.submit(note(2), durable=True)) == [None]
        assert 2 in log.values()


def test_a_flush_beside_the_start_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flush while another thread starts the writer's thread is not answered with False at once."""
    log, start = MemoryLog(), Start(monkeypatch)
    with writing(log, tmp_path) as writer:
        assert beside(start, writer, lambda: writer.flush(30)) == [True]
        assert log.values() == [1]


def test_nobody_waits_for_a_thread_that_could_not_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the interpreter starts no more threads, who waits beside the attempt is told so, and the journal holds."""
    log, start = MemoryLog(), Start(monkeypatch)

    def refuse(_: Drain) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(Drain, "start", refuse)
    with writing(log, tmp_path) as writer:
        (error,) = beside(start, writer, lambda: writer.submit(note(2), durable=True))
        assert isinstance(error, DatabaseUnavailable)
        assert writer.stats().waiting == 2


def test_a_signal_handler_in_the_middle_of_the_start_does_not_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A handler that interrupts the start on its own thread is told that there is no thread yet, and does not hang."""
    log, errors = MemoryLog(), []

    def interrupt() -> None:
        monkeypatch.setattr(lifecycle, "at_exit", lambda: None)
        with pytest.raises(DatabaseUnavailable) as caught:
            writer.submit(note(2), durable=True)
        errors.append(caught.value)

    monkeypatch.setattr(lifecycle, "at_exit", interrupt)
    with writing(log, tmp_path) as writer:
        writer.submit(note(1))
        assert writer.flush(30)
        assert len(errors) == 1
        assert sorted(map(str, log.values())) == ["1", "2"]
