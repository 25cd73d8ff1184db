"""What limits count, and how: lengths, days, intervals, and what it is to say the same thing twice. Pure.

What only the database knows comes as a value (`Known`); which of it a policy asks for, `horizon` says beforehand.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from capture.vocabulary import Finding, canonical_json
from review.output import Output
from review.policy.rules import MaxLength, Policy, Rule, Subject
from review.policy.x_weight import x_weight


class Start(NamedTuple):
    """A send that was begun, and is not known to have failed."""

    subject: Subject
    at: datetime


class Earlier(NamedTuple):
    """Another output that says the same, and is still to be published or may have been.

    Attributes:
        output_id: The output.
        at: When it was sent last, else when the desk took it up.
    """

    output_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Known:
    """What the desk knows beside the output.

    Attributes:
        now: The time; None where no limit is asked for.
        starts: Earlier sends, as far back as a rule asks.
        earlier: Outputs that say the same, the newest first.
        paused: Rules that stand down, each by the digest of what it matches and the identity.
    """

    now: datetime | None = None
    starts: tuple[Start, ...] = ()
    earlier: tuple[Earlier, ...] = ()
    paused: frozenset[tuple[str, str]] = frozenset()


class Horizon(NamedTuple):
    """How far back a policy looks for one output; None where it does not look at all."""

    starts: datetime | None
    repeats: datetime | None


def horizon(policy: Policy, output: Output, now: datetime) -> Horizon:
    """How far back the rules that match an output look. A rule that can't be asked looks back all the way.

    Args:
        policy: The rules.
        output: The output.
        now: The time.
    """
    starts: list[datetime] = []
    repeats: list[datetime] = []
    for rule in policy.rules:
        # A rule that errs is found by judging, which says so; here nothing is decided.
        with suppress(Exception):
            if rule.match.covers(output):
                starts += [day_began(now, rule.timezone)] if rule.daily_limit is not None else []
                starts += [now - rule.min_interval] if rule.min_interval is not None else []
                repeats += [now - rule.unique_within] if rule.unique_within is not None else []
    return Horizon(min(starts, default=None), min(repeats, default=None))


def length(body: str, limit: MaxLength) -> int:
    """How long a body is, in the unit of a limit."""
    match limit.unit:
        case "bytes":
            return len(body.encode())
        case "x_weighted":
            return x_weight(body)
        case _:
            return len(body)


def too_long(rule: Rule, output: Output) -> Finding | None:
    """The body is longer than the rule allows."""
    if rule.max_length is None or (found := length(output.body, rule.max_length)) <= rule.max_length.value:
        return None
    unit = {"bytes": "bytes", "x_weighted": "characters as X counts them"}.get(rule.max_length.unit, "characters")
    return Finding(code="LIMIT", message=f"it has {found:,} {unit}; at most {rule.max_length.value:,} may go out")


def day_began(now: datetime, timezone: str) -> datetime:
    """When the present day began in a time zone."""
    zone = ZoneInfo(timezone)
    return now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)


def too_many(rule: Rule, known: Known) -> Finding | None:
    """As many sends of what the rule matches have started today as may."""
    if rule.daily_limit is None or known.now is None:
        return None
    began = day_began(known.now, rule.timezone)
    found = sum(start.at >= began and rule.match.covers(start.subject) for start in known.starts)
    if found < rule.daily_limit:
        return None
    message = f"{found} of {rule.daily_limit} sends of this day ({rule.timezone}) have started"
    return Finding(code="LIMIT", message=message)


def too_soon(rule: Rule, known: Known) -> Finding | None:
    """The last send of what the rule matches was a moment ago."""
    if rule.min_interval is None or known.now is None:
        return None
    last = max((start.at for start in known.starts if rule.match.covers(start.subject)), default=None)
    if last is None or last + rule.min_interval <= known.now:
        return None
    message = f"the last send started at {last.isoformat()}; the next may from {(last + rule.min_interval).isoformat()}"
    return Finding(code="LIMIT", message=message)


def said_before(rule: Rule, known: Known) -> Finding | None:
    """Another output says the same, not long enough ago."""
    if rule.unique_within is None or known.now is None:
        return None
    found = next((one for one in known.earlier if one.at >= known.now - rule.unique_within), None)
    if found is None:
        return None
    message = f"{found.output_id} said the same at {found.at.isoformat()}, within {told(rule.unique_within)}"
    return Finding(code="DUPLICATE", message=message, output_id=found.output_id)


def sayings(output: Output) -> tuple[str, ...]:
    """What an output says, as digests: two outputs that share one say the same to the same.

    On one channel, by one account, to one target: the same dedupe key, or the same words. Both are looked at, so that
    a key of its own does not let a text through that went out already. A message's target is its recipient; what an
    action says is what it would do.
    """
    from review.policy.wording import plain

    content = output.content
    said = plain(content.body)
    if content.action is not None:
        said = "\0".join((content.action, canonical_json(content.arguments or {}), said))
    to = (content.channel, content.identity, content.target_url or "", content.recipient or "")
    keys = [(*to, "words", said)]
    if output.dedupe_key is not None:
        keys.append((*to, "key", output.dedupe_key))
    return tuple(map(_digest, keys))


def _digest(parts: tuple[str, ...]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode()
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()


def told(duration: timedelta) -> str:
    """A duration in the largest unit that divides it, as a policy writes it: `7d`."""
    seconds = int(duration.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
