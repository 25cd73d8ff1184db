"""From `sys.argv` to an exit code: every failure becomes one or two lines, none a traceback."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from traceback import extract_tb

import typer
from typer.exceptions import TyperException

from capture.cli import hostile
from capture.cli.output import ClosedPipe, ExitCode, Screen
from capture.errors import BadSetting, CopydeskError


def run(program: typer.Typer, arguments: Sequence[str] | None = None) -> int:
    """Run a command of the program.

    Args:
        program: The whole command tree.
        arguments: What was typed after the program's name; `sys.argv` when left out.

    Returns:
        The exit code. Under `python -X dev` a defect of copydesk raises instead of being told in one line.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:  # a stream that tests put in its place has none
            reconfigure(errors="backslashreplace")
    _tell_diagnostics()
    screen = Screen(json="--json" in given)
    code = _run(program, given, screen)
    try:
        screen.flush()
    except ClosedPipe:
        _let_go_of(sys.stdout)
    except OSError as error:
        _let_go_of(sys.stdout)
        screen.failure("OUTPUT", f"the output can't be written: {error.strerror}")
        code = code or ExitCode.FAILURE
    return code


def _run(program: typer.Typer, given: list[str], screen: Screen) -> int:
    try:
        _check_encoding(given)
        outcome = typer.main.get_command(program).main(given, prog_name="copydesk", standalone_mode=False)
        return int(outcome or 0)
    except ClosedPipe:
        _let_go_of(sys.stdout)
        return ExitCode.OK
    except (typer.Abort, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    except TyperException as error:
        return _usage(error, screen)
    except Exception as error:  # noqa: BLE001 - the last line of defence: a user never sees a traceback
        return _failed(error, screen)


def _check_encoding(given: Sequence[str]) -> None:
    for argument in given:
        if any("\ud800" <= character <= "\udfff" for character in argument):
            raise BadSetting(f"arguments in UTF-8 were expected, found {argument[:60]!a}")


def _failed(error: Exception, screen: Screen) -> int:
    if isinstance(error, CopydeskError):
        screen.error(error)
        return error.exit_code
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename is not None else ""
        screen.failure("SYSTEM", f"{where}{error.strerror or error}")
        return ExitCode.FAILURE
    sqlalchemy = sys.modules.get("sqlalchemy")
    if sqlalchemy is not None and isinstance(error, sqlalchemy.exc.DBAPIError):
        answer = str(error.orig).strip().partition("\n")[0]
        screen.failure("DATABASE", f"the database answered: {answer:.300}", "`copydesk db status` says how it is")
        return ExitCode.FAILURE
    if sys.flags.dev_mode:
        raise error
    frame = extract_tb(error.__traceback__)[-1]
    screen.failure(
        "DEFECT",
        f"a defect of copydesk: {type(error).__name__}: {error!s:.300} ({Path(frame.filename).name}:{frame.lineno})",
        "`python -X dev -m review.cli.app …` shows where; please report it",
    )
    return ExitCode.FAILURE


def _usage(error: TyperException, screen: Screen) -> int:
    context = getattr(error, "ctx", None)
    if context is not None and error.message == context.get_help():
        if not screen.json:
            sys.stderr.write(f"{error.message}\n")
            return ExitCode.USAGE
        screen.failure(
            "USAGE", f"a command after {context.command_path} was expected", f"{context.command_path} --help"
        )
        return ExitCode.USAGE
    hint = f"`{context.command_path} --help` shows how it is used" if context is not None else ""
    message = error.format_message().rstrip(".")
    screen.failure("USAGE", f"{message[:1].lower()}{message[1:]}", hint)
    return ExitCode.USAGE


def _let_go_of(stream: object) -> None:
    """Point a stream that nobody reads at nothing, so that Python's own flush at exit has nothing to complain of."""
    if sys.__stdout__ is not None and stream is sys.__stdout__:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.__stdout__.fileno())
        os.close(nothing)


class _OneLine(logging.Formatter):
    """A diagnostic as one line in which nothing hides: agents' text gets into messages, too."""

    def format(self, record: logging.LogRecord) -> str:
        return f"copydesk: {record.levelname.lower()}: {hostile.harmless(record.getMessage())}"


def _tell_diagnostics() -> None:
    logger = logging.getLogger("copydesk")
    if not logger.handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(_OneLine())
        logger.addHandler(handler)
        logger.propagate = False
