"""The media folder: pictures and other files that go with an output, each under the digest of its bytes.

A satellite of the database: large blobs do not belong into it. A file is named `ab/abcdef…` by its SHA-256, is written
whole or not at all, and never changes. On several machines the folder is shared.
"""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from pydantic import ValidationError

from capture.errors import InvalidEvent, NotFound
from capture.identifiers import new_id_text
from capture.settings import Settings

if TYPE_CHECKING:
    from capture.vocabulary.drafts import Media

_CHUNK = 1024 * 1024


def attach(
    path_or_bytes: str | os.PathLike[str] | bytes,
    media_type: str,
    alt: str | None = None,
    *,
    url: str | None = None,
    settings: Settings | None = None,
) -> Media:
    """Put a file into the media folder, for a draft to name.

    Args:
        path_or_bytes: The file, or its bytes.
        media_type: As `image/png`.
        alt: What the picture shows, for those who can't see it.
        url: Where the file came from; kept beside the digest.
        settings: They name the folder; read from the environment when left out.

    Returns:
        What a draft lists in `media`. The same bytes are stored once.

    Raises:
        NotFound: There is no file at the path, or it can't be read.
        InvalidEvent: The media type or the alternative text can't be part of an event.
    """
    from capture.events.decoding import explain
    from capture.vocabulary.drafts import Media

    folder = (Settings.from_environment() if settings is None else settings).media
    try:
        media = Media(sha256="0" * 64, media_type=media_type, alt=alt, url=url)
    except ValidationError as error:
        raise InvalidEvent(explain("media", error)) from None
    with _open(path_or_bytes) as source:
        return media.model_copy(update={"sha256": _store(source, folder)})


def stored(sha256: str, *, settings: Settings | None = None) -> Path | None:
    """The file with this digest, if it is there and whole: its bytes are hashed again.

    Args:
        sha256: 64 lower-case hexadecimal digits, as a draft's `media` names them.
        settings: They name the folder; read from the environment when left out.
    """
    path = path_of(sha256, (Settings.from_environment() if settings is None else settings).media)
    try:
        with path.open("rb") as file:
            return path if hashlib.file_digest(file, "sha256").hexdigest() == sha256 else None
    except OSError:
        return None


def path_of(sha256: str, folder: Path) -> Path:
    """Where the file with a digest lies in a media folder."""
    return folder / sha256[:2] / sha256


def _open(source: str | os.PathLike[str] | bytes) -> BinaryIO:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    try:
        return Path(source).open("rb")
    except OSError as error:
        raise NotFound(f"the file {os.fspath(source)!a} can't be read: {error.strerror or error}") from None


def _store(source: BinaryIO, folder: Path) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    unfinished = folder / f".new-{new_id_text()}"
    try:
        with unfinished.open("xb") as file:
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        sha256 = digest.hexdigest()
        path = path_of(sha256, folder)
        path.parent.mkdir(exist_ok=True)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return sha256
