"""`Output`: what the events of one output add up to. Only `review.evolution` makes new ones.

It is the value of the keyed fold `agents_outputs`, so it goes to JSON and comes back equal.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, JsonValue

from capture.vocabulary import Draft, Finding, Media, hash_parts, kind_of

JsonObject = dict[str, JsonValue]
"""A JSON object as Python values."""


class State(StrEnum):
    """Where an output stands.

    `awaited` is no state of an output: something was said about an id whose draft has not come, and it is kept.
    """

    AWAITED = "awaited"
    PENDING = "pending"
    CHANGES_REQUESTED = "changes_requested"
    APPROVED = "approved"
    PUBLISHING = "publishing"
    UNCERTAIN = "uncertain"
    PUBLISH_FAILED = "publish_failed"
    PUBLISHED = "published"
    RETRACTING = "retracting"
    REJECTED = "rejected"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    SUPERSEDED = "superseded"
    RETRACTED = "retracted"


BY_POLICY = "policy:"
"""How the names begin under which rules decide; no person can have such a name."""

FINAL = frozenset({State.REJECTED, State.EXPIRED, State.WITHDRAWN, State.SUPERSEDED, State.RETRACTED})
"""States that no event leaves."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Content(_Value):
    """Everything that changes what the world sees, and nothing else."""

    kind: str = ""
    post_type: str | None = None
    channel: str = ""
    identity: str = ""
    target_url: str | None = None
    target_author: str | None = None
    reply_to: str | None = None
    recipient: str | None = None
    body: str = ""
    media: tuple[Media, ...] = ()
    action: str | None = None
    arguments: JsonObject | None = None

    @classmethod
    def of(cls, draft: Draft) -> Content:
        """The content of a draft."""
        return cls(
            kind=kind_of(draft.event_type),
            post_type=getattr(draft, "post_type", None),
            channel=draft.channel,
            identity=draft.identity,
            target_url=draft.target_url,
            target_author=draft.target_author,
            reply_to=getattr(draft, "reply_to", None),
            recipient=getattr(draft, "recipient", None),
            body=draft.body,
            media=draft.media,
            action=getattr(draft, "action", None),
            arguments=getattr(draft, "arguments", None),
        )

    def with_parts(self, body: str, media: tuple[Media, ...], arguments: JsonObject | None) -> Content:
        """The content with what a revision may replace; arguments that are left out stay."""
        kept = self.arguments if arguments is None else arguments
        return self.model_copy(update={"body": body, "media": media, "arguments": kept})

    def hash(self) -> str:
        """The content hash, computed anew: 64 hexadecimal digits."""
        return hash_parts(**{name: getattr(self, name) for name in Content.model_fields})


class Revision(_Value):
    """One content of an output. It never changes; the next one has the next number.

    Attributes:
        number: 1 for the draft.
        content_hash: The hash of the whole content under this revision.
        body: What the world would read.
        media: The files that go with it.
        arguments: The arguments of an action.
        made_by: The agent, or the reviewer who edited.
        edited: True when a reviewer made it.
        authors: Whose text may be in it: the agent of its last own revision and every reviewer who edited since.
        position: The event that made it.
        made_at: When that was recorded.
        note: The maker's remark.
    """

    number: int
    content_hash: str
    body: str
    media: tuple[Media, ...]
    arguments: JsonObject | None
    made_by: str
    edited: bool
    authors: tuple[str, ...]
    position: int
    made_at: datetime
    note: str | None = None


class Vote(_Value):
    """One approval of the present revision."""

    actor: str
    position: int
    at: datetime
    overrides_duplicate: str | None = None

    @property
    def by_rule(self) -> bool:
        """True when a rule gave it."""
        return self.actor.startswith(BY_POLICY)


class Lease(_Value):
    """Who works on the output, and until when. It keeps others from deciding, and decides nothing."""

    holder: str
    generation: int
    expires_at: datetime


class Attempt(_Value):
    """One attempt to publish: a line of the ledger."""

    number: int
    revision: int
    content_hash: str
    publisher: str
    idempotency_key: str
    worker: str
    state: Literal["publishing", "published", "failed", "uncertain"]
    started_position: int
    started_at: datetime
    finished_at: datetime | None = None
    was_uncertain: bool = False
    error: str | None = None
    external_id: str | None = None
    url: str | None = None


