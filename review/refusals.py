"""What the desk answers: `Accepted`, or a `Refusal` that says why and what to do. Both are values; neither is raised.

A code has one exit code, whatever refused: a script can tell a mistake in the call (2) from a decision that came too
late (3), a rule (4), an unknown output (5) and a send that nobody knows the fate of (7).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import ClassVar, Final

from review.output import FINAL, Output, State

EXIT_CODES: Final = MappingProxyType(
    {
        "ACTOR": 2,
        "REASON_REQUIRED": 2,
        "STALE": 3,
        "STATE": 3,
        "LEASE": 3,
        "DUPLICATE_VOTE": 3,
        "DUPLICATE": 3,
        "IN_FLIGHT": 3,
        "PUBLISHED": 3,
        "FINAL": 3,
        "SELF": 4,
        "NOT_APPROVED": 4,
        "NOT_DUE": 4,
        "DRY_RUN": 4,
        "LIMIT": 4,
        "DENIED": 4,
        "STOPPED": 4,
        "OWNER": 4,
        "ROLE": 4,
        "MEDIA": 4,
        "NOT_FOUND": 5,
        "UNCERTAIN": 7,
    }
)
"""The exit code of each refusal."""

IN_WORDS: Final = MappingProxyType(
    {
        State.PENDING: "pending",
        State.CHANGES_REQUESTED: "sent back for changes",
        State.APPROVED: "approved",
        State.PUBLISHING: "being published",
        State.UNCERTAIN: "uncertain: it may have gone out and may not",
        State.PUBLISH_FAILED: "not published, the attempt failed",
        State.PUBLISHED: "published",
        State.RETRACTING: "being retracted",
        State.REJECTED: "rejected",
        State.EXPIRED: "expired",
        State.WITHDRAWN: "withdrawn",
        State.SUPERSEDED: "superseded",
        State.RETRACTED: "retracted",
    }
)
"""Each state as a message says it."""

_HINTS: Final = MappingProxyType(
    {
        State.PENDING: "approve, edit or reject it",
        State.CHANGES_REQUESTED: "wait for the agent's next version",
        State.APPROVED: "revoke the approval first, if it should not go out like this",
        State.PUBLISHING: "wait for the outcome: copydesk publish status",
        State.UNCERTAIN: "look at the platform, then say what you found: copydesk review resolve",
        State.PUBLISH_FAILED: "edit it, or let the worker try again",
        State.PUBLISHED: "an admin can retract it",
        State.RETRACTING: "wait for the outcome: copydesk publish status",
    }
)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The command was carried out, or there was nothing to do.

    Attributes:
        output_id: The output.
        state: Its state afterwards.
        content_hash: The hash of its present content.
        revision: The number of its present revision.
        position: The event that says so; for a command that did nothing, the newest event of the output.
        output: The whole output afterwards.
    """

    output_id: str
    state: State
    content_hash: str
    revision: int
    position: int
    output: Output = field(repr=False, compare=False)

    code: ClassVar[str] = "OK"
    exit_code: ClassVar[int] = 0


@dataclass(frozen=True, slots=True)
class Refusal:
    """The command was not carried out; nothing was appended.

    Attributes:
        code: Why, as one word; see `EXIT_CODES`.
        message: Why, in words: what was expected and what was found.
        hint: What to do next.
        output_id: The output.
        state: Its state, or None when there is no such output.
        content_hash: The hash of its present content, or None.
    """

    code: str
    message: str
    hint: str = ""
    output_id: str = ""
    state: State | None = None
    content_hash: str | None = None

    @property
    def exit_code(self) -> int:
        """The exit code of the command line."""
        return EXIT_CODES[self.code]


def refuse(output: Output, code: str, message: str, hint: str = "") -> Refusal:
    """A refusal about this output as it is."""
    return Refusal(code, message, hint, output.output_id, output.state, output.content_hash)


def no_role(output: Output, actor: str, wanted: str, roles: Sequence[str]) -> Refusal:
    """The policy does not let this person do that."""
    return refuse(
        output,
        "ROLE",
        f"{actor} may not {wanted}: that takes the role {' or '.join(roles)}",
        "ask somebody who has it, or have the policy changed",
    )


def not_found(output_id: str) -> Refusal:
    """There is no such output."""
    return Refusal(
        "NOT_FOUND",
        f"no output {output_id!r:.80} was drafted",
        "copydesk review list shows what there is",
        output_id,
    )


def code_of_state(state: State) -> str:
    """The code that refuses what a state does not allow."""
    match state:
        case State.PUBLISHING | State.RETRACTING:
            return "IN_FLIGHT"
        case State.UNCERTAIN:
            return "UNCERTAIN"
        case State.PUBLISHED:
            return "PUBLISHED"
        case State.EXPIRED | State.WITHDRAWN | State.SUPERSEDED | State.RETRACTED:
            return "FINAL"
        case _:
            return "STATE"


def wrong_state(output: Output, wanted: str, now: datetime) -> Refusal:
    """The output's state does not allow this: who brought it there, and when."""
    entry = output.decided
    if entry is None or output.state is State.PENDING:
        is_in = f"it is {IN_WORDS.get(output.state, output.state.value)}"
    else:
        is_in = f"already {IN_WORDS[output.state]} by {entry.by} {ago(entry.at, now)}"
    hint = "nothing leaves this state" if output.state in FINAL else _HINTS.get(output.state, "")
    return refuse(output, code_of_state(output.state), f"can't {wanted}: {is_in}", hint)


def stale(output: Output, seen: str, now: datetime) -> Refusal:
    """The content is another than the one that was seen: its hash, and who changed it."""
    last = output.current
    did = "edited" if last.edited else "drafted" if last.number == 1 else "revised"
    return refuse(
        output,
        "STALE",
        f"the content is not what you reviewed ({seen:.12}): {last.made_by} {did} it {ago(last.made_at, now)}; "
        f"revision {last.number} has the hash {output.content_hash}",
        "look at it again, then decide with the new hash",
    )


def ago(then: datetime, now: datetime) -> str:
    """How long ago, in the largest unit that fits: `3 m ago`."""
    passed = max(now - then, timedelta())
    for unit, length in (("d", timedelta(days=1)), ("h", timedelta(hours=1)), ("m", timedelta(minutes=1))):
        if passed >= length:
            return f"{passed // length} {unit} ago"
    return f"{passed // timedelta(seconds=1)} s ago"
