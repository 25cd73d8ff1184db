"""The help of every command."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
import typer

from capture.cli import run
from review.cli.app import program
from tests.acceptance.conftest import ROOT

# DESIGN's table of commands, as far as they are there.
PROMISED = {
    "demo",
    "run",
    *(f"events {name}" for name in ("emit", "import", "export", "tail", "show", "stats", "check", "catalogue")),
    *(f"events quarantine {name}" for name in ("list", "show", "retry", "discard")),
    *(f"projections {name}" for name in ("status", "run", "replay", "diff", "verify", "as-of")),
    *(f"projections dead-letters {name}" for name in ("list", "show")),
    *(f"review {name}" for name in ("list", "next", "show", "diff", "approve", "edit", "changes", "reject")),
    *(f"review {name}" for name in ("revoke", "resolve", "history", "wait")),
    *(f"review {name}" for name in ("claim", "release", "acknowledge", "flag", "retract", "withdraw")),
    *(f"review {name}" for name in ("triage", "stats", "export")),
    "review automate",
    *(f"review policy {name}" for name in ("check", "show", "adopt", "resume")),
    *(f"publish {name}" for name in ("once", "run", "status", "stop", "resume")),
    *(f"db {name}" for name in ("init", "upgrade", "status", "check", "checkpoint")),
}


def names(group: typer.Typer, before: str = "") -> Iterator[str]:
    """Every command under a group, as it is typed."""
    for command in group.registered_commands:
        yield f"{before}{command.name}"
    for part in group.registered_groups:
        assert part.typer_instance is not None
        yield from names(part.typer_instance, f"{before}{part.typer_instance.info.name} ")


COMMANDS = sorted(names(program))


def test_every_promised_command_is_there() -> None:
    """The commands of the design are there, and no others."""
    assert set(COMMANDS) == PROMISED


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_how_and_an_example(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Help says what the command does, has --json and --database-url, ends with an example, and needs no database."""
    monkeypatch.setenv("DATABASE_URL", "nonsense")
    assert run(program, [*command.split(), "--help"]) == 0
    shown = capsys.readouterr().out
    paragraphs = [part.strip() for part in shown.split("\n\n")]
    assert paragraphs[1].endswith(".")
    assert "--json" in shown
    assert "--database-url" in shown
    assert paragraphs[-2] == "Example:"
    assert all(line.strip().startswith("copydesk ") for line in paragraphs[-1].splitlines())
    assert f"copydesk {command}" in paragraphs[-1]


@pytest.mark.parametrize("group", [[], ["events"], ["projections"], ["review"], ["publish"], ["db"]], ids=str)
def test_a_group_alone_is_help_and_a_usage_error(group: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A group without a command shows its commands and ends with 2."""
    assert run(program, group) == 2
    assert "Commands:" in capsys.readouterr().err


def test_the_program_names_its_version() -> None:
    """`copydesk --version` starts as a program of its own and says one line."""
    command = [sys.executable, "-m", "review.cli.app", "--version"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("copydesk ")
    assert done.stderr == ""