class Entry(_Value):
    """A line of an output's history.

    Attributes:
        position: The event.
        at: When it was recorded.
        what: The event's type.
        by: The agent, the reviewer, the policy, the worker, or `system`.
        state: The state after it.
        revision: The revision that it is about.
        content_hash: The hash that it is about.
        reason_code: Why, from the list.
        note: Why, in words.
    """

    position: int
    at: datetime
    what: str
    by: str
    state: State
    revision: int
    content_hash: str
    reason_code: str | None = None
    note: str | None = None


class Ignored(NamedTuple):
    """An event that changed nothing, and why.

    Attributes:
        position: The event.
        code: `OWNER`, `SECOND_DRAFT`, `NO_DRAFT`, `STALE`, or what a command would have been refused with.
    """

    position: int
    code: str


class Early(NamedTuple):
    """A withdrawal that lies before its draft."""

    position: int
    agent_id: str
    at: datetime
    note: str | None


class Output(_Value):
    """An output as its events made it.

    Attributes:
        output_id: What names it.
        state: Where it stands.
        agent_id: The owner: the agent of the first draft.
        content: The content of the present revision.
        content_hash: The hash of that content.
        revision: The number of the present revision; 0 while the draft is awaited.
        revisions: All of them, in order.
        submitted_at: When the draft was recorded.
        updated_at: When the newest event was recorded.
        position: The newest event.
        opened: True when the desk took up the present revision.
        policy: The policy under which it did, as `policy:NAME@VERSION`.
        mode: What that policy asks for.
        needed: Approvals that it takes; never falls.
        deadline: When it expires undecided.
        publisher: Who will publish it.
        findings: What a rule found in it when it was opened.
        for_person: True once it was a person's to decide, or a person had a hand in it: no rule approves it any more.
        votes: The approvals of the present revision so far.
        lease: Who works on it.
        leases: How many claims there were: the last generation.
        shown_to: Who saw the present revision.
        attempts: The ledger.
        rehearsed: The last revision of which everything was ready, and nothing was sent, under `dry_run`.
        published_at: When the platform had it.
        acknowledged: Looked at after the fact, under `posthoc`.
        flagged: A retraction was asked for, under `posthoc`.
        superseded_by: The output that took its place.
        early: Withdrawals that lie before the draft.
        ignored: Events that changed nothing, and why.
        history: What happened, in order.
        decided: The entry that brought it into its present state.
    """

    output_id: str
    state: State = State.AWAITED
    agent_id: str = ""
    content: Content = Content()
    content_hash: str = ""
    revision: int = 0
    revisions: tuple[Revision, ...] = ()
    submitted_at: datetime | None = None
    updated_at: datetime | None = None
    position: int = 0
    tone: str | None = None
    trigger_context: str | None = None
    confidence: float | None = None
    risk_flags: tuple[str, ...] = ()
    publish_after: datetime | None = None
    not_after: datetime | None = None
    dedupe_key: str | None = None
    supersedes: str | None = None
    metadata: JsonObject = {}
    opened: bool = False
    policy: str | None = None
    mode: str = "review"
    needed: int = 1
    deadline: datetime | None = None
    publisher: str = "folder"
    findings: tuple[Finding, ...] = ()
    for_person: bool = False
    votes: tuple[Vote, ...] = ()
    lease: Lease | None = None
    leases: int = 0
    shown_to: tuple[str, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    rehearsed: int = 0
    published_at: datetime | None = None
    acknowledged: bool = False
    flagged: bool = False
    superseded_by: str | None = None
    early: tuple[Early, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    history: tuple[Entry, ...] = ()
    decided: Entry | None = None

    @property
    def drafted(self) -> bool:
        """True once the draft is there: before, the output does not exist for anybody."""
        return self.revision > 0

    @property
    def kind(self) -> str:
        """What it is: social_post, comment, message or action; a module may add kinds."""
        return self.content.kind

    @property
    def channel(self) -> str:
        """The platform."""
        return self.content.channel

    @property
    def identity(self) -> str:
        """The account that it would go out under."""
        return self.content.identity

    @property
    def body(self) -> str:
        """What the world would read."""
        return self.content.body

    @property
    def current(self) -> Revision:
        """The present revision."""
        return self.revisions[-1]

    @property
    def attempt(self) -> Attempt | None:
        """The newest attempt to publish."""
        return self.attempts[-1] if self.attempts else None

    @property
    def opened_at_position(self) -> int | None:
        """The `review.opened` of the present revision; None before it."""
        entries = (entry for entry in reversed(self.history) if entry.what == "review.opened")
        return next((entry.position for entry in entries if entry.revision == self.revision), None)

    def lease_at(self, now: datetime) -> Lease | None:
        """The lease, unless it has run out."""
        return self.lease if self.lease is not None and now < self.lease.expires_at else None
