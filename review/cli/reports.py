"""`stats` and `export`: how review goes, and what can be learnt from it. Both stream: no list of outputs is held."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import JsonValue

from capture import BadSetting, to_text
from capture.cli import Column, Database, Screen, command
from review.cli import filters
from review.cli.inbox import review
from review.cli.session import at_the_desk
from review.cli.shown import whole

if TYPE_CHECKING:
    from datetime import datetime

    from review import Output, ReviewDesk
    from review.statistics import Figures

Since = Annotated[
    str | None, typer.Option("--since", metavar="AGE", help="Only verdicts since, as 7d or 2026-11-24T00:00:00Z.")
]

_DAYS = 14


@command(
    review,
    "stats",
    example="copydesk review stats\ncopydesk review stats --by reviewer --since 7d\n"
    "copydesk review stats --by agent --json | jq .approval_rate",
)
def stats(
    screen: Screen,
    database: Database,
    *,
    by: Annotated[
        str | None, typer.Option("--by", metavar="GROUP", help="For each agent, channel, identity or reviewer, too.")
    ] = None,
    since: Since = None,
) -> int | None:
    """Show what waits, how long decisions take from when they were first shown, and how they fall."""
    from review.statistics import GROUPS, gather

    if by is not None and by not in GROUPS:
        raise BadSetting(f"one of {', '.join(GROUPS)} was expected, found {by[:60]!a}")
    begin = None if since is None else filters.moment(since)
    desk = at_the_desk(database)
    found = gather(_all(desk, screen), by, begin)
    now = desk.now()
    rows = [_row(by if name else None, name, figures, now) for name, figures in sorted(found.items())]
    if not screen.terminal:
        screen.table(rows, _COLUMNS)
        return None
    screen.table([{**row, "group": row["group"] or "all"} for row in map(_drawn, rows)], _COLUMNS)
    reasons = found[""].reasons.most_common()
    if reasons:
        screen.say("reasons: " + ", ".join(f"{reason} {count:,}" for reason, count in reasons), "dim")
    return None


@command(
    review,
    "export",
    example="copydesk review export > outputs.jsonl\ncopydesk review export --preferences --since 30d > pairs.jsonl",
)
def export(
    screen: Screen,
    database: Database,
    *,
    preferences: Annotated[
        bool, typer.Option("--preferences", help="Pairs of texts of which the second was preferred, for training.")
    ] = False,
    since: Annotated[
        str | None, typer.Option("--since", metavar="AGE", help="Only outputs that changed since, as 7d.")
    ] = None,
) -> int | None:
    """Write every output with its revisions, verdicts and history, a JSON object a line."""
    begin = None if since is None else filters.moment(since)
    desk = at_the_desk(database)
    for output in _all(desk, screen):
        if begin is not None and (output.updated_at is None or output.updated_at < begin):
            continue
        for value in _pairs(desk, output) if preferences else [whole(output)]:
            screen.value(value)
    return None


def _all(desk: ReviewDesk, screen: Screen) -> Iterator[Output]:
    from review.queue import count_by_state, stream_outputs

    with screen.progress("outputs", sum(count_by_state(desk.manager).values())) as advance:
        for output in stream_outputs(desk.manager):
            yield output
            advance(1)


def _pairs(desk: ReviewDesk, output: Output) -> Iterator[dict[str, JsonValue]]:
    from review.preferences import preferences

    for pair in preferences(output, desk.output):
        yield {
            "output_id": output.output_id,
            "kind": output.kind,
            "channel": output.channel,
            "identity": output.identity,
            "agent_id": output.agent_id,
            "prompt": output.trigger_context,
            "how": pair.how,
            "original": pair.original,
            "edited": pair.chosen if pair.how == "edited" else None,
            "rejected": pair.original,
            "chosen": pair.chosen,
            "reason_code": pair.reason_code,
            "note": pair.note,
            "reviewer": pair.reviewer,
        }


_COLUMNS = (
    Column("group", "GROUP"),
    Column("waiting", "WAITING", right=True),
    Column("oldest", "OLDEST", right=True),
    Column("decided", "DECIDED", right=True),
    Column("approval_rate", "APPROVED", right=True),
    Column("seconds_median", "MEDIAN", right=True),
    Column("seconds_p90", "P90", right=True),
    Column("edits", "EDITS", right=True),
    Column("edit_distance", "CHANGED", right=True),
    Column("days", "DAYS"),
)


def _row(by: str | None, name: str, figures: Figures, now: datetime) -> dict[str, JsonValue]:
    from review.statistics import last_days

    return {
        "by": by,
        "group": name,
        "outputs": figures.outputs,
        "waiting": figures.waiting,
        "oldest": None if figures.oldest is None else to_text(figures.oldest),
        "oldest_seconds": None if figures.oldest is None else max((now - figures.oldest).total_seconds(), 0),
        "decided": figures.decided,
        "approved": figures.verdicts["approved"],
        "changes_requested": figures.verdicts["changes_requested"],
        "rejected": figures.verdicts["rejected"],
        "approval_rate": figures.approval_rate,
        "seconds_median": figures.median_seconds(),
        "seconds_p90": figures.p90_seconds(),
        "edits": len(figures.edits),
        "edit_distance": figures.mean_edit(),
        "reasons": dict(figures.reasons),
        "days": list(last_days(figures, now, _DAYS)),
    }


def _drawn(row: dict[str, JsonValue]) -> dict[str, JsonValue]:
    from review.statistics import sparkline

    def part(name: str) -> str | None:
        value = row[name]
        return f"{value:.0%}" if isinstance(value, float) else None

    def time(name: str) -> str | None:
        value = row[name]
        return filters.span(value) if isinstance(value, (int, float)) else None

    days = row["days"]
    return {
        **row,
        "oldest": time("oldest_seconds"),
        "approval_rate": part("approval_rate"),
        "edit_distance": part("edit_distance"),
        "seconds_median": time("seconds_median"),
        "seconds_p90": time("seconds_p90"),
        "days": sparkline([int(str(day)) for day in days]) if isinstance(days, list) else "",
    }
