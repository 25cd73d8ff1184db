"""The media folder against the log: what events name is there and whole, and what is there is named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from capture.check.finding import Finding, error, warning
from capture.database.manager import DatabaseManager
from capture.errors import CopydeskError
from capture.eventlog.event_log import EventLog
from capture.events import registry
from capture.events.decoding import decode_payload
from capture.media import path_of, stored

_NAMED = 20
"""So many files are named for each kind; the others are counted."""

_DIGEST = re.compile(r"[0-9a-f]{64}")


def check_media(manager: DatabaseManager) -> Iterator[Finding]:
    """Hash each file that an event names, once, and look for files that none names.

    What is kept meanwhile is 32 bytes for each file.
    """
    folder = manager.settings.media
    known: set[bytes] = set()
    missing: list[str] = []
    altered: list[str] = []
    for position, sha256 in _named(manager):
        key = bytes.fromhex(sha256)
        if key in known:
            continue
        known.add(key)
        if not path_of(sha256, folder).is_file():
            missing.append(f"{sha256[:12]}… (position {position})")
        elif stored(sha256, settings=manager.settings) is None:
            altered.append(f"{sha256[:12]}… (position {position})")
    if missing:
        yield error(
            "media",
            f"every file that an event names lies in {folder}",
            f"missing: {_some(missing)}",
            "bring them back from a backup, or set COPYDESK_MEDIA to the folder that has them; they can't be sent",
        )
    if altered:
        yield error(
            "media",
            "every file has the bytes that its name is the digest of",
            f"altered, or not to be read: {_some(altered)}",
            "bring them back from a backup; they can't be sent",
        )
    orphans = [str(path.relative_to(folder)) for path in _files(folder) if not _is_named(path, known)]
    if orphans:
        yield warning(
            "media",
            "every file is named by an event",
            f"no event names {_some(orphans)}",
            "an agent may be about to name them; what stays for a day was left behind and can be removed",
        )


def _named(manager: DatabaseManager) -> Iterator[tuple[int, str]]:
    """Position and digest, for each file of each event that can have files."""
    types = [name for name, event in registry.known().items() if "media" in event.model_fields]
    for row in EventLog(manager).read_stored(types=types):
        try:
            event = decode_payload(row.event_type, row.schema_version, row.payload)
        except CopydeskError:
            continue  # `events check` names what the code can't read
        for item in getattr(event, "media", None) or ():
            yield row.position, item.sha256


def _files(folder: Path) -> Iterator[Path]:
    yield from sorted(path for path in folder.rglob("*") if path.is_file())


def _is_named(path: Path, known: set[bytes]) -> bool:
    return (
        bool(_DIGEST.fullmatch(path.name)) and path.parent.name == path.name[:2] and bytes.fromhex(path.name) in known
    )


def _some(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f", and {more:,} more" if more > 0 else "")
