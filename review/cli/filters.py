"""Which outputs a command is about: `--channel`, `--risk`, `--older-than` …, or `--filter KEY=VALUE` for many."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from capture import BadSetting, NotFound, from_text
from review.cli.shown import STATES

if TYPE_CHECKING:
    from review.queue import Filters

Channel = Annotated[str | None, typer.Option("--channel", metavar="CHANNEL", help="Only this channel.")]
Agent = Annotated[str | None, typer.Option("--agent", metavar="AGENT", help="Only this agent.")]
Identity = Annotated[str | None, typer.Option("--identity", metavar="IDENTITY", help="Only this account.")]
Kind = Annotated[str | None, typer.Option("--kind", metavar="KIND", help="Only this kind, as comment.")]
Risk = Annotated[str | None, typer.Option("--risk", metavar="FLAG", help="Only with this risk flag.")]
Text = Annotated[str | None, typer.Option("--text", metavar="TEXT", help="Only bodies in which this stands.")]
OlderThan = Annotated[
    str | None, typer.Option("--older-than", metavar="AGE", help="Only what waits longer, as 90s, 30m, 4h, 2d, 1w.")
]
NewerThan = Annotated[
    str | None, typer.Option("--newer-than", metavar="AGE", help="Only what was submitted within so long.")
]

KEYS = ("channel", "agent", "identity", "kind", "risk", "text", "older_than", "newer_than")
"""What `--filter` takes."""

_AGE = re.compile(r"([0-9]{1,8})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def chosen(
    *,
    states: list[str] | None = None,
    channel: str | None = None,
    agent: str | None = None,
    identity: str | None = None,
    kind: str | None = None,
    risk: str | None = None,
    text: str | None = None,
    older_than: str | None = None,
    newer_than: str | None = None,
) -> Filters:
    """What the options choose, as a list takes it.

    Raises:
        NotFound: There is no such state.
        BadSetting: An age can't be read.
    """
    unknown = [state for state in states or () if state not in STATES]
    if unknown:
        raise NotFound(f"a state was expected, found {unknown[0][:60]!a}", hint=f"one of {', '.join(STATES)}")
    return {
        "states": tuple(dict.fromkeys(states or ())),
        "channel": channel,
        "agent": agent,
        "identity": identity,
        "kind": kind,
        "risk": risk,
        "text": text,
        "before": None if older_than is None else moment(older_than),
        "since": None if newer_than is None else moment(newer_than),
    }


def parsed(given: list[str]) -> Filters:
    """What `--filter KEY=VALUE` chooses among those that wait for a verdict.

    Raises:
        BadSetting: A filter has no key or one that is not known, or a key comes twice.
    """
    found: dict[str, str] = {}
    for each in given:
        key, equals, value = each.partition("=")
        key = key.strip().replace("-", "_")
        if not equals or key not in KEYS or key in found:
            raise BadSetting(
                f"a filter KEY=VALUE was expected, each key once, found {each[:80]!a}", hint=f"keys: {', '.join(KEYS)}"
            )
        found[key] = value
    return chosen(
        states=["pending"],
        channel=found.get("channel"),
        agent=found.get("agent"),
        identity=found.get("identity"),
        kind=found.get("kind"),
        risk=found.get("risk"),
        text=found.get("text"),
        older_than=found.get("older_than"),
        newer_than=found.get("newer_than"),
    )


def age(since: datetime, now: datetime) -> str:
    """How long ago something was, in its largest unit: `40s`, `12m`, `5h`, `3d`."""
    return span((now - since).total_seconds())


def span(seconds: float) -> str:
    """A length of time in its largest unit: `40s`, `12m`, `5h`, `3d`."""
    seconds = max(int(seconds), 0)
    unit = next((unit for unit in "dhm" if seconds >= _SECONDS[unit]), "s")
    return f"{seconds // _SECONDS[unit]}{unit}"


def moment(given: str) -> datetime:
    """The moment that an age (`4h`) or a time means.

    Raises:
        BadSetting: It is neither.
    """
    found = _AGE.fullmatch(given)
    if found:
        return datetime.now(UTC) - timedelta(seconds=int(found[1]) * _SECONDS[found[2]])
    try:
        return from_text(given)
    except ValueError:
        raise BadSetting(
            f"an age or a time was expected, found {given[:60]!a}",
            hint="as 90s, 30m, 4h, 2d, or 2026-11-24T12:00:00Z",
        ) from None
