"""Who decides: `--as NAME`, else `COPYDESK_ACTOR`, else the system's user; recorded with how it was known."""

from __future__ import annotations

import os
import pwd
from typing import Literal, NamedTuple

from capture.settings import Settings

Source = Literal["flag", "environment", "system"]


class Actor(NamedTuple):
    """Who decides, and how that is known.

    Attributes:
        name: The name, as it is recorded.
        source: `flag` for `--as`, `environment` for `COPYDESK_ACTOR`, `system` for the user of the process.
    """

    name: str
    source: Source


def current(named: str | None, settings: Settings | None = None) -> Actor:
    """Find out who decides. It never comes from what an agent wrote; whether a person may be called so, the desk says.

    Args:
        named: What `--as` said.
        settings: Read from the environment when left out.
    """
    if named is not None:
        return Actor(named, "flag")
    named = (settings or Settings.from_environment()).actor
    if named is not None:
        return Actor(named, "environment")
    # Not getpass.getuser(): it believes LOGNAME and USER, which is the environment once more.
    user = os.getuid()
    try:
        return Actor(pwd.getpwuid(user).pw_name, "system")
    except KeyError:
        return Actor(f"uid-{user}", "system")
