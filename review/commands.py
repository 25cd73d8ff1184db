"""What the desk can be asked to do: a value for each command.

A command names who asks and, where it judges content, the hash of the content that was seen. What the policy says about
the output at that moment comes with it (`judgement`): deciding stays a pure function.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import ClassVar, Literal

from pydantic_core import to_jsonable_python

from capture.vocabulary import Media
from review.output import JsonObject
from review.policy.rules import EVERYTHING, Role
from review.policy.verdict import UNJUDGED, Judgement

SYSTEM = "system"
"""Who acts when copydesk itself does: no person can have this name."""

LEASE = timedelta(minutes=15)
"""How long a claim holds unless it is renewed."""

_FOUND_BY_DESK = ("judgement", "roles", "stopped", "missing_media")

ActorSource = Literal["flag", "environment", "system", "web", "policy", "api"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """The base of all commands.

    Attributes:
        output_id: Which output.
        actor: Who asks.
        actor_source: How that is known.
        note: A remark for people.
        judgement: What the policy says about the output now; the desk fills it in.
        roles: What the policy lets the person do who asks; the desk fills it in.
    """

    by_person: ClassVar[bool] = True

    output_id: str
    actor: str = SYSTEM
    actor_source: ActorSource = "api"
    note: str | None = None
    judgement: Judgement = UNJUDGED
    roles: frozenset[Role] = EVERYTHING

    def fingerprint(self) -> str:
        """SHA-256 over what was asked for: equal for equal commands, whenever they are given."""
        asked = {
            name: getattr(self, name) for name in (field.name for field in fields(self)) if name not in _FOUND_BY_DESK
        }
        text = json.dumps([type(self).__name__, to_jsonable_python(asked)], ensure_ascii=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class OfContent(Command):
    """A command about exactly the content that was seen."""

    content_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Open(Command):
    """Take a new revision up: the policy says what it needs."""

    by_person: ClassVar[bool] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoDecide(Command):
    """Let the rules decide what they decide by themselves."""

    by_person: ClassVar[bool] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Show(Command):
    """Record that a reviewer sees this revision, once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim(Command):
    """Take the output up for a while, or renew the own claim."""

    duration: timedelta = LEASE


@dataclass(frozen=True, slots=True, kw_only=True)
class Release(Command):
    """Give the own claim back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit(OfContent):
    """Replace the content. Media and arguments that are left out stay as they are."""

    body: str
    media: tuple[Media, ...] | None = None
    arguments: JsonObject | None = None
    generation: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Approve(OfContent):
    """Approve exactly this content.

    Attributes:
        generation: The claim under which it is given; refused if that was lost.
        overrides_duplicate: The earlier output that it may repeat; needs a note.
    """

    generation: int | None = None
    overrides_duplicate: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestChanges(OfContent):
    """Ask the agent for another version."""

    reason_code: str | None = None
    generation: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject(OfContent):
    """Decide that the output is never published."""

    reason_code: str | None = None
    generation: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoke(Command):
    """Take the approval back before the sending has started."""

    content_hash: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expire(Command):
    """Close an output whose time is over."""

    by_person: ClassVar[bool] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdraw(Command):
    """Take the output out of review in place of its agent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supersede(Command):
    """Close an output in whose place its agent drafted another.

    Attributes:
        superseded_by: The other output.
        agent_id: The owner of the other.
        drafted_at: The position of the other's draft.
    """

    by_person: ClassVar[bool] = False

    superseded_by: str
    agent_id: str
    drafted_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Start(OfContent):
    """Begin to send. The worker may send once this is committed, and not before.

    Attributes:
        stopped: Why publication is stopped, if it is.
        missing_media: Digests of media whose bytes are missing or altered.
    """

    by_person: ClassVar[bool] = False

    stopped: str | None = None
    missing_media: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearse(Start):
    """Record that everything was ready to be sent, and send nothing: what `dry_run` asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry(Start):
    """Begin to send again what is known not to have gone out.

    Attributes:
        operator: The person who asks for it, where a machine may not.
    """

    operator: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OfAttempt(Command):
    """A command about one attempt to publish."""

    by_person: ClassVar[bool] = False

    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirm(OfAttempt):
    """The platform has it; or, of a retraction, has it no more."""

    external_id: str = ""
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fail(OfAttempt):
    """Nothing was sent, or the platform is known not to have accepted it."""

    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lose(OfAttempt):
    """It may have gone out and may not."""

    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolve(Command):
    """Say what became of an uncertain send. The note says how that is known."""

    outcome: Literal["published", "failed"]
    external_id: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledge(Command):
    """What was published before anybody looked may stay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag(Command):
    """What was published before anybody looked should be retracted."""

    reason_code: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retract(Command):
    """Have the output taken back from the platform."""


ALL: tuple[type[Command], ...] = (
    Open, AutoDecide, Show, Claim, Release, Edit, Approve, RequestChanges, Reject, Revoke, Expire, Withdraw, Supersede,
    Start, Rehearse, Retry, Confirm, Fail, Lose, Resolve, Acknowledge, Flag, Retract,
)  # fmt: skip
"""Every command."""
