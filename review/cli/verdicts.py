"""Verdicts: `approve`, `edit`, `changes`, `reject`, `revoke`, `resolve`; and `wait`, by which a script hears of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer
from pydantic import JsonValue

from capture import BadSetting
from capture.cli import As, Database, ExitCode, Screen, command
from review.cli import bulk
from review.cli.answer import by, outcome
from review.cli.editor import edited, from_file
from review.cli.inbox import OutputId, review
from review.cli.session import at_the_desk, find
from review.cli.shown import show

if TYPE_CHECKING:
    from review import Output, ReviewDesk
    from review.commands import Command
    from review.queue import Listed

Hash = Annotated[
    str | None,
    typer.Option("--hash", metavar="HASH", help="The hash of the content that you saw; asked for on a terminal."),
]
Note = Annotated[str | None, typer.Option("--note", metavar="TEXT", help="A remark, for the record and the agent.")]
Reason = Annotated[
    str | None,
    typer.Option(
        "--reason",
        metavar="CODE",
        help="off_brand, tone, inaccurate, unsafe, spam, duplicate, wrong_account, wrong_time, legal, or other.",
    ),
]
CommandId = Annotated[
    str | None,
    typer.Option("--command-id", metavar="ID", help="Repeating a command under its id gives its first result."),
]


@command(
    review,
    "approve",
    example="copydesk review approve 01933a8e --hash 3f5a…\ncopydesk review approve 01933a8e --hash 3f5a… --json\n"
    "copydesk review approve --filter channel=x --filter agent=herald --expect-count 12",
)
def approve(
    screen: Screen,
    database: Database,
    output: bulk.OneOutput = None,
    *,
    seen: Hash = None,
    note: Note = None,
    given: bulk.Filter = None,
    expected: bulk.ExpectCount = None,
    overrides: Annotated[
        str | None,
        typer.Option("--duplicate-of", metavar="OUTPUT", help="The earlier output that this one may repeat."),
    ] = None,
    actor: As = None,
    command_id: CommandId = None,
) -> int | None:
    """Approve exactly the content that you saw; or many outputs, by a filter."""
    desk = at_the_desk(database)
    if bulk.asked(output, given, expected, [seen, overrides, command_id]):
        from review import commands

        def one(row: Listed) -> Command:
            return commands.Approve(output_id=row.output_id, content_hash=row.content_hash, note=note, **by(actor))

        return bulk.decide(screen, desk, "approve", one, given=given, expected=expected)
    found = find(desk, output or "")
    answer = desk.approve(
        found.output_id,
        _seen(screen, desk, found, seen, "approve", actor),
        **by(actor),
        note=note,
        overrides_duplicate=overrides,
        command_id=command_id,
    )
    return outcome(screen, answer)


@command(
    review,
    "edit",
    example='copydesk review edit 01933a8e --hash 3f5a… --body "Thank you!"\n'
    "copydesk review edit 01933a8e --hash 3f5a… --body-file better.txt\n"
    "copydesk review edit 01933a8e",
)
def edit(
    screen: Screen,
    database: Database,
    output: OutputId,
    *,
    seen: Hash = None,
    body: Annotated[str | None, typer.Option(metavar="TEXT", help="The new body.")] = None,
    body_file: Annotated[
        str | None, typer.Option(metavar="FILE", help="A file with the new body; - for standard input.")
    ] = None,
    note: Note = None,
    actor: As = None,
    command_id: CommandId = None,
) -> int | None:
    """Replace the content that you saw; approvals of it are void. On a terminal your editor opens."""
    if body is not None and body_file is not None:
        raise BadSetting("one new body was expected, found --body and --body-file", hint="use one of them")
    desk = at_the_desk(database)
    found = find(desk, output)
    if body_file is not None:
        body = from_file(body_file)
    elif body is None:
        if not screen.person:
            raise BadSetting(
                "a new body was expected", hint="--body TEXT, --body-file FILE, or an editor on a terminal"
            )
        body, seen = edited(found.body), seen or found.content_hash
    if seen is None:
        seen = _seen(screen, desk, found, seen, "edit", actor)
    answer = desk.edit(found.output_id, _hash(seen), body=body, **by(actor), note=note, command_id=command_id)
    return outcome(screen, answer)


@command(
    review,
    "changes",
    example='copydesk review changes 01933a8e --hash 3f5a… --reason tone --note "Friendlier, please"\n'
    'copydesk review changes --filter text="buy now" --reason tone --expect-count 5',
)
def changes(
    screen: Screen,
    database: Database,
    output: bulk.OneOutput = None,
    *,
    seen: Hash = None,
    reason: Reason = None,
    note: Note = None,
    given: bulk.Filter = None,
    expected: bulk.ExpectCount = None,
    actor: As = None,
    command_id: CommandId = None,
) -> int | None:
    """Ask the agent for another version, with a reason; or the agents of many outputs, by a filter."""
    desk = at_the_desk(database)
    if bulk.asked(output, given, expected, [seen, command_id]):
        from review import commands

        def one(row: Listed) -> Command:
            return commands.RequestChanges(
                output_id=row.output_id, content_hash=row.content_hash, reason_code=reason, note=note, **by(actor)
            )

        return bulk.decide(screen, desk, "changes", one, given=given, expected=expected)
    found = find(desk, output or "")
    answer = desk.request_changes(
        found.output_id,
        _seen(screen, desk, found, seen, "request changes", actor),
        **by(actor),
        reason_code=reason,
        note=note,
        command_id=command_id,
    )
    return outcome(screen, answer)


@command(
    review,
    "reject",
    example="copydesk review reject 01933a8e --hash 3f5a… --reason off_brand\n"
    "copydesk review reject --filter risk=toxic --reason unsafe --expect-count 3",
)
def reject(
    screen: Screen,
    database: Database,
    output: bulk.OneOutput = None,
    *,
    seen: Hash = None,
    reason: Reason = None,
    note: Note = None,
    given: bulk.Filter = None,
    expected: bulk.ExpectCount = None,
    actor: As = None,
    command_id: CommandId = None,
) -> int | None:
    """Decide that the output is never published, with a reason; or many outputs, by a filter."""
    desk = at_the_desk(database)
    if bulk.asked(output, given, expected, [seen, command_id]):
        from review import commands

        def one(row: Listed) -> Command:
            return commands.Reject(
                output_id=row.output_id, content_hash=row.content_hash, reason_code=reason, note=note, **by(actor)
            )

        return bulk.decide(screen, desk, "reject", one, given=given, expected=expected)
    found = find(desk, output or "")
    answer = desk.reject(
        found.output_id,
        _seen(screen, desk, found, seen, "reject", actor),
        **by(actor),
        reason_code=reason,
        note=note,
        command_id=command_id,
    )
    return outcome(screen, answer)


@command(review, "revoke", example='copydesk review revoke 01933a8e --note "Not before Monday"')
def revoke(
    screen: Screen,
    database: Database,
    output: OutputId,
    *,
    seen: Hash = None,
    note: Note = None,
    actor: As = None,
    command_id: CommandId = None,
) -> int | None:
    """Take the approval back, before the sending has started."""
    desk = at_the_desk(database)
    seen = None if seen is None else _hash(seen)
    answer = desk.revoke(find(desk, output).output_id, seen, **by(actor), note=note, command_id=command_id)
    return outcome(screen, answer)


@command(
    review,
    "resolve",
    example='copydesk review resolve 01933a8e published --external-id 4711 --note "It is on the page"\n'
    'copydesk review resolve 01933a8e failed --note "The platform says it never came"',
)
def resolve(
    screen: Screen,
    database: Database,
    output: OutputId,
    result: Annotated[str, typer.Argument(metavar="published|failed", help="What you found on the platform.")],
    *,
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="How you know.")] = "",
    external_id: Annotated[str | None, typer.Option(metavar="ID", help="The platform's own id of it.")] = None,
    url: Annotated[str | None, typer.Option(metavar="URL", help="Where it can be seen.")] = None,
    actor: As = None,
    command_id: CommandId = None,
) -> int | None:
    """Say what became of a send that nobody knows the fate of."""
    from review import Receipt

    desk = at_the_desk(database)
    known: Literal["published", "failed"]
    if result == "published":
        known = "published"
    elif result == "failed":
        known = "failed"
    else:
        raise BadSetting(f"published or failed was expected, found {result[:60]!a}")
    answer = desk.resolve(
        find(desk, output).output_id,
        known,
        **by(actor),
        note=note,
        receipt=None if external_id is None else Receipt(external_id, url),
        command_id=command_id,
    )
    return outcome(screen, answer)


@command(review, "wait", example="copydesk review wait 01933a8e-7f5c-7c3a-9d54-0f6a3c1e2b90 --timeout 3600 --json")
def wait(
    screen: Screen,
    database: Database,
    output: Annotated[str, typer.Argument(metavar="OUTPUT", help="The whole id; it may come later.")],
    *,
    timeout: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="How long to wait.")] = 300.0,
) -> int | None:
    """Wait until an output is decided; exit 8 when the time is over first."""
    from review import wait as wait_for

    verdict = wait_for(output, timeout, manager=database.manager)
    value: dict[str, JsonValue] = {
        "output_id": verdict.output_id,
        "decided": verdict.decided,
        "state": None if verdict.state is None else verdict.state.value,
        "actor": verdict.actor,
        "reason_code": verdict.reason_code,
        "note": verdict.note,
        "body": verdict.body,
        "content_hash": verdict.content_hash,
        "edited": verdict.edited,
        "diff": [{"what": change.what, "text": change.text} for change in verdict.diff],
        "ignored": [{"position": ignored.position, "code": ignored.code} for ignored in verdict.ignored],
    }
    if not verdict.decided and screen.json:
        screen.failure("TIMED_OUT", f"no verdict within {timeout:g} s", "silence never approves", value)
    else:
        labels = {"output_id": "Output", "state": "State", "actor": "By", "reason_code": "Reason", "note": "Note"}
        screen.object(value, labels)
        if verdict.edited and verdict.body is not None and not screen.json:
            screen.content(verdict.body)
    return None if verdict.decided else ExitCode.TIMED_OUT


def _seen(  # noqa: PLR0917 - who sees what, where
    screen: Screen, desk: ReviewDesk, output: Output, given: str | None, verb: str, actor: str | None
) -> str:
    """The hash that the verdict names: given, or of what a person at the terminal has just been shown."""
    if given is not None:
        return _hash(given)
    if not screen.person:
        raise BadSetting(
            "the hash of the content that you saw was expected",
            hint=f"--hash HASH; `copydesk review show {output.output_id}` shows it",
        )
    show(screen, output)
    screen.flush()
    desk.show(output.output_id, **by(actor))
    if not typer.confirm(f"{verb} exactly this?"):
        raise typer.Abort
    return output.content_hash


def _hash(given: str) -> str:
    return given.strip().lower()
