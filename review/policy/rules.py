"""`Policy`: ordered rules. Without any, everything waits for one person.

The last matching rule decides the mode; deny, and the strictest limit of all matching rules, hold. A policy is a value:
it is read from a file by `review.policy.file` and judges by `review.policy.verdict`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from review.output import Output

Mode = Literal["review", "auto", "dry_run", "posthoc"]
"""What a rule asks for: `review` waits for people, `auto` approves by itself, `dry_run` waits for people and sends
nothing, `posthoc` publishes at once and is reviewed after."""

MODES: tuple[Mode, ...] = get_args(Mode)

BY_ITSELF = frozenset({"auto", "posthoc"})
"""Modes in which a rule approves without a person."""

Unit = Literal["characters", "bytes", "x_weighted"]
"""What a length is counted in."""

UNITS: tuple[Unit, ...] = get_args(Unit)

Role = Literal["reviewer", "admin", "viewer"]
"""What a person may do: decide; withdraw, retract, stop and adopt; look."""

ROLES: tuple[Role, ...] = get_args(Role)

EVERYTHING: frozenset[Role] = frozenset({"reviewer", "admin"})
"""The roles of everyone at the command line where a policy names no actors."""

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


class Subject(NamedTuple):
    """What a rule looks at to see whether it is about an output. No word of the content is among it."""

    channel: str
    kind: str
    identity: str
    target: str
    agent: str

    @classmethod
    def of(cls, output: Output) -> Subject:
        """Of an output; a missing target is the empty text."""
        return cls(output.channel, output.kind, output.identity, output.content.target_url or "", output.agent_id)


@dataclass(frozen=True, slots=True)
class Match:
    """Which outputs a rule is about, as case-sensitive globs; `*` matches all."""

    channel: str = "*"
    kind: str = "*"
    identity: str = "*"
    target: str = "*"
    agent: str = "*"

    def covers(self, subject: Subject | Output) -> bool:
        """True when every glob matches."""
        return not self.misses(subject)

    def misses(self, subject: Subject | Output) -> tuple[str, ...]:
        """The fields whose glob does not match."""
        found = Subject.of(subject) if isinstance(subject, Output) else subject
        return tuple(
            name for name, value in found._asdict().items() if not fnmatchcase(value, str(getattr(self, name)))
        )

    def digest(self) -> str:
        """What names the rule through the versions of a policy: SHA-256 over what it matches."""
        globs = (self.channel, self.kind, self.identity, self.target, self.agent)
        return hashlib.sha256(
            b"".join(len(glob.encode()).to_bytes(8, "big") + glob.encode() for glob in globs)
        ).hexdigest()


@dataclass(frozen=True, slots=True)
class MaxLength:
    """How long a body may be.

    Attributes:
        value: At most so many.
        unit: Of what: code points, bytes of UTF-8, or as X counts.
    """

    value: int
    unit: Unit = "characters"


@dataclass(frozen=True, slots=True)
class Rule:
    """What holds for the outputs that it matches.

    Attributes:
        match: Which outputs.
        mode: What it asks for.
        approvals: How many people must approve; a rule that approves by itself does so only where one is enough.
        max_length: How long the body may be.
        daily_limit: How many sends may start in a day; those that are known to have failed do not count.
        timezone: Where that day begins at midnight, as `Asia/Tokyo`.
        min_interval: How long after one send the next may start.
        expires_after: How long an output may wait, from when it was submitted.
        auto_reject: Phrases with which an output is rejected at once.
        banned_phrases: Phrases with which an output can't be approved until it is edited.
        unique_within: For how long nothing may be said twice.
        deny: True when its outputs are rejected at once.
        publisher: Who publishes.
    """

    match: Match = Match()
    mode: Mode = "review"
    approvals: int = 1
    expires_after: timedelta | None = None
    publisher: str | None = None
    max_length: MaxLength | None = None
    daily_limit: int | None = None
    timezone: str = "UTC"
    min_interval: timedelta | None = None
    auto_reject: tuple[str, ...] = ()
    banned_phrases: tuple[str, ...] = ()
    unique_within: timedelta | None = None
    deny: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules in force.

    Attributes:
        name: What people call it.
        rules: In order.
        reasons: Reason codes beside `REASONS`.
        actors: Who may do what, by name; None when everyone at the command line is reviewer and admin.
        text: The file that it was read from; the version is its hash.
    """

    name: str = "default"
    rules: tuple[Rule, ...] = ()
    reasons: tuple[str, ...] = ()
    text: str = field(default="", repr=False)
    actors: tuple[tuple[str, tuple[Role, ...]], ...] | None = None

    @classmethod
    def parse(cls, text: str, source: str = "the policy") -> Policy:
        """Read a policy from its text.

        Args:
            text: TOML, as README describes it.
            source: What messages call it.

        Raises:
            BadPolicy: An unknown key or an impossible value; the message names line and key.
        """
        from review.policy.file import parse

        return parse(text, source)

    @classmethod
    def read(cls, path: Path | str) -> Policy:
        """Read a policy file.

        Raises:
            BadPolicy: It can't be read, or has an unknown key or an impossible value.
        """
        from review.policy.file import read

        return read(Path(path))

    @property
    def digest(self) -> str:
        """SHA-256 of the text: 64 hexadecimal digits."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def version(self) -> str:
        """The first twelve digits of the digest."""
        return self.digest[:12]

    @property
    def label(self) -> str:
        """`policy:NAME@VERSION`: who decided when a rule did."""
        return f"policy:{self.name}@{self.version}"

    def roles_of(self, actor: str) -> frozenset[Role]:
        """What a person may do."""
        if self.actors is None:
            return EVERYTHING
        return frozenset(role for name, roles in self.actors if name == actor for role in roles)
