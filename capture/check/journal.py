"""The journal folder: what dead processes left, what was damaged, and what is not ours. Nothing is adopted here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from capture.check.finding import Finding, error, note, warning
from capture.settings import Settings
from capture.writer.owner import DAMAGED, LOCK, is_held
from capture.writer.segment import SUFFIX, UNBORN

_NAMED = 20


def check_journal(settings: Settings) -> Iterator[Finding]:
    """What lies in the journal folder, and whose it is."""
    folder = settings.journal
    try:
        files = sorted(path for path in folder.iterdir())
    except FileNotFoundError:
        return
    except OSError as failure:
        yield error(
            "journal",
            f"the journal folder {folder} can be read",
            f"{failure.strerror or failure}",
            "run as the user who owns it, or set COPYDESK_JOURNAL",
        )
        return
    ours = [path for path in files if path.suffix in (SUFFIX, UNBORN, LOCK)]
    others = [path for path in files if path.suffix not in (SUFFIX, UNBORN, LOCK)]
    foreign = [path for path in ours if os.geteuid() not in (0, path.stat().st_uid)]
    mine = [path for path in ours if path not in foreign]
    held = {name for name in {path.name.split(".")[0] for path in mine} if is_held(folder, name)}
    orphans = [path for path in mine if path.name.split(".")[0] not in held]
    if held:
        yield note("journal", f"{len(held)} processes write to {folder}")
    if left := [path for path in orphans if path.suffix == SUFFIX]:
        yield warning(
            "journal",
            "no journal is left behind by a process that is gone",
            f"{_some(left)}",
            "`copydesk run --once` brings what is in them into the log",
        )
    if foreign:
        yield warning(
            "journal",
            f"every journal in {folder} is this user's",
            f"of another user: {_some(foreign)}",
            "run `copydesk run --once` as that user",
        )
    if damaged := [path for path in others if path.suffix == DAMAGED]:
        yield warning(
            "journal",
            "no journal was damaged",
            f"kept aside: {_some(damaged)}",
            "what could be read is in the log; look at the disk, then remove them",
        )
    if unknown := [path for path in others if path.suffix != DAMAGED]:
        yield warning(
            "journal",
            f"{folder} holds journals alone",
            f"not ours: {_some(unknown)}",
            "move them elsewhere",
        )


def _some(paths: list[Path]) -> str:
    more = len(paths) - _NAMED
    return ", ".join(path.name for path in paths[:_NAMED]) + (f", and {more:,} more" if more > 0 else "")
