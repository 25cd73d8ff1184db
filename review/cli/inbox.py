"""`copydesk review`: what waits for a person, and what became of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import JsonValue

from capture import BadSetting, NotFound, to_text
from capture.cli import As, Column, Database, ExitCode, Screen, command, current_actor, group
from review.cli import filters
from review.cli.answer import outcome
from review.cli.session import at_the_desk, find, waiting_for
from review.cli.sheet import compared, whole_text
from review.cli.shown import COLUMNS, DRAWN, STATES, listed, missing_media, show, whole

if TYPE_CHECKING:
    from review.output import Output

review = group("review", "Look at what agents want to put before the world, and decide.")

OutputId = Annotated[str, typer.Argument(metavar="OUTPUT", help="The id of an output, or how it begins.")]
OPEN_STATES = ("pending", "changes_requested", "approved", "publishing", "uncertain", "publish_failed", "retracting")

_SHORT_ID = 18


@command(
    review,
    "list",
    example="copydesk review list\ncopydesk review list --state pending --channel x --older-than 4h --json\n"
    "copydesk review list --all --sort newest --limit 20\ncopydesk review list --counts",
)
def list_(
    screen: Screen,
    database: Database,
    *,
    states: Annotated[
        list[str] | None, typer.Option("--state", metavar="STATE", help="Only this state; may be repeated.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Those that are published or closed, too.")] = False,
    channel: filters.Channel = None,
    agent: filters.Agent = None,
    identity: filters.Identity = None,
    kind: filters.Kind = None,
    risk: filters.Risk = None,
    text: filters.Text = None,
    older_than: filters.OlderThan = None,
    newer_than: filters.NewerThan = None,
    sort: Annotated[str, typer.Option(metavar="oldest|newest", help="Which come first.")] = "oldest",
    after: Annotated[
        str | None, typer.Option(metavar="OUTPUT", help="Go on behind this output: the last of the page before.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="At most so many; all, or 50 on a terminal.")
    ] = None,
    counts: Annotated[bool, typer.Option("--counts", help="Only how many stand in each state.")] = False,
) -> int | None:
    """List outputs, the oldest first: those that still go somewhere, unless you ask for others."""
    if sort not in ("oldest", "newest"):
        raise BadSetting(f"oldest or newest was expected, found {sort[:60]!a}")
    wanted = filters.chosen(
        states=states or (None if everything else list(OPEN_STATES)),
        channel=channel,
        agent=agent,
        identity=identity,
        kind=kind,
        risk=risk,
        text=text,
        older_than=older_than,
        newer_than=newer_than,
    )
    wanted["newest"] = sort == "newest"
    desk = at_the_desk(database)
    from review.queue import count_by_state, list_all, place_of

    if counts:
        standing = count_by_state(desk.manager)
        columns = (Column("state", "STATE", STATES), Column("outputs", "OUTPUTS", right=True))
        screen.table(({"state": state.value, "outputs": count} for state, count in standing.items()), columns)
        return None
    start = None if after is None else place_of(desk.manager, find(desk, after).output_id)
    most = limit if limit is not None else 50 if screen.terminal else None
    rows = list_all(desk.manager, most=most, after=start, **wanted)
    if not screen.terminal:
        screen.table(map(listed, rows), COLUMNS)
        return None
    now = desk.now()
    drawn: list[dict[str, JsonValue]] = [
        {
            **listed(row),
            "output_id": _short(row.output_id),
            "age": filters.age(row.submitted_at, now),
            "risk": ", ".join(json.loads(row.risk_flags)) if row.risk_flags else None,
        }
        for row in rows
    ]
    screen.table(drawn, DRAWN, empty="nothing waits here")
    standing = count_by_state(desk.manager)
    screen.say(", ".join(f"{count:,} {state.value}" for state, count in standing.items() if count), "dim")
    return None


@command(
    review,
    "next",
    example="copydesk review next\ncopydesk review next --channel x --claim --json | jq -r .content_hash",
)
def next_(
    screen: Screen,
    database: Database,
    *,
    channel: filters.Channel = None,
    agent: filters.Agent = None,
    identity: filters.Identity = None,
    kind: filters.Kind = None,
    risk: filters.Risk = None,
    claim: Annotated[bool, typer.Option("--claim", help="Keep others from deciding it for a while.")] = False,
    actor: As = None,
) -> int | None:
    """Show the output that has waited longest for your verdict; exit 6 when none waits."""
    from review import Refusal

    desk = at_the_desk(database)
    name, source = current_actor(actor)
    wanted = filters.chosen(states=["pending"], channel=channel, agent=agent, identity=identity, kind=kind, risk=risk)
    for waiting in waiting_for(desk, name, wanted):
        output = waiting
        if claim:
            answer = desk.claim(output.output_id, actor=name, actor_source=source)
            if answer.code in ("LEASE", "STATE", "FINAL"):
                continue  # somebody was faster
            if isinstance(answer, Refusal):
                return outcome(screen, answer)
            output = answer.output
        _show(screen, output)
        return None
    if screen.json:
        screen.failure("NOTHING_TO_DO", "nothing waits for your verdict")
    else:
        screen.say("nothing waits for your verdict")
    return ExitCode.NOTHING_TO_DO


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
    from review.diff import lines, words

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
    before, after = whole_text(by_number[old]), whole_text(by_number[new])
    if screen.json:
        screen.value(
            {
                "output_id": found.output_id,
                "from": old,
                "to": new,
                "content_hash": by_number[new].content_hash,
                "made_by": by_number[new].made_by,
                "changes": [{"what": change.what, "text": change.text} for change in lines(before, after)],
                "words": [{"what": change.what, "text": change.text} for change in words(before, after)],
            }
        )
        return None
    screen.say(f"revision {old} to {new}, by {by_number[new].made_by}")
    for row in compared(before, after, screen.width):
        screen.ready(*row)
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
        screen.value({**whole(output), "missing_media": list(missing_media(output))})
    else:
        show(screen, output)


def _short(output_id: str) -> str:
    # Time and counter of a UUIDv7: enough to be the only one that begins so, and short enough for a table.
    return output_id[:_SHORT_ID] if len(output_id) == 36 else output_id
