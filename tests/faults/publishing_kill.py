"""Real workers that are really killed, two at once, at any step of theirs; and a platform that other processes count.

Each round has a fresh database and some approved outputs. Two processes publish; one kills itself at the k-th step, and
so may the other, or it is stopped there for a while (SIGSTOP). Whoever comes an hour later finishes. The platform is a
file to which each request is one line.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from capture import DatabaseManager, EventLog, Settings
from capture.vocabulary import SocialPostDrafted, content_hash
from review import Output, PublishingWorker, Receipt, ReviewDesk
from review.commands import Approve
from tests.faults.publishing import STEPS, unallowed

PATIENCE = 60.0

OUTPUTS = 5


class FilePlatform:
    """A platform that remembers in a file what it was asked to publish.

    Args:
        path: The file.
        answers: Draws what becomes of a request.
        step: Called around each request.
    """

    key_lifetime = None
    verifies = None

    def __init__(self, path: Path, answers: Callable[[], str], step: Callable[[], None]) -> None:
        self.path, self._answers, self._step = path, answers, step

    def publish(self, output: Output, key: str) -> Receipt:
        """Take a request."""
        self._step()
        answer = self._answers()
        if answer == "refused":
            raise OSError("401 not accepted")
        line = f"{key} {output.output_id} {output.revision} {output.content.hash()} {answer}\n"
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, line.encode())
        finally:
            os.close(file)
        self._step()
        if answer == "accepted":
            return Receipt(f"p{key}")
        raise TimeoutError

    def find(self, key: str) -> Receipt | None:
        """Look a post up."""
        self._step()
        seen = [line for line in self.requests() if line[0] == key and line[4] != "nothing"]
        return Receipt(f"p{key}") if seen else None

    def retract(self, receipt: Receipt) -> None:
        """Nothing is taken back here."""

    def not_accepted(self, answer: BaseException) -> bool:
        """The one answer that it declares."""
        return str(answer) == "401 not accepted"

    def requests(self) -> list[list[str]]:
        """What it was asked."""
        return [line.split() for line in self.path.read_text().splitlines()] if self.path.exists() else []


def _work(url: str, settings: Settings, path: Path, seed: int, number: int, gate: Any) -> None:
    """A worker that goes on until nothing is left, or it is gone."""
    rng = random.Random(f"{seed}-{number}")
    left = rng.randint(1, 45)
    stops = number == 1 and rng.random() < 0.4

    def step() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGSTOP if stops else signal.SIGKILL)

    def around(do: Callable[..., Any]) -> Callable[..., Any]:
        def done(*arguments: Any, **named: Any) -> Any:
            step()
            answer = do(*arguments, **named)
            step()
            return answer

        return done

    with DatabaseManager(url, settings=settings) as manager:
        desk = ReviewDesk(manager)
        for name in STEPS:
            setattr(desk, name, around(getattr(desk, name)))
        answers = ("accepted", "accepted", "lost", "refused", "nothing")
        worker = PublishingWorker(desk, {"folder": FilePlatform(path, lambda: rng.choice(answers), step)})
        worker.marks.advance = around(worker.marks.advance)  # type: ignore[method-assign]
        gate.wait(PATIENCE)
        for _ in range(3):
            worker.run_once()


def round_of(url: str, folder: Path, seed: int) -> Counter[str]:
    """Two workers over some outputs, killed or stopped; then one an hour later.

    Args:
        url: A fresh database of copydesk's.
        folder: Of this round.
        seed: All is drawn from it.

    Returns:
        How many were killed, stopped, ended by themselves; the requests, and the states in the end.

    Raises:
        AssertionError: Something was sent twice, or was not allowed to be sent.
    """
    settings = replace(Settings.from_environment(), journal=folder / "foundup.journal")
    path = folder / "platform"
    with DatabaseManager(url, settings=settings) as manager:
        posts = [
            SocialPostDrafted(output_id=f"k{seed}-{number}", channel="x", identity="@acme", body=f"Ahoy {number}.")
            for number in range(OUTPUTS)
        ]
        EventLog(manager).append(posts, agent_id="poster")
        for post in posts:
            ReviewDesk(manager).do(Approve(output_id=post.output_id, content_hash=content_hash(post), actor="ana"))
    context = multiprocessing.get_context("fork")
    gate = context.Barrier(2)
    workers = [
        context.Process(target=_work, args=(url, settings, path, seed, number, gate), daemon=True) for number in (0, 1)
    ]
    for worker in workers:
        worker.start()
    told: Counter[str] = Counter()
    ends = time.monotonic() + PATIENCE
    stopped: list[Any] = []
    while (running := [worker for worker in workers if worker.is_alive() and worker not in stopped]) and (
        time.monotonic() < ends
    ):
        for worker in running:
            if _is_stopped(worker.pid):
                stopped.append(worker)
        time.sleep(0.01)
    assert not running, "a worker did not end"
    _later(url, settings, path)
    for worker in stopped:
        told["stopped"] += 1
        os.kill(worker.pid or 0, signal.SIGCONT)
        worker.join(PATIENCE)
    told["killed"] += sum(worker.exitcode == -signal.SIGKILL for worker in workers)
    told["ended by themselves"] += sum(worker.exitcode == 0 for worker in workers)
    assert told["killed"] + told["ended by themselves"] == len(workers), [worker.exitcode for worker in workers]
    told.update(_later(url, settings, path))
    return told


def _later(url: str, settings: Settings, path: Path) -> Counter[str]:
    """A worker an hour later; what there was to count then."""
    platform = FilePlatform(path, lambda: "accepted", lambda: None)
    with DatabaseManager(url, settings=settings) as manager:

        def later() -> datetime:
            return datetime.now().astimezone() + timedelta(hours=1)

        desk = ReviewDesk(manager, clock=later)
        PublishingWorker(desk, {"folder": platform}).run_once()
        requests = platform.requests()
        twice = {triple: count for triple, count in Counter(tuple(line[1:4]) for line in requests).items() if count > 1}
        assert twice == {}, f"sent more than once: {twice}"
        log = EventLog(manager)
        for line in requests:
            output = desk.output(line[1])
            assert output is not None
            wrong = [why for why in unallowed(log, (line[1], int(line[2]), line[3])) if "started" not in why]
            assert wrong == [], wrong
            started = list(log.read(stream=f"output-{line[1]}", types=["publication.started"]))
            assert started, f"{line[1]} was sent without a start"
        states = Counter(f"in the end {row.state}" for row in _all(manager))
    return Counter(requests=len(requests)) + states


def _all(manager: DatabaseManager) -> list[Any]:
    from review.queue import list_outputs

    states = ("approved", "publishing", "uncertain", "publish_failed", "published")
    return list(list_outputs(manager, states=states, limit=100).rows)


def _is_stopped(pid: int | None) -> bool:
    import psutil

    try:
        return psutil.Process(pid).status() == psutil.STATUS_STOPPED
    except psutil.NoSuchProcess:
        return False


def rounds(template: Path, folder: Path, seeds: range, *, kills: int | None = None) -> Counter[str]:
    """Rounds on SQLite, each with a database and a folder of its own.

    Args:
        template: A migrated SQLite file.
        folder: Where they are made.
        seeds: Of the rounds.
        kills: End once so many workers were killed.

    Raises:
        AssertionError: Something was sent twice, or was not allowed to be sent.
    """
    told: Counter[str] = Counter()
    for seed in seeds:
        place = folder / f"round-{seed}"
        place.mkdir()
        shutil.copyfile(template, place / "foundup.db")
        told += round_of(f"sqlite:///{place}/foundup.db", place, seed)
        told["rounds"] += 1
        shutil.rmtree(place)
        if kills is not None and told["killed"] >= kills:
            break
    return told
