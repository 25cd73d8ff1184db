"""The folder publisher: whole or not at all, never over another file, never outside."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from capture.vocabulary import SocialPostDrafted
from review import Output, Publisher
from review.effects import idempotency_key
from review.errors import NotSent
from review.publishers.folder import FolderPublisher
from review.testing import PublisherContract, Story

HOSTILE = json.loads((Path(__file__).parents[2] / "hostile.json").read_text(encoding="utf-8"))


def an_output(body: str = "Ahoy.", output_id: str = "o1") -> tuple[Output, str]:
    output = Story(SocialPostDrafted(output_id=output_id, channel="x", identity="@acme", body=body)).output
    return output, idempotency_key(output.output_id, 1, output.content_hash)


class TestFolder(PublisherContract):
    """The folder holds what every publisher holds."""

    @pytest.fixture(autouse=True)
    def folders(self, tmp_path: Path) -> None:
        self.parent = tmp_path
        self.made = 0

    def make(self) -> FolderPublisher:
        self.made += 1
        return FolderPublisher(self.parent / str(self.made))

    def arrived(self, publisher: Publisher) -> list[bytes]:
        assert isinstance(publisher, FolderPublisher)
        return [path.read_bytes() for path in publisher.folder.glob("*.txt")]


@pytest.fixture
def folder(tmp_path: Path) -> FolderPublisher:
    return FolderPublisher(tmp_path / "published")


def test_it_is_a_publisher(folder: FolderPublisher) -> None:
    """The folder publisher has all that the protocol asks for."""
    assert isinstance(folder, Publisher)


def test_what_stands_there_is_never_overwritten(folder: FolderPublisher) -> None:
    """A file with other content under the same name makes the send fail, and stays as it is."""
    output, key = an_output()
    name = Path(folder.publish(output, key).external_id)
    (folder.folder / name).write_bytes(b"other")
    with pytest.raises(NotSent):
        folder.publish(output, key)
    assert (folder.folder / name).read_bytes() == b"other"


def test_the_same_send_again_finds_its_own_file(folder: FolderPublisher) -> None:
    """An equal file that stands there already is the one that was to be written."""
    output, key = an_output()
    assert folder.publish(output, key) == folder.publish(output, key)
    assert len(list(folder.folder.iterdir())) == 2


def test_a_link_that_waits_there_is_not_followed(folder: FolderPublisher, tmp_path: Path) -> None:
    """A symbolic link under the output's name leads to no write outside of the folder."""
    output, key = an_output()
    outside = tmp_path / "outside"
    outside.write_bytes(b"mine")
    folder.folder.mkdir()
    for suffix in ("txt", "json"):
        (folder.folder / f"o1-1-{output.content_hash[:16]}.{suffix}").symlink_to(outside)
    with pytest.raises(NotSent):
        folder.publish(output, key)
    assert outside.read_bytes() == b"mine"
    assert folder.find(key) is None


def test_every_hostile_text_arrives_as_it_is(folder: FolderPublisher, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each value of the hostile list that can be a body is written byte for byte, into the folder and nowhere else."""
    monkeypatch.setattr(os, "fsync", lambda file: None)  # a thousand of them; here the bytes are looked at
    written: dict[str, bytes] = {}
    for entry in HOSTILE:
        value = entry.get("prefix", "") + entry["value"] * entry.get("repeat", 1) + entry.get("suffix", "")
        if "\0" in value or len(value) > 100_000 or any("\ud800" <= character <= "\udfff" for character in value):
            continue
        output, key = an_output(value, output_id=entry["id"])
        written[folder.publish(output, key).external_id] = value.encode()
    assert len(written) > 300
    assert {path.name: path.read_bytes() for path in folder.folder.glob("*.txt")} == written
    assert {path.name for path in folder.folder.parent.iterdir()} == {"published"}


@pytest.mark.parametrize("output_id", ["a" * 200, "a..b", "a:b", "con", "A.txt", "0-1"])
def test_every_id_has_its_file(folder: FolderPublisher, output_id: str) -> None:
    """Any id that an output may have makes a name that the file system takes."""
    output, key = an_output(output_id=output_id)
    receipt = folder.publish(output, key)
    assert (folder.folder / receipt.external_id).read_bytes() == b"Ahoy."
    assert folder.find(key) == receipt


def _fails(at: int, error: int) -> Any:
    """An `os.fsync` that fails at its `at`-th call."""
    calls = 0
    real = os.fsync

    def fsync(file: int) -> None:
        nonlocal calls
        calls += 1
        if calls == at:
            raise OSError(error, os.strerror(error))
        real(file)

    return fsync


@pytest.mark.parametrize("at", [1, 2])
def test_a_full_disk_leaves_no_half_file(folder: FolderPublisher, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
    """When the bytes can't be made safe the output was not sent: the body is not there, and nothing half is."""
    output, key = an_output()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", _fails(at, errno.ENOSPC))
        with pytest.raises(NotSent, match="No space left"):
            folder.publish(output, key)
    assert list(folder.folder.glob("*.txt")) == []
    assert not [path for path in folder.folder.iterdir() if path.name.startswith(".")]
    assert folder.find(key) is None
    folder.publish(output, key)
    assert folder.find(key) is not None


def test_an_error_after_the_body_is_in_its_place_is_not_called_unsent(
    folder: FolderPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the body stands there, a failure is no `NotSent`: the output may count as published, and is found."""
    output, key = an_output()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", _fails(3, errno.EIO))
        with pytest.raises(OSError, match="Input/output"):
            folder.publish(output, key)
    assert folder.find(key) is not None


def test_what_was_cut_is_not_found(folder: FolderPublisher) -> None:
    """A body that was cut or changed afterwards is not taken for the published one."""
    output, key = an_output()
    receipt = folder.publish(output, key)
    (folder.folder / receipt.external_id).write_bytes(b"Aho")
    assert folder.find(key) is None


def test_a_folder_that_can_not_be_made_is_told(tmp_path: Path) -> None:
    """A path that is a file is an error that names the path, and nothing was sent."""
    file = tmp_path / "file"
    file.write_bytes(b"")
    for path in (file, file / "below"):
        with pytest.raises(NotSent, match="file"):
            FolderPublisher(path).publish(*an_output())
