"""An output as JSON, and as a person reads it: the whole content, and what to know before deciding."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pydantic import JsonValue

from capture import stored_media, to_text
from capture.cli import Column, Screen, mixed_scripts

if TYPE_CHECKING:
    from review import Output
    from review.queue import Listed

STATES = {
    "pending": "yellow",
    "changes_requested": "magenta",
    "approved": "green",
    "publishing": "cyan",
    "published": "bold green",
    "uncertain": "bold red",
    "publish_failed": "red",
    "rejected": "red",
    "retracting": "cyan",
    "expired": "dim",
    "withdrawn": "dim",
    "superseded": "dim",
    "retracted": "dim",
}
"""The colour of each state on a terminal."""

COLUMNS = (
    Column("output_id", "OUTPUT"),
    Column("state", "STATE", STATES),
    Column("kind", "KIND"),
    Column("channel", "CHANNEL"),
    Column("identity", "IDENTITY"),
    Column("agent_id", "AGENT"),
    Column("body", "BODY", elastic=True),
)
"""What a list shows."""

DRAWN = (
    *COLUMNS[:2],
    Column("age", "AGE", right=True),
    *COLUMNS[2:6],
    Column("risk", "RISK"),
    *COLUMNS[6:],
)
"""What a list shows on a terminal."""

_PARTS = ("post_type", "target_url", "target_author", "reply_to", "recipient", "action", "arguments")


def listed(row: Listed) -> dict[str, JsonValue]:
    """A row of a list, with the keys that `review list --json` has."""
    return {
        "output_id": row.output_id,
        "state": row.state,
        "kind": row.kind,
        "channel": row.channel,
        "identity": row.identity,
        "agent_id": row.agent_id,
        "body": row.body,
        "content_hash": row.content_hash,
        "revision": row.revision,
        "votes": row.votes,
        "needed": row.needed,
        "submitted_at": to_text(row.submitted_at),
        "target_url": row.target_url,
        "risk_flags": json.loads(row.risk_flags) if row.risk_flags else [],
        "url": row.url,
    }


def whole(output: Output) -> dict[str, JsonValue]:
    """An output with everything that is known of it, with the keys that `review show --json` has."""
    dumped = output.model_dump(mode="json")
    content = dumped.pop("content")
    first = {
        "output_id": output.output_id,
        "state": output.state.value,
        "kind": output.kind,
        "channel": output.channel,
        "identity": output.identity,
        "agent_id": output.agent_id,
        "body": output.body,
        "content_hash": output.content_hash,
        "revision": output.revision,
        "votes": len(output.votes),
        "needed": output.needed,
        "submitted_at": None if output.submitted_at is None else to_text(output.submitted_at),
    }
    attempt = output.attempt
    receipt = None
    if attempt is not None and attempt.external_id is not None:
        receipt = {"external_id": attempt.external_id, "url": attempt.url}
    dumped.update(approvals=dumped["votes"], receipt=receipt)
    dumped["ignored"] = [{"position": ignored.position, "code": ignored.code} for ignored in output.ignored]
    rest = {name: value for name, value in dumped.items() if name not in first and name not in ("early", "leases")}
    return {**first, **{name: content[name] for name in ("media", *_PARTS)}, **rest}


def missing_media(output: Output) -> list[str]:
    """Digests of its media whose bytes are missing or altered: they are hashed again."""
    return [media.sha256 for media in output.content.media if stored_media(media.sha256) is None]


def show(screen: Screen, output: Output) -> None:
    """Show a person everything that an approval would stand for, to its end."""
    screen.say_parts(
        (output.output_id, "bold"),
        (f"  {output.state.value}", STATES.get(output.state.value, "")),
        (f"  revision {output.revision}", "dim"),
    )
    facts: dict[str, JsonValue] = {
        "kind": output.kind,
        "channel": output.channel,
        "identity": output.identity,
        "agent": output.agent_id,
        **{name: getattr(output.content, name) for name in _PARTS},
        "confidence": output.confidence,
        "risk_flags": ", ".join(output.risk_flags) or None,
        "publish_after": None if output.publish_after is None else to_text(output.publish_after),
        "not_after": None if output.not_after is None else to_text(output.not_after),
        "votes": f"{len(output.votes)} of {output.needed} approvals"
        + (f", by {', '.join(vote.actor for vote in output.votes)}" if output.votes else ""),
    }
    screen.object(facts, {name: name.replace("_", " ").capitalize() for name in facts})
    for media in output.content.media:
        screen.object(media.model_dump(mode="json"), {"media_type": "Media", "sha256": "  digest", "alt": "  alt"})
    for told in missing_media(output):
        _warn(screen, f"MEDIA: the bytes of {told[:12]} are missing or altered; it is not sent without them")
    for name in ("identity", "target_url", "target_author", "reply_to", "recipient"):
        value = getattr(output.content, name)
        if value is not None and (scripts := mixed_scripts(value)):
            _warn(screen, f"{name.replace('_', ' ')} mixes letters of {' and '.join(scripts)} that look alike")
    for finding in output.findings:
        _warn(screen, f"{finding.code}: {finding.message}")
    for ignored in output.ignored:
        _warn(screen, f"the event at position {ignored.position} changed nothing ({ignored.code})")
    screen.content(output.body)
    screen.say_parts(("hash ", "dim"), (output.content_hash, "bold"))


def arguments_text(arguments: JsonValue) -> str:
    """The arguments of an action as text for a comparison, a line for each part."""
    return "" if arguments is None else json.dumps(arguments, indent=2, ensure_ascii=False)


def _warn(screen: Screen, text: str) -> None:
    screen.say_parts(("! ", "bold yellow"), (text, "yellow"))
