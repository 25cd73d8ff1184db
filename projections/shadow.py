"""The shadow of a projection: its tables as they are being rebuilt, with a checkpoint of their own.

Other readers don't see it. What is committed to it stays: a replay that was interrupted goes on from there.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from capture import Clock, DatabaseManager, EventLog, Transaction, utc_now
from projections import batch, checkpoint, definitions
from projections.checkpoint import Checkpoint
from projections.dead_letters import described
from projections.errors import ReplayRunning, ReplayStopped
from projections.folding import Dead, Folded, Plan
from projections.rebuild import Rebuild, run
from projections.working import Working

SUFFIX = "@shadow"
"""What the name of a projection ends with in `agents_checkpoints` while its shadow is built."""

REPLAY = "@replay"
"""What the name of a projection ends with in `agents_leases` while a process replays it."""

KEEP = 500_000
"""At most so many rows are kept in memory from one commit to the next."""

_SERVER_TIME = sa.func.clock_timestamp(type_=sa.DateTime(timezone=True))


class Shadow:
    """A projection's tables under construction.

    Args:
        manager: The database.
        plan: The projector.
        clock: Tells the time of checkpoints.

    Attributes:
        name: The name of its checkpoint.
        at: Its checkpoint.
        committed_at: The database's clock after the last commit: snapshots that are older don't see all rows.
    """

    def __init__(self, manager: DatabaseManager, plan: Plan, clock: Clock = utc_now) -> None:
        self.manager, self.plan, self._clock = manager, plan, clock
        self.name = plan.name + SUFFIX
        self.target = batch.shadow(plan)
        self.at = Checkpoint(self.name, 0, "", 0, 0, clock())
        self.committed_at: datetime | None = None

    def begin(self, *, anew: bool = False) -> None:
        """Go on with what an interrupted replay of the same code committed, else make empty tables.

        Args:
            anew: Begin from the first event in any case.

        Raises:
            NamespaceCollision: Another owner has the name of one of its tables.
        """
        projector = self.plan.projector

        def work(transaction: Transaction) -> Checkpoint:
            self.manager.backend.lock_definitions(transaction.connection)
            live = checkpoint.find(transaction.connection, self.plan.name)
            generation = 1 if live is None else live.generation + 1
            held = checkpoint.find(transaction.connection, self.name, lock=True)
            new = Checkpoint(self.name, projector.version, projector.fingerprint(), generation, 0, self._clock())
            names = [physical.name for physical in self.target.tables.values()]
            if (
                held is not None
                and not anew
                and held.position <= EventLog(self.manager).head()
                and (held.fingerprint, held.generation) == (new.fingerprint, new.generation)
                and all(definitions.exists(transaction.connection, name) for name in names)
            ):
                return held
            checkpoint.forget(transaction, self.name)
            definitions.claim_names(transaction, self.plan.tables)
            for physical in self.target.tables.values():
                definitions.drop(transaction, physical)
                definitions.create(transaction, physical, generation)
            checkpoint.begin(transaction, new)
            return new

        self.at = self.manager.retrying(work)
        self.committed_at = self._now()

    def rows(self) -> Working:
        """Rows to fold upon; those of an earlier commit are read as they are needed."""
        if self.at.position == 0:
            # Nothing is there yet, so nothing needs to be looked for until rows are let go.
            return batch.working(self.manager, self.target, empty=True)
        return batch.working(self.manager, self.target)

    def write(self, rebuild: Rebuild, rate: float | None = None) -> None:
        """Commit what a rebuild has folded since the last commit.

        Args:
            rebuild: The rebuild.
            rate: Positions a second of this replay.

        Raises:
            ReplayRunning: Another process writes this shadow.
        """
        if rebuild.position == self.at.position:
            return
        folded = Folded(rebuild.working, [], rebuild.handled - rebuild.committed)
        skipped = sum(self.at.position < position <= rebuild.position for position in rebuild.known_dead)
        position, now = rebuild.position, self._clock()
        after = self.manager.retrying(
            lambda transaction: batch.write(
                transaction, self.target, self.at, folded, position=position, now=now, skipped=skipped, rate=rate
            )
        )
        if after is None:
            raise self.overtaken()
        rebuild.working.written(KEEP)
        rebuild.committed = rebuild.handled
        self.at = after
        self.committed_at = self._now()

    def catch_up(self, log: EventLog, to: int, known_dead: frozenset[int] = frozenset()) -> None:
        """Fold and commit the last few events before the swap, reading the rows that they need.

        Inside a transaction of this thread it is part of it.

        Args:
            log: The log.
            to: The position to reach.
            known_dead: Positions of events that are passed by.

        Raises:
            ReplayRunning: Another process writes this shadow.
            ReplayStopped: One of the events can't be handled.
        """
        if self.at.position >= to:
            return
        rebuild = Rebuild(self.plan, self.rows(), self.at.position, known_dead=known_dead)
        run(log, [rebuild], to)
        if rebuild.stopped is not None:
            raise stopped_at(self.plan, rebuild.stopped)
        self.write(rebuild)

    def overtaken(self) -> ReplayRunning:
        """The error that says that this shadow's checkpoint moved without us."""
        return ReplayRunning(
            f"{self.plan.name} is being replayed by another process, which has written its shadow table meanwhile",
            hint="let the other replay end; `copydesk projections status` says who runs it",
        )

    def _now(self) -> datetime | None:
        if self.manager.backend.name != "postgresql":
            return None
        with self.manager.connect() as connection:
            return connection.execute(sa.select(_SERVER_TIME)).scalar_one()


def stopped_at(plan: Plan, dead: Dead) -> ReplayStopped:
    """The error that names the event which a replay can't pass."""
    return ReplayStopped(
        f"the replay of {plan.name} stopped at position {dead.fact.position} ({dead.fact.event_type}, "
        f"{dead.fact.event_id}): {described(dead.error)}; the old table is untouched",
        hint="mend the projector and replay again; --skip-dead passes what is dead already under this version",
        projection=plan.name,
        position=dead.fact.position,
        event_id=dead.fact.event_id,
    )
