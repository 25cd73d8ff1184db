"""Schedules of publication: a platform that counts, workers that crash or are overtaken at any step, people and time.

A schedule is drawn from a seed. Between any two steps of a worker, another one may take a whole turn, a person may
decide something, hours may pass, or the worker may be gone. What the platform got is held against the log by a reading
of its own, never by copydesk's fold.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from capture import DatabaseManager, EventLog, Settings
from capture.vocabulary import OutputRevised, OutputWithdrawn, SocialPostDrafted, content_hash
from review import Output, PublishingWorker, Receipt, ReviewDesk
from review.commands import Approve
from review.errors import NotSent
from review.policy.rules import Policy
from tests.fixtures.platform import NOW

STEPS = ("start", "judge_again", "confirm", "fail", "lose")
"""What a worker asks its desk for; the mark, the look-up and the send itself are steps, too."""

ANSWERS = ("accepted", "accepted", "refused", "not sent", "lost", "late", "400 that did post", "nothing at all")
"""What may become of a request: `lost` did post, `late` posts after the answer timed out, the last one never posts."""

POLICY = Policy.parse('name = "two"\n[[rule]]\nmatch = { identity = "@two" }\napprovals = 2\n')


class Crash(BaseException):
    """The worker's process ends here: nothing of it runs any more."""


@dataclass
class Platform:
    """Counts the requests that it gets.

    Attributes:
        log: Where it looks whether a request was allowed.
        answers: Draws what becomes of the next request.
        meanwhile: Called around each request.
        asked: How often it was asked for each output, revision and hash, other than with a declared refusal.
        posts: What can be seen there, by key.
        late: What will be seen there.
    """

    log: EventLog
    answers: Callable[[], str]
    meanwhile: Callable[[str], None]
    asked: Counter[tuple[str, int, str]] = field(default_factory=Counter)
    told: Counter[str] = field(default_factory=Counter)
    posts: dict[str, Receipt] = field(default_factory=dict)
    late: dict[str, Receipt] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    key_lifetime = None
    verifies = None

    def publish(self, output: Output, key: str) -> Receipt:
        """Take a request, as the schedule has it."""
        self.meanwhile("before the send")
        answer = self.answers()
        if answer == "not sent":
            raise NotSent("no route")
        self.told[answer] += 1
        triple = (output.output_id, output.revision, output.content.hash())
        self.wrong += unallowed(self.log, triple)
        if answer == "refused":
            raise OSError("401 not accepted")
        self.asked[triple] += 1
        receipt = Receipt(f"p{key}")
        if answer == "late":
            self.late[key] = receipt
        elif answer != "nothing at all":
            self.posts[key] = receipt
        self.meanwhile("after the send")
        if answer == "accepted":
            return receipt
        raise RuntimeError("400") if answer == "400 that did post" else TimeoutError

    def find(self, key: str) -> Receipt | None:
        """Look a post up."""
        self.meanwhile("before a look-up")
        return self.posts.get(key)

    def retract(self, receipt: Receipt) -> None:
        """Take a post away."""
        self.posts = {key: post for key, post in self.posts.items() if post != receipt}

    def not_accepted(self, answer: BaseException) -> bool:
        """The one answer that it declares."""
        return str(answer) == "401 not accepted"


def unallowed(log: EventLog, triple: tuple[str, int, str]) -> list[str]:
    """Why this should not have been sent, by the log alone: enough live votes on exactly it, and a committed start."""
    output_id, revision, digest = triple
    votes: set[str] = set()
    needed, now_at, started = 1, 0, False
    for fact in log.read(stream=f"output-{output_id}"):
        event: Any = fact.payload
        match fact.event_type:
            case "social_post.drafted":
                now_at = 1
            case "output.revised" | "review.edited" if not started:
                now_at, votes = now_at + 1, set()
            case "review.opened":
                needed = max(needed, event.needed)
            case "review.approved" if (event.revision, event.content_hash) == (revision, digest):
                votes.add(event.actor)
            case "review.revoked":
                votes = set()
            case "publication.started" if (event.revision, event.content_hash) == (revision, digest):
                started = True
            case "publication.failed" | "publication.resolved":
                started = False
            case _:
                pass
    wrong = [] if len(votes) >= needed else [f"{output_id}: {len(votes)} of {needed} votes"]
    wrong += [] if now_at == revision else [f"{output_id}: revision {revision} was sent, {now_at} is the newest"]
    return wrong if started else [*wrong, f"{output_id}: sent before its start was committed"]


