"""Who asks the desk, and how its answer is shown: an accepted command, or a refusal with its exit code and advice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import JsonValue

from capture.cli import Screen, current_actor

if TYPE_CHECKING:
    from review import Accepted, Refusal


def outcome(screen: Screen, answer: Accepted | Refusal) -> int | None:
    """Show what became of a command; a refusal knows its exit code and its advice."""
    from review import Refusal

    if isinstance(answer, Refusal):
        about: dict[str, JsonValue] = {
            "output_id": answer.output_id,
            "state": None if answer.state is None else answer.state.value,
            "code": answer.code,
            "message": answer.message,
            "content_hash": answer.content_hash,
        }
        screen.failure(answer.code, answer.message, answer.hint, about)
        return answer.exit_code
    if screen.json:
        screen.value(
            {
                "output_id": answer.output_id,
                "state": answer.state.value,
                "content_hash": answer.content_hash,
                "revision": answer.revision,
                "position": answer.position,
                "votes": len(answer.output.votes),
                "needed": answer.output.needed,
            }
        )
        return None
    votes = f", {len(answer.output.votes)} of {answer.output.needed} approvals" if answer.output.needed > 1 else ""
    screen.say(f"{answer.output_id} is {answer.state.value}{votes} (revision {answer.revision})")
    screen.say_parts(("hash ", "dim"), (answer.content_hash, ""))
    return None


def by(actor: str | None) -> dict[str, Any]:
    """The actor as the desk's methods take it: the name, and how it is known.

    Args:
        actor: What `--as` said.
    """
    name, source = current_actor(actor)
    return {"actor": name, "actor_source": source}
