"""Folding history anew: one pass over the log for any number of projections, every event decoded once.

Replay writes what comes out to shadow tables; diff, verify and as-of keep it in memory. Upcasters run in all of them,
since all decode here.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from capture import EventLog
from projections.facts import Fact, decoded, page
from projections.folding import Dead, Plan, Poisoned
from projections.working import Working

PAGE = 1_000
"""Events that are decoded together."""


class Rebuild:
    """One projection on its way from an early position to a later one.

    Args:
        plan: The projector.
        working: Its rows.
        position: Every event up to here is in the rows.
        passes_dead: Note an event that can't be handled and go on, as the runner does; else stop there.
        known_dead: Positions of events that are known not to be handled: they are passed by.

    Attributes:
        position: Where it stands.
        dead: The events that it passed.
        stopped: The event that it can't pass, if there is one; it takes no more.
        handled: How many events it handled.
        committed: How many of these a shadow has written.
        known_dead: As given.
    """

    def __init__(
        self,
        plan: Plan,
        working: Working,
        position: int = 0,
        *,
        passes_dead: bool = False,
        known_dead: Iterable[int] = (),
    ) -> None:
        self.plan, self.working, self.position = plan, working, position
        self.dead: list[Dead] = []
        self.stopped: Dead | None = None
        self.handled = self.committed = 0
        self._passes_dead = passes_dead
        self.known_dead = frozenset(known_dead)

    def take(self, facts: Sequence[Fact], end: int) -> None:
        """Fold events that lie behind this position, and stand at `end` then."""
        if self.stopped is not None or end <= self.position:
            return
        mine = facts
        if self.known_dead or (facts and facts[0].position <= self.position):
            after, known = self.position, self.known_dead
            mine = [fact for fact in facts if fact.position > after and fact.position not in known]
        if not (self._passes_dead or self.plan.is_keyed or self.working.needs_reading):
            handled, self.stopped = self.plan.fold_directly(mine, self.working)
            if self.stopped is None:
                self.handled += handled
                self.position = end
            return
        steps, dead = self.plan.steps(mine)
        if dead and not self._passes_dead:
            # What lies before the dead event is not folded either: a replay's checkpoint stays where it was committed.
            self.stopped = dead[0]
            return
        if self._passes_dead:
            self.dead += sorted(dead + self.plan.apply_each(steps, self.working), key=lambda one: one.fact.position)
        else:
            try:
                self.plan.apply(steps, self.working)
            except Poisoned as poisoned:
                self.stopped = poisoned.dead
                return
        self.handled += len(steps)
        self.position = end


def run(log: EventLog, rebuilds: Sequence[Rebuild], to: int, after_page: Callable[[], None] | None = None) -> None:
    """Take rebuilds over the log, up to a position.

    Args:
        log: The log.
        rebuilds: Each takes the events behind its own position.
        to: The last position to take; at most the head.
        after_page: Called after each page, to write and to tell.
    """
    with _few_collections():
        _run(log, rebuilds, to, after_page)


@contextmanager
def _few_collections() -> Iterator[None]:
    """Let the collector of cycles look seldom: a pass over all rows in memory at every 700 objects costs a third."""
    thresholds = gc.get_threshold()
    gc.set_threshold(max(thresholds[0], 100_000), *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)


def _run(log: EventLog, rebuilds: Sequence[Rebuild], to: int, after_page: Callable[[], None] | None) -> None:
    going = [one for one in rebuilds if one.stopped is None and one.position < to]
    if not going:
        return
    types = frozenset[str]().union(*(one.plan.types for one in going))
    after = min(one.position for one in going)
    while True:
        rows = page(log.manager, after, to, types, PAGE)
        after = rows[-1][0] if len(rows) == PAGE else to
        facts = decoded(rows)
        for one in going:
            one.take(facts, after)
        if after_page is not None:
            after_page()
        if after == to or all(one.stopped is not None for one in going):
            return
