"""`replay`: builds read tables anew from the log while the old ones serve, and swaps them in.

It runs where it is called; the commands start it as a process of its own, since a thread of a serving process would
keep its readers waiting (their p99 went from 52 to 20,866 µs).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from capture import Clock, DatabaseManager, EventLog, utc_now
from projections import dead_letters, lease, rebuild, registry
from projections.checkpoint import Checkpoint
from projections.errors import ReplayRunning
from projections.folding import Plan
from projections.rebuild import Rebuild
from projections.registry import ProjectorLike
from projections.rehearsal import rehearse
from projections.runner import begun
from projections.shadow import KEEP, REPLAY, Shadow, stopped_at
from projections.swap import swap

EVERY = "all"
"""Asks for every projection, stale or not."""

COMMIT_SECONDS = 10.0
"""How often what is rebuilt is committed: an interruption costs at most so much."""

NEAR = 1_000
"""So few events behind the head, the swap may begin."""


class Progress(NamedTuple):
    """How far a replay has come.

    Attributes:
        projections: The projections that are being rebuilt.
        phase: `folding`, `swapping` or `waiting` (then `message` says for whom).
        position: The position that all of them have reached.
        head: Where the log ends.
        rate: Positions a second, in this run.
        seconds_left: Until the head is reached at this rate; None before there is a rate.
        message: A sentence for people; empty mostly.
    """

    projections: tuple[str, ...]
    phase: str
    position: int
    head: int
    rate: float
    seconds_left: float | None
    message: str = ""


class Replayed(NamedTuple):
    """What a replay did for one projection.

    Attributes:
        projection: Its name.
        position: The position that the new table stands at.
        generation: How often the table was replaced, from 1.
        events: How many events were handled in this run.
        passed: How many dead events were passed by.
        seconds: How long this run took, the other projections of the same pass included.
    """

    projection: str
    position: int
    generation: int
    events: int
    passed: int
    seconds: float


class _Building(NamedTuple):
    shadow: Shadow
    rebuild: Rebuild
    known_dead: frozenset[int]


def replay(
    manager: DatabaseManager,
    projection: str | Iterable[str] | None = None,
    progress: Callable[[Progress], None] | None = None,
    *,
    projectors: Iterable[ProjectorLike] | None = None,
    skip_dead: bool = False,
    anew: bool = False,
    patience: float | None = None,
    commit_seconds: float = COMMIT_SECONDS,
    clock: Clock = utc_now,
) -> list[Replayed]:
    """Rebuild projections beside their live tables, in one pass over the log, and swap each in.

    It appends nothing to the log and publishes nothing.

    Args:
        manager: The database.
        projection: A name, or several; `all`; left out: those whose table was made by other code.
        progress: Called as it goes on.
        projectors: Projectors or their classes; every installed one when left out.
        skip_dead: Pass the events that are dead already under this version of the code.
        anew: Do not go on with what an interrupted replay has left.
        patience: How many seconds a swap may wait for readers; without end when left out.
        commit_seconds: How often to commit what is rebuilt.
        clock: Tells the time of checkpoints and leases.

    Returns:
        One entry a projection, in the order of their names; an empty list when nothing was stale.

    Raises:
        UnknownProjection: There is no such projection.
        ViewInTheWay: A view would not work with the new table; nothing was changed.
        ReplayStopped: An event can't be handled; the old table is untouched, the other projections are its `done`.
        ReplayRunning: Another process replays one of them.
        SwapHeldUp: Readers were in the way longer than `patience`.
    """
    manager.ensure_schema()
    plans = _chosen(manager, registry.ready(projectors), projection, clock)
    if not plans:
        return []
    holder = lease.new_holder()
    held = lease.Held(manager, [plan.name + REPLAY for plan in plans], holder, clock)
    try:
        mine = held.renewed()
        busy = [plan.name for plan in plans if plan.name + REPLAY not in mine]
        if busy:
            raise ReplayRunning(
                f"another process replays {', '.join(busy)} at the moment",
                hint="let it end; `copydesk projections status` says who it is",
            )
        work = _Replay(
            manager,
            plans,
            held,
            progress=progress,
            skip_dead=skip_dead,
            patience=patience,
            commit_seconds=commit_seconds,
            clock=clock,
        )
        return work.run(anew=anew)
    finally:
        held.release()


def _chosen(
    manager: DatabaseManager, plans: Sequence[Plan], projection: str | Iterable[str] | None, clock: Clock
) -> list[Plan]:
    if projection is None:
        head = EventLog(manager).head()
        chosen = [plan for plan in plans if _is_stale(begun(manager, plan, clock), plan, head)]
    elif projection == EVERY:
        chosen = list(plans)
    else:
        chosen = registry.select(plans, [projection] if isinstance(projection, str) else projection)
    for plan in chosen:
        begun(manager, plan, clock)
    return chosen


def _is_stale(at: Checkpoint, plan: Plan, head: int) -> bool:
    # A checkpoint beyond the head is of a log that was restored to an earlier state: its table is of no log.
    return at.fingerprint != plan.projector.fingerprint() or at.position > head


class _Replay:
    def __init__(
        self,
        manager: DatabaseManager,
        plans: Sequence[Plan],
        held: lease.Held,
        *,
        progress: Callable[[Progress], None] | None,
        skip_dead: bool,
        patience: float | None,
        commit_seconds: float,
        clock: Clock,
    ) -> None:
        self._manager, self._plans, self._progress, self._held = manager, plans, progress, held
        self._skip_dead, self._patience, self._commit_seconds, self._clock = skip_dead, patience, commit_seconds, clock
        self._names = tuple(plan.name for plan in plans)
        self._log = EventLog(manager)
        self._head = 0
        self._began = self._committed = time.monotonic()
        self._from = 0

    def run(self, *, anew: bool) -> list[Replayed]:
        building = [self._begin(plan, anew=anew) for plan in self._plans]
        for plan in self._plans:
            rehearse(self._manager, plan)
        self._from = min(one.rebuild.position for one in building)
        # The log grows meanwhile; each round is shorter than the one before.
        while True:
            self._head = self._log.head()
            rebuild.run(self._log, [one.rebuild for one in building], self._head, lambda: self._after_page(building))
            self._commit(building)
            if self._log.head() - self._head <= NEAR or all(one.rebuild.stopped for one in building):
                break
        done = [self._swapped(one) for one in building if one.rebuild.stopped is None]
        for one in building:
            if one.rebuild.stopped is not None:
                stopped = stopped_at(one.shadow.plan, one.rebuild.stopped)
                stopped.data["done"] = tuple(done)
                raise stopped
        return done

    def _begin(self, plan: Plan, *, anew: bool) -> _Building:
        shadow = Shadow(self._manager, plan, self._clock)
        shadow.begin(anew=anew)
        known: frozenset[int] = frozenset()
        if self._skip_dead:
            letters = dead_letters.dead_letters_of(self._manager, plan.name, plan.projector.version)
            known = frozenset(letter.position for letter in letters)
        return _Building(shadow, Rebuild(plan, shadow.rows(), shadow.at.position, known_dead=known), known)

    def _after_page(self, building: Sequence[_Building]) -> None:
        since = time.monotonic() - self._committed
        touched = sum(one.rebuild.working.touched_rows() for one in building)
        if since >= self._commit_seconds or touched > KEEP:
            self._commit(building)
        self._tell("folding", min(one.rebuild.position for one in building))

    def _commit(self, building: Sequence[_Building]) -> None:
        for one in building:
            if one.rebuild.stopped is None:
                one.shadow.write(one.rebuild, self._rate(one.rebuild.position))
        self._held.renewed()
        self._committed = time.monotonic()

    def _swapped(self, one: _Building) -> Replayed:
        self._tell("swapping", self._head)

        def waiting(message: str) -> None:
            self._held.renewed()
            self._tell("waiting", self._head, message)

        after = swap(
            self._manager, self._log, one.shadow, known_dead=one.known_dead, patience=self._patience, tell=waiting
        )
        passed = sum(position <= after.position for position in one.known_dead)
        seconds = time.monotonic() - self._began
        return Replayed(after.projection, after.position, after.generation, one.rebuild.handled, passed, seconds)

    def _rate(self, position: int) -> float:
        seconds = time.monotonic() - self._began
        return (position - self._from) / seconds if seconds > 0 else 0.0

    def _tell(self, phase: str, position: int, message: str = "") -> None:
        if self._progress is None:
            return
        rate = self._rate(position)
        left = (self._head - position) / rate if rate > 0 else None
        self._progress(Progress(self._names, phase, position, self._head, rate, left, message))
