"""Reading, showing and explaining database URLs."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

import pytest

from capture.database.manager import DatabaseManager
from capture.database.url import parse, redact
from capture.errors import BadDatabaseUrl, CopydeskError, MissingDriver

SECRET = "s3cr3t-Pa55"


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_spelling_of_postgresql_means_psycopg_3(scheme: str) -> None:
    """`postgres://`, which hosts still print, and `postgresql://` both mean psycopg 3."""
    url = parse(f"{scheme}://anna:{SECRET}@db.example:5433/desk?sslmode=require")
    assert url.drivername == "postgresql+psycopg"
    assert (url.host, url.port, url.database, url.password) == ("db.example", 5433, "desk", SECRET)


def test_a_relative_file_stays_the_same_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative SQLite path is resolved once, so that a later change of the working directory changes nothing."""
    monkeypatch.chdir(tmp_path)
    assert parse("sqlite:///desk.db").database == str(tmp_path / "desk.db")
    assert parse(f"sqlite:///{tmp_path}/other.db").database == str(tmp_path / "other.db")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "   ",
        "://",
        "desk.db",
        f"user:{SECRET}@host/desk",
        f"host=db password={SECRET} dbname=desk",
        f"postgresql://anna:{SECRET}@db:port/desk",
        f"postgresql://anna:{SECRET}@db:99999/desk",
        f"postgresql://anna:{SECRET}@[::1/desk",
        f"postgresql+psycopg2://anna:{SECRET}@db/desk",
        f"postgresql+asyncpg://anna:{SECRET}@db/desk",
        f"postgresql+nope://anna:{SECRET}@db/desk",
        f"mysql://anna:{SECRET}@db/desk",
        f"nope://anna:{SECRET}@db/desk",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:///file:desk.db?uri=true",
        "sqlite:///desk.db?mode=ro",
        f"sqlite://anna:{SECRET}@desk.db",
        "sqlite://desk.db",
    ],
)
def test_a_bad_url_is_one_line_without_the_password(url: str) -> None:
    """Whatever `create_engine` would raise is one line that says what was expected, and never the password."""
    with pytest.raises(BadDatabaseUrl) as caught:
        DatabaseManager(url)
    told = f"{caught.value.message} {caught.value.hint}"
    assert SECRET not in told + "".join(traceback.format_exception(caught.value))
    assert "\n" not in caught.value.message
    assert "sqlite:///" in told or "postgresql://" in told or "port" in told


def test_a_password_is_never_shown() -> None:
    """The URL for display has no password in it, also where it stands among the options."""
    shown = redact(parse(f"postgres://anna:{SECRET}@db/desk?sslpassword={SECRET}&application_name=desk"))
    assert SECRET not in shown
    assert shown.startswith("postgresql://anna:***@db/desk?")
    assert "application_name=desk" in shown


def test_a_missing_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without psycopg a PostgreSQL URL says what to install, before anything connects."""
    for name in [name for name in sys.modules if name.split(".")[0] in ("psycopg", "psycopg_binary")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "capture.database.backends.postgresql", raising=False)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingDriver) as caught:
        DatabaseManager("postgresql://anna@db/desk")
    assert "copydesk[postgres]" in caught.value.hint
    assert isinstance(caught.value, CopydeskError)
