"""What a policy says about an output: a value, made by a pure function.

No rule, or a rule that errs, means a person. The words of a content can only add to what keeps it from being approved:
no text is asked whether it should be.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from capture.vocabulary import Finding
from review.output import Output
from review.policy.limits import Known, said_before, too_long, too_many, too_soon
from review.policy.rules import BY_ITSELF, REASONS, Mode, Policy, Rule
from review.policy.wording import phrases_in

NOTHING_KNOWN = Known()

Decides = Literal["approve", "reject"]
"""What rules decide by themselves."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What holds for one output now.

    Attributes:
        policy: Whose judgement it is, as `policy:NAME@VERSION`.
        mode: What it asks for.
        needed: How many people must approve.
        deadline: When the output expires undecided.
        publisher: Who publishes it.
        findings: What keeps it from being approved.
        held: What keeps it from being sent just now: limits of sending.
        reasons: Reason codes that a reviewer may give.
        decides: What the rules decide by themselves; None when a person does.
        because: Why, in words.
        rule: The digest of what the deciding rule matches; empty without one.
        would_approve: True when the rule approves it, or would if it did not stand down.
        stands_down: True when the rule stands down for the identity.
    """

    policy: str = Policy().label
    mode: Mode = "review"
    needed: int = 1
    deadline: datetime | None = None
    publisher: str = "folder"
    findings: tuple[Finding, ...] = ()
    held: tuple[Finding, ...] = ()
    reasons: tuple[str, ...] = REASONS
    decides: Decides | None = None
    because: str = ""
    rule: str = ""
    would_approve: bool = False
    stands_down: bool = False


UNJUDGED = Judgement()
"""What holds without any rule: one person's approval."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one rule says about one output.

    Attributes:
        number: The rule's place in the file, from 1.
        rule: The rule.
        misses: The fields whose glob does not match; empty when the rule is about the output.
        rejects: Why the rule rejects it at once, in words.
        findings: What keeps it from being approved.
        held: What keeps it from being sent just now.
        error: Why the rule could not be asked; None when it could.
    """

    number: int
    rule: Rule
    misses: tuple[str, ...] = ()
    rejects: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    held: tuple[Finding, ...] = ()
    error: str | None = None


def read_rules(policy: Policy, output: Output, known: Known = NOTHING_KNOWN) -> Iterator[Reading]:
    """Ask each rule about an output. One that errs counts as one that is about it."""
    for number, rule in enumerate(policy.rules, 1):
        try:
            misses = rule.match.misses(output)
            yield Reading(number, rule, misses) if misses else _asked(number, rule, output, known)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong in a rule, a person decides
            yield Reading(number, rule, error=f"{type(error).__name__}: {error}"[:200])


def judge(policy: Policy, output: Output, known: Known = NOTHING_KNOWN) -> Judgement:
    """Say what the policy asks for this output.

    Args:
        policy: The rules in force.
        output: A drafted output.
        known: What the desk knows beside it.
    """
    readings = [reading for reading in read_rules(policy, output, known) if not reading.misses]
    rules = [reading.rule for reading in readings if reading.error is None]
    errors = [f"rule {reading.number} errs ({reading.error})" for reading in readings if reading.error is not None]
    last = rules[-1] if rules else None
    mode: Mode = "review" if last is None or (errors and last.mode in BY_ITSELF) else last.mode
    needed = max((rule.approvals for rule in rules), default=1)
    waits = [rule.expires_after for rule in rules if rule.expires_after is not None]
    rejects = [f"rule {reading.number} {why}" for reading in readings for why in reading.rejects]
    denied = [Finding(code="DENIED", message=why) for why in rejects]
    findings = (*denied, *(finding for reading in readings for finding in reading.findings))
    digest = "" if last is None else last.match.digest()
    stands_down = (digest, output.identity) in known.paused
    would_approve = mode in BY_ITSELF and needed == 1 and not findings
    decides: Decides | None = "reject" if rejects else "approve" if would_approve and not stands_down else None
    return Judgement(
        policy=policy.label,
        mode=mode,
        needed=needed,
        deadline=output.submitted_at + min(waits) if waits and output.submitted_at is not None else None,
        publisher=next((rule.publisher for rule in reversed(rules) if rule.publisher), "folder"),
        findings=findings,
        held=tuple(finding for reading in readings for finding in reading.held),
        reasons=REASONS + tuple(reason for reason in policy.reasons if reason not in REASONS),
        decides=decides,
        because="; ".join(rejects or errors) or _because(mode, needed, findings, stands_down=stands_down, rules=rules),
        rule=digest,
        would_approve=would_approve,
        stands_down=stands_down,
    )


def _asked(number: int, rule: Rule, output: Output, known: Known) -> Reading:
    rejects = ["denies it"] if rule.deny else []
    rejects += [f"rejects what says {phrase!r:.100}" for phrase in phrases_in(output.body, rule.auto_reject)]
    banned = [
        Finding(code="DENIED", message=f"it says {phrase!r:.100}, which rule {number} forbids")
        for phrase in phrases_in(output.body, rule.banned_phrases)
    ]
    more = [finding for finding in (too_long(rule, output), said_before(rule, known)) if finding is not None]
    held = [finding for finding in (too_many(rule, known), too_soon(rule, known)) if finding is not None]
    return Reading(number, rule, (), tuple(rejects), (*banned, *more), tuple(held))


def _because(mode: Mode, needed: int, findings: tuple[Finding, ...], *, stands_down: bool, rules: list[Rule]) -> str:
    if not rules:
        return "no rule is about it, so a person decides"
    if mode not in BY_ITSELF:
        return f"the last rule that is about it asks for {mode}"
    if findings:
        return "something was found in it, so a person decides"
    if needed > 1:
        return f"{needed} approvals are needed, so people decide"
    if stands_down:
        return "the rule stands down for this identity since a person rejected what it would have approved"
    return f"the last rule that is about it asks for {mode}, and nothing was found in it"
