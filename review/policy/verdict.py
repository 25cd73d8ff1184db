"""What a policy says about an output: a value, made by a pure function."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from capture.vocabulary import Finding
from review.output import Output
from review.policy.rules import REASONS, Mode, Policy


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
        reasons: Reason codes that a reviewer may give.
    """

    policy: str = Policy().label
    mode: Mode = "review"
    needed: int = 1
    deadline: datetime | None = None
    publisher: str = "folder"
    findings: tuple[Finding, ...] = ()
    reasons: tuple[str, ...] = REASONS


UNJUDGED = Judgement()
"""What holds without any rule: one person's approval."""


def judge(policy: Policy, output: Output) -> Judgement:
    """Say what the policy asks for this output.

    Args:
        policy: The rules in force.
        output: A drafted output.
    """
    matching = [rule for rule in policy.rules if rule.match.covers(output)]
    waits = [rule.expires_after for rule in matching if rule.expires_after is not None]
    submitted = output.submitted_at
    return Judgement(
        policy=policy.label,
        mode=matching[-1].mode if matching else "review",
        needed=max((rule.approvals for rule in matching), default=1),
        deadline=submitted + min(waits) if waits and submitted is not None else None,
        publisher=next((rule.publisher for rule in reversed(matching) if rule.publisher), "folder"),
        reasons=REASONS + policy.reasons,
    )
