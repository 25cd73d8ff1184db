"""`copydesk run`: everything that has to happen between an agent's log line and a published post, but the verdict."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import JsonValue

from capture.cli import Database, ExitCode, Screen, command, until_stopped
from review.cli.publish import as_object, exit_code, tell

if TYPE_CHECKING:
    from projections import ProjectionRunner
    from review import PublishingWorker
    from review.publication.worker import Outcome, Summary


@dataclass
class Done:
    """What a run has done so far.

    Attributes:
        adopted: Events of processes that are gone, taken over from their journals.
        quarantined: Records of theirs that are no events.
        projected: Events that read tables took in; one that several tables handle counts for each.
        outcomes: What became of each output that was looked at, by its id: the last word.
    """

    adopted: int = 0
    quarantined: int = 0
    projected: int = 0
    outcomes: dict[str, Outcome] = field(default_factory=dict)


def round_of(runner: ProjectionRunner, worker: PublishingWorker, done: Done) -> bool:
    """Adopt journals, bring tables up to date, publish. True when something happened, so that there may be more."""
    from capture import recover_journals

    adopted = recover_journals(runner.manager)
    projected = runner.run_once()
    summary = worker.run_once()
    done.adopted += adopted.events
    done.quarantined += adopted.quarantined
    done.projected += projected
    sent = False
    for outcome in summary.outputs:
        # A second look at what was sent or refused a moment ago says less than the first.
        if outcome.receipt is not None or outcome.code in ("NOT_SENT", "UNCERTAIN"):
            done.outcomes[outcome.output_id] = outcome
            sent = True
        else:
            done.outcomes.setdefault(outcome.output_id, outcome)
    return bool(adopted.events or projected or sent)


def register(program: typer.Typer) -> None:
    """Add the command to the program."""

    @command(program, "run", example="copydesk run\ncopydesk run --once --json")
    def run(
        screen: Screen,
        database: Database,
        *,
        once: Annotated[bool, typer.Option("--once", help="Until nothing is left, then end.")] = False,
        every: Annotated[float, typer.Option(min=0.1, metavar="SECONDS", help="How often to look.")] = 0.5,
    ) -> int | None:
        """Adopt journals, keep the read tables current, and publish what is approved, until Ctrl-C or SIGTERM."""
        from projections import ProjectionRunner
        from review import PublishingWorker, ReviewDesk

        runner = ProjectionRunner(database.manager)
        worker = PublishingWorker(ReviewDesk(database.manager))
        if once:
            return _once(screen, runner, worker)

        def look() -> bool:
            done = Done()
            more = round_of(runner, worker, done)
            if screen.json and more:
                screen.value(_report(runner, done))
            elif more:
                _say(screen, runner, done, skipped=False)
            screen.flush()
            return more

        screen.note(f"working on {database.manager.url}; Ctrl-C ends it")
        return until_stopped(look, every)


def _once(screen: Screen, runner: ProjectionRunner, worker: PublishingWorker) -> ExitCode | None:
    done = Done()
    while round_of(runner, worker, done):
        pass
    if screen.json:
        screen.value(_report(runner, done))
    else:
        _say(screen, runner, done, skipped=True)
    code = exit_code(_summary(done))
    if code in (ExitCode.UNCERTAIN, ExitCode.FAILURE):
        return code
    return ExitCode.FAILURE if runner.stopped else None


def _report(runner: ProjectionRunner, done: Done) -> dict[str, JsonValue]:
    return {
        "adopted": done.adopted,
        "quarantined": done.quarantined,
        "projected": done.projected,
        **as_object(_summary(done)),
        "stopped": dict(runner.stopped),
    }


def _say(screen: Screen, runner: ProjectionRunner, done: Done, *, skipped: bool) -> None:
    parts = [f"{done.projected:,} events projected"]
    if done.adopted:
        parts.append(f"{done.adopted:,} adopted from journals")
    if done.quarantined:
        parts.append(f"{done.quarantined:,} quarantined")
    screen.say(", ".join(parts))
    tell(screen, _summary(done), skipped=skipped)
    for name, reason in runner.stopped.items():
        screen.say_parts((f"{name} can't go on: ", "bold red"), (reason, ""))


def _summary(done: Done) -> Summary:
    from review.publication.worker import Summary

    return Summary(tuple(done.outcomes.values()))
