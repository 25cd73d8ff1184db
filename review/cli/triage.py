"""`copydesk review triage`: go through what waits, one key a verdict, as `git add -p` does."""

from __future__ import annotations

from typing import Annotated

import typer

from capture import BadSetting
from capture.cli import As, Database, ExitCode, Screen, command, current_actor
from review.cli import filters
from review.cli.answer import outcome
from review.cli.inbox import review
from review.cli.keyboard import Gone, told_when_gone, undisturbed
from review.cli.session import at_the_desk
from review.cli.sitting import Sitting, TurnedAway


@command(
    review,
    "triage",
    example="copydesk review triage\ncopydesk review triage --channel youtube --older-than 4h --as ana",
)
def triage(
    screen: Screen,
    database: Database,
    *,
    channel: filters.Channel = None,
    agent: filters.Agent = None,
    identity: filters.Identity = None,
    kind: filters.Kind = None,
    risk: filters.Risk = None,
    text: filters.Text = None,
    older_than: filters.OlderThan = None,
    newest: Annotated[bool, typer.Option("--newest", help="The newest first.")] = False,
    actor: As = None,
) -> int | None:
    """Go through what waits, one key a verdict: a person's command, for a terminal; ? shows the keys."""
    if not screen.person:
        raise BadSetting(
            "a terminal was expected: triage is for a person", hint="scripts use `copydesk review next` and `approve`"
        )
    wanted = filters.chosen(
        states=["pending"],
        channel=channel,
        agent=agent,
        identity=identity,
        kind=kind,
        risk=risk,
        text=text,
        older_than=older_than,
    )
    wanted["newest"] = newest
    sitting = Sitting(screen, at_the_desk(database), current_actor(actor), wanted)
    with told_when_gone():
        try:
            return sitting.run()
        except TurnedAway as away:
            return outcome(screen, away.refusal)
        except Gone:
            return ExitCode.INTERRUPTED
        finally:
            with undisturbed():
                sitting.end()
