"""What can still be done after a verdict: `acknowledge` and `flag` for what a rule let out, `retract`, `withdraw`."""

from __future__ import annotations

from typing import Annotated

import typer

from capture.cli import As, Database, Screen, command
from review.cli.answer import by, outcome
from review.cli.inbox import OutputId, review
from review.cli.session import at_the_desk, find
from review.cli.verdicts import CommandId, Note, Reason

Why = Annotated[str, typer.Option("--note", "--reason", metavar="TEXT", help="Why, in words; it is needed.")]


@command(
    review,
    "acknowledge",
    example='copydesk review acknowledge 01933a8e\ncopydesk review acknowledge 01933a8e --note "Fine" --json',
)
def acknowledge(
    screen: Screen,
    database: Database,
    output: OutputId,
    *,
    note: Note = None,
    actor: As = None,
    command_id: CommandId = None,
) -> int | None:
    """Say that what a `posthoc` rule published may stay."""
    desk = at_the_desk(database)
    found = find(desk, output).output_id
    return outcome(screen, desk.acknowledge(found, **by(actor), note=note, command_id=command_id))


@command(review, "flag", example='copydesk review flag 01933a8e --reason tone --note "Not to a customer"')
def flag(
    screen: Screen,
    database: Database,
    output: OutputId,
    *,
    reason: Reason = None,
    note: Note = None,
    actor: As = None,
    command_id: CommandId = None,
) -> int | None:
    """Ask for the retraction of what a `posthoc` rule published, with a reason."""
    desk = at_the_desk(database)
    found = find(desk, output).output_id
    return outcome(screen, desk.flag(found, **by(actor), reason_code=reason, note=note, command_id=command_id))


@command(review, "retract", example='copydesk review retract 01933a8e --note "The price was wrong"')
def retract(
    screen: Screen,
    database: Database,
    output: OutputId,
    *,
    note: Why = "",
    actor: As = None,
    command_id: CommandId = None,
) -> int | None:
    """Have what was published taken back from its platform; the worker does it, for an admin."""
    desk = at_the_desk(database)
    return outcome(screen, desk.retract(find(desk, output).output_id, **by(actor), note=note, command_id=command_id))


@command(review, "withdraw", example='copydesk review withdraw 01933a8e --note "The event was called off"')
def withdraw(
    screen: Screen,
    database: Database,
    output: OutputId,
    *,
    note: Why = "",
    actor: As = None,
    command_id: CommandId = None,
) -> int | None:
    """Take an output out of review in place of its agent, as an admin, before it is published."""
    desk = at_the_desk(database)
    return outcome(screen, desk.withdraw(find(desk, output).output_id, **by(actor), note=note, command_id=command_id))
