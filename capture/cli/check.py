"""`copydesk db check` and `db checkpoint`: is the log what it was, and is everything around it as it should be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import JsonValue

from capture.check.finding import Finding, Severity, error
from capture.cli.command import command
from capture.cli.db import db
from capture.cli.options import Database
from capture.cli.output import ExitCode, Screen
from capture.errors import CopydeskError, DatabaseBusy, DatabaseUnavailable, NotADatabase, NotFound, OtherLog

if TYPE_CHECKING:
    from capture.database.manager import DatabaseManager
    from capture.eventlog.tree_head import TreeHead

Examiner = Callable[["DatabaseManager"], Iterable[Finding]]
"""Looks at a part of a database and says what it found; it changes nothing."""

EXAMINERS: list[tuple[str, Examiner]] = []
"""What else is looked at, by name: filled by who knows projections and review, from above."""

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "dim"}
_ENDING = (DatabaseBusy, DatabaseUnavailable, NotADatabase, OtherLog)
"""After these there is nothing to look at."""
_LARGEST = 1024 * 1024
"""No checkpoint has more bytes."""


@command(
    db,
    "check",
    example="copydesk db check\ncopydesk db check --against checkpoint.txt\n"
    "copydesk db check --json | jq '.findings[] | select(.severity != \"note\")'",
)
def check(
    screen: Screen,
    database: Database,
    *,
    against: Annotated[
        list[Path] | None,
        typer.Option("--against", metavar="FILE", help="A checkpoint that was kept elsewhere; may be given again."),
    ] = None,
) -> int | None:
    """Look at everything: the log and what guards it, tables, approvals, projections, media, this machine.

    Each finding says what was expected, what was found and what to do. Any error among them ends with exit code 1.
    """
    older = [_read(path) for path in against or ()]
    tree_head: TreeHead | None = None
    findings: list[Finding] = []
    for name, examiner in _before_the_log():
        findings += _examined(name, examiner, database.manager)
    if not any(finding.check == "server" and finding.severity is Severity.ERROR for finding in findings):
        with screen.progress("checking the log", database.log.head()) as advance:

            def the_log(manager: DatabaseManager) -> Iterator[Finding]:
                nonlocal tree_head
                from capture.check.log import check_log

                checked = check_log(manager, older, advance)
                tree_head = checked.tree_head
                yield from checked.findings

            findings += _examined("log", the_log, database.manager)
        for name, examiner in (*_behind_the_log(), *EXAMINERS):
            findings += _examined(name, examiner, database.manager)
    counts = {severity: sum(finding.severity is severity for finding in findings) for severity in Severity}
    value: dict[str, JsonValue] = {
        "database": database.manager.url,
        "ok": not counts[Severity.ERROR],
        "origin": None if tree_head is None else tree_head.origin,
        "size": None if tree_head is None else tree_head.size,
        "root": None if tree_head is None else tree_head.root_text,
        "against": len(older),
        "errors": counts[Severity.ERROR],
        "warnings": counts[Severity.WARNING],
        "notes": counts[Severity.NOTE],
        "findings": [_as_json(finding) for finding in findings],
    }
    if screen.json:
        screen.value(value)
    else:
        _show(screen, value, findings)
    return ExitCode.FAILURE if counts[Severity.ERROR] else None


@command(
    db,
    "checkpoint",
    example="copydesk db checkpoint > checkpoint.txt   # keep it where who can write to the database can't",
)
def checkpoint(screen: Screen, database: Database) -> int | None:
    """Print origin, size and root of the log as it is now: three lines, the body of a C2SP checkpoint.

    A log that contradicts itself gets none: what would be kept is wrong already.
    """
    from capture.check.log import check_log

    with screen.progress("reading the log", database.log.head()) as advance:
        checked = check_log(database.manager, (), advance)
    if checked.findings:
        first = checked.findings[0]
        raise CopydeskError(
            f"a sound log was expected, found {len(checked.findings)} errors; {first.expected}: {first.found}",
            hint="`copydesk db check` shows all of them",
        )
    found = checked.tree_head
    body = found.body()
    if screen.json:
        screen.value({"origin": found.origin, "size": found.size, "root": found.root_text, "body": body})
    else:
        for line in body.splitlines():
            screen.say(line)
    return None


def _before_the_log() -> tuple[tuple[str, Examiner], ...]:
    from capture.check.installation import check_plugins
    from capture.check.server import check_server

    return ("server", check_server), ("plugins", lambda manager: check_plugins(manager.settings))


def _behind_the_log() -> tuple[tuple[str, Examiner], ...]:
    from capture.check.journal import check_journal
    from capture.check.media import check_media
    from capture.check.schema import check_tables, check_triggers
    from capture.check.server import check_quarantine

    return (
        ("schema", check_triggers),
        ("tables", check_tables),
        ("quarantine", check_quarantine),
        ("media", check_media),
        ("journal", lambda manager: check_journal(manager.settings)),
    )


def _examined(name: str, examiner: Examiner, manager: DatabaseManager) -> list[Finding]:
    """What an examiner found; what stops it is a finding too, since the rest of the page may say why."""
    found: list[Finding] = []
    try:
        found.extend(examiner(manager))
    except CopydeskError as failure:
        if isinstance(failure, _ENDING):
            raise
        found.append(error(name, "this can be looked at", failure.message, failure.hint))
    except Exception as failure:  # noqa: BLE001 - a log that was tampered with can hold anything; the rest is looked at all the same
        told = str(failure).splitlines()
        found.append(
            error(
                name,
                "this can be looked at",
                f"{type(failure).__name__}: {told[0][:300] if told else ''}",
                "look at the other findings: what can't be read was written by other means than copydesk",
            )
        )
    return found


def _read(path: Path) -> TreeHead:
    from capture.eventlog.tree_head import read_tree_head

    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST)
    except OSError as failure:
        raise NotFound(
            f"the checkpoint {str(path)!a} can't be read: {failure.strerror or failure}",
            hint="`copydesk db checkpoint > FILE` writes one",
        ) from None
    return read_tree_head(data.decode("utf-8", "backslashreplace"), repr(str(path)))


def _as_json(finding: Finding) -> dict[str, JsonValue]:
    return {
        "check": finding.check,
        "severity": finding.severity.value,
        "expected": finding.expected,
        "found": finding.found,
        "hint": finding.hint,
        "positions": list(finding.positions),
    }


def _show(screen: Screen, value: dict[str, JsonValue], findings: list[Finding]) -> None:
    for finding in findings:
        screen.say_parts(
            (f"{finding.severity.value:<8} ", _STYLES[finding.severity]),
            (f"{finding.check:<12} ", "dim"),
            (f"expected: {finding.expected}; found: {finding.found}" if finding.expected else finding.found, ""),
        )
        if finding.hint:
            screen.say_parts((" " * 22, ""), (finding.hint, "dim"))
    if value["size"] is not None:
        screen.say(f"{value['size']:,} events, root {value['root']}")
    errors, warnings = value["errors"], value["warnings"]
    screen.say(f"{errors} errors, {warnings} warnings", "bold red" if errors else "green")
