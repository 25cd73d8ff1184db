"""What commands show, and what becomes of what goes wrong."""

from __future__ import annotations

import io
import json
from typing import Annotated

import pytest
import typer

from capture.cli import Column, Database, ExitCode, Screen, actor, command, group, run
from capture.errors import NotFound
from capture.settings import Settings

COLUMNS = (Column("name", "NAME"), Column("count", "COUNT", right=True), Column("body", "BODY", elastic=True))
ROWS = [{"name": "a\tb", "count": 3, "body": "[red]x[/red]\n\x1b[31m", "other": [1]}, {"name": "c", "count": None}]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """True."""
        return True


def test_a_pipe_gets_stable_columns() -> None:
    """In a pipe a row is a line with a tab between its columns, nothing is cut, and nothing in it can add a line."""
    out = io.StringIO()
    Screen(out=out).table(ROWS, COLUMNS, empty="none")
    assert out.getvalue() == "a\\tb\t3\t[red]x[/red]\\n\\u{1b}[31m\nc\t\t\n"


def test_json_has_every_key_and_hides_nothing() -> None:
    """With --json a row is one line with all its keys, and what could hide in a text is a JSON escape."""
    out = io.StringIO()
    Screen(json=True, out=out).table([*ROWS, {"body": "\u202eevil\x9b"}], COLUMNS)
    lines = out.getvalue().splitlines()
    assert [json.loads(line) for line in lines] == [*ROWS, {"body": "\u202eevil\x9b"}]
    assert lines[2] == '{"body": "\\u202eevil\\u009b"}'


def test_a_terminal_gets_a_table_in_which_markup_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal there are headings and colour, and `[red]` is five characters."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    out = Terminal()
    screen = Screen(out=out)
    screen.table(ROWS, COLUMNS)
    screen.say_parts(("[bold]", "green"), (" :smile: ", ""))
    shown = out.getvalue()
    assert "NAME" in shown
    assert "[red]x[/red]\\n\\u{1b}[31m" in shown
    assert "\x1b[32m[bold]\x1b[0m :smile:" in shown


def test_no_color_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    """With NO_COLOR a terminal gets the same table without colours."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    out = Terminal()
    Screen(out=out).say("done", "green")
    assert out.getvalue() == "done\n"


def test_content_never_leaves_its_gutter() -> None:
    """An agent's text is shown line by line behind the gutter."""
    out = io.StringIO()
    Screen(out=out).content("one\napproved by alice\r\x1b[1A")
    assert out.getvalue() == "│ one\n│ approved by alice\\r\\u{1b}[1A\n"


def test_an_error_is_two_lines_or_one_object() -> None:
    """A failure is said on standard error; with --json it is the object `error` on standard output."""
    out, err = io.StringIO(), io.StringIO()
    Screen(out=out, err=err).error(NotFound("an output was expected, found\nnone", hint="try another"))
    assert (out.getvalue(), err.getvalue()) == ("", "copydesk: an output was expected, found\\nnone\n  try another\n")
    Screen(json=True, out=out, err=err).failure("NOT_FOUND", "m", "h", {"output_id": "o"})
    assert json.loads(out.getvalue()) == {
        "output_id": "o",
        "error": {"code": "NOT_FOUND", "message": "m", "hint": "h"},
    }


def program() -> typer.Typer:
    """A small program, declared as the real one is."""
    root, sub = group("", "A program."), group("things", "Things.")
    root.add_typer(sub)

    @command(sub, "show", example="copydesk things show 3\ncopydesk things show 3 --json")
    def show(
        screen: Screen, database: Database, thing: Annotated[int, typer.Argument(help="Which.")] = 1
    ) -> int | None:
        """Show a thing."""
        if thing == 404:
            raise NotFound(f"there is no thing {thing}", hint="name another")
        if thing == 500:
            raise RuntimeError("oh")
        if thing == 130:
            raise KeyboardInterrupt
        if thing == 13:
            raise PermissionError(13, "Permission denied", "x.db")
        screen.object({"thing": thing, "url": database.given_url}, {"thing": "Thing", "url": "Database"})
        return ExitCode.CONFLICT if thing == 3 else None

    return root


@pytest.mark.parametrize(
    ("arguments", "code", "out", "err"),
    [
        ("things show 2", 0, "Thing     2\n", ""),
        ("things show 3 --database-url sqlite://", 3, "Thing     3\nDatabase  sqlite://\n", ""),
        ("things show 3 --json", 3, '{"thing": 3, "url": null}\n', ""),
        ("things show 404", 5, "", "copydesk: there is no thing 404\n  name another\n"),
        ("things show 13", 1, "", "copydesk: x.db: Permission denied\n"),
        ("things show 130", 130, "", ""),
        (
            "things shwo",
            2,
            "",
            "copydesk: no such command 'shwo'. Did you mean 'show'?\n  `copydesk things --help` shows",
        ),
        ("thigns", 2, "", "copydesk: no such command 'thigns'. Did you mean 'things'?\n"),
        ("things show --jsno", 2, "", "copydesk: no such option: --jsno (Possible options: --json)\n"),
        ("things show x", 2, "", "copydesk: invalid value for 'thing'"),
        ("things", 2, "", "Usage: copydesk things"),
        ("things show 500", 1, "", "copydesk: a defect of copydesk: RuntimeError: oh (test_output.py:"),
        ("things show \ud800", 2, "", "copydesk: arguments in UTF-8 were expected, found '\\ud800'\n"),
    ],
)
def test_every_outcome_is_an_exit_code_and_a_line(
    capsys: pytest.CaptureFixture[str], arguments: str, code: int, out: str, err: str
) -> None:
    """Whatever happens, the user gets the documented exit code and a line or two, never a traceback."""
    assert run(program(), arguments.split(" ")) == code
    shown = capsys.readouterr()
    assert shown.out == out
    assert shown.err.startswith(err)
    assert "Traceback" not in shown.err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [("things shwo --json", "USAGE"), ("things show 404 --json", "NOT_FOUND"), ("things --json", "USAGE")],
)
def test_failures_before_the_command_are_json_too(
    capsys: pytest.CaptureFixture[str], arguments: str, code: str
) -> None:
    """With --json even a mistyped command is answered by the object `error` on standard output."""
    assert run(program(), arguments.split(" ")) != 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["error"]["code"] == code
    assert shown.err == ""


def test_every_command_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    """The help of a command ends with its example, line by line."""
    assert run(program(), ["things", "show", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "Show a thing." in shown
    assert "--json" in shown
    assert "--database-url" in shown
    assert shown.endswith("    copydesk things show 3\n    copydesk things show 3 --json\n")


NOBODY = Settings.from_environment({})


def test_the_actor_is_the_flag_then_the_environment_then_the_user() -> None:
    """Who decides is named with how it was known, and the environment's USER is not believed."""
    assert actor.current("alice", NOBODY) == ("alice", "flag")
    assert actor.current(None, Settings.from_environment({"COPYDESK_ACTOR": "bob"})) == ("bob", "environment")
    name, source = actor.current(None, NOBODY)
    assert source == "system"
    assert name
