"""How a command is declared: a function that takes a `Screen`, a `Database` and its own arguments.

    @command(events, "show", example="copydesk events show 42")
    def show(screen: Screen, database: Database, event: Annotated[str, typer.Argument()]) -> int | None: ...

`--json`, `--database-url` and the example in the help come from here, so that no command can lack them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import typer

from capture.cli.options import Database, DatabaseUrl, JsonFlag
from capture.cli.output import Screen

Command = TypeVar("Command", bound=Callable[..., int | None])


def group(name: str, about: str) -> typer.Typer:
    """A group of commands.

    Args:
        name: As it is typed; empty for the program itself.
        about: One sentence for its help.
    """
    return typer.Typer(
        name=name or None,
        help=about,
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )


def command(parent: typer.Typer, name: str, *, example: str, default: bool = False) -> Callable[[Command], Command]:
    """Declare a command of a group.

    Args:
        parent: The group, or the program itself.
        name: As it is typed.
        example: One or more lines that a user could type; the help ends with them.
        default: It runs, without arguments of its own, when the group is named alone.

    Returns:
        A decorator. The function may take `Screen` and `Database`; it returns an exit code, or None for 0.
    """

    def declare(function: Command) -> Command:
        signature = inspect.signature(function, eval_str=True)
        injected = {p.name: p.annotation for p in signature.parameters.values() if p.annotation in (Screen, Database)}
        own = [p.replace(kind=p.KEYWORD_ONLY) for p in signature.parameters.values() if p.name not in injected]
        shared = [
            inspect.Parameter("json_", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=JsonFlag),
            inspect.Parameter("database_url", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=DatabaseUrl),
        ]

        def run(*, json_: bool, database_url: str | None, **arguments: Any) -> None:
            with Database(database_url) as database:
                given = {Screen: Screen(json=json_), Database: database}
                code = function(**{name: given[kind] for name, kind in injected.items()}, **arguments)
            raise typer.Exit(int(code or 0))

        run.__doc__ = function.__doc__
        run.__signature__ = signature.replace(parameters=[*own, *shared], return_annotation=None)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in (*own, *shared)}
        lines = "\n".join(f"  {line}" for line in example.splitlines())
        parent.command(name, epilog=f"Example:\n\n\b\n{lines}", no_args_is_help=False)(run)
        if default:
            _run_alone(parent, run, {p.name: p.default for p in own})
        return function

    return declare


def _run_alone(parent: typer.Typer, run: Callable[..., None], without: dict[str, Any]) -> None:
    def alone(context: typer.Context, *, json_: JsonFlag = False, database_url: DatabaseUrl = None) -> None:
        if context.invoked_subcommand is None:
            run(json_=json_, database_url=database_url, **without)

    parent.callback(invoke_without_command=True, no_args_is_help=False, help=parent.info.help)(alone)
