"""Every environment variable that copydesk reads, in one place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from capture.errors import BadSetting

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment asks for; `Settings.from_environment()` reads it.

    Attributes:
        foundup: `FOUNDUP`: names the embedded database and the folders beside it.
        database_url: `DATABASE_URL`, else the embedded database `sqlite:///{foundup}.db`.
        journal: `COPYDESK_JOURNAL`: the folder of the writer's journals.
        journal_bytes: `COPYDESK_JOURNAL_BYTES`: the bound of one process's journal, in bytes.
        media: `COPYDESK_MEDIA`: the content-addressed folder of media.
        policy: `COPYDESK_POLICY`: the policy file.
        published: `COPYDESK_PUBLISHED`: where the folder publisher writes.
        publishers: `COPYDESK_PUBLISHERS`: the file that says where the other publishers send to.
        agent_id: `COPYDESK_AGENT_ID`: who emits, unless the code says it.
        actor: `COPYDESK_ACTOR`: who decides, unless the command line says it.
        plugins: `COPYDESK_PLUGINS`: distributions whose events, projectors and publishers are loaded.
        synchronous: `COPYDESK_SYNCHRONOUS`: `normal`, or `full` so that each commit survives a power cut.
        notify: `COPYDESK_NOTIFY`: a URL or a command that is told when something waits for a person.
    """

    foundup: str
    database_url: str
    journal: Path
    journal_bytes: int
    media: Path
    policy: Path
    published: Path
    agent_id: str | None
    actor: str | None
    plugins: tuple[str, ...]
    synchronous: str
    notify: str | None = None
    publishers: Path = Path("publishers.toml")

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read the settings.

        Args:
            environment: The variables by name; `os.environ` when left out.

        Raises:
            BadSetting: A variable has a value that can't be used; the message names the variable.
        """
        env = os.environ if environment is None else environment

        def text(name: str, default: str) -> str:
            return env.get(name, "").strip() or default

        foundup = text("FOUNDUP", "foundup")
        if "/" in foundup or "\0" in foundup or foundup.startswith("."):
            raise BadSetting(
                f"FOUNDUP is the name of a file without its folder, found {foundup!r:.60}",
                hint="set FOUNDUP to a plain name, or DATABASE_URL to a whole address",
            )
        synchronous = text("COPYDESK_SYNCHRONOUS", "normal").lower()
        if synchronous not in ("normal", "full"):
            raise BadSetting(f"COPYDESK_SYNCHRONOUS is normal or full, found {synchronous!r:.60}")
        return cls(
            foundup=foundup,
            database_url=text("DATABASE_URL", f"sqlite:///{foundup}.db"),
            journal=Path(text("COPYDESK_JOURNAL", f"{foundup}.journal")),
            journal_bytes=_bytes("COPYDESK_JOURNAL_BYTES", text("COPYDESK_JOURNAL_BYTES", str(256 * MIB))),
            media=Path(text("COPYDESK_MEDIA", f"{foundup}.media")),
            policy=Path(text("COPYDESK_POLICY", "policy.toml")),
            published=Path(text("COPYDESK_PUBLISHED", "published")),
            agent_id=text("COPYDESK_AGENT_ID", "") or None,
            actor=text("COPYDESK_ACTOR", "") or None,
            plugins=tuple(name.strip() for name in text("COPYDESK_PLUGINS", "").split(",") if name.strip()),
            synchronous=synchronous,
            notify=text("COPYDESK_NOTIFY", "") or None,
            publishers=Path(text("COPYDESK_PUBLISHERS", "publishers.toml")),
        )

    @staticmethod
    def environment_with(**variables: str) -> dict[str, str]:
        """This process's environment for a process that it starts, with some variables set otherwise."""
        return {**os.environ, **variables}


def _bytes(name: str, value: str) -> int:
    if not value.isascii() or not value.isdigit() or not 64 * 1024 <= int(value[:20]) <= 1 << 40:
        raise BadSetting(
            f"{name} is a count of bytes from 65536 to 1099511627776, found {value!r:.60}",
            hint=f"unset {name} for the default of 268435456 (256 MiB)",
        )
    return int(value)
