"""Verdicts: `approve`, `edit`, `changes`, `reject`, `revoke`, `resolve`; and `wait`, by which a script hears of one."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from pydantic import JsonValue

from capture import BadSetting
from capture.cli import As, Database, ExitCode, Screen, command, current_actor
from review.cli.inbox import OutputId, review
from review.cli.session import at_the_desk, find
from review.cli.shown import show

if TYPE_CHECKING:
    from review import Accepted, Output, Refusal

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
    example="copydesk review approve 01933a8e --hash 3f5a…\ncopydesk review approve 01933a8e --hash 3f5a… --json",
)
def approve(
    screen: Screen,
    database: Database,
    output: OutputId,
    *,
    seen: Hash = None,
    note: Note = None,
    overrides: Annotated[
        str | None,
        typer.Option("--duplicate-of", metavar="OUTPUT", help="The earlier output that this one may repeat."),
    ] = None,
    actor: As = None,
    command_id: CommandId = None,
) -> int | None:
    """Approve exactly the content that you saw."""
    desk = at_the_desk(database)
    found = find(desk, output)
    answer = desk.approve(
        found.output_id,
        _seen(screen, found, seen, "approve"),
        **_by(actor),
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
        body = _file(body_file)
    elif body is None:
        if not _person_looks_on(screen):
            raise BadSetting(
                "a new body was expected", hint="--body TEXT, --body-file FILE, or an editor on a terminal"
            )
        body, seen = _edited(found.body), seen or found.content_hash
    if seen is None:
        seen = _seen(screen, found, seen, "edit")
    answer = desk.edit(found.output_id, _hash(seen), body=body, **_by(actor), note=note, command_id=command_id)
    return outcome(screen, answer)


@command(
    review,
    "changes",
    example='copydesk review changes 01933a8e --hash 3f5a… --reason tone --note "Friendlier, please"',
)
def changes(
    screen: Screen,
    database: Database,
    output: OutputId,
    *,
    seen: Hash = None,
    reason: Reason = None,
    note: Note = None,
    actor: As = None,
    command_id: CommandId = None,
) -> int | None:
    """Ask the agent for another version, with a reason."""
    desk = at_the_desk(database)
    found = find(desk, output)
    answer = desk.request_changes(
        found.output_id,
        _seen(screen, found, seen, "request changes"),
        **_by(actor),
        reason_code=reason,
        note=note,
        command_id=command_id,
    )
    return outcome(screen, answer)


@command(review, "reject", example="copydesk review reject 01933a8e --hash 3f5a… --reason off_brand")
def reject(
    screen: Screen,
    database: Database,
    output: OutputId,
    *,
    seen: Hash = None,
    reason: Reason = None,
    note: Note = None,
    actor: As = None,
    command_id: CommandId = None,
) -> int | None:
    """Decide that the output is never published, with a reason."""
    desk = at_the_desk(database)
    found = find(desk, output)
    answer = desk.reject(
        found.output_id,
        _seen(screen, found, seen, "reject"),
        **_by(actor),
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
    answer = desk.revoke(find(desk, output).output_id, seen, **_by(actor), note=note, command_id=command_id)
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
        **_by(actor),
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


def outcome(screen: Screen, answer: Accepted | Refusal) -> int | None:
    """Show what became of a command; a refusal knows its exit code and its advice."""
    from review import Refusal

    if isinstance(answer, Refusal):
        about: dict[str, JsonValue] = {
            "output_id": answer.output_id,
            "state": None if answer.state is None else answer.state.value,
            "code": answer.code,
            "message": answer.message,
            "content_hash": answer.content_hash,
        }
        screen.failure(answer.code, answer.message, answer.hint, about)
        return answer.exit_code
    if screen.json:
        screen.value(
            {
                "output_id": answer.output_id,
                "state": answer.state.value,
                "content_hash": answer.content_hash,
                "revision": answer.revision,
                "position": answer.position,
                "votes": len(answer.output.votes),
                "needed": answer.output.needed,
            }
        )
        return None
    votes = f", {len(answer.output.votes)} of {answer.output.needed} approvals" if answer.output.needed > 1 else ""
    screen.say(f"{answer.output_id} is {answer.state.value}{votes} (revision {answer.revision})")
    screen.say_parts(("hash ", "dim"), (answer.content_hash, ""))
    return None


def _by(actor: str | None) -> dict[str, Any]:
    name, source = current_actor(actor)
    return {"actor": name, "actor_source": source}


def _seen(screen: Screen, output: Output, given: str | None, verb: str) -> str:
    """The hash that the verdict names: given, or of what a person at the terminal has just been shown."""
    if given is not None:
        return _hash(given)
    if not _person_looks_on(screen):
        raise BadSetting(
            "the hash of the content that you saw was expected",
            hint=f"--hash HASH; `copydesk review show {output.output_id}` shows it",
        )
    show(screen, output)
    screen.flush()
    if not typer.confirm(f"{verb} exactly this?"):
        raise typer.Abort
    return output.content_hash


def _hash(given: str) -> str:
    return given.strip().lower()


def _person_looks_on(screen: Screen) -> bool:
    return screen.terminal and sys.stdin.isatty()


def _file(name: str) -> str:
    data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise BadSetting(f"a body in UTF-8 was expected, byte {error.start + 1} of {name} is none") from None


def _edited(body: str) -> str:
    with tempfile.TemporaryDirectory(prefix="copydesk-") as folder:
        path = Path(folder) / "body.txt"
        path.write_bytes(body.encode())
        # As git does it: the shell finds the editor, which may come with arguments of its own and a quoted path.
        editor = ["sh", "-c", 'eval "${VISUAL:-${EDITOR:-vi}} \\"\\$1\\""', "copydesk", str(path)]
        if subprocess.run(editor, check=False).returncode != 0:  # noqa: S603 - the user's own editor
            raise BadSetting(
                "the editor ended with an error: nothing was changed", hint="set EDITOR, or use --body-file"
            )
        edited = _file(str(path))
    # Editors end a file with a line end; the agent's text had its own.
    return edited.removesuffix("\n") if edited.endswith("\n") and not body.endswith("\n") else edited
