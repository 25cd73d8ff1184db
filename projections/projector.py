"""`Projector`: says which events it handles and what changes. It does no I/O and reads nothing.

A handler turns one event into row changes:

    class Errors(Projector, version=1):
        table = agents_table("errors", Key("agent_id"), Key("error_hash"), Integer("occurrences"))

        @handles(ErrorLearned)
        def learned(self, fact: Recorded[ErrorLearned], rows: Rows) -> None:
            rows.at(agent_id=fact.agent_id, error_hash=fact.payload.error_hash).add(occurrences=1)

Where a row depends on its own past, a keyed fold turns the value of a key and one event into the key's next value:

    class Outputs(Projector, version=1):
        table = agents_table("outputs", Key("output_id"), Text("state"))

        @handles(Draft, ReviewOpened, ReviewApproved)
        @folds(key="output_id", value=Output)
        def evolve(self, before: Output | None, fact: Recorded[Event]) -> Output | None: ...

        def columns(self, value: Output) -> Mapping[str, object]:
            return {"state": value.state}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, TypeVar

from capture import Event
from projections.rows import Rows
from projections.table import Table, fingerprint

F = TypeVar("F", bound=Callable[..., Any])

_HANDLES = "__copydesk_handles__"
_FOLDS = "__copydesk_folds__"


class Fold(NamedTuple):
    """How a keyed fold finds the value that an event belongs to.

    Attributes:
        key: The fields that make the key, in the order of the table's key columns.
        value: The type of the folded value; anything that pydantic writes as JSON and reads back.
        table: The table that keeps the values; the projector's own (first) one when None.
        method: The name of the method that folds.
    """

    key: tuple[str, ...]
    value: Any
    table: Table | None
    method: str


def handles(*events: type[Event]) -> Callable[[F], F]:
    """Declare which events a method handles.

    Args:
        events: Event classes. A base without a type, as `Draft`, stands for every known class below it.

    Raises:
        TypeError: Nothing is named, or something that is no event class.
    """
    if not events or any(Event not in getattr(event, "__mro__", ()) for event in events):
        raise TypeError("@handles names event classes, as @handles(ErrorLearned)")

    def declare(method: F) -> F:
        setattr(method, _HANDLES, (*getattr(method, _HANDLES, ()), *events))
        return method

    return declare


def folds(*events: type[Event], key: str | Sequence[str], value: Any, table: Table | None = None) -> Callable[[F], F]:
    """Declare a keyed fold: a method `(self, value before or None, event) -> value after or None`, which must be pure.

    None means that the key has no row. The values are kept as JSON in a column `folded` that the framework adds to the
    projector's table; its other columns come from a method `columns(self, value)`. A method
    `changed(self, before, after, rows)` may keep counters in the projector's other tables, as other handlers may.

    Args:
        events: Event classes, as for `handles`, which may stand beside this.
        key: The field, or the fields, that say which value an event belongs to: of the payload, else of the event
            around it (`run_id`). An event that has None there is passed by.
        value: The type of the values, as a pydantic model.
        table: The table of the projector that keeps the values; its (first) one when left out.

    Raises:
        TypeError: No field is named.
    """
    fields = (key,) if isinstance(key, str) else tuple(key)
    if not fields:
        raise TypeError('@folds names the field of the key, as @folds(key="output_id", value=Output)')

    def declare(method: F) -> F:
        setattr(method, _FOLDS, Fold(fields, value, table, method.__name__))
        return handles(*events)(method) if events else method

    return declare


class Projector:
    """The base of all projectors. A subclass declares its version in its header, and its tables as attributes.

    The version must rise when the code gives other rows for the same events: then the table is stale until a replay.
    The projection is named as its table, in case of several as the one that is called `table`, or the first.

    Attributes:
        name: The projection's name: the full name of its (first) table.
        version: As declared in the header.
        tables: All its tables.
        keyed: How its keyed fold finds its values; None for a projector with handlers.
    """

    name: ClassVar[str] = ""
    version: ClassVar[int] = 0
    tables: ClassVar[tuple[Table, ...]] = ()
    keyed: ClassVar[Fold | None] = None
    _methods: ClassVar[Mapping[str, tuple[type[Event], ...]]] = {}

    def __init_subclass__(cls, *, version: int | None = None, **header: Any) -> None:
        super().__init_subclass__(**header)
        declared: dict[str, Table] = {}
        methods: dict[str, tuple[type[Event], ...]] = {}
        found: dict[str, Fold] = {}
        for base in reversed(cls.__mro__):
            for attribute, value in vars(base).items():
                if isinstance(value, Table):
                    declared[attribute] = value
                elif callable(value) and hasattr(value, _FOLDS) | hasattr(value, _HANDLES):
                    methods[attribute] = getattr(value, _HANDLES, ())
                    if hasattr(value, _FOLDS):
                        found[attribute] = getattr(value, _FOLDS)
        cls._methods = methods
        if not declared or not methods:
            return  # a base of others
        if version is None and not cls.version:
            raise TypeError(
                f"{cls.__name__}: a projector declares its version: class {cls.__name__}(Projector, version=1)"
            )
        cls.version = cls.version if version is None else version
        if cls.version < 1:
            raise TypeError(f"{cls.__name__}: a projector's version is 1 or more, found {cls.version}")
        tables = list(dict.fromkeys([declared[name] for name in sorted(declared, key=lambda name: name != "table")]))
        if found:
            cls.keyed = _only_fold(cls, found, tables)
            tables = [_the_folded(table, cls.keyed) for table in tables]
        cls.tables = tuple(tables)
        cls.name = tables[0].full_name

    def columns(self, value: Any) -> Mapping[str, object]:  # noqa: ARG002 - the argument is for those that override it
        """The readable columns of a folded value, by name; a keyed fold overrides it."""
        return {}

    def changed(self, before: Any, after: Any, rows: Rows) -> None:
        """Called after each step of a keyed fold that gave another value; may change rows of the other tables.

        Args:
            before: The value before the event, or None.
            after: The value after it, or None.
            rows: The rows of the projector's other tables.
        """

    @classmethod
    def is_concrete(cls) -> bool:
        """True when the class has a table and handles something: a base of others does not."""
        return bool(cls.tables) and bool(cls._methods)

    @classmethod
    def fingerprint(cls) -> str:
        """What the tables' columns and the declared version come to."""
        return fingerprint(cls.tables, cls.version)

    @classmethod
    def handlers(cls) -> dict[type[Event], list[str]]:
        """The names of the methods by the event classes that they declare."""
        by_event: dict[type[Event], list[str]] = {}
        for method, events in cls._methods.items():
            for event in events:
                by_event.setdefault(event, []).append(method)
        return by_event


