"""Which code runs: the distributions that the packages come from, and the plug-ins that are loaded."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, distribution, entry_points, packages_distributions
from importlib.util import find_spec
from pathlib import Path

from capture import plugins
from capture.check.finding import Finding, error, note, warning
from capture.errors import CopydeskError
from capture.settings import Settings

_OURS = "copydesk"


def check_packages(names: Sequence[str]) -> Iterator[Finding]:
    """Where each package was imported from, and whether another distribution has one of the same name.

    Args:
        names: Top-level packages.
    """
    providers = packages_distributions()
    for name in names:
        module = sys.modules.get(name)
        spec = find_spec(name) if module is None else module.__spec__
        if spec is None or spec.origin is None:
            yield error("code", f"the package {name} can be imported", "it can't", "install copydesk again")
            continue
        where = Path(spec.origin).parent
        found = sorted(set(providers.get(name, ())))
        others = [one for one in found if one.lower() != _OURS]
        if others:
            yield error(
                "code",
                f"the package {name} is copydesk's",
                f"{', '.join(others)} has a package of that name too; imported was {where}",
                f"uninstall {others[0]}, then install copydesk again",
            )
            continue
        yield note("code", f"{name} is imported from {where}, {_distribution(where)}")


def check_plugins(settings: Settings) -> Iterator[Finding]:
    """Each named distribution is there and loads; those that are installed and not named are told."""
    installed: dict[str, str] = {}
    for group in plugins.GROUPS:
        for point in entry_points(group=group):
            if point.dist is not None and point.dist.name.lower() != _OURS:
                installed[_normal(point.dist.name)] = point.dist.version
        try:
            plugins.load(group)
        except CopydeskError as failure:
            yield error("plugins", f"every plug-in of {group} loads", failure.message, failure.hint)
    named = {_normal(name) for name in settings.plugins}
    for name in sorted(named - installed.keys()):
        yield warning(
            "plugins", f"COPYDESK_PLUGINS names a plug-in, {name}", "no such distribution is installed", "install it"
        )
    for name in sorted(named & installed.keys()):
        yield note("plugins", f"{name} {installed[name]} is loaded")
    for name in sorted(installed.keys() - named):
        yield note("plugins", f"{name} {installed[name]} is installed and not loaded", "COPYDESK_PLUGINS would load it")


def _distribution(where: Path) -> str:
    try:
        ours = distribution(_OURS)
    except PackageNotFoundError:
        return "a checkout that is not installed"
    if Path(str(ours.locate_file(""))).resolve() == where.parent.resolve():
        return f"copydesk {ours.version}"
    return f"which is not where copydesk {ours.version} was installed: a checkout, or an editable install"


def _normal(name: str) -> str:
    return name.strip().lower().replace("_", "-").replace(".", "-")
