"""Fixtures of all tests: each backend in turn, and a fresh database a test.

A test that takes `manager` or `database_url` runs on SQLite and then on a real PostgreSQL. Nothing skips: where no
server is given, the embedded one is started.
"""

from __future__ import annotations

import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest

from capture.database.manager import DatabaseManager
from capture.settings import Settings
from tests.fixtures.postgres import PostgresServer, postgres_server

pytest_plugins = (
    "tests.fixtures.review",
    "tests.fixtures.platform",
    "tests.fixtures.https_server",
    "tests.fixtures.backups",
)

BACKENDS = ("sqlite", "postgresql")

# A shell starts what runs in its background with SIGINT ignored, and children inherit that: no Ctrl-C could be tested.
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)


class MakeDatabase(Protocol):
    """Makes a fresh database and returns its URL."""

    def __call__(self, backend: str, *, migrated: bool = True) -> str:
        """With copydesk's tables, or empty."""
        ...


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """The PostgreSQL server of this run."""
    with postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("template") / "template.db"
    with DatabaseManager(f"sqlite:///{path}") as manager:
        manager.upgrade()
    return path


@pytest.fixture
def make_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeDatabase]:
    """Fresh databases, by backend; dropped after the test."""
    dropping: list[Callable[[], None]] = []

    def make(backend: str, *, migrated: bool = True) -> str:
        if backend == "sqlite":
            path = tmp_path / f"database-{len(list(tmp_path.glob('database-*.db')))}.db"
            if migrated:
                shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
            else:
                path.touch()
            return f"sqlite:///{path}"
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.make(migrated=migrated)
        dropping.append(lambda: server.drop(url))
        return url

    yield make
    for drop in dropping:
        drop()


@pytest.fixture(params=BACKENDS)
def backend_name(request: pytest.FixtureRequest) -> str:
    """Each backend in turn."""
    return str(request.param)


@pytest.fixture
def database_url(backend_name: str, make_database: MakeDatabase) -> str:
    """A fresh database with copydesk's tables, on each backend in turn."""
    return make_database(backend_name)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The settings of a machine whose satellites are the test's own."""
    return replace(Settings.from_environment(), journal=tmp_path / "foundup.journal")


@pytest.fixture
def manager(database_url: str, settings: Settings) -> Iterator[DatabaseManager]:
    """A manager of a fresh database, on each backend in turn."""
    with DatabaseManager(database_url, settings=settings) as manager:
        yield manager
