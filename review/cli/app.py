"""`copydesk`: the whole command. One import a file of commands; a file adds its commands when it is imported."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Annotated

import typer

from capture.cli import catalogue, check, group, quarantine, run, transfer
from capture.cli.db import db
from capture.cli.events import events
from projections.cli import projections
from review.cli import afterwards, automate, claims, examiners, policy, reports, triage, verdicts
from review.cli.demo import register as register_demo
from review.cli.inbox import review
from review.cli.publish import publish
from review.cli.run import register as register_run

if TYPE_CHECKING:
    from capture import DatabaseManager

program = group("", "Capture what agents put out, review it, and publish exactly what was approved.")
register_demo(program)
register_run(program)
for part in (events, projections, review, publish, db):
    program.add_typer(part)


def _restore(manager: DatabaseManager) -> int:
    from review.tables import restore

    return restore(manager)


def _handled() -> dict[str, list[str]]:
    from projections import handled

    return handled()


transfer.AFTER_TRUSTED.append(_restore)
catalogue.HANDLED_BY.append(_handled)
check.EXAMINERS.extend(examiners.ALL)

ADDED_TO_GROUPS = (
    *(afterwards, automate, catalogue, check, claims),
    *(policy, quarantine, reports, transfer, triage, verdicts),
)
"""Files whose commands belong to a group of another file."""


def _say_version(wanted: bool) -> None:
    if wanted:
        try:
            found = version("copydesk")
        except PackageNotFoundError:
            found = "from a checkout that is not installed"
        sys.stdout.write(f"copydesk {found}\n")
        raise typer.Exit


@program.callback()
def options(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    """Capture what agents put out, review it, and publish exactly what was approved."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; what `copydesk` and `python -m review.cli.app` call."""
    return run(program, arguments)


if __name__ == "__main__":
    sys.exit(main())
