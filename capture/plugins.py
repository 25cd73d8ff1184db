"""The three entry-point groups, and the rule that only named distributions are loaded.

A plug-in is code that an installed distribution runs inside copydesk. Being installed is not consent:
`COPYDESK_PLUGINS` names the distributions whose entry points are loaded; copydesk's own always are.
"""

from __future__ import annotations

from importlib.metadata import entry_points

from capture.errors import BadSetting
from capture.settings import Settings

GROUPS = ("copydesk.events", "copydesk.projectors", "copydesk.publishers")


def load(group: str) -> dict[str, object]:
    """Load the entry points of one group, by name.

    Args:
        group: One of `GROUPS`.

    Returns:
        What each entry point names: a module, a class or a function.

    Raises:
        BadSetting: An entry point of a named distribution can't be imported, or a named distribution has none.
    """
    named = {_normal(name) for name in Settings.from_environment().plugins}
    loaded: dict[str, object] = {}
    for point in sorted(entry_points(group=group), key=lambda point: point.name):
        owner = _normal(point.dist.name) if point.dist is not None else ""
        if owner != "copydesk" and owner not in named:
            continue
        try:
            loaded[point.name] = point.load()
        except Exception as error:
            raise BadSetting(
                f"the plug-in {point.name} ({point.value}) of {owner} does not import: {error}",
                hint=f"mend it, or take {owner} out of COPYDESK_PLUGINS",
            ) from error
    return loaded


def _normal(name: str) -> str:
    return name.strip().lower().replace("_", "-").replace(".", "-")
