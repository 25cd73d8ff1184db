"""`ProjectionRunner`: brings the live tables up to date with the log, batch by batch."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from capture import (
    Clock,
    DatabaseManager,
    DatabaseUnavailable,
    EventLog,
    Transaction,
    is_refused,
    is_transient,
    utc_now,
)
from projections import batch, checkpoint, definitions, lease, registry
from projections.batch import Target
from projections.checkpoint import Checkpoint, Counted
from projections.dead_letters import described
from projections.errors import TableInTheWay
from projections.facts import Fact, decoded, page
from projections.folding import Dead, Folded, Plan, fold
from projections.registry import ProjectorLike
from projections.staleness import ahead_reason, stale_reason

BATCH = 1_000
"""Events a batch: larger ones gain nothing and cost latency."""

SHORTEST_PAUSE, LONGEST_PAUSE = 0.005, 0.05
"""Seconds between two looks at a log that has nothing new: the pause doubles from the one to the other."""

_log = logging.getLogger("copydesk.projections.runner")


class Standing(NamedTuple):
    """A projection and where its live table stands.

    Attributes:
        target: The projection and its tables.
        at: Its checkpoint.
    """

    target: Target
    at: Checkpoint


class ProjectionRunner:
    """Keeps the read tables current.

    Any number of runners may work on one database: the checkpoint's compare-and-set makes a batch count once.

    Args:
        manager: The database.
        projectors: Projectors or their classes; every installed one when left out.
        batch_size: Events a batch; the tables come out the same whatever it is.
        clock: Tells the time of checkpoints and leases.

    Attributes:
        stopped: Why a projection could not go on in the last run, by name. The others go on.
        stale: Why a projection needs a replay, by name: its table stays as it is until then.
    """

    def __init__(
        self,
        manager: DatabaseManager,
        projectors: Iterable[ProjectorLike] | None = None,
        *,
        batch_size: int = BATCH,
        clock: Clock = utc_now,
    ) -> None:
        self.manager = manager
        self.plans = registry.ready(projectors)
        self.stopped: dict[str, str] = {}
        self.stale: dict[str, str] = {}
        self._log = EventLog(manager)
        self._batch_size = batch_size
        self._clock = clock
        self._began: dict[str, tuple[int, float]] = {}

    def run_once(self, only: str | Iterable[str] | None = None) -> int:
        """Bring tables up to where the log ends now.

        A projection whose table was made by other code is left alone until its replay; one that can't go on is noted
        in `stopped`.

        Args:
            only: The name of a projection, or several; all when left out.

        Returns:
            How many events were handled; one that several projections handle counts for each.

        Raises:
            UnknownProjection: `only` names a projection that is none of this runner's.
            DatabaseUnavailable: The database can't be reached.
        """
        self.manager.ensure_schema()
        names = [only] if isinstance(only, str) else only
        plans = self.plans if names is None else registry.select(self.plans, names)
        noted, self.stopped, self.stale = self.stopped, {}, {}
        head = self._log.head()
        standing = self._standing(plans, head)
        began = time.monotonic()
        self._began = {name: (one.at.position, began) for name, one in standing.items()}
        handled = 0
        while behind := [one for one in standing.values() if one.at.position < head]:
            first = min(one.at.position for one in behind)
            handled += self._page([one for one in behind if one.at.position == first], head, standing)
        for name, reason in self.stopped.items():
            if noted.get(name) != reason:
                _log.error("projection %s can't go on: %s", name, reason)
        return handled

    def run(self, stop: threading.Event) -> None:
        """Keep tables current until `stop` is set, those that no other runner works on.

        Raises:
            CopydeskError: What `run_once` raises, unless waiting may help.
        """
        holder = lease.new_holder()
        held = lease.Held(self.manager, [plan.name for plan in self.plans], holder, self._clock)
        pause = SHORTEST_PAUSE
        try:
            while not stop.is_set():
                try:
                    handled = self.run_once(held.renewed())
                except Exception as error:
                    if not self._may_pass(error):
                        raise
                    _log.warning("projections wait for the database: %s", error)
                    stop.wait(1.0)
                    continue
                if handled:
                    pause = SHORTEST_PAUSE
                else:
                    stop.wait(pause)
                    pause = min(2 * pause, LONGEST_PAUSE)
        finally:
            held.release()

    def _may_pass(self, error: BaseException) -> bool:
        return is_transient(error) or isinstance(error, DatabaseUnavailable)

    def _standing(self, plans: Sequence[Plan], head: int) -> dict[str, Standing]:
        with self.manager.connect() as connection:
            checkpoints = checkpoint.every(connection)
        standing = {}
        for plan in plans:
            try:
                at = checkpoints.get(plan.name) or self._begun(plan)
            except Exception as error:
                if self._may_pass(error):
                    raise
                self.stopped[plan.name] = described(error)
                continue
            stale = stale_reason(plan, at)
            if stale is not None:
                self.stale[plan.name] = stale
                continue
            if at.position > head:
                self.stopped[plan.name] = self.stale[plan.name] = ahead_reason(at, head)
                continue
            standing[plan.name] = Standing(batch.live(plan), at)
        return standing

    def _begun(self, plan: Plan) -> Checkpoint:
        return begun(self.manager, plan, self._clock)

    def _page(self, group: Sequence[Standing], head: int, standing: dict[str, Standing]) -> int:
        """Take all projections that stand at one position over the same page of events, decoded once."""
        after = group[0].at.position
        types = frozenset[str]().union(*(one.target.plan.types for one in group))
        facts = decoded(page(self.manager, after, head, types, self._batch_size))
        # The head was read before the page: what the page does not show up to there, the log does not have.
        end = facts[-1].position if len(facts) == self._batch_size else head
        handled = 0
        passing: list[Standing] = []
        for one in group:
            plan = one.target.plan
            mine = [fact for fact in facts if fact.event_type in plan.types]
            if not mine:
                passing.append(one)
                continue
            try:
                at, count = self._advance(one.target, one.at, mine, end)
            except Exception as error:
                if self._may_pass(error):
                    raise
                self.stopped[plan.name] = described(error)
                del standing[plan.name]
                continue
            handled += count
            self._stands(one, at, standing)
        if passing:
            self._pass(passing, end, standing)
        return handled

    def _advance(
        self, target: Target, before: Checkpoint, facts: Sequence[Fact], end: int
    ) -> tuple[Checkpoint | None, int]:
        """Fold and write events, in halves when the database refuses them.

        Returns:
            The checkpoint after it, None when another runner was here first; and the number of events handled.
        """
        folded = fold(target.plan, facts, lambda: batch.working(self.manager, target))
        try:
            at = self._write(target, before, folded, end)
            return at, folded.handled if at is not None else 0
        except Exception as error:
            if not is_refused(error):
                raise
            if len(facts) == 1:
                alone = Folded(batch.working(self.manager, target), [Dead(facts[0], error)], 0)
                return self._write(target, before, alone, end), 0
        half = len(facts) // 2
        between, first = self._advance(target, before, facts[:half], facts[half - 1].position)
        if between is None:
            return None, first
        after, second = self._advance(target, between, facts[half:], end)
        return after, first + second

    def _write(self, target: Target, before: Checkpoint, folded: Folded, end: int) -> Checkpoint | None:
        now = self._clock()
        for dead in folded.dead:
            _log.warning(
                "projection %s passes event %d (%s): %s",
                target.plan.name,
                dead.fact.position,
                dead.fact.event_type,
                described(dead.error),
            )
        rate = self._rate(target.plan.name, end)
        return self.manager.retrying(
            lambda transaction: batch.write(transaction, target, before, folded, position=end, now=now, rate=rate)
        )

    def _rate(self, name: str, end: int) -> float | None:
        """Positions a second since this run began; None in no time at all."""
        position, began = self._began.get(name, (end, 0.0))
        seconds = time.monotonic() - began
        return (end - position) / seconds if seconds > 0 and end > position else None

    def _pass(self, passing: Sequence[Standing], end: int, standing: dict[str, Standing]) -> None:
        """Move the checkpoints of projections that handle none of a page, in one transaction."""
        now = self._clock()

        def move(transaction: Transaction) -> list[Checkpoint | None]:
            rates = [self._rate(one.target.plan.name, end) for one in passing]
            return [
                checkpoint.move(transaction, one.at, end, now, Counted(rate=rate))
                for one, rate in zip(passing, rates, strict=True)
            ]

        for one, at in zip(passing, self.manager.retrying(move), strict=True):
            self._stands(one, at, standing)

    def _stands(self, one: Standing, at: Checkpoint | None, standing: dict[str, Standing]) -> None:
        plan = one.target.plan
        if at is None:
            # Another runner was here first, or a replay swapped a new table in: go on from where it stands now.
            with self.manager.connect() as connection:
                at = checkpoint.find(connection, plan.name)
        if at is None or at.fingerprint != plan.projector.fingerprint():
            del standing[plan.name]
        else:
            standing[plan.name] = Standing(one.target, at)


def begun(manager: DatabaseManager, plan: Plan, clock: Clock = utc_now) -> Checkpoint:
    """The checkpoint of a projection, whose tables are made when they are not there yet.

    Raises:
        NamespaceCollision: Another owner has the name of one of its tables.
        TableInTheWay: A table of that name is there, made by something else.
    """
    new = Checkpoint(plan.name, plan.projector.version, plan.projector.fingerprint(), 1, 0, clock())

    def make(transaction: Transaction) -> Checkpoint:
        manager.backend.lock_definitions(transaction.connection)
        # Whoever enters the checkpoint makes the tables; another process waits here for its commit.
        held = None if checkpoint.begin(transaction, new) else checkpoint.find(transaction.connection, plan.name)
        if held is not None:
            return held
        definitions.claim_names(transaction, plan.tables)
        for table in plan.tables:
            if definitions.exists(transaction.connection, table.full_name):
                raise TableInTheWay(
                    f"the projection {plan.name} would make {table.full_name}, which is there already",
                    hint="rename or drop that table if nothing needs it",
                )
            definitions.create(transaction, definitions.live(table), new.generation)
        return new

    return manager.retrying(make)
