"""`copydesk run`: everything that has to happen between an agent's log line and a published post, but the verdict."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import JsonValue

from capture import BadSetting
from capture.cli import Database, ExitCode, Screen, command, current_actor, until_stopped
from review.cli.publish import as_object, exit_code, say_held, tell

if TYPE_CHECKING:
    from projections import ProjectionRunner, ReplayProcess
    from review import PublishingWorker, ReviewDesk
    from review.automation.automation import Automation
    from review.publication.worker import Outcome, Summary

_logger = logging.getLogger("copydesk.run")


@dataclass
class Done:
    """What a run has done so far.

    Attributes:
        adopted: Events of processes that are gone, taken over from their journals.
        quarantined: Records of theirs that are no events.
        projected: Events that read tables took in; one that several tables handle counts for each.
        decided: Outputs that were taken up, decided by a rule, or closed since their time was over.
        replayed: Read tables that were made anew, since other code had made them.
        errors: What held a replay up.
        outcomes: What became of each output that was looked at, by its id: the last word.
        held: Why publication holds on this machine; None when it does not.
    """

    adopted: int = 0
    quarantined: int = 0
    projected: int = 0
    decided: int = 0
    replayed: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    held: str | None = None


def adopt_the_file(screen: Screen, desk: ReviewDesk) -> None:
    """Put the policy file in force, if there is one and it is another: `copydesk run` is how it takes effect.

    Raises:
        BadPolicy: The file can't be used. The running policy stays.
    """
    from review import Policy, Refusal

    path = desk.manager.settings.policy
    if not path.exists():
        return
    actor = current_actor(None)
    answer = desk.adopt(Policy.read(path), actor=actor.name, actor_source=actor.source, as_the_service=True)
    if isinstance(answer, Refusal):
        raise BadSetting(answer.message, hint=answer.hint)
    if answer.changed:
        screen.note(f"adopted {path} as {answer.orders.label}")


def round_of(runner: ProjectionRunner, automation: Automation, worker: PublishingWorker, done: Done) -> bool:
    """Adopt journals, bring tables up to date, decide, publish. True when something happened: there may be more."""
    from capture import recover_journals

    adopted = recover_journals(runner.manager)
    projected = runner.run_once()
    # The worker first: what it finds lost it also looks up, and tells.
    summary = worker.run_once()
    done.held = summary.held
    decided = automation.run_once()
    done.adopted += adopted.events
    done.quarantined += adopted.quarantined
    done.projected += projected
    done.decided += decided
    sent = False
    for outcome in summary.outputs:
        # A second look at what was sent or refused a moment ago says less than the first.
        if outcome.receipt is not None or outcome.code in ("NOT_SENT", "UNCERTAIN"):
            done.outcomes[outcome.output_id] = outcome
            sent = True
        else:
            done.outcomes.setdefault(outcome.output_id, outcome)
    return bool(adopted.events or projected or decided or sent)


def replay_round(replays: ReplayProcess, runner: ProjectionRunner, done: Done, *, timeout: float = 0.0) -> bool:
    """Hear from the process that replays what is stale, and start one if there is need. True when a table was swapped.

    Args:
        replays: The process.
        runner: Knows what is stale.
        done: What it did is added there.
        timeout: How many seconds to wait for its end.
    """
    ended = replays.ended(timeout)
    if ended is not None:
        done.replayed += ended.replayed
        if ended.error:
            done.errors.append(ended.error)
            _logger.error("a replay could not go on: %s; %s", ended.error, ended.hint)
    elif replays.start(runner.stale):
        _logger.warning("replaying %s in a process of its own", ", ".join(replays.projections))
    return ended is not None and bool(ended.replayed)


def register(program: typer.Typer) -> None:
    """Add the command to the program."""

    @command(program, "run", example="copydesk run\ncopydesk run --once --json")
    def run(
        screen: Screen,
        database: Database,
        *,
        once: Annotated[bool, typer.Option("--once", help="Until nothing is left, then end.")] = False,
        every: Annotated[float, typer.Option(min=0.1, metavar="SECONDS", help="How often to look.")] = 0.5,
        no_replay: Annotated[
            bool, typer.Option("--no-replay", help="Leave read tables that other code made as they are.")
        ] = False,
        listen: Annotated[
            str | None,
            typer.Option(
                "--listen",
                metavar="HOST:PORT",
                help="Answer /healthz and /metrics there; without HOST, to this machine.",
            ),
        ] = None,
    ) -> int | None:
        """Adopt journals, keep read tables current, apply the policy, publish what is approved, until Ctrl-C.

        A policy file that is another than the one in force is adopted at the start.

        Read tables that other code made are replayed by a process of its own meanwhile.
        """
        from projections import ProjectionRunner, ReplayProcess
        from review import PublishingWorker, ReviewDesk
        from review.automation.automation import Automation
        from review.cli.listening import Pulse, address, listening

        if listen is not None and once:
            raise BadSetting("--listen is for a run that goes on: it does not go with --once")
        if listen is not None:
            address(listen)
        runner, desk = ProjectionRunner(database.manager), ReviewDesk(database.manager)
        adopt_the_file(screen, desk)
        automation, worker = Automation(desk), PublishingWorker(desk)
        replays = None if no_replay else ReplayProcess(database.url)
        if once:
            return _once(screen, runner, automation, worker, replays)
        pulse = Pulse()
        held: str | None = None

        def look() -> bool:
            nonlocal held
            done = Done()
            more = round_of(runner, automation, worker, done)
            if replays is not None:
                more |= replay_round(replays, runner, done)
            if screen.json and more:
                screen.value(_report(runner, done))
            elif more:
                _say(screen, runner, done, skipped=False)
            if done.held is not None and done.held != held and not screen.json:
                say_held(screen, done.held)
            held = done.held
            screen.flush()
            pulse.beat()
            return more

        screen.note(f"working on {database.manager.url}; Ctrl-C ends it")
        try:
            if listen is None:
                return until_stopped(look, every)
            with listening(listen, database.manager, pulse) as url:
                screen.note(f"{url}/healthz and {url}/metrics")
                return until_stopped(look, every)
        finally:
            automation.close()
            if replays is not None:
                replays.stop()


def _once(
    screen: Screen,
    runner: ProjectionRunner,
    automation: Automation,
    worker: PublishingWorker,
    replays: ReplayProcess | None,
) -> ExitCode | None:
    done = Done()
    try:
        while round_of(runner, automation, worker, done) or (replays is not None and _replayed(replays, runner, done)):
            pass
    finally:
        automation.close()
        if replays is not None:
            replays.stop()
    if screen.json:
        screen.value(_report(runner, done))
    else:
        _say(screen, runner, done, skipped=True)
        if done.held is not None:
            say_held(screen, done.held)
    code = exit_code(_summary(done))
    if code in (ExitCode.UNCERTAIN, ExitCode.FAILURE):
        return code
    if runner.stopped or done.errors:
        return ExitCode.FAILURE
    return None if done.held is None else ExitCode.REFUSED


def _replayed(replays: ReplayProcess, runner: ProjectionRunner, done: Done) -> bool:
    """Replay what is stale, and wait for it. True when a table was swapped: there may be events to take in again."""
    replay_round(replays, runner, done)
    while replays.running:
        if replay_round(replays, runner, done, timeout=0.5):
            return True
    return False


def _report(runner: ProjectionRunner, done: Done) -> dict[str, JsonValue]:
    return {
        "adopted": done.adopted,
        "quarantined": done.quarantined,
        "projected": done.projected,
        "decided": done.decided,
        "replayed": list(done.replayed),
        **as_object(_summary(done)),
        "stopped": dict(runner.stopped),
    }


def _say(screen: Screen, runner: ProjectionRunner, done: Done, *, skipped: bool) -> None:
    parts = [f"{done.projected:,} events projected"]
    if done.adopted:
        parts.append(f"{done.adopted:,} adopted from journals")
    if done.quarantined:
        parts.append(f"{done.quarantined:,} quarantined")
    if done.decided:
        parts.append(f"{done.decided:,} outputs taken up, decided by rule or closed")
    if done.replayed:
        parts.append(f"{', '.join(done.replayed)} replayed")
    screen.say(", ".join(parts))
    for error in done.errors:
        screen.say_parts(("a replay could not go on: ", "bold red"), (error, ""))
    tell(screen, _summary(done), skipped=skipped)
    for name, reason in runner.stopped.items():
        screen.say_parts((f"{name} can't go on: ", "bold red"), (reason, ""))


def _summary(done: Done) -> Summary:
    from review.publication.worker import Summary

    return Summary(tuple(done.outcomes.values()), done.held)
