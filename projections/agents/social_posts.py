"""`agents_social_posts`: everything that agents wanted to put before the world, a row each, and what became of it.

The row depends on its own past (a revision counts only from its owner, an approval only for the present content), so
this is a keyed fold. Its rules are those of `review.evolution`, told for analysts: `agents_outputs` is what review
works with, this table keeps what was said around an output too, and a test holds the states of the two equal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from capture import Event, Recorded
from capture.vocabulary import (
    Draft,
    Media,
    OutputRevised,
    OutputWithdrawn,
    PublicationConfirmed,
    PublicationFailed,
    PublicationLost,
    PublicationResolved,
    PublicationRetracted,
    PublicationRetractionFailed,
    PublicationRetractionStarted,
    PublicationStarted,
    ReviewApproved,
    ReviewChangesRequested,
    ReviewEdited,
    ReviewExpired,
    ReviewOpened,
    ReviewRejected,
    ReviewRevoked,
    ReviewSuperseded,
    ReviewWithdrawn,
    hash_parts,
    kind_of,
)
from projections.columns import Integer, Json, Key, Real, Text, Timestamp
from projections.projector import Projector, folds, handles
from projections.table import agents_table

OPEN_TO_ITS_AGENT = ("pending", "changes_requested", "approved", "publish_failed")
"""States in which the agent may still revise or withdraw: nothing is being sent, nothing may have gone out."""

_HASHED = (
    "kind",
    "post_type",
    "channel",
    "identity",
    "target_url",
    "target_author",
    "reply_to",
    "recipient",
    "body",
    "media",
    "action",
    "arguments",
)
_DRAFTED = (
    "tone",
    "trigger_context",
    "confidence",
    "risk_flags",
    "dedupe_key",
    "supersedes",
    "publish_after",
    "not_after",
    "metadata",
)


class Post(BaseModel):
    """What the events of one output come to; the columns of the table, and what the next event needs."""

    model_config = ConfigDict(frozen=True)

    state: str = "awaited"
    agent_id: str = ""
    run_id: str | None = None
    correlation_id: str | None = None
    kind: str = ""
    post_type: str | None = None
    channel: str = ""
    identity: str = ""
    body: str = ""
    target_url: str | None = None
    target_author: str | None = None
    reply_to: str | None = None
    recipient: str | None = None
    action: str | None = None
    arguments: Any = None
    media: tuple[Media, ...] = ()
    tone: str | None = None
    trigger_context: str | None = None
    confidence: float | None = None
    risk_flags: tuple[str, ...] = ()
    dedupe_key: str | None = None
    supersedes: str | None = None
    superseded_by: str | None = None
    publish_after: datetime | None = None
    not_after: datetime | None = None
    metadata: Any = None
    content_hash: str | None = None
    revision: int = 0
    votes: int = 0
    needed: int = 1
    policy: str | None = None
    publisher: str | None = None
    decided_by: str | None = None
    reason_code: str | None = None
    note: str | None = None
    attempts: int = 0
    error: str | None = None
    external_id: str | None = None
    url: str | None = None
    drafted_at: datetime | None = None
    submitted_at: datetime | None = None
    decided_at: datetime | None = None
    published_at: datetime | None = None
    updated_at: datetime | None = None
    withdrawn_early_by: tuple[str, ...] = ()


Changes = dict[str, Any]


class SocialPosts(Projector, version=1):
    """One row a post, comment, message or action."""

    table = agents_table(
        "social_posts",
        Key("output_id"),
        Text("state"),
        Text("kind"),
        Text("post_type"),
        Text("channel"),
        Text("identity"),
        Text("agent_id"),
        Text("run_id"),
        Text("correlation_id"),
        Text("body"),
        Text("target_url"),
        Text("target_author"),
        Text("reply_to"),
        Text("recipient"),
        Text("action"),
        Json("arguments"),
        Json("media"),
        Text("tone"),
        Text("trigger_context"),
        Real("confidence"),
        Json("risk_flags"),
        Text("dedupe_key"),
        Text("supersedes"),
        Text("superseded_by"),
        Timestamp("publish_after"),
        Timestamp("not_after"),
        Json("metadata"),
        Text("content_hash"),
        Integer("revision"),
        Integer("votes"),
        Integer("needed"),
        Text("policy"),
        Text("publisher"),
        Text("decided_by"),
        Text("reason_code"),
        Text("note"),
        Integer("attempts"),
        Text("error"),
        Text("external_id"),
        Text("url"),
        Timestamp("drafted_at"),
        Timestamp("submitted_at"),
        Timestamp("decided_at"),
        Timestamp("published_at"),
        Timestamp("updated_at"),
        indexes=[("state", "submitted_at"), ("channel", "identity", "submitted_at")],
    )

    @handles(
        Draft,
        OutputRevised,
        OutputWithdrawn,
        ReviewOpened,
        ReviewEdited,
        ReviewApproved,
        ReviewChangesRequested,
        ReviewRejected,
        ReviewRevoked,
        ReviewExpired,
        ReviewWithdrawn,
        ReviewSuperseded,
        PublicationStarted,
        PublicationConfirmed,
        PublicationFailed,
        PublicationLost,
        PublicationResolved,
        PublicationRetractionStarted,
        PublicationRetracted,
        PublicationRetractionFailed,
    )
    @folds(key="output_id", value=Post)
    def follow(self, before: Post | None, fact: Recorded[Any]) -> Post | None:
        """The post after one more of its events; an event that does not apply changes nothing."""
        event = fact.payload
        if isinstance(event, Draft):
            return _drafted(before, event, fact)
        if before is None or before.state == "awaited":
            if not isinstance(event, OutputWithdrawn):
                return before
            early = before or Post()
            return early.model_copy(update={"withdrawn_early_by": (*early.withdrawn_early_by, fact.agent_id)})
        if not _applies(before, event, fact):
            return before
        changes = _CHANGES[type(event)](before, event, fact)
        return before.model_copy(update={**changes, "updated_at": fact.recorded_at})

    def columns(self, value: Post) -> Mapping[str, object]:
        """Every field but the one that only the fold needs."""
        fields = {name: getattr(value, name) for name in Post.model_fields if name != "withdrawn_early_by"}
        return fields if value.state != "awaited" else {"state": value.state}


def _drafted(before: Post | None, draft: Draft, fact: Recorded[Any]) -> Post:
    if before is not None and before.state != "awaited":
        return before
    early = () if before is None else before.withdrawn_early_by
    withdrawn = fact.agent_id in early
    content = {name: getattr(draft, name, None) for name in _HASHED if name != "kind"}
    born = Post(
        **content,
        **{name: getattr(draft, name) for name in _DRAFTED},
        kind=kind_of(draft.event_type),
        state="withdrawn" if withdrawn else "pending",
        agent_id=fact.agent_id,
        run_id=fact.run_id,
        correlation_id=fact.correlation_id,
        revision=1,
        drafted_at=fact.occurred_at,
        submitted_at=fact.recorded_at,
        decided_by=fact.agent_id if withdrawn else None,
        decided_at=fact.recorded_at if withdrawn else None,
        updated_at=fact.recorded_at,
    )
    return born.model_copy(update={"content_hash": _hash_of(born)})


def _applies(post: Post, event: Event, fact: Recorded[Any]) -> bool:
    if isinstance(event, OutputRevised | OutputWithdrawn):
        return fact.agent_id == post.agent_id and post.state in OPEN_TO_ITS_AGENT
    if isinstance(event, ReviewApproved | ReviewOpened):
        return (event.revision, event.content_hash) == (post.revision, post.content_hash)
    return True


def _hash_of(post: Post) -> str:
    return hash_parts(**{name: getattr(post, name) for name in _HASHED})


def _new_content(post: Post, event: OutputRevised | ReviewEdited, _: Recorded[Any]) -> Changes:
    kept = post.arguments if event.arguments is None else event.arguments
    changes: Changes = {"body": event.body, "media": event.media, "arguments": kept}
    changes["content_hash"] = _hash_of(post.model_copy(update=changes))
    undecided = dict.fromkeys(("decided_by", "decided_at", "reason_code"))
    return {**changes, **undecided, "state": "pending", "revision": post.revision + 1, "votes": 0, "note": event.note}


def _opened(post: Post, event: ReviewOpened, _: Recorded[Any]) -> Changes:
    return {"policy": event.policy, "needed": max(post.needed, event.needed), "publisher": event.publisher}


def _approved(post: Post, event: ReviewApproved, fact: Recorded[Any]) -> Changes:
    votes, needed = post.votes + 1, max(post.needed, event.needed)
    state = "approved" if votes >= needed else post.state
    return {**_decision(event, fact), "votes": votes, "needed": needed, "state": state}


def _decided(state: str) -> Callable[[Post, Any, Recorded[Any]], Changes]:
    def change(post: Post, event: Any, fact: Recorded[Any]) -> Changes:  # noqa: ARG001 - as all of _CHANGES
        more = {"superseded_by": event.superseded_by} if isinstance(event, ReviewSuperseded) else {}
        return {**_decision(event, fact), **more, "state": state, "votes": 0}

    return change


def _decision(event: Any, fact: Recorded[Any]) -> Changes:
    return {
        "decided_by": getattr(event, "actor", fact.agent_id),
        "decided_at": fact.recorded_at,
        "reason_code": getattr(event, "reason_code", None),
        "note": getattr(event, "note", None) or getattr(event, "reason", None),
    }


def _started(post: Post, event: PublicationStarted, _: Recorded[Any]) -> Changes:
    return {"state": "publishing", "attempts": post.attempts + 1, "publisher": event.publisher, "error": None}


def _published(_: Post, event: Any, fact: Recorded[Any]) -> Changes:
    at = getattr(event, "published_at", None) or fact.recorded_at
    receipt = {"external_id": event.external_id, "url": event.url}
    return {**receipt, "state": "published", "published_at": at, "error": None}


def _resolved(post: Post, event: PublicationResolved, fact: Recorded[Any]) -> Changes:
    if event.outcome == "published":
        return _published(post, event, fact)
    return {"state": "publish_failed", "error": event.note}


def _unsent(state: str) -> Callable[[Post, Any, Recorded[Any]], Changes]:
    return lambda _, event, __: {"state": state, "error": event.error}


def _now(state: str) -> Callable[[Post, Any, Recorded[Any]], Changes]:
    return lambda *_: {"state": state}


_CHANGES: dict[type[Event], Callable[[Post, Any, Recorded[Any]], Changes]] = {
    OutputRevised: _new_content,
    OutputWithdrawn: _decided("withdrawn"),
    ReviewOpened: _opened,
    ReviewEdited: _new_content,
    ReviewApproved: _approved,
    ReviewChangesRequested: _decided("changes_requested"),
    ReviewRejected: _decided("rejected"),
    ReviewRevoked: _decided("pending"),
    ReviewExpired: _decided("expired"),
    ReviewWithdrawn: _decided("withdrawn"),
    ReviewSuperseded: _decided("superseded"),
    PublicationStarted: _started,
    PublicationConfirmed: _published,
    PublicationFailed: _unsent("publish_failed"),
    PublicationLost: _unsent("uncertain"),
    PublicationResolved: _resolved,
    PublicationRetractionStarted: _now("retracting"),
    PublicationRetracted: _now("retracted"),
    PublicationRetractionFailed: _unsent("published"),
}
