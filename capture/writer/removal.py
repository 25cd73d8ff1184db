"""Removing the files of segments that were given up: a disk that refuses it must not end the writer's thread.

A file that stays costs room and nothing else. Its records are in the log, and whoever adopts it finds them there: an
event is stored once.
"""

from __future__ import annotations

import logging
from pathlib import Path

_log = logging.getLogger("copydesk.writer")


class Removal:
    """Removes files, and tries those again that could not be removed."""

    def __init__(self) -> None:
        self._left: list[Path] = []

    def remove(self, path: Path) -> None:
        """Remove a file; and what is left of earlier tries."""
        left, self._left = self._left, []
        for one in [path, *left]:
            try:
                one.unlink(missing_ok=True)
            except OSError as error:
                self._left.append(one)
                if one not in left:
                    _log.warning(
                        "the journal %s can't be removed: %s; this is tried again, and else left to whoever adopts it: "
                        "its records are in the log",
                        one,
                        error,
                    )
