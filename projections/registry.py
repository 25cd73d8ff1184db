"""Which projectors there are: those of the entry-point group `copydesk.projectors`."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution
from types import ModuleType

from capture import load_plugins
from projections.errors import UnknownProjection
from projections.folding import Plan
from projections.projector import Projector

GROUP = "copydesk.projectors"

# The entry points of pyproject.toml, for a checkout that runs without being installed. Nowhere else is this handled.
OF_THE_CHECKOUT = ("projections.agents", "projections.modules", "review.outputs_table")

ProjectorLike = Projector | type[Projector]
"""A projector, or the class, whose instance is made without arguments."""


def installed() -> list[Plan]:
    """Every projector that the entry points name, by projection name.

    An entry point names a class, or a module: then every concrete projector in it.

    Raises:
        BadSetting: An entry point does not import.
        TypeError: Two projectors write one table.
    """
    named = list(load_plugins(GROUP).values())
    try:
        distribution("copydesk")
    except PackageNotFoundError:
        named += [importlib.import_module(name) for name in OF_THE_CHECKOUT]
    return plans(projector for one in named for projector in projectors_of(one))


def handled() -> dict[str, list[str]]:
    """Who handles what: for each event type the names of the installed projections that fold it.

    Raises:
        BadSetting: An entry point does not import.
    """
    found: dict[str, list[str]] = {}
    for plan in installed():
        for event_type in plan.types:
            found.setdefault(event_type, []).append(plan.name)
    return found


def projectors_of(named: object) -> list[type[Projector]]:
    """The projectors that a module holds, or the one that is given.

    Raises:
        TypeError: Neither a module nor a projector.
    """
    if isinstance(named, type) and issubclass(named, Projector) and named.is_concrete():
        return [named]
    if not isinstance(named, ModuleType):
        raise TypeError(f"{GROUP} names modules and Projector classes, found {named!r:.80}")
    found = [one for one in vars(named).values() if isinstance(one, type) and issubclass(one, Projector)]
    return list(dict.fromkeys(one for one in found if one.is_concrete()))


def plans(projectors: Iterable[ProjectorLike]) -> list[Plan]:
    """Make projectors ready, in the order of their names.

    Raises:
        TypeError: Two projectors write one table: each table has one writer.
    """
    ready: dict[str, Plan] = {}
    writers: dict[str, str] = {}
    for projector in projectors:
        plan = Plan(projector)
        kind = type(plan.projector)
        for table in plan.tables:
            writer = f"{kind.__module__}.{kind.__qualname__}"
            if writers.setdefault(table.full_name, writer) != writer:
                raise TypeError(f"{table.full_name} is written by {writers[table.full_name]} and by {writer}")
        ready[plan.name] = plan
    return [ready[name] for name in sorted(ready)]


def ready(projectors: Iterable[ProjectorLike] | None) -> list[Plan]:
    """The given projectors made ready; the installed ones for None."""
    return installed() if projectors is None else plans(projectors)


def select(among: Iterable[Plan], names: Iterable[str]) -> list[Plan]:
    """The projections of these names.

    Raises:
        UnknownProjection: One of the names is none of them.
    """
    by_name = {plan.name: plan for plan in among}
    for name in (names := list(names)):
        if name not in by_name:
            raise UnknownProjection(
                f"a projection was expected, found {name!r:.80}; there are {', '.join(by_name) or 'none'}",
                hint="`copydesk projections status` lists them",
            )
    return [by_name[name] for name in dict.fromkeys(names)]
