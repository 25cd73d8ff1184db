"""`copydesk demo`: the whole way once, with real agents on real input, in a folder of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import JsonValue

from capture import BadSetting, CopydeskError, Settings, new_id
from capture.cli import As, Database, Screen, command, current_actor

if TYPE_CHECKING:
    from capture import DatabaseManager
    from review import Accepted, Refusal, ReviewDesk

AGENTS = ("herald", "clerk", "reader")
"""The agents, a process each: `review.cli.demo_agents.{name}`."""

DEFAULT = "copydesk-demo"

_PATIENCE = 120.0


class AgentFailed(CopydeskError):
    """An agent of the demo ended with an error; its log says more."""

    code = "AGENT_FAILED"


def register(program: typer.Typer) -> None:
    """Add the command to the program."""

    @command(program, "demo", example="copydesk demo\ncopydesk demo my-first-desk")
    def demo(
        screen: Screen,
        database: Database,
        *,
        folder: Annotated[
            str | None, typer.Argument(metavar="[FOLDER]", help=f"A new folder; {DEFAULT} when left out.")
        ] = None,
        actor: As = None,
    ) -> int | None:
        """Three agents at work on copydesk's own pages, three verdicts, a publication, a replay."""
        began = time.monotonic()
        home = _new_folder(folder)
        settings = _settings(home)
        url = database.given_url or f"sqlite:///{home / settings.foundup}.db"
        told: dict[str, JsonValue] = {"folder": str(home)}
        _Demo(screen, home, settings, url, told).run(*current_actor(actor))
        if screen.json:
            screen.value({**told, "seconds": round(time.monotonic() - began, 3)})
        return None


class _Demo:
    def __init__(self, screen: Screen, home: Path, settings: Settings, url: str, told: dict[str, JsonValue]) -> None:
        self._screen, self._home, self._settings, self._url, self._told = screen, home, settings, url, told

    def run(self, actor: str, source: str) -> None:
        from capture import DatabaseManager

        with DatabaseManager(self._url, settings=self._settings) as manager:
            manager.ensure_schema()
            self._capture(manager)
            self._project(manager)
            self._decide(manager, actor, source)
            self._publish(manager)
            self._replay(manager)
        self._look()

    def _capture(self, manager: DatabaseManager) -> None:
        self._head("Capture: three agents in three processes log through structlog")
        orders = {
            "database_url": self._url,
            "journal": str(self._settings.journal),
            "run_id": f"demo-{new_id()}",
        }
        with _working(self._home, json.dumps(orders)) as processes:
            for name, process in processes.items():
                try:
                    code = process.wait(_PATIENCE)
                except subprocess.TimeoutExpired:
                    raise AgentFailed(f"the agent {name} was not done after {_PATIENCE:g} s") from None
                if code != 0:
                    raise AgentFailed(
                        f"the agent {name} ended with exit code {code}",
                        hint=f"its log says more: {self._home / name}.log",
                    )
        rows = manager.execute_query(
            "SELECT agent_id, event_type, count(*) AS events FROM agents_events "
            "WHERE run_id = :run GROUP BY agent_id, event_type ORDER BY agent_id, event_type",
            {"run": orders["run_id"]},
        )
        for row in rows:
            self._say(f"{row['agent_id']:<8} {row['events']:>5,}  {row['event_type']}")
        self._told["captured"] = [dict(row) for row in rows]

    def _project(self, manager: DatabaseManager) -> None:
        from projections import ProjectionRunner, status

        self._head("Projections: readable tables from the log")
        handled = ProjectionRunner(manager).run_once()
        standing = status(manager)
        for one in standing:
            for table in one.tables:
                count = manager.execute_query(f"SELECT count(*) AS rows FROM {table}")[0]["rows"]
                if count:
                    self._say(f"{count:>6,} rows  {table}")
        self._told["projected"] = handled

    def _decide(self, manager: DatabaseManager, actor: str, source: str) -> None:
        from review import ReviewDesk
        from review.queue import list_outputs

        self._head(f"Review: {actor} decides about three drafts; the others wait for you")
        desk = ReviewDesk(manager)
        by: dict[str, Any] = {"actor": actor, "actor_source": source}
        (post,) = list_outputs(manager, states=["pending"], agent="herald", channel="mastodon", limit=1).rows
        answers = sorted(
            list_outputs(manager, states=["pending"], agent="clerk").rows,
            key=lambda row: _confidence(desk, row.output_id),
        )
        worst, best = answers[0], answers[-1]
        verdicts = [
            self._verdict("approve", "as it is", desk.approve(post.output_id, post.content_hash, **by)),
        ]
        body = f"Good question! {best.body}"
        edited = desk.edit(best.output_id, best.content_hash, body=body, note="friendlier", **by)
        verdicts += [
            self._verdict("edit", "a friendlier answer", edited),
            self._verdict(
                "approve", "the content before the edit", desk.approve(best.output_id, best.content_hash, **by)
            ),
            self._verdict(
                "approve", "the content after it", desk.approve(best.output_id, edited.content_hash or "", **by)
            ),
            self._verdict(
                "reject",
                "the answer that fits its question least",
                desk.reject(worst.output_id, worst.content_hash, reason_code="inaccurate", **by),
            ),
        ]
        self._told["verdicts"] = list(verdicts)

    def _publish(self, manager: DatabaseManager) -> None:
        from review import PublishingWorker, ReviewDesk
        from review.publishers.folder import FolderPublisher

        self._head("Publication: exactly what was approved, into a folder")
        publisher = FolderPublisher(self._settings.published)
        summary = PublishingWorker(ReviewDesk(manager), {"folder": publisher}).run_once()
        published: list[JsonValue] = []
        for outcome in summary.outputs:
            if outcome.receipt is None:
                self._say(f"{outcome.output_id} was not sent: {outcome.message}")
                continue
            path = self._settings.published / outcome.receipt.external_id
            self._say(f"{path.name} ({path.stat().st_size:,} bytes)")
            published.append({"output_id": outcome.output_id, "file": str(path)})
        self._told["published"] = published

    def _replay(self, manager: DatabaseManager) -> None:
        from projections import ProjectionRunner, replay, verify

        self._head("Replay: every table is built again beside the old one, and swapped in")
        ProjectionRunner(manager).run_once()
        done = replay(manager, "all")
        equal = [one.projection for one in verify(manager) if one.ok]
        self._say(f"{len(done)} projections replayed, {len(equal)} of {len(done)} equal to what the log makes")
        self._told["replayed"] = [one.projection for one in done]
        self._told["equal"] = list(equal)

    def _look(self) -> None:
        if self._screen.json:
            return
        screen = self._screen
        self._head("Where to look")
        screen.say(f"cd {self._home}")
        # In the folder the embedded database is found by its name, unless the environment names another.
        other = Settings.from_environment().database_url != f"sqlite:///{self._settings.foundup}.db"
        given = f" --database-url {self._url}" if other and self._url.startswith("sqlite") else ""
        for what in ("review list", "events tail", "projections status", "run --once"):
            screen.say(f"{_program()} {what}{given}")
        screen.say(f"ls {self._settings.published.name}/")

    def _verdict(self, verb: str, what: str, answer: Accepted | Refusal) -> dict[str, JsonValue]:
        shown = "" if answer.state is None else answer.state.value
        said = shown if answer.code == "OK" else f"refused: {answer.code}"
        self._say(f"{verb:<8} {answer.output_id[:18]}  {what}: {said}")
        return {"verb": verb, "output_id": answer.output_id, "code": answer.code, "state": shown}

    def _head(self, text: str) -> None:
        if not self._screen.json:
            self._screen.say()
            self._screen.say(text, "bold")
            self._screen.flush()

    def _say(self, text: str) -> None:
        if not self._screen.json:
            self._screen.say(f"  {text}")


