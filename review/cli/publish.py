"""`copydesk publish`: send what is approved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import JsonValue

from capture import BadSetting
from capture.cli import As, Column, Database, ExitCode, Screen, command, current_actor, group, until_stopped
from review.cli.session import at_the_desk
from review.cli.shown import STATES, listed

if TYPE_CHECKING:
    from review import Refusal
    from review.ordering import Ordered
    from review.orders import Orders
    from review.publication.worker import Outcome, Summary

publish = group("publish", "Send what is approved, and see what became of it.")

Reason = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why, for the record.")]
Agent = Annotated[str | None, typer.Option("--agent", metavar="AGENT", help="Only outputs of this agent.")]
Channel = Annotated[str | None, typer.Option("--channel", metavar="CHANNEL", help="Only outputs on this channel.")]

_WAITING = ("approved", "publishing", "uncertain", "publish_failed", "retracting")


@command(publish, "once", example="copydesk publish once\ncopydesk publish once --json | jq .outputs")
def once(screen: Screen, database: Database) -> int | None:
    """Send everything that is approved and due, each once; exit 6 when there is nothing, 4 when publication holds."""
    from review import PublishingWorker

    summary = PublishingWorker(at_the_desk(database)).run_once()
    if screen.json:
        screen.value(as_object(summary))
    else:
        tell(screen, summary)
        if summary.held is not None:
            say_held(screen, summary.held)
        elif not summary.outputs:
            screen.say("nothing is approved and waits to be sent")
    return exit_code(summary)


@command(publish, "status", example="copydesk publish status\ncopydesk publish status --json | jq .counts")
def status(screen: Screen, database: Database) -> int | None:
    """Show what waits to be sent, is being sent, failed, or is uncertain."""
    from review.publication.mark import Marks
    from review.queue import count_by_state, list_outputs

    desk = at_the_desk(database)
    counts = {state.value: count for state, count in count_by_state(desk.manager).items()}
    page = list_outputs(desk.manager, states=_WAITING, limit=500)
    rows = [{**listed(row), "publisher": row.publisher} for row in page.rows]
    held = Marks(desk.manager).held()
    if screen.json:
        more, stops = page.after is not None, _stops(desk.orders())
        screen.value({"counts": dict(counts), "outputs": list(rows), "more": more, "stops": stops, "held": held})
        return None
    columns = (
        Column("output_id", "OUTPUT"),
        Column("state", "STATE", STATES),
        Column("publisher", "PUBLISHER"),
        Column("channel", "CHANNEL"),
        Column("identity", "IDENTITY"),
        Column("body", "BODY", elastic=True),
    )
    if held is not None:
        say_held(screen, held)
    _say_stops(screen, desk.orders())
    screen.table(rows, columns, empty="nothing waits to be sent")
    if screen.terminal:
        screen.say(", ".join(f"{count:,} {state}" for state, count in counts.items() if count), "dim")
    return None


@command(publish, "run", example="copydesk publish run --every 5")
def run(
    screen: Screen,
    database: Database,
    *,
    every: Annotated[float, typer.Option(min=0.1, metavar="SECONDS", help="How often to look.")] = 2.0,
) -> int | None:
    """Send what is approved as it comes, until Ctrl-C or SIGTERM."""
    from review import PublishingWorker

    worker = PublishingWorker(at_the_desk(database))
    held: str | None = None

    def look() -> bool:
        nonlocal held
        summary = worker.run_once()
        if summary.held is not None and summary.held != held:
            say_held(screen, summary.held)
        held = summary.held
        tell(screen, summary, skipped=False)
        screen.flush()
        return bool(summary.published)

    return until_stopped(look, every)


@command(
    publish,
    "stop",
    example='copydesk publish stop --reason "Wrong prices in every post"\n'
    'copydesk publish stop --agent herald --reason "It repeats itself"\n'
    'copydesk publish stop --channel x --reason "The account was taken over"',
)
def stop(
    screen: Screen,
    database: Database,
    *,
    reason: Reason = None,
    agent: Agent = None,
    channel: Channel = None,
    actor: As = None,
) -> int | None:
    """Let no worker begin to send any more, wherever it runs: nothing at all, of an agent, or on a channel."""
    from review import ReviewDesk

    name, source = current_actor(actor)
    desk = ReviewDesk(database.manager)
    answer = desk.stop(actor=name, actor_source=source, reason=reason or "", agent=agent, channel=channel)
    return _ordered(screen, answer)


@command(
    publish,
    "resume",
    example="copydesk publish resume\ncopydesk publish resume --channel x\n"
    'copydesk publish resume --after-restore --reason "Nothing went out after the backup of 9 a.m."',
)
def resume(
    screen: Screen,
    database: Database,
    *,
    reason: Reason = None,
    agent: Agent = None,
    channel: Channel = None,
    after_restore: Annotated[
        bool,
        typer.Option(
            "--after-restore", help="Publish from here by a database that was restored, copied or promoted; say why."
        ),
    ] = False,
    actor: As = None,
) -> int | None:
    """Let workers send again: of this agent, on this channel; without either, everything that was stopped.

    With --after-restore: let this machine publish by the database as it is now, whatever it published from before.
    """
    from review import ReviewDesk
    from review.publication.holding import resume_after_restore

    name, source = current_actor(actor)
    desk = ReviewDesk(database.manager)
    if after_restore:
        if agent is not None or channel is not None:
            raise BadSetting("--after-restore is about everything: --agent and --channel don't go with it")
        return _ordered(screen, resume_after_restore(desk, actor=name, actor_source=source, reason=reason or ""))
    answer = desk.resume(actor=name, actor_source=source, reason=reason, agent=agent, channel=channel)
    return _ordered(screen, answer)


def _ordered(screen: Screen, answer: Ordered | Refusal) -> int | None:
    """Show what holds for all outputs after an order, or why it was refused."""
    from review import Refusal

    if isinstance(answer, Refusal):
        about: dict[str, JsonValue] = {"code": answer.code, "message": answer.message}
        screen.failure(answer.code, answer.message, answer.hint, about)
        return answer.exit_code
    if screen.json:
        screen.value({"position": answer.position, "changed": answer.changed, "stops": _stops(answer.orders)})
        return None
    if not answer.changed:
        screen.say("nothing to do: it is so already")
    _say_stops(screen, answer.orders)
    if not answer.orders.stops:
        screen.say("publication is not stopped")
    return None


def as_object(summary: Summary) -> dict[str, JsonValue]:
    """A run of the worker as JSON, with the keys that `publish once --json` has."""
    return {
        "published": summary.published,
        "failed": summary.failed,
        "uncertain": summary.uncertain,
        "skipped": summary.skipped,
        "held": summary.held,
        "outputs": [_outcome(outcome) for outcome in summary.outputs],
    }


def tell(screen: Screen, summary: Summary, *, skipped: bool = True) -> None:
    """Say what became of each output; with `--json`, an object a line."""
    for outcome in summary.outputs:
        state = "gone" if outcome.state is None else outcome.state.value
        quiet = outcome.receipt is None and outcome.code not in ("NOT_SENT", "UNCERTAIN")
        if quiet and not skipped:
            continue
        if screen.json:
            screen.value(_outcome(outcome))
            continue
        where = outcome.message
        if outcome.receipt is not None:
            where = outcome.receipt.url or outcome.receipt.external_id
        screen.say_parts((f"{outcome.output_id} ", "bold"), (f"{state}  ", STATES.get(state, "")), (where, ""))


def exit_code(summary: Summary) -> ExitCode:
    """What a script learns of a run: the worst that happened."""
    if summary.uncertain:
        return ExitCode.UNCERTAIN
    if summary.failed:
        return ExitCode.FAILURE
    if summary.held is not None:
        return ExitCode.REFUSED
    if summary.published:
        return ExitCode.OK
    refused = [outcome for outcome in summary.outputs if outcome.code not in ("NOT_DUE", "STATE", "DRY_RUN")]
    return ExitCode.REFUSED if refused else ExitCode.NOTHING_TO_DO


def _stops(orders: Orders) -> list[JsonValue]:
    return [
        {"agent": stop.agent, "channel": stop.channel, "actor": stop.actor, "reason": stop.reason}
        for stop in orders.stops
    ]


def say_held(screen: Screen, held: str) -> None:
    """Say why publication holds on this machine, and what to do."""
    from review.publication.mark import HINT

    screen.say_parts(("publication holds on this machine ", "bold red"), (held, ""))
    screen.say_parts(("what to do: ", "bold"), (HINT, ""))


def _say_stops(screen: Screen, orders: Orders) -> None:
    for stopped in orders.stops:
        screen.say_parts(("publication is stopped ", "bold red"), (stopped.told(), ""))


def _outcome(outcome: Outcome) -> dict[str, JsonValue]:
    receipt = outcome.receipt
    return {
        "output_id": outcome.output_id,
        "state": None if outcome.state is None else outcome.state.value,
        "receipt": None if receipt is None else {"external_id": receipt.external_id, "url": receipt.url},
        "code": outcome.code,
        "message": outcome.message,
    }
