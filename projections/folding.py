"""From a batch of events to the rows that it changes: pure, the rows that were there before are passed in.

Each event is one step, applied after the one before it, and counts whole or not at all. So any batching of the same
events gives the same rows, and the same events are found dead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from capture import Event, known_events
from projections.facts import Fact, Undecodable
from projections.keyed import Keyed
from projections.projector import Projector
from projections.rows import Change, Rows
from projections.table import Key, Row, Table
from projections.working import Working, covers


class Dead(NamedTuple):
    """An event that a projector can't handle.

    Attributes:
        fact: The event.
        error: What the decoding, the handler or the database said.
    """

    fact: Fact
    error: Exception


class Folded(NamedTuple):
    """What a batch comes to.

    Attributes:
        working: The rows, with those that changed marked as touched.
        dead: The events that could not be handled; nothing of them is in the rows.
        handled: How many events were handled.
    """

    working: Working
    dead: list[Dead]
    handled: int


class Poisoned(Exception):
    """A step failed, and with it the rows that were worked on. A signal within this package, never shown.

    Args:
        dead: The event, and why.
    """

    def __init__(self, dead: Dead) -> None:
        super().__init__(dead)
        self.dead = dead


class Step(NamedTuple):
    """One event on its way into the rows: the changes that its handlers said, or the key of its keyed fold.

    Attributes:
        fact: The event.
        changes: What the handlers said.
        key: The key of the value that a keyed fold gives it to; None without a keyed fold.
    """

    fact: Fact
    changes: list[Change]
    key: Key | None


class Plan:
    """A projector made ready to fold.

    Args:
        projector: An instance, or the class, whose instance is made without arguments.

    Attributes:
        projector: The instance.
        types: The event types that it handles.
    """

    def __init__(self, projector: Projector | type[Projector]) -> None:
        self.projector = projector() if isinstance(projector, type) else projector
        self.name = self.projector.name
        self.tables = self.projector.tables
        self._methods: dict[str, list[Callable[..., Any]]] = {}
        for event_class, names in self.projector.handlers().items():
            for event_type in _types_of(event_class):
                methods = self._methods.setdefault(event_type, [])
                methods.extend(bound for name in names if (bound := getattr(self.projector, name)) not in methods)
        self.types = frozenset(self._methods)
        fold = self.projector.keyed
        self._keyed = None if fold is None or fold.table is None else Keyed(self.projector, fold, fold.table)
        self._fold_by = None if fold is None else getattr(self.projector, fold.method)
        # The fold's own table is written from its values alone.
        self._others = tuple(table for table in self.tables if fold is None or table is not fold.table) or self.tables
        self._counts = type(self.projector).changed is not Projector.changed

    def steps(self, facts: Iterable[Fact]) -> tuple[list[Step], list[Dead]]:
        """Ask the handlers what each event changes. Events that the projector does not handle are passed by."""
        steps: list[Step] = []
        dead: list[Dead] = []
        rows = Rows(self._others)
        keyed = self._keyed
        for fact in facts:
            methods = self._methods.get(fact.event_type)
            if methods is None:
                continue
            payload = fact.payload
            if type(payload) is Undecodable:
                dead.append(Dead(fact, payload.error))
                continue
            try:
                if keyed is not None and methods[0] == self._fold_by:
                    key = keyed.key(fact)
                    if key is not None:
                        steps.append(Step(fact, [], key))
                    continue
                for method in methods:
                    method(fact, rows)
                steps.append(Step(fact, rows.taken(), None))
            except MemoryError:
                raise
            except Exception as error:  # noqa: BLE001 - a handler is foreign code: whatever it raises is about this event
                rows.taken()
                dead.append(Dead(fact, error))
        return steps, dead

    def fold_directly(self, facts: Iterable[Fact], working: Working) -> tuple[int, Dead | None]:
        """What `steps` and `apply` do, an event at a time: for rows that need no reading, and no keyed fold.

        Args:
            facts: The events, in order.
            working: The rows; they are of no use any more after an event that can't be handled.

        Returns:
            How many events were handled, and the first that could not be.
        """
        changes: list[Change] = []
        rows = Rows(self._others, changes)
        handled, find, change = 0, self._methods.get, working.change
        for fact in facts:
            methods = find(fact[2])
            if methods is None:
                continue
            payload = fact[12]
            if payload.__class__ is Undecodable:
                return handled, Dead(fact, payload.error)
            try:
                for method in methods:
                    method(fact, rows)
                for one in changes:
                    change(one)
            except MemoryError:
                raise
            except Exception as error:  # noqa: BLE001 - a handler is foreign code: whatever it raises is about this event
                return handled, Dead(fact, error)
            changes.clear()
            handled += 1
        return handled, None

    @property
    def is_keyed(self) -> bool:
        """Whether it has a keyed fold."""
        return self._keyed is not None

    def apply(self, steps: Sequence[Step], working: Working) -> None:
        """Apply steps to the rows, one after the other; all rows that they need are read in one statement.

        Args:
            steps: What to apply.
            working: The rows; they are of no use any more after a failure.

        Raises:
            Poisoned: A step failed.
        """
        if self._keyed is not None:
            steps = self._fold(steps, working, self._keyed)
        if working.needs_reading:
            for table in self.tables:
                working.load(table, _keys_to_read(steps, table))
        for step in steps:
            try:
                for change in step.changes:
                    working.change(change)
            except (ValueError, ArithmeticError) as error:
                raise Poisoned(Dead(step.fact, error)) from error

    def apply_each(self, steps: Sequence[Step], working: Working) -> list[Dead]:
        """Apply steps as `apply` does, each whole or not at all; the way to go when one of them is known to fail.

        Args:
            steps: What to apply.
            working: The rows; what a failed step had changed in them is taken back.

        Returns:
            The events whose steps failed.
        """
        dead: list[Dead] = []
        asked = Rows(self._others)
        if self._keyed is not None:
            working.load(self._keyed.table, _keys_of(steps))
        for table in self.tables:
            working.load(table, _keys_to_read(steps, table))
        for step in steps:
            before: list[tuple[str, Key, Row | None]] = []
            try:
                changes = step.changes
                if self._keyed is not None and step.key is not None:
                    name = self._keyed.table.full_name
                    self._step(step.fact, step.key, working, self._keyed, asked)
                    changes = asked.taken()
                    before.append((name, step.key, working.rows[name].get(step.key)))
                    working.put(name, step.key, self._keyed.row(step.key, working.values[step.key]))
                for change in changes:
                    name = change.table.full_name
                    working.load(change.table, [change.key])
                    before.append((name, change.key, working.rows[name].get(change.key)))
                    working.change(change)
            except MemoryError:
                raise
            except Exception as error:  # noqa: BLE001 - a fold is foreign code: whatever it raises is about this event
                asked.taken()
                for name, key, row in reversed(before):
                    working.put(name, key, row)
                if step.key is not None:
                    working.values.pop(step.key, None)  # decoded anew from its row, whatever the fold did to it
                dead.append(Dead(step.fact, error))
        return dead

    def _fold(self, steps: Sequence[Step], working: Working, keyed: Keyed) -> list[Step]:
        name = keyed.table.full_name
        working.load(keyed.table, _keys_of(steps))
        asked = Rows(self._others)
        folded: list[Step] = []
        last: dict[Key, Step] = {}
        for step in steps:
            if step.key is None:
                folded.append(step)
                continue
            try:
                self._step(step.fact, step.key, working, keyed, asked)
            except MemoryError:
                raise
            except Exception as error:
                raise Poisoned(Dead(step.fact, error)) from error
            last[step.key] = step
            folded.append(step._replace(changes=asked.taken()) if self._counts else step)
        # A value is written once a batch, after its last event.
        for key, step in last.items():
            try:
                working.put(name, key, keyed.row(key, working.values[key]))
            except Exception as error:
                raise Poisoned(Dead(step.fact, error)) from error
        return folded

    def _step(self, fact: Fact, key: Key, working: Working, keyed: Keyed, asked: Rows) -> None:
        values = working.values
        before = values[key] if key in values else keyed.value(working.rows[keyed.table.full_name].get(key))
        (method,) = self._methods[fact.event_type]
        after = method(before, fact)
        values[key] = after
        if self._counts and before != after:
            self.projector.changed(before, after, asked)


def fold(plan: Plan, facts: Sequence[Fact], begin: Callable[[], Working]) -> Folded:
    """Fold a batch, and find the events in it that are dead.

    Args:
        plan: The projector.
        facts: The events, in order.
        begin: Gives rows to work on that nothing of this batch is in yet; called again after a failure.

    Returns:
        The rows, the dead events and how many were handled.
    """
    steps, dead = plan.steps(facts)
    working = begin()
    try:
        plan.apply(steps, working)
    except Poisoned:
        working = begin()
        failed = plan.apply_each(steps, working)
        dead = sorted(dead + failed, key=lambda one: one.fact.position)
        return Folded(working, dead, len(steps) - len(failed))
    return Folded(working, dead, len(steps))


def _types_of(event_class: type[Event]) -> list[str]:
    if event_class.event_type:
        return [event_class.event_type]
    return [name for name, known in known_events().items() if issubclass(known, event_class)]


def _keys_of(steps: Iterable[Step]) -> list[Key]:
    """The keys of the values that a keyed fold needs, once each."""
    return list(dict.fromkeys(step.key for step in steps if step.key is not None))


def _keys_to_read(steps: Iterable[Step], table: Table) -> list[Key]:
    """The keys whose rows the changes depend on: all but those that are replaced or deleted before anything else."""
    first: dict[Key, bool] = {}
    for step in steps:
        for change in step.changes:
            if change.table.full_name == table.full_name and change.key not in first:
                first[change.key] = covers(change)
    return [key for key, covered in first.items() if not covered]
