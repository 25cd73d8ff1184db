"""`Policy`: ordered rules. Without any, everything waits for one person.

The last matching rule decides the mode; of the numbers of all matching rules the strictest holds.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Literal

from review.output import Output

Mode = Literal["review"]
"""What a rule asks for: `review` waits for people."""

REASONS = (
    "off_brand",
    "tone",
    "inaccurate",
    "unsafe",
    "spam",
    "duplicate",
    "wrong_account",
    "wrong_time",
    "legal",
    "other",
)
"""Why a reviewer refuses; `other` needs a note. A policy may add some."""


@dataclass(frozen=True, slots=True)
class Match:
    """Which outputs a rule is about, as case-sensitive globs; `*` matches all."""

    channel: str = "*"
    kind: str = "*"
    identity: str = "*"
    target: str = "*"
    agent: str = "*"

    def covers(self, output: Output) -> bool:
        """True when every glob matches. A missing target is the empty text."""
        pairs = (
            (output.channel, self.channel),
            (output.kind, self.kind),
            (output.identity, self.identity),
            (output.content.target_url or "", self.target),
            (output.agent_id, self.agent),
        )
        return all(fnmatchcase(value, glob) for value, glob in pairs)


@dataclass(frozen=True, slots=True)
class Rule:
    """What holds for the outputs that it matches.

    Attributes:
        match: Which outputs.
        mode: What it asks for.
        approvals: How many people must approve.
        expires_after: How long an output may wait, from when it was submitted.
        publisher: Who publishes.
    """

    match: Match = Match()
    mode: Mode = "review"
    approvals: int = 1
    expires_after: timedelta | None = None
    publisher: str | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules in force.

    Attributes:
        name: What people call it.
        rules: In order.
        reasons: Reason codes beside `REASONS`.
        text: The file that it was read from; the version is its hash.
    """

    name: str = "default"
    rules: tuple[Rule, ...] = ()
    reasons: tuple[str, ...] = ()
    text: str = field(default="", repr=False)

    @property
    def version(self) -> str:
        """The first twelve hexadecimal digits of the SHA-256 of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:12]

    @property
    def label(self) -> str:
        """`policy:NAME@VERSION`: who decided when a rule did."""
        return f"policy:{self.name}@{self.version}"
