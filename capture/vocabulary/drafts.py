"""Drafts: what an agent wants to put before the world. Each must pass review."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from capture.events.event import Event, JsonObject, OutputId, Time, Value
from capture.identifiers import new_id_text

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
"""A SHA-256 digest as 64 lower-case hexadecimal digits."""

Channel = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=48)]
"""A platform's name: linkedin, x, youtube, mastodon …"""

Line = Annotated[str, Field(min_length=1, max_length=500)]
"""A short text: an account, a name, an author. In characters."""

Body = Annotated[str, Field(max_length=100_000)]
"""What the world will read, in characters as platforms count."""

Url = Annotated[str, Field(min_length=1, max_length=4_000)]
"""An address, kept as it was given. In characters."""

Confidence = Annotated[float, Field(ge=0, le=1)]
"""How sure the agent is: 0 (not at all) to 1 (certain)."""


class Media(Value):
    """A picture, a video or another file that goes with an output, named by its digest.

    The bytes lie in the media folder, put there by `capture.attach`; `url` only says where they came from.
    """

    sha256: Sha256
    media_type: Annotated[str, Field(pattern=r"^[a-z0-9.+-]+/[a-z0-9.+-]+$", max_length=100)]
    alt: Annotated[str, Field(max_length=2_000)] | None = None
    url: Url | None = None


class Draft(Event):
    """The base of everything that must pass review before it may reach the world."""

    output_id: OutputId = Field(default_factory=new_id_text)
    channel: Channel
    identity: Line
    body: Body
    target_url: Url | None = None
    target_author: Line | None = None
    tone: Line | None = None
    trigger_context: Annotated[str, Field(max_length=10_000)] | None = None
    confidence: Confidence | None = None
    risk_flags: tuple[Line, ...] = ()
    media: tuple[Media, ...] = ()
    publish_after: Time | None = None
    not_after: Time | None = None
    dedupe_key: Line | None = None
    supersedes: OutputId | None = None
    metadata: JsonObject = Field(default_factory=dict)


class SocialPostDrafted(Draft, type="social_post.drafted", version=1, stream="output_id"):
    """An agent drafted a post of its own."""

    post_type: Literal["original", "repost"] = "original"


class CommentDrafted(Draft, type="comment.drafted", version=1, stream="output_id"):
    """An agent drafted a comment or a reply."""

    reply_to: Url | None = None


class MessageDrafted(Draft, type="message.drafted", version=1, stream="output_id"):
    """An agent drafted a message to one recipient."""

    recipient: Line


class ActionProposed(Draft, type="action.proposed", version=1, stream="output_id"):
    """An agent wants to do something to the outside: a moderation, a reaction, a payment."""

    body: Body = ""
    action: Line
    arguments: JsonObject = Field(default_factory=dict)
