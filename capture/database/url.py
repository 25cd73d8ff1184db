"""A database URL: parsed, shown without its password, and explained when it can't be used."""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from capture.errors import BadDatabaseUrl

FORMS = "sqlite:///file.db or postgresql://user:password@host:5432/database"
"""The forms that copydesk speaks, for messages."""

_SECRETS = re.compile(r"pass|secret|token|key", re.IGNORECASE)


def parse(text: str) -> URL:
    """Read a database URL.

    `postgres://` and `postgresql://` both mean psycopg 3; hosts still print the first.

    Args:
        text: `sqlite:///relative.db`, `sqlite:////absolute.db` or `postgresql://user:password@host:5432/database`.

    Returns:
        The URL with the driver that copydesk uses; the file of SQLite as an absolute path.

    Raises:
        BadDatabaseUrl: It does not parse, or names a database that copydesk does not speak. The message never has the
            password in it, and so never more of the text than its scheme.
    """
    try:
        url = make_url(text.strip())
        port = url.port
    except (ArgumentError, ValueError, TypeError, AttributeError):
        raise BadDatabaseUrl(
            f"a database URL as {FORMS} was expected, {_what_was_found(text)}",
            hint="a character of the password that is special in a URL is written as %XX; a port is a number",
        ) from None
    if port is not None and not 0 < port < 65536:
        raise BadDatabaseUrl(f"a port from 1 to 65535 was expected in the database URL, found {port}")
    if url.drivername in ("sqlite", "sqlite+pysqlite"):
        return _file(url)
    if url.drivername in ("postgres", "postgresql", "postgres+psycopg", "postgresql+psycopg"):
        return url.set(drivername="postgresql+psycopg")
    if url.get_backend_name() in ("postgres", "postgresql"):
        raise BadDatabaseUrl(
            f"copydesk reaches PostgreSQL by psycopg 3, found the driver in {url.drivername}://",
            hint="write postgresql:// and leave the driver out",
        )
    raise BadDatabaseUrl(f"copydesk speaks {FORMS}, found {url.drivername}://")


def _file(url: URL) -> URL:
    if url.host or url.username or url.password or url.port:
        raise BadDatabaseUrl(
            "a SQLite URL names a file and no host: sqlite:///relative.db or sqlite:////absolute.db",
            hint="count the slashes: three before a relative path, four before an absolute one",
        )
    if not url.database or url.database == ":memory:":
        raise BadDatabaseUrl(
            "a SQLite database in memory is gone with its connection and seen by one thread alone",
            hint="name a file: sqlite:///foundup.db",
        )
    if url.query or url.database.startswith("file:") or "\0" in url.database:
        raise BadDatabaseUrl(
            "a SQLite URL is a plain path, without options behind a question mark and without file:",
            hint="name a file: sqlite:///foundup.db",
        )
    # Absolute, so that a process that changes its working directory goes on with the same file.
    return URL.create("sqlite+pysqlite", database=str(Path(url.database).expanduser().absolute()))


def redact(url: URL) -> str:
    """Write a URL for people: without its password, also where that stands among the options."""
    name = {"sqlite+pysqlite": "sqlite", "postgresql+psycopg": "postgresql"}.get(url.drivername, url.drivername)
    query = {key: "***" if _SECRETS.search(key) else value for key, value in url.query.items()}
    return url.set(drivername=name, query=query).render_as_string(hide_password=True)


def _what_was_found(text: str) -> str:
    scheme, separator, _ = text.strip().partition("://")
    if separator and re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]{0,30}", scheme):
        return f"found one that begins with {scheme}:// and does not parse behind it"
    return "found a text that does not begin with one of these schemes" if text.strip() else "found an empty text"