@dataclass
class Schedule:
    """One run of two workers over some outputs.

    Args:
        manager: A fresh database.
        seed: All is drawn from it.
        kind: The worker under test.
    """

    manager: DatabaseManager
    seed: int
    kind: type[PublishingWorker] = PublishingWorker

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.now = NOW
        self.desk = ReviewDesk(self.manager, POLICY, clock=self.clock)
        self.log = EventLog(self.manager, clock=self.clock)
        self.platform = Platform(self.log, lambda: self.rng.choice(ANSWERS), self.between)
        self.running: list[PublishingWorker] = []
        self.dead: list[PublishingWorker] = []
        self.steps: Counter[str] = Counter()
        self.drafts = [
            SocialPostDrafted(
                output_id=f"s{self.seed}-{number}",
                channel="x",
                identity=self.rng.choice(["@one", "@two"]),
                body=f"Ahoy {number}.",
                not_after=self.rng.choice([None, None, NOW + timedelta(hours=2)]),
            )
            for number in range(self.rng.randint(1, 8))
        ]

    def clock(self) -> datetime:
        """The time of this schedule."""
        return self.now

    def run(self) -> Platform:
        """Run it to its end, with whatever comes between; what the platform got.

        Raises:
            AssertionError: Something was sent twice, or was not allowed to be sent.
        """
        self.log.append(self.drafts, agent_id="poster")
        for post in self.drafts:
            for actor in ("ana", "bob"):
                self.desk.do(Approve(output_id=post.output_id, content_hash=content_hash(post), actor=actor))
        worker = self.worker()
        for _ in range(self.rng.randint(2, 5)):
            worker = self.turn(worker)
            self.between("between turns", others=False)
            self.platform.posts |= self.platform.late
        self.now += timedelta(days=1)
        self.turn(worker)
        twice = {triple: count for triple, count in self.platform.asked.items() if count > 1}
        assert twice == {}, f"seed {self.seed}: sent more than once: {twice}"
        assert self.platform.wrong == [], f"seed {self.seed}: {self.platform.wrong}"
        return self.platform

    def worker(self) -> PublishingWorker:
        """A worker, each step of which something may come before or after."""
        worker = self.kind(ReviewDesk(self.manager, POLICY, clock=self.clock), {"folder": self.platform})
        for step in STEPS:
            setattr(worker.desk, step, self.around(worker, step, getattr(worker.desk, step)))
        worker.marks.advance = self.around(worker, "mark", worker.marks.advance)  # type: ignore[method-assign]
        return worker

    def turn(self, worker: PublishingWorker) -> PublishingWorker:
        """A turn of a worker; another takes its place when it is gone."""
        self.running.append(worker)
        try:
            worker.run_once()
        except Crash:
            return self.worker()
        finally:
            self.running.pop()
        return worker

    def around(self, worker: PublishingWorker, step: str, do: Callable[..., Any]) -> Callable[..., Any]:
        """The step, and what may come before and after it."""

        def done(*arguments: Any, **named: Any) -> Any:
            if worker in self.dead:
                raise Crash  # a process that was killed records nothing on its way out
            self.between(f"before {step}")
            answer = do(*arguments, **named)
            self.between(f"after {step}")
            return answer

        return done

    def between(self, where: str, *, others: bool = True) -> None:
        """What happens between two steps: mostly nothing."""
        chance = self.rng.random()
        if chance < 0.90:
            return
        self.steps[where] += 1
        if chance < 0.94 and others:
            self.dead.append(self.running[-1])
            raise Crash
        if chance < 0.96 and others and len(self.running) < 3:
            self.turn(self.worker())
        elif chance < 0.98:
            self.now += self.rng.choice([timedelta(minutes=11), timedelta(hours=3)])
        else:
            self.somebody()

    def somebody(self) -> None:
        """A person or an agent does something."""
        post = self.rng.choice(self.drafts)
        output = self.desk.output(post.output_id)
        assert output is not None
        match self.rng.choice(["edit", "revise", "withdraw", "revoke", "stop", "resume", "resolve", "approve"]):
            case "edit":
                self.desk.edit(post.output_id, output.content_hash, body=f"Edited {self.rng.random()}.", actor="ana")
            case "revise":
                self.log.append(
                    [OutputRevised(output_id=post.output_id, body=f"Revised {self.rng.random()}.")], agent_id="poster"
                )
            case "withdraw":
                self.log.append([OutputWithdrawn(output_id=post.output_id)], agent_id="poster")
            case "revoke":
                self.desk.revoke(post.output_id, actor="ana")
            case "stop":
                self.desk.stop(actor="ana", reason="an incident")
            case "resume":
                self.desk.resume(actor="ana")
            case "resolve":
                self.desk.resolve(post.output_id, "failed", actor="ana", note="not there")
            case _:
                for actor in self.rng.sample(["ana", "bob", "cleo"], 2):
                    self.desk.approve(post.output_id, output.content_hash, actor=actor)


