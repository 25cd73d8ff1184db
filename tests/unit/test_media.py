"""`attach`: bytes go into the content-addressed folder whole or not at all."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from capture import InvalidEvent, NotFound, Settings, attach, stored_media

PICTURE = bytes(range(256)) * 10_000
DIGEST = hashlib.sha256(PICTURE).hexdigest()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return replace(Settings.from_environment({}), media=tmp_path / "media")


def test_bytes_and_files_are_stored_under_their_digest(settings: Settings, tmp_path: Path) -> None:
    """The same bytes are one file, `ab/abcdef…`, however they came."""
    (tmp_path / "picture.png").write_bytes(PICTURE)
    from_bytes = attach(PICTURE, "image/png", alt="noise", settings=settings)
    from_file = attach(tmp_path / "picture.png", "image/png", settings=settings)
    assert from_bytes.sha256 == from_file.sha256 == DIGEST
    assert from_bytes.alt == "noise"
    files = [path for path in settings.media.rglob("*") if path.is_file()]
    assert files == [settings.media / DIGEST[:2] / DIGEST]
    assert files[0].read_bytes() == PICTURE


def test_altered_or_missing_bytes_are_not_found(settings: Settings) -> None:
    """A file is found only while its bytes still have its digest; attaching again mends it."""
    assert stored_media(DIGEST, settings=settings) is None
    attach(PICTURE, "image/png", settings=settings)
    path = stored_media(DIGEST, settings=settings)
    assert path is not None
    path.write_bytes(PICTURE[:-1])
    assert stored_media(DIGEST, settings=settings) is None
    attach(PICTURE, "image/png", settings=settings)
    assert stored_media(DIGEST, settings=settings) == path


def test_a_broken_source_leaves_nothing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk fails in the middle no file is left, not even an unfinished one."""

    def fail(file: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="No space"):
        attach(PICTURE, "image/png", settings=settings)
    assert [path for path in settings.media.rglob("*") if path.is_file()] == []


def test_mistakes_are_named(settings: Settings) -> None:
    """A missing file and a bad media type say so, and store nothing."""
    with pytest.raises(NotFound, match=r"nothing\.png"):
        attach("nothing.png", "image/png", settings=settings)
    with pytest.raises(InvalidEvent, match="media_type"):
        attach(PICTURE, "picture", settings=settings)
    assert not settings.media.exists()
