"""What the desk appends when a person, or a rule that a person wrote, decides. Written by the desk alone."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from capture.events.event import Event, JsonObject, OutputId, Value
from capture.vocabulary.drafts import Body, Line, Media, Sha256
from capture.vocabulary.outputs import Note

Revision = Annotated[int, Field(ge=1)]
"""1 for the draft; every revision and edit adds one."""

Actor = Line
"""Who decided: a person's name, or `policy:NAME@VERSION`."""

ActorSource = Literal["flag", "environment", "system", "web", "policy", "api"]
"""How the actor was known. `api`: named by the code that called the desk."""


PolicyText = Annotated[str, Field(max_length=200_000)]
"""A policy file, as it was read. In characters."""


class Finding(Value):
    """What a rule found in a content: a banned phrase, an excess of length, a duplicate."""

    code: Literal["DENIED", "LIMIT", "DUPLICATE"]
    message: Note
    output_id: OutputId | None = None


class _OfRevision(Event):
    output_id: OutputId
    revision: Revision
    content_hash: Sha256


class _ByActor(_OfRevision):
    actor: Actor
    actor_source: ActorSource = "api"
    note: Note | None = None


class ReviewOpened(_OfRevision, type="review.opened", version=1, stream="output_id"):
    """The desk took up a revision: under which policy, how many approvals it needs, what was found in it."""

    policy: Line
    mode: Literal["review", "auto", "dry_run", "posthoc"] = "review"
    needed: Annotated[int, Field(ge=1, le=100)] = 1
    deadline: AwareDatetime | None = None
    publisher: Line = "folder"
    findings: tuple[Finding, ...] = ()


class ReviewEdited(_ByActor, type="review.edited", version=1, stream="output_id"):
    """A reviewer changed the content. `revision` and `content_hash` are the new ones; the original is kept."""

    seen_hash: Sha256
    body: Body
    media: tuple[Media, ...] = ()
    arguments: JsonObject | None = None


class ReviewApproved(_ByActor, type="review.approved", version=1, stream="output_id"):
    """A reviewer, or a rule, approved exactly this content. One vote of those that are needed."""

    needed: Annotated[int, Field(ge=1, le=100)] = 1
    overrides_duplicate: OutputId | None = None


class ReviewChangesRequested(_ByActor, type="review.changes_requested", version=1, stream="output_id"):
    """A reviewer asked the agent for another version."""

    reason_code: Line


class ReviewRejected(_ByActor, type="review.rejected", version=1, stream="output_id"):
    """A reviewer, or a rule, decided that this output is never published."""

    reason_code: Line


class ReviewRevoked(_ByActor, type="review.revoked", version=1, stream="output_id"):
    """A reviewer took an approval back before the sending had started."""


class ReviewShown(_ByActor, type="review.shown", version=1, stream="output_id"):
    """A reviewer saw this revision for the first time: where the time to a decision begins."""


class ReviewClaimed(_ByActor, type="review.claimed", version=1, stream="output_id"):
    """A reviewer took the output up for a while, or went on with it: the same generation means a renewal."""

    generation: Annotated[int, Field(ge=1)]
    expires_at: AwareDatetime


class ReviewReleased(_ByActor, type="review.released", version=1, stream="output_id"):
    """A reviewer gave a claim back before it ran out."""

    generation: Annotated[int, Field(ge=1)]


class ReviewExpired(_OfRevision, type="review.expired", version=1, stream="output_id"):
    """Its time is over: the draft's `not_after`, or the deadline of the rule. No rejection, and never an approval."""

    limit: Literal["not_after", "deadline"]


class ReviewWithdrawn(_ByActor, type="review.withdrawn", version=1, stream="output_id"):
    """An admin took the output out of review in place of its agent. `note` says why."""


class ReviewSuperseded(_OfRevision, type="review.superseded", version=1, stream="output_id"):
    """The agent drafted another output in place of this one."""

    superseded_by: OutputId


class ReviewAcknowledged(_ByActor, type="review.acknowledged", version=1, stream="output_id"):
    """A reviewer looked at what a `posthoc` rule had let out, and it may stay."""


class ReviewFlagged(_ByActor, type="review.flagged", version=1, stream="output_id"):
    """A reviewer looked at what a `posthoc` rule had let out, and asks for a retraction."""

    reason_code: Line


class _OfAllOutputs(Event):
    """What holds for all outputs at once stands in one stream, `desk-orders`."""

    desk: Literal["orders"] = "orders"
    actor: Actor
    actor_source: ActorSource = "api"


class ReviewPolicyAdopted(_OfAllOutputs, type="review.policy_adopted", version=1, stream="desk"):
    """A person put a policy in force. Every process goes by the text that was adopted last, wherever it was started."""

    name: Line
    version: Sha256
    text: PolicyText


class ReviewAutomationPaused(_OfAllOutputs, type="review.automation_paused", version=1, stream="desk"):
    """A person turned down what a rule would have approved: it approves nothing of this identity any more.

    `rule` is the digest of what the rule matches, so that it stays paused under the next version of the policy.
    """

    policy: Line
    rule: Sha256
    identity: Line
    rejected: OutputId


class ReviewAutomationResumed(_OfAllOutputs, type="review.automation_resumed", version=1, stream="desk"):
    """A person let a rule approve again for an identity."""

    rule: Sha256
    identity: Line
    note: Note | None = None
