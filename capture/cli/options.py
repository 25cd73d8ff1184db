"""What every command takes: `--json` and `--database-url`; and what commands share."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Annotated

import typer

from capture.settings import Settings

if TYPE_CHECKING:
    from capture.database.manager import DatabaseManager
    from capture.eventlog.event_log import EventLog

JsonFlag = Annotated[bool, typer.Option("--json", help="Write JSON: one object, or one a line.")]
DatabaseUrl = Annotated[
    str | None,
    typer.Option("--database-url", metavar="URL", help="The database; else DATABASE_URL, else {FOUNDUP}.db here."),
]
As = Annotated[
    str | None, typer.Option("--as", metavar="NAME", help="Who decides; else COPYDESK_ACTOR, else the system's user.")
]


class Database:
    """The database that a command works on, opened when the command first asks for it.

    Args:
        url: What `--database-url` said.
    """

    def __init__(self, url: str | None = None) -> None:
        self.given_url = url
        self._manager: DatabaseManager | None = None

    @property
    def url(self) -> str:
        """The address, with its password: for code, never for a screen."""
        return self.given_url or Settings.from_environment().database_url

    @property
    def manager(self) -> DatabaseManager:
        """The manager, connected or not."""
        if self._manager is None:
            from capture.database.manager import DatabaseManager

            self._manager = DatabaseManager(self.given_url)
        return self._manager

    @property
    def log(self) -> EventLog:
        """The event log of the database."""
        from capture.eventlog.event_log import EventLog

        return EventLog(self.manager)

    def __enter__(self) -> Database:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._manager is not None:
            self._manager.close()
