"""`copydesk review automate`: the part of `copydesk run` that applies the policy, alone."""

from __future__ import annotations

from typing import Annotated

import typer

from capture.cli import Database, Screen, command, until_stopped
from review.cli.inbox import review
from review.cli.session import at_the_desk


@command(review, "automate", example="copydesk review automate --every 5\ncopydesk review automate --once --json")
def automate(
    screen: Screen,
    database: Database,
    *,
    once: Annotated[bool, typer.Option("--once", help="One round, then end.")] = False,
    every: Annotated[float, typer.Option(min=0.1, metavar="SECONDS", help="How often to look.")] = 2.0,
) -> int | None:
    """Take new drafts up, let rules decide what they decide, close what is over, and tell COPYDESK_NOTIFY."""
    from review.automation.automation import Automation

    automation = Automation(at_the_desk(database))

    def look() -> bool:
        decided = automation.run_once()
        if screen.json and (decided or once):
            screen.value({"decided": decided})
        elif decided or once:
            screen.say(f"{decided:,} outputs taken up, decided by rule or closed")
        screen.flush()
        return bool(decided)

    if once:
        look()
        code = None
    else:
        code = until_stopped(look, every)
    automation.close()
    return code