def _only_fold(cls: type[Projector], found: dict[str, Fold], tables: list[Table]) -> Fold:
    if len(found) > 1:
        raise TypeError(f"{cls.__name__}: a projector has one keyed fold, found {', '.join(found)}")
    ((method, fold),) = found.items()
    table = fold.table or tables[0]
    if table not in tables:
        raise TypeError(f"{cls.__name__}.{method}: @folds names a table of its projector, found {table.full_name}")
    if not cls._methods[method]:
        raise TypeError(f"{cls.__name__}.{method}: a keyed fold names its events, with @handles(…) above it")
    if len(fold.key) != len(table.key_names):
        raise TypeError(
            f"{cls.__name__}.{method}: a key {table.key_names} needs as many fields, @folds names {fold.key}"
        )
    folded = set(cls._methods[method])
    both = [name for name, events in cls._methods.items() if name != method and folded & {*events}]
    if len(cls._methods) > 1 and len(tables) == 1:
        raise TypeError(
            f"{cls.__name__}: {table.full_name} is written by the fold alone; other handlers need another table"
        )
    if both:
        raise TypeError(f"{cls.__name__}: an event of the keyed fold {method} is handled by {both[0]} too")
    return fold._replace(table=table.with_folded())


def _the_folded(table: Table, fold: Fold) -> Table:
    return fold.table if fold.table is not None and fold.table.full_name == table.full_name else table
