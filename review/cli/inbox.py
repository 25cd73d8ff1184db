"""`copydesk review`: what waits for a person, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import JsonValue

from capture import NotFound, to_text
from capture.cli import Column, Database, ExitCode, Screen, command, group
from review.cli.session import at_the_desk, find
from review.cli.shown import COLUMNS, STATES, arguments_text, listed, show, whole

if TYPE_CHECKING:
    from review.output import Output, Revision
    from review.queue import Listed

review = group("review", "Look at what agents want to put before the world, and decide.")

OutputId = Annotated[str, typer.Argument(metavar="OUTPUT", help="The id of an output, or how it begins.")]
OpenStates = ("pending", "changes_requested", "approved", "publishing", "uncertain", "publish_failed", "retracting")

_PAGE = 200
_SHORT_ID = 18


@command(
    review,
    "list",
    example="copydesk review list\ncopydesk review list --state pending --channel x --json\ncopydesk review list --all",
)
def list_(
    screen: Screen,
    database: Database,
    *,
    states: Annotated[
        list[str] | None, typer.Option("--state", metavar="STATE", help="Only this state; may be repeated.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Those that are published or closed, too.")] = False,
    channel: Annotated[str | None, typer.Option(metavar="CHANNEL", help="Only this channel.")] = None,
    agent: Annotated[str | None, typer.Option(metavar="AGENT", help="Only this agent.")] = None,
    identity: Annotated[str | None, typer.Option(metavar="IDENTITY", help="Only this account.")] = None,
    kind: Annotated[str | None, typer.Option(metavar="KIND", help="Only this kind, as comment.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="At most so many; all, or 50 on a terminal.")
    ] = None,
) -> int | None:
    """List outputs, the oldest first: those that still go somewhere, unless you ask for others."""
    desk = at_the_desk(database)
    from review.output import State

    unknown = [state for state in states or () if state not in set(State) - {State.AWAITED}]
    if unknown:
        raise NotFound(f"a state was expected, found {unknown[0][:60]!a}", hint=f"one of {', '.join(STATES)}")
    wanted = tuple(states) if states else () if everything else OpenStates
    most = limit if limit is not None else 50 if screen.terminal else None
    filters = {"channel": channel, "agent": agent, "identity": identity, "kind": kind}
    rows: Iterator[dict[str, JsonValue]] = (
        {**listed(row), **({"output_id": _short(row.output_id)} if screen.terminal else {})}
        for row in _rows(database, wanted, filters, most)
    )
    screen.table(rows, COLUMNS, empty="nothing waits here")
    if screen.terminal:
        from review.queue import count_by_state

        counts = count_by_state(desk.manager)
        screen.say(", ".join(f"{count:,} {state.value}" for state, count in counts.items() if count), "dim")
    return None


@command(review, "next", example="copydesk review next\ncopydesk review next --json | jq -r .content_hash")
def next_(screen: Screen, database: Database) -> int | None:
    """Show the output that has waited longest for a verdict; exit 6 when none waits."""
    desk = at_the_desk(database)
    row = next(_rows(database, ("pending",), {}, 1), None)
    if row is None:
        if screen.json:
            screen.failure("NOTHING_TO_DO", "nothing waits for a verdict")
        else:
            screen.say("nothing waits for a verdict")
        return ExitCode.NOTHING_TO_DO
    _show(screen, find(desk, row.output_id))
    return None


@command(review, "show", example="copydesk review show 01933a8e\ncopydesk review show 01933a8e --json | jq .history")
def show_(screen: Screen, database: Database, output: OutputId) -> int | None:
    """Show an output with its whole content, and the hash that a verdict names."""
    _show(screen, find(at_the_desk(database), output))
    return None


@command(review, "diff", example="copydesk review diff 01933a8e\ncopydesk review diff 01933a8e --from 1 --to 3 --json")
def diff(
    screen: Screen,
    database: Database,
    output: OutputId,
    *,
    old: Annotated[
        int | None, typer.Option("--from", metavar="REVISION", help="The one before, when left out.")
    ] = None,
    new: Annotated[int | None, typer.Option("--to", metavar="REVISION", help="The present one, when left out.")] = None,
) -> int | None:
    """Show what changed between two revisions of an output."""
    from review.diff import lines

    found = find(at_the_desk(database), output)
    new = found.revision if new is None else new
    old = max(new - 1, 1) if old is None else old
    by_number = {revision.number: revision for revision in found.revisions}
    for number in (old, new):
        if number not in by_number:
            raise NotFound(
                f"output {found.output_id} has the revisions 1 to {found.revision}, found {number}",
                hint="leave --from and --to out for the last change",
            )
    before, after = _text(by_number[old]), _text(by_number[new])
    changes = lines(before, after)
    if screen.json:
        screen.value(
            {
                "output_id": found.output_id,
                "from": old,
                "to": new,
                "content_hash": by_number[new].content_hash,
                "made_by": by_number[new].made_by,
                "changes": [{"what": change.what, "text": change.text} for change in changes],
            }
        )
        return None
    screen.say(f"revision {old} to {new}, by {by_number[new].made_by}")
    marks = {"equal": ("  ", ""), "delete": ("- ", "red"), "insert": ("+ ", "green")}
    for change in changes:
        mark, style = marks[change.what]
        screen.content(change.text, mark=mark, style=style)
    return None


@command(review, "history", example="copydesk review history 01933a8e\ncopydesk review history 01933a8e --json")
def history(screen: Screen, database: Database, output: OutputId) -> int | None:
    """Show what happened to an output, event by event, and what was ignored."""
    found = find(at_the_desk(database), output)
    entries: list[dict[str, JsonValue]] = [
        {**entry.model_dump(mode="json"), "at": to_text(entry.at)} for entry in found.history
    ]
    entries += [
        {
            "position": ignored.position,
            "what": "ignored",
            "note": f"changed nothing: {ignored.code}",
            "code": ignored.code,
        }
        for ignored in found.ignored
    ]
    columns = (
        Column("position", "POSITION", right=True),
        Column("at", "AT"),
        Column("what", "WHAT"),
        Column("by", "BY"),
        Column("state", "STATE", STATES),
        Column("revision", "REVISION", right=True),
        Column("reason_code", "REASON"),
        Column("note", "NOTE", elastic=True),
    )
    screen.table(sorted(entries, key=lambda entry: int(str(entry["position"]))), columns)
    return None


def _show(screen: Screen, output: Output) -> None:
    if screen.json:
        screen.value(whole(output))
    else:
        show(screen, output)


def _rows(
    database: Database, states: tuple[str, ...], filters: dict[str, str | None], most: int | None
) -> Iterator[Listed]:
    from review.queue import list_outputs

    after, left = None, most
    while left is None or left > 0:
        size = _PAGE if left is None else min(_PAGE, left)
        page = list_outputs(database.manager, states=states, after=after, limit=size, **filters)
        yield from page.rows
        after = page.after
        if after is None:
            return
        if left is not None:
            left -= len(page.rows)


def _short(output_id: str) -> str:
    # Time and counter of a UUIDv7: enough to be the only one that begins so, and short enough for a table.
    return output_id[:_SHORT_ID] if len(output_id) == 36 else output_id


def _text(revision: Revision) -> str:
    parts = [revision.body]
    parts += [f"media {media.sha256} {media.alt or ''}".rstrip() for media in revision.media]
    if revision.arguments is not None:
        parts.append(arguments_text(revision.arguments))
    return "\n".join(parts)
