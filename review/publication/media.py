"""Whether the bytes of an output's media are there and unaltered."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from capture.vocabulary import Media


def path_of(folder: Path, sha256: str) -> Path:
    """Where the bytes with this digest lie: the folder is content-addressed, fanned out by the first two digits."""
    return folder / sha256[:2] / sha256


def missing(media: Iterable[Media], folder: Path) -> tuple[str, ...]:
    """The digests whose bytes are missing or altered.

    Args:
        media: What the output names.
        folder: The media folder.
    """
    return tuple(item.sha256 for item in media if _digest(path_of(folder, item.sha256)) != item.sha256)


def _digest(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
