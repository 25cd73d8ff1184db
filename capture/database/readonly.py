"""What keeps `execute_query` from writing, and the log append-only on SQLite.

Two lines: the words of a statement, which give a clear answer, and the database itself, which words can't talk round.
SQLite asks an authorizer about every action when a statement is prepared (https://www.sqlite.org/c3ref/set_authorizer.html).
Naive guards can be left by the statement itself: `PRAGMA query_only=OFF`, ATTACH and `VACUUM INTO` under `mode=ro`.
An authorizer that allows what reads need, and nothing else, can't.
"""

from __future__ import annotations

import sqlite3

from capture.database.parameters import Token
from capture.database.tables import LOG_TABLES
from capture.errors import ReadOnlyViolation

_READS = frozenset({sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE})

_READING_PRAGMAS = frozenset(
    {
        "collation_list",
        "compile_options",
        "data_version",
        "foreign_key_list",
        "function_list",
        "index_info",
        "index_list",
        "index_xinfo",
        "module_list",
        "pragma_list",
        "table_info",
        "table_list",
        "table_xinfo",
    }
)
"""Pragmas that tell about the schema whatever their argument is."""

_TELLING_PRAGMAS = frozenset(
    {
        "busy_timeout",
        "foreign_keys",
        "journal_mode",
        "page_count",
        "query_only",
        "read_uncommitted",
        "synchronous",
        "user_version",
    }
)
"""Pragmas that tell when they are given no argument, and change something when they are."""

_FUNCTIONS_THAT_ACT = frozenset({"edit", "eval", "fts3_tokenizer", "load_extension", "readfile", "writefile"})

_ON_A_TABLE_SECOND = frozenset(
    {
        sqlite3.SQLITE_ALTER_TABLE,
        sqlite3.SQLITE_CREATE_INDEX,
        sqlite3.SQLITE_CREATE_TEMP_INDEX,
        sqlite3.SQLITE_CREATE_TEMP_TRIGGER,
        sqlite3.SQLITE_CREATE_TRIGGER,
        sqlite3.SQLITE_DROP_INDEX,
        sqlite3.SQLITE_DROP_TRIGGER,
    }
)
"""Actions whose second argument is the table that they are about."""

_DANGEROUS_PRAGMAS = frozenset(
    {"ignore_check_constraints", "journal_mode", "locking_mode", "schema_version", "writable_schema"}
)


def allow_reads_only(
    action: int, first: str | None, second: str | None, _database: str | None, _inside: str | None
) -> int:
    """The authorizer of reading connections, and of `execute_query` inside a transaction."""
    if action in _READS:
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_FUNCTION:
        return sqlite3.SQLITE_DENY if (second or "").lower() in _FUNCTIONS_THAT_ACT else sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_PRAGMA:
        name = (first or "").lower()
        if name in _READING_PRAGMAS or (name in _TELLING_PRAGMAS and second is None):
            return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


def keep_the_log(action: int, first: str | None, second: str | None, _database: str | None, _inside: str | None) -> int:
    """The authorizer of writing connections: all but what would change the log's past, or take off what holds it."""
    if action in (sqlite3.SQLITE_UPDATE, sqlite3.SQLITE_DELETE):
        refused = first == "agents_events"
    elif action == sqlite3.SQLITE_DROP_TABLE:
        refused = first in LOG_TABLES
    elif action in _ON_A_TABLE_SECOND:
        refused = second in LOG_TABLES
    elif action in (sqlite3.SQLITE_CREATE_TEMP_TABLE, sqlite3.SQLITE_CREATE_TEMP_VIEW):
        # A temporary table is found before the real one of the same name: what is appended would be gone.
        refused = (first or "").lower() in LOG_TABLES
    elif action == sqlite3.SQLITE_PRAGMA:
        refused = second is not None and (first or "").lower() in _DANGEROUS_PRAGMAS
    elif action == sqlite3.SQLITE_FUNCTION:
        refused = (second or "").lower() in _FUNCTIONS_THAT_ACT
    else:
        refused = action in (sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH)
    return sqlite3.SQLITE_DENY if refused else sqlite3.SQLITE_OK


_QUERIES = frozenset({"select", "with", "values", "table", "show", "explain"})
"""How a statement that reads begins, behind any opening brackets. SQLite's authorizer judges PRAGMA further."""

_CHANGES = frozenset({("delete", "from"), ("insert", "into"), ("merge", "into")})
"""How a statement that writes begins inside another one, behind an opening bracket. So does UPDATE and a name."""

_ACT = _FUNCTIONS_THAT_ACT | frozenset(
    {
        "crosstab",
        "cursor_to_xml",
        "lowrite",
        "loread",
        "pg_cancel_backend",
        "pg_export_snapshot",
        "pg_notify",
        "pg_promote",
        "pg_reload_conf",
        "pg_terminate_backend",
        "set_config",
        "ts_rewrite",
        "ts_stat",
    }
)
_ACT_PREFIXES = (
    "binary_upgrade_",
    "brin_",
    "dblink",
    "gin_clean_",
    "lo_",
    "pg_advisory_",
    "pg_backup_",
    "pg_clear_",
    "pg_copy_",
    "pg_create_",
    "pg_drop_",
    "pg_file_",
    "pg_import_",
    "pg_log_",
    "pg_logical_",
    "pg_ls_",
    "pg_read_",
    "pg_replication_",
    "pg_restore_",
    "pg_rotate_",
    "pg_stat_reset",
    "pg_stat_statements_reset",
    "pg_start_",
    "pg_stop_",
    "pg_switch_",
    "pg_sync_",
    "pg_try_advisory_",
    "pg_wal_replay_",
    "query_to_xml",
)
"""Functions of PostgreSQL that act although the transaction is read only, or that run a statement given as text."""


def refuse_what_is_no_query(tokens: tuple[Token, ...], backend: str) -> None:
    """Refuse by its words what is no query: the first of two lines.

    The second is the database's own (the authorizer, READ ONLY), which no wording gets past but which has gaps of its
    own: PostgreSQL's holds rows and tables, not sessions, files and locks.

    Args:
        tokens: The statement, as `capture.database.parameters` took it apart.
        backend: `sqlite` or `postgresql`.

    Raises:
        ReadOnlyViolation: The statement is no query, has one that writes inside, or calls a function that acts.
    """
    first = next((token for token in tokens if token.text != "("), tokens[0])
    if first.kind != "word" or (first.text not in _QUERIES and (backend, first.text) != ("sqlite", "pragma")):
        raise ReadOnlyViolation(
            f"a query was expected (SELECT, WITH, VALUES, TABLE, SHOW or EXPLAIN), found {first.text!a:.40}",
            hint="execute_write runs statements that write",
        )
    end = Token("end", "")
    for token, behind, last in zip(tokens, (*tokens[1:], end), (*tokens[2:], end, end), strict=False):
        if token.text == "(" and (
            (behind.text, last.text) in _CHANGES or (behind.text == "update" and last.kind in ("word", "name"))
        ):
            raise ReadOnlyViolation(
                f"a query was expected, found {behind.text.upper()} inside it",
                hint="execute_write runs statements that write",
            )
        if token.kind == "name" and token.text[:2] in ("u&", "U&"):
            raise ReadOnlyViolation('a name with Unicode escapes (U&"…") hides what it names; write it plainly')
        if token.kind in ("word", "name") and behind.text == "(":
            name = token.text.strip('"`[]').lower()
            if name in _ACT or name.startswith(_ACT_PREFIXES):
                raise ReadOnlyViolation(
                    f"{name}() acts although the statement only reads",
                    hint="execute_write runs statements that act",
                )
