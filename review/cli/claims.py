"""`claim` and `release`: who works on an output for a while. A claim decides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import JsonValue

from capture import to_text
from capture.cli import As, Database, Screen, command
from review.cli.answer import by, outcome
from review.cli.inbox import OutputId, review
from review.cli.session import at_the_desk, find

if TYPE_CHECKING:
    from review import Accepted, Refusal


@command(
    review,
    "claim",
    example="copydesk review claim 01933a8e --as ana\ncopydesk review claim 01933a8e --json | jq .generation",
)
def claim(screen: Screen, database: Database, output: OutputId, *, actor: As = None) -> int | None:
    """Keep others from deciding for 15 minutes, or renew your claim; any verdict ends it."""
    desk = at_the_desk(database)
    return _told(screen, desk.claim(find(desk, output).output_id, **by(actor)))


@command(review, "release", example="copydesk review release 01933a8e --as ana")
def release(screen: Screen, database: Database, output: OutputId, *, actor: As = None) -> int | None:
    """Give your claim back before it runs out."""
    desk = at_the_desk(database)
    return _told(screen, desk.release(find(desk, output).output_id, **by(actor)))


def _told(screen: Screen, answer: Accepted | Refusal) -> int | None:
    from review import Refusal

    if isinstance(answer, Refusal):
        return outcome(screen, answer)
    lease = answer.output.lease
    value: dict[str, JsonValue] = {
        "output_id": answer.output_id,
        "state": answer.state.value,
        "content_hash": answer.content_hash,
        "position": answer.position,
        "holder": None if lease is None else lease.holder,
        "generation": None if lease is None else lease.generation,
        "expires_at": None if lease is None else to_text(lease.expires_at),
    }
    labels = {"output_id": "Output", "holder": "Claimed by", "expires_at": "Until", "content_hash": "Hash"}
    if lease is None and not screen.json:
        screen.say(f"{answer.output_id} is free")
    else:
        screen.object(value, labels)
    return None
