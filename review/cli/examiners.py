"""What `copydesk db check` looks at beyond capture: the read tables, the desk's tables, the policy, the packages.

The parts are imported when they are asked for: every command imports this file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from capture.cli import Finding, check_packages, error, warning

if TYPE_CHECKING:
    from capture import DatabaseManager

PACKAGES = ("capture", "projections", "review")


def examine_desk(manager: DatabaseManager) -> Iterator[Finding]:
    """Approvals and publications against the log."""
    from review.examination import check_desk

    return check_desk(manager)


def examine_policy(manager: DatabaseManager) -> Iterator[Finding]:
    """The policy in force and the file."""
    from review.examination import check_policy

    return check_policy(manager)


def examine_packages(manager: DatabaseManager) -> Iterator[Finding]:  # noqa: ARG001 - an examiner takes the database
    """Which distribution each of the three packages comes from."""
    return check_packages(PACKAGES)


def examine_projections(manager: DatabaseManager) -> Iterator[Finding]:
    """Read tables that other code made, that stand still, or that lack events."""
    from projections import status

    for found in status(manager):
        if found.state == "stopped":
            yield error(
                "projections", f"{found.projection} is kept up to date", found.reason, _replay(found.projection)
            )
        elif found.state == "stale":
            yield warning(
                "projections", f"{found.projection} was made by this code", found.reason, _replay(found.projection)
            )
        if found.dead_letters:
            yield warning(
                "projections",
                f"{found.projection} has all its events",
                f"{found.dead_letters:,} dead letters",
                f"`copydesk projections dead-letters list {found.projection}`",
            )


ALL = (
    ("approvals", examine_desk),
    ("projections", examine_projections),
    ("policy", examine_policy),
    ("code", examine_packages),
)
"""By the name of what they look at."""


def _replay(projection: str) -> str:
    return f"`copydesk projections replay {projection}`"