class RetriesUncertain(PublishingWorker):
    """The mutant: what may have gone out is sent again."""

    def _lost(self, output: Output, attempt: Any, words: str) -> Any:
        with suppress(Exception):
            self.publishers["folder"].publish(output, attempt.idempotency_key)
        return super()._lost(output, attempt, words)


class SendsFirst(PublishingWorker):
    """The mutant: it sends before the start is committed."""

    def _published(self, row: Any) -> Any:
        output = self.desk.output(row.output_id)
        assert output is not None
        with suppress(Exception):
            self.publishers["folder"].publish(output, "key")
        return super()._published(row)


class NotFoundIsNotSent(PublishingWorker):
    """The mutant: what the platform does not show was not sent, so it is sent."""

    def _found(self, row: Any) -> Any:
        found = super()._found(row)
        output = self.desk.output(row.output_id)
        if found is None and output is not None and output.state == "uncertain" and output.attempt is not None:
            with suppress(Exception):
                self.publishers["folder"].publish(output, output.attempt.idempotency_key)
        return found


MUTANTS: Mapping[str, type[PublishingWorker]] = {
    "retries after an uncertain send": RetriesUncertain,
    "sends before the commit": SendsFirst,
    "takes not found for not sent": NotFoundIsNotSent,
}


def databases(template: Path, folder: Path, each: int) -> Iterator[DatabaseManager]:
    """Fresh SQLite databases for ever, each given out so many times: with its outputs a turn takes longer."""
    while True:
        place = Path(tempfile.mkdtemp(prefix="schedules-", dir=folder))
        shutil.copyfile(template, place / "foundup.db")
        settings = replace(Settings.from_environment(), journal=place / "foundup.journal")
        with DatabaseManager(f"sqlite:///{place}/foundup.db", settings=settings) as manager:
            for _ in range(each):
                yield manager
        shutil.rmtree(place)


def run(
    template: Path, folder: Path, seeds: range, kind: type[PublishingWorker] = PublishingWorker, each: int = 4
) -> Counter[str]:
    """Run the schedules of these seeds, each with outputs of its own.

    Args:
        template: A migrated SQLite file.
        folder: Where databases are made.
        seeds: Which.
        kind: The worker under test.
        each: How many schedules share a database.

    Returns:
        What the platform answered, and where something came between.

    Raises:
        AssertionError: Something was sent twice, or was not allowed to be sent.
    """
    counted: Counter[str] = Counter()
    for manager, seed in zip(databases(template, folder, each), seeds, strict=False):
        schedule = Schedule(manager, seed, kind)
        platform = schedule.run()
        ReviewDesk(manager).resume(actor="ana")
        counted.update({f"answer: {answer}": count for answer, count in platform.told.items()})
        counted.update({f"something came {where}": count for where, count in schedule.steps.items()})
        counted["requests"] += platform.asked.total()
        counted["schedules"] += 1
        counted["outputs"] += len(schedule.drafts)
    return counted