def _program() -> str:
    """What to type for `copydesk` here: an environment that is not activated has it off the path."""
    if shutil.which("copydesk"):
        return "copydesk"
    beside = Path(sys.executable).with_name("copydesk")
    return str(beside) if beside.exists() else f"{sys.executable} -m review.cli.app"


def _new_folder(given: str | None) -> Path:
    """The demo's folder: a new one, since it shows a beginning."""
    if given is not None:
        home = Path(given).absolute()
        if home.exists() and (not home.is_dir() or any(home.iterdir())):
            raise BadSetting(
                f"a new or an empty folder was expected, {home} is in use", hint="name another: copydesk demo FOLDER"
            )
    else:
        names = (DEFAULT, *(f"{DEFAULT}-{number}" for number in range(2, 1000)))
        home = next(path for name in names if not (path := Path(name).absolute()).exists())
    home.mkdir(parents=True, exist_ok=True)
    return home


def _settings(home: Path) -> Settings:
    """The user's settings, but everything that is written stays inside the folder."""
    settings = Settings.from_environment()
    return replace(
        settings,
        journal=home / f"{settings.foundup}.journal",
        media=home / f"{settings.foundup}.media",
        policy=home / "policy.toml",
        published=home / "published",
    )


@contextmanager
def _working(home: Path, orders: str) -> Iterator[dict[str, subprocess.Popen[str]]]:
    """The agents, started all at once, each with a log file; none outlives the demo."""
    processes: dict[str, subprocess.Popen[str]] = {}
    try:
        for name in AGENTS:
            command = [sys.executable, "-m", f"review.cli.demo_agents.{name}"]
            with (home / f"{name}.log").open("w", encoding="utf-8") as log:
                processes[name] = subprocess.Popen(  # noqa: S603 - our own modules
                    command, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, text=True
                )
        for process in processes.values():
            if process.stdin is not None:
                with suppress(BrokenPipeError):  # it ended already; its exit code says so
                    process.stdin.write(f"{orders}\n")
                    process.stdin.close()
        yield processes
    finally:
        for process in processes.values():
            if process.poll() is None:
                process.terminate()
                process.wait()


def _confidence(desk: ReviewDesk, output_id: str) -> float:
    output = desk.output(output_id)
    return 0.0 if output is None or output.confidence is None else output.confidence
