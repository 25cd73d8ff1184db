"""`copydesk publish`: send what is approved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import JsonValue

from capture.cli import Column, Database, ExitCode, Screen, command, group, until_stopped
from review.cli.session import at_the_desk
from review.cli.shown import STATES, listed

if TYPE_CHECKING:
    from review.publication.worker import Outcome, Summary

publish = group("publish", "Send what is approved, and see what became of it.")

_WAITING = ("approved", "publishing", "uncertain", "publish_failed", "retracting")


@command(publish, "once", example="copydesk publish once\ncopydesk publish once --json | jq .outputs")
def once(screen: Screen, database: Database) -> int | None:
    """Send everything that is approved and due, each once; exit 6 when there is nothing."""
    from review import PublishingWorker

    summary = PublishingWorker(at_the_desk(database)).run_once()
    if screen.json:
        screen.value(as_object(summary))
    else:
        tell(screen, summary)
        if not summary.outputs:
            screen.say("nothing is approved and waits to be sent")
    return exit_code(summary)


@command(publish, "status", example="copydesk publish status\ncopydesk publish status --json | jq .counts")
def status(screen: Screen, database: Database) -> int | None:
    """Show what waits to be sent, is being sent, failed, or is uncertain."""
    from review.queue import count_by_state, list_outputs

    desk = at_the_desk(database)
    counts = {state.value: count for state, count in count_by_state(desk.manager).items()}
    page = list_outputs(desk.manager, states=_WAITING, limit=500)
    rows = [{**listed(row), "publisher": row.publisher} for row in page.rows]
    if screen.json:
        screen.value({"counts": dict(counts), "outputs": list(rows), "more": page.after is not None})
        return None
    columns = (
        Column("output_id", "OUTPUT"),
        Column("state", "STATE", STATES),
        Column("publisher", "PUBLISHER"),
        Column("channel", "CHANNEL"),
        Column("identity", "IDENTITY"),
        Column("body", "BODY", elastic=True),
    )
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

    def look() -> bool:
        summary = worker.run_once()
        tell(screen, summary, skipped=False)
        screen.flush()
        return bool(summary.published)

    return until_stopped(look, every)


def as_object(summary: Summary) -> dict[str, JsonValue]:
    """A run of the worker as JSON, with the keys that `publish once --json` has."""
    return {
        "published": summary.published,
        "failed": summary.failed,
        "uncertain": summary.uncertain,
        "skipped": summary.skipped,
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
    if summary.published:
        return ExitCode.OK
    refused = [outcome for outcome in summary.outputs if outcome.code not in ("NOT_DUE", "STATE")]
    return ExitCode.REFUSED if refused else ExitCode.NOTHING_TO_DO


def _outcome(outcome: Outcome) -> dict[str, JsonValue]:
    receipt = outcome.receipt
    return {
        "output_id": outcome.output_id,
        "state": None if outcome.state is None else outcome.state.value,
        "receipt": None if receipt is None else {"external_id": receipt.external_id, "url": receipt.url},
        "code": outcome.code,
        "message": outcome.message,
    }
