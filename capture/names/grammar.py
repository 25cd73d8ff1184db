"""What a legal table name is. Anything else is refused before there is any SQL; nothing is ever quoted through.

Every table is named `agents_{table}`, `modules_{module}_{table}` or `foundups_{project}_{table}`.
"""

from __future__ import annotations

import re

from capture.errors import InvalidName

NAMESPACES = ("agents", "modules", "foundups")

MAX_BYTES = 48
"""The longest full name. PostgreSQL cuts names at 63 bytes; shadow tables, indexes and constraints need the rest."""

_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")
_NAMES_OF_A_DATABASE = ("pg_", "sqlite_", "agents_", "modules_", "foundups_")

# Harmless behind a prefix, but who uses one as a name has most often put a statement where a name belongs.
_STATEMENTS = frozenset(
    {
        "alter",
        "attach",
        "create",
        "delete",
        "drop",
        "insert",
        "pragma",
        "replace",
        "select",
        "truncate",
        "update",
        "vacuum",
    }
)


def check_name(name: str, what: str = "a name") -> str:
    """Check one part of a table's name, or the name of a column.

    Args:
        name: As `chat_rules`.
        what: What it names, for the message: `the module`, `the table`.

    Returns:
        The name.

    Raises:
        InvalidName: It is not `[a-z][a-z0-9_]*`, has an empty part between or behind underscores, is longer than
            48 bytes, or is kept for the database, for SQL or for copydesk itself.
    """
    found = f"found {name!a:.60}"
    if not _is_name(name):
        raise InvalidName(
            f"{what} is made of a to z, 0 to 9 and single underscores, and begins with a letter; {found}",
            hint="choose a name as chat_rules",
        )
    if len(name) > MAX_BYTES:
        raise InvalidName(f"{what} has at most {MAX_BYTES} bytes, {found} with {len(name)}", hint="shorten it")
    if "shadow" in name.split("_"):
        raise InvalidName(
            f"{what} does not have the word shadow in it, which names tables while they are rebuilt; {found}"
        )
    return name


def _is_name(name: object) -> bool:
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def full_name(namespace: str, owner: str | None, table: str) -> str:
    """The name of a table in the database.

    Args:
        namespace: `agents`, `modules` or `foundups`.
        owner: The module or the project; None for `agents`.
        table: The table's own name.

    Returns:
        As `modules_chat_rules_users`.

    Raises:
        InvalidName: A part is no legal name, or the whole is longer than 48 bytes.
    """
    if namespace not in NAMESPACES:
        raise InvalidName(f"a namespace is one of {', '.join(NAMESPACES)}, found {namespace!a:.60}")
    if (owner is None) != (namespace == "agents"):
        raise InvalidName(f"a table of {namespace} has {'no owner' if owner is not None else 'an owner'} in its name")
    parts = [namespace]
    if owner is not None:
        parts.append(_part(owner, "the module" if namespace == "modules" else "the project"))
    parts.append(_part(table, "the table"))
    name = "_".join(parts)
    if len(name) > MAX_BYTES:
        raise InvalidName(
            f"a table's full name has at most {MAX_BYTES} bytes, found {name} with {len(name)}",
            hint=f"shorten {' or '.join(parts[1:])}",
        )
    return name


def _part(name: str, what: str) -> str:
    check_name(name, what)
    if name.startswith(_NAMES_OF_A_DATABASE) or name in NAMESPACES:
        raise InvalidName(f"{what} does not begin with the prefix of a database or a namespace, found {name!a:.60}")
    if name in _STATEMENTS:
        raise InvalidName(f"{what} is not the first word of an SQL statement, found {name!a:.60}")
    return name
