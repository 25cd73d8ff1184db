"""Verdicts on many outputs at once: what a filter chose is counted, shown, and decided one by one, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import JsonValue

from capture import BadSetting, CopydeskError
from capture.cli import ExitCode, Screen
from review.cli import filters
from review.cli.shown import COLUMNS, listed

if TYPE_CHECKING:
    from review import Accepted, Refusal, ReviewDesk
    from review.commands import Command
    from review.queue import Listed

OneOutput = Annotated[
    str | None, typer.Argument(metavar="OUTPUT", help="The id of an output, or how it begins; none with --filter.")
]
Filter = Annotated[
    list[str] | None,
    typer.Option(
        "--filter",
        metavar="KEY=VALUE",
        help="All that wait and fit, in place of one: channel, agent, identity, kind, risk, text, older_than, "
        "newer_than. May be repeated.",
    ),
]
ExpectCount = Annotated[
    int | None,
    typer.Option("--expect-count", min=0, metavar="N", help="Act only if the filter chooses exactly so many."),
]

_SAMPLE = 10
_NO_LONGER = frozenset({"STATE", "FINAL", "IN_FLIGHT", "PUBLISHED", "UNCERTAIN"})


def asked(output: str | None, given: list[str] | None, expected: int | None, of_one: Sequence[str | None]) -> bool:
    """True when a filter takes the place of one output.

    Args:
        output: The id that was given.
        given: What `--filter` said.
        expected: What `--expect-count` said.
        of_one: Options that are about one output.

    Raises:
        BadSetting: Neither was given, or both.
    """
    if given and (output is not None or any(value is not None for value in of_one)):
        raise BadSetting(
            "one output or a filter was expected, found both", hint="--hash and such go with the id of one output"
        )
    if not given and output is None:
        raise BadSetting("the id of an output, or --filter, was expected", hint="`copydesk review list` shows the ids")
    if not given and expected is not None:
        raise BadSetting("--expect-count goes with --filter", hint="leave it out")
    return bool(given)


def decide(
    screen: Screen,
    desk: ReviewDesk,
    verb: str,
    one: Callable[[Listed], Command],
    *,
    given: list[str] | None,
    expected: int | None,
) -> int | None:
    """Decide all that a filter chooses, each alone and on the content that was listed.

    Args:
        screen: Where it is told.
        desk: The desk.
        verb: What is done, for messages.
        one: The command for one of them.
        given: What `--filter` said.
        expected: What `--expect-count` said.

    Returns:
        0 when all were accepted, 6 when the filter chose none, else the exit code of the first that was not.
    """
    from review.queue import list_all

    rows = list(list_all(desk.manager, **filters.parsed(given or [])))
    if not rows:
        return _nothing(screen)
    if expected != len(rows):
        return _not_as_expected(screen, verb, rows, expected)
    answers: list[Accepted | Refusal] = []
    code: int | None = None
    try:
        with screen.progress(verb, len(rows)) as advance:
            for row in rows:
                answers.append(desk.do(one(row)))
                advance(1)
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    try:
        desk.refresh()
    except CopydeskError as error:
        screen.note(f"agents_outputs was not brought up to date: {error}")
    _sum_up(screen, verb, len(rows), answers)
    return code or next((answer.exit_code for answer in answers if answer.exit_code), None)


def _nothing(screen: Screen) -> int:
    if screen.json:
        screen.failure("NOTHING_TO_DO", "the filter chooses nothing that waits", "", {"count": 0, "sample": []})
    else:
        screen.say("the filter chooses nothing that waits")
    return ExitCode.NOTHING_TO_DO


def _not_as_expected(screen: Screen, verb: str, rows: list[Listed], expected: int | None) -> int:
    sample = [listed(row) for row in rows[:_SAMPLE]]
    if not screen.json:
        screen.table(sample, COLUMNS)
        if len(rows) > _SAMPLE:
            screen.say(f"… and {len(rows) - _SAMPLE:,} more", "dim")
        screen.say(f"{len(rows):,} outputs")
    about: dict[str, JsonValue] = {"count": len(rows), "sample": list(sample)}
    if expected is None:
        hint = f"to {verb} exactly these: --expect-count {len(rows)}"
        screen.failure("EXPECT_COUNT", "how many you expect was expected: nothing was decided", hint, about)
        return ExitCode.USAGE
    message = f"{expected:,} outputs were expected, the filter chooses {len(rows):,}: nothing was decided"
    screen.failure("COUNT", message, "look at them again: copydesk review list", about)
    return ExitCode.CONFLICT


def _sum_up(screen: Screen, verb: str, count: int, answers: list[Accepted | Refusal]) -> None:
    accepted = [answer for answer in answers if answer.code == "OK"]
    late = [answer for answer in answers if answer.code in _NO_LONGER]
    refused = [answer for answer in answers if answer.code != "OK" and answer.code not in _NO_LONGER]
    if screen.json:
        screen.value(
            {
                "count": count,
                "ok": len(accepted),
                "refused": len(refused),
                "no_longer_pending": len(late),
                "not_reached": count - len(answers),
                "outputs": [_told(answer) for answer in answers],
            }
        )
        return
    for answer in (*refused, *late):
        told = _told(answer)
        screen.say_parts((f"{answer.output_id}  ", "bold"), (f"{answer.code}  ", "red"), (str(told["message"]), ""))
    screen.say(
        f"{verb}: {len(accepted):,} ok, {len(refused):,} refused, {len(late):,} no longer pending"
        + (f", {count - len(answers):,} not reached" if len(answers) < count else "")
    )


def _told(answer: Accepted | Refusal) -> dict[str, JsonValue]:
    return {
        "output_id": answer.output_id,
        "state": None if answer.state is None else answer.state.value,
        "code": answer.code,
        "message": getattr(answer, "message", None),
        "content_hash": answer.content_hash,
    }
