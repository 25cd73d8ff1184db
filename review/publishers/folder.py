"""The folder publisher: writes each output to a directory. The default: nothing leaves the machine.

An output becomes two files, named from its id, revision and hash only, so that no content can choose a path:

- `{output_id}-{revision}-{hash}.txt` holds exactly the approved bytes of the body, and nothing else;
- `{output_id}-{revision}-{hash}.json` says what goes with it: channel, identity, target, media, arguments, and the key.

Both are written beside their place, synced, and then linked into it: whole or not at all, and never over another file.
The body comes last: where it stands, the output is published.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from capture import Settings
from review.errors import NotSent
from review.output import Output
from review.publication.publisher import Receipt

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC


class FolderPublisher:
    """Publishes into a folder.

    Args:
        folder: Where; `COPYDESK_PUBLISHED` when left out. It is made when it is first needed.
    """

    key_lifetime: timedelta | None = None
    verifies: timedelta | None = None

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = Settings.from_environment().published if folder is None else folder

    def publish(self, output: Output, key: str) -> Receipt:
        """Write the output's two files.

        Args:
            output: What to write.
            key: Its idempotency key, kept in the second file.

        Raises:
            NotSent: The body is not in its place: the folder can't be written, or other content stands there.
        """
        name = _name(output)
        body = output.body.encode()
        label = json.dumps(_label(output, key), ensure_ascii=False, indent=2).encode() + b"\n"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise NotSent(f"the folder {self.folder} can't be opened: {error.strerror}") from None
        try:
            try:
                _place(folder, f"{name}.json", label)
                _place(folder, f"{name}.txt", body)
            except OSError as error:
                raise NotSent(f"{name} can't be written to {self.folder}: {error.strerror}") from None
            os.fsync(folder)
        finally:
            os.close(folder)
        return self._receipt(name)

    def find(self, key: str) -> Receipt | None:
        """What was written under a key: both files are there, and the body has the hash that the other notes."""
        for path in sorted(self.folder.glob("*.json")):
            with suppress(OSError, ValueError, TypeError, KeyError):
                label = json.loads(_read(path))
                if label["idempotency_key"] == key and _sha256(_read(path.with_suffix(".txt"))) == label["body_sha256"]:
                    return self._receipt(path.stem)
        return None

    def retract(self, receipt: Receipt) -> None:
        """Take the body's file away; what was published stays known by the other."""
        if Path(receipt.external_id).name == receipt.external_id:
            (self.folder / receipt.external_id).unlink(missing_ok=True)

    def not_accepted(self, answer: BaseException) -> bool:  # noqa: ARG002 - a folder gives no answers
        """False: a folder either has the file, or `NotSent` was raised."""
        return False

    def _receipt(self, name: str) -> Receipt:
        return Receipt(f"{name}.txt", (self.folder.absolute() / f"{name}.txt").as_uri())


def _name(output: Output) -> str:
    # An id has at most 200 characters of A-Z a-z 0-9 . _ : - and begins with a letter or digit (`OutputId`).
    return f"{output.output_id}-{output.revision}-{output.content_hash[:16]}"


def _label(output: Output, key: str) -> dict[str, object]:
    content = output.content.model_dump(mode="json", exclude={"body"}, exclude_none=True)
    return {
        "output_id": output.output_id,
        "revision": output.revision,
        "content_hash": output.content_hash,
        "idempotency_key": key,
        "agent_id": output.agent_id,
        **content,
        "body_bytes": len(output.body.encode()),
        "body_sha256": _sha256(output.body.encode()),
    }


def _place(folder: int, name: str, data: bytes) -> None:
    """Put a whole file in its place. One with equal bytes that stands there is its own, from an earlier attempt."""
    unfinished = f".{name[-120:]}.{secrets.token_hex(4)}"
    file = os.open(unfinished, _NEW, 0o644, dir_fd=folder)
    try:
        try:
            with os.fdopen(file, "wb", closefd=False) as writing:
                writing.write(data)
            os.fsync(file)
        finally:
            os.close(file)
        try:
            # link, not rename: it never replaces what is there
            os.link(unfinished, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        except FileExistsError:
            if _read_at(folder, name) != data:
                raise
    finally:
        # What is left over does no harm; an error here must not say "not sent" of a file that is in its place.
        with suppress(OSError):
            os.unlink(unfinished, dir_fd=folder)


def _read_at(folder: int, name: str) -> bytes:
    file = os.open(name, _READ, dir_fd=folder)
    with os.fdopen(file, "rb") as reading:
        return reading.read()


def _read(path: Path) -> bytes:
    with os.fdopen(os.open(path, _READ), "rb") as reading:
        return reading.read()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
