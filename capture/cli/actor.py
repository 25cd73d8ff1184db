"""Who decides: `--as NAME`, else `COPYDESK_ACTOR`, else the system's user; recorded with how it was known."""

from __future__ import annotations

import os
import pwd
from typing import Literal, NamedTuple

from capture.cli import hostile
from capture.errors import BadSetting
from capture.settings import Settings

Source = Literal["flag", "environment", "system"]

_RESERVED = ("policy:", "agent:", "system:")


class Actor(NamedTuple):
    """Who decides, and how that is known.

    Attributes:
        name: The name, as it is recorded.
        source: `flag` for `--as`, `environment` for `COPYDESK_ACTOR`, `system` for the user of the process.
    """

    name: str
    source: Source


def current(named: str | None, settings: Settings | None = None) -> Actor:
    """Find out who decides. It never comes from what an agent wrote.

    Args:
        named: What `--as` said.
        settings: Read from the environment when left out.

    Raises:
        BadSetting: The name is none that one person could be known by.
    """
    if named is not None:
        return Actor(_checked(named, "--as"), "flag")
    named = (settings or Settings.from_environment()).actor
    if named is not None:
        return Actor(_checked(named, "COPYDESK_ACTOR"), "environment")
    # Not getpass.getuser(): it believes LOGNAME and USER, which is the environment once more.
    user = os.getuid()
    try:
        return Actor(pwd.getpwuid(user).pw_name, "system")
    except KeyError:
        return Actor(f"uid:{user}", "system")


def _checked(name: str, where: str) -> str:
    fault = ""
    if not 0 < len(name) <= 100 or name != name.strip():
        fault = "is 1 to 100 characters without blanks around them"
    elif any(map(hostile.is_hidden, name)) or hostile.visible(name) != name:
        fault = "has printable characters only"
    elif name.startswith(("-", *_RESERVED)) or name.lower() == "system":
        fault = "is a person's, not one that copydesk gives to rules and agents"
    elif scripts := hostile.mixed_scripts(name):
        fault = f"is written in one script, not in {' and '.join(scripts)}"
    if fault:
        raise BadSetting(
            f"{where}: a name {fault}, found {name[:120]!a}", hint="use the name that your colleagues know"
        )
    return name
