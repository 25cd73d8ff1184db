"""The state machine of an output: this table is the whole of it.

Theory of operation. An output is a stream of events. Its agent drafts it and may revise or withdraw it as long as
nothing is being sent; people decide on it; the publishing worker sends it. Two pure functions say all:

- `decide` takes an output, a command and the time, and gives the events to append, or a refusal. It looks the move up
  by state and command, asks each of its guards in order, and lets its effect make the events. What is not in the
  table is refused, and the refusal says who brought the output into its state, and when.
- `evolve` (in `review.evolution`) takes an output and the next event and gives the output afterwards.

Rules that hold across the table:

- An approval is of one output, one revision, one hash. Any new content is a new revision, `pending`, without votes.
- The first event of the desk on each revision is `review.opened`: under which policy, how many approvals. `decide`
  puts it before whatever the first command appends. It never lowers the approvals needed. What a rule denies is
  rejected there.
- A rule approves only what was never a person's to decide, under its mode when it was opened and now; and its vote
  counts only as long as it would give it again.
- Who may ask is looked at before what is asked: a policy names reviewers and admins, else everybody is both.
- Time alone changes nothing. A deadline that has passed keeps an output from being sent; `Expire` closes it. Silence
  never approves.
- `publishing` is left by what the worker knows: published, known not to have gone out, or `uncertain`. From
  `uncertain` only a look at the platform leads on. Nothing leads from `uncertain` to a second send by a machine.
- Nothing leaves `rejected`, `expired`, `withdrawn`, `superseded`, `retracted`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Literal

from capture import Event
from review import effects
from review.commands import (
    Acknowledge,
    Approve,
    AutoDecide,
    Claim,
    Command,
    Confirm,
    Edit,
    Expire,
    Fail,
    Flag,
    Lose,
    Open,
    Rehearse,
    Reject,
    Release,
    RequestChanges,
    Resolve,
    Retract,
    Retry,
    Revoke,
    Show,
    Start,
    Supersede,
    Withdraw,
)
from review.evolution import evolve, opened
from review.guards import (
    a_machine_may_retry,
    a_note_is_given,
    a_reason_is_given,
    a_receipt_is_given,
    an_override_has_a_reason,
    attempt_is_current,
    content_is_current,
    enough_have_approved,
    is_a_new_voter,
    is_due,
    is_not_an_author,
    is_posthoc,
    is_the_owner,
    it_is_a_dry_run,
    it_is_to_be_sent,
    it_was_sent_from_here,
    its_time_is_over,
    lease_is_free_or_own,
    lease_is_not_lost,
    lease_is_own,
    limits_are_kept,
    media_are_whole,
    nobody_works_on_it,
    nothing_was_found_in_it,
    publication_is_not_stopped,
    the_other_is_newer,
    the_rules_decide_it,
)
from review.output import Output, State
from review.policy.rules import EVERYTHING, Role
from review.refusals import Refusal, no_role, not_found, refuse, wrong_state

PENDING, CHANGES_REQUESTED, APPROVED = State.PENDING, State.CHANGES_REQUESTED, State.APPROVED
PUBLISHING, UNCERTAIN, PUBLISH_FAILED = State.PUBLISHING, State.UNCERTAIN, State.PUBLISH_FAILED
PUBLISHED, RETRACTING, RETRACTED = State.PUBLISHED, State.RETRACTING, State.RETRACTED
REJECTED, EXPIRED, WITHDRAWN, SUPERSEDED = State.REJECTED, State.EXPIRED, State.WITHDRAWN, State.SUPERSEDED

Who = Literal["reviewer", "admin", "worker", "operator", "system", "rule"]
Guard = Callable[[Output, Any, datetime], Refusal | None]
Effect = Callable[[Output, Any, datetime], tuple[Event, ...]]


@dataclass(frozen=True, slots=True)
class Move:
    """A line of the table.

    Attributes:
        who: Who may ask for it.
        guards: What must hold, in the order in which it is asked.
        then: What is appended.
        to: The states that it may lead to.
    """

    who: Who
    guards: tuple[Guard, ...]
    then: Effect
    to: tuple[State, ...]


_SEEN = (content_is_current, lease_is_not_lost)
_READY = (
    is_due,
    publication_is_not_stopped,
    enough_have_approved,
    nothing_was_found_in_it,
    limits_are_kept,
    media_are_whole,
)
_TO_SEND = (content_is_current, it_is_to_be_sent, *_READY)

_OPEN = Move("system", (), effects.open_once, (PENDING, REJECTED))
_AUTO = Move("rule", (nobody_works_on_it, the_rules_decide_it), effects.auto_decide, (APPROVED, REJECTED))
_SHOW = Move("reviewer", (), effects.show_once, (PENDING,))
_CLAIM = Move("reviewer", (lease_is_free_or_own,), effects.claim, (PENDING,))
_RELEASE = Move("reviewer", (lease_is_own,), effects.release, (PENDING,))
_EDIT = Move("reviewer", _SEEN, effects.edit, (PENDING,))
_APPROVE = Move(
    "reviewer",
    (*_SEEN, is_not_an_author, is_a_new_voter, nothing_was_found_in_it, an_override_has_a_reason),
    effects.vote,
    (PENDING, APPROVED),
)
_CHANGES = Move("reviewer", (*_SEEN, a_reason_is_given), effects.request_changes, (CHANGES_REQUESTED,))
_REJECT = Move("reviewer", (*_SEEN, a_reason_is_given), effects.reject, (REJECTED,))
_REVOKE = Move("reviewer", (content_is_current,), effects.revoke, (PENDING,))
_EXPIRE = Move("system", (its_time_is_over,), effects.expire, (EXPIRED,))
_WITHDRAW = Move("admin", (a_note_is_given,), effects.withdraw, (WITHDRAWN,))
_SUPERSEDE = Move("system", (is_the_owner, the_other_is_newer), effects.supersede, (SUPERSEDED,))
_START = Move("worker", _TO_SEND, effects.start, (PUBLISHING,))
_REHEARSE = Move("worker", (content_is_current, it_is_a_dry_run, *_READY), effects.rehearse, (APPROVED,))
_RETRY = Move("worker", (a_machine_may_retry, *_TO_SEND), effects.start, (PUBLISHING,))
_CONFIRM = Move("worker", (attempt_is_current,), effects.confirm, (PUBLISHED,))
_FAIL = Move("worker", (attempt_is_current,), effects.fail, (PUBLISH_FAILED,))
_LOSE = Move("worker", (attempt_is_current,), effects.lose, (UNCERTAIN,))
_RESOLVE = Move(
    "operator",
    (a_note_is_given, a_receipt_is_given, it_was_sent_from_here),
    effects.resolve,
    (PUBLISHED, PUBLISH_FAILED),
)
_ACKNOWLEDGE = Move("reviewer", (is_posthoc,), effects.acknowledge, (PUBLISHED,))
_FLAG = Move("reviewer", (is_posthoc, a_reason_is_given), effects.flag, (PUBLISHED,))
_RETRACT = Move("admin", (a_note_is_given, it_was_sent_from_here), effects.retract, (RETRACTING,))
_RETRACTED = Move("worker", (attempt_is_current,), effects.confirm_retraction, (RETRACTED,))
_NOT_RETRACTED = Move("worker", (attempt_is_current,), effects.fail_retraction, (PUBLISHED,))

MOVES: Final = MappingProxyType(
    {
        (PENDING, Open): _OPEN,
        (PENDING, AutoDecide): _AUTO,
        (PENDING, Show): _SHOW,
        (PENDING, Claim): _CLAIM,
        (PENDING, Release): _RELEASE,
        (PENDING, Edit): _EDIT,
        (PENDING, Approve): _APPROVE,
        (PENDING, RequestChanges): _CHANGES,
        (PENDING, Reject): _REJECT,
        (PENDING, Expire): _EXPIRE,
        (PENDING, Withdraw): _WITHDRAW,
        (PENDING, Supersede): _SUPERSEDE,
        (CHANGES_REQUESTED, Expire): _EXPIRE,
        (CHANGES_REQUESTED, Withdraw): _WITHDRAW,
        (CHANGES_REQUESTED, Supersede): _SUPERSEDE,
        (APPROVED, Edit): _EDIT,
        (APPROVED, Revoke): _REVOKE,
        (APPROVED, Expire): _EXPIRE,
        (APPROVED, Withdraw): _WITHDRAW,
        (APPROVED, Supersede): _SUPERSEDE,
        (APPROVED, Start): _START,
        (APPROVED, Rehearse): _REHEARSE,
        (PUBLISHING, Confirm): _CONFIRM,
        (PUBLISHING, Fail): _FAIL,
        (PUBLISHING, Lose): _LOSE,
        (UNCERTAIN, Confirm): _CONFIRM,
        (UNCERTAIN, Resolve): _RESOLVE,
        (PUBLISH_FAILED, Edit): _EDIT,
        (PUBLISH_FAILED, Expire): _EXPIRE,
        (PUBLISH_FAILED, Withdraw): _WITHDRAW,
        (PUBLISH_FAILED, Supersede): _SUPERSEDE,
        (PUBLISH_FAILED, Retry): _RETRY,
        (PUBLISHED, Acknowledge): _ACKNOWLEDGE,
        (PUBLISHED, Flag): _FLAG,
        (PUBLISHED, Retract): _RETRACT,
        (RETRACTING, Confirm): _RETRACTED,
        (RETRACTING, Fail): _NOT_RETRACTED,
    }
)
"""Every move there is. A pair that is missing is refused."""


def decide(output: Output | None, command: Command, now: datetime) -> tuple[Event, ...] | Refusal:
    """Say what a command appends.

    Args:
        output: The output, folded from its stream; None when there is none.
        command: What is asked for.
        now: The time, aware.

    Returns:
        The events, in order; none when there was nothing to do. Or the refusal.
    """
    if output is None or not output.drafted:
        return not_found(command.output_id)
    first: tuple[Event, ...] = ()
    if output.state is PENDING and not output.opened and not isinstance(command, Open):
        opening = effects.opening(output, command)
        output, first = output.model_copy(update=opened(output, opening)), (opening,)
    move = MOVES.get((output.state, type(command)))
    if move is None:
        return wrong_state(output, wish(command), now)
    if command.by_person and not command.roles & _ROLES[move.who]:
        return no_role(output, command.actor, wish(command), sorted(_ROLES[move.who]))
    if first and command.judgement.decides == "reject" and not isinstance(command, AutoDecide):
        # The desk opens it all the same, which rejects it: see `Decider`. The command itself does nothing.
        return refuse(output, "DENIED", f"{command.judgement.policy} rejects it: {command.judgement.because}")
    for guard in move.guards:
        refusal = guard(output, command, now)
        if refusal is not None:
            return refusal
    events = move.then(output, command, now)
    return (*first, *events) if events else ()


_ROLES: Final[Mapping[Who, frozenset[Role]]] = MappingProxyType(
    {
        "reviewer": frozenset({"reviewer"}),
        "admin": frozenset({"admin"}),
        "operator": EVERYTHING,
        "worker": frozenset(),
        "system": frozenset(),
        "rule": frozenset(),
    }
)
"""Which role of a policy lets a person do what the table gives to whom."""


def still_to_be_sent(output: Output, command: Start, attempt: int, now: datetime) -> Refusal | None:
    """Ask the guards of a start once more, of an attempt that has begun: all but the limits, which count it by now.

    Args:
        output: The output as it is now.
        command: The start, with what the desk knows now.
        attempt: The number of the attempt.
        now: The time, aware.
    """
    newest = output.attempt
    if output.state is not PUBLISHING or newest is None or newest.number != attempt:
        return wrong_state(output, wish(command), now)
    asked = (guard for guard in _TO_SEND if guard is not limits_are_kept)
    return next((refusal for guard in asked if (refusal := guard(output, command, now)) is not None), None)


def wish(command: Command) -> str:
    """What a command asks for, as a verb."""
    return _VERBS.get(type(command), type(command).__name__.lower()) + " it"


_VERBS: Final = {
    AutoDecide: "decide by rule on",
    RequestChanges: "request changes to",
    Fail: "record a failure of",
    Lose: "record the loss of",
}

__all__ = ["MOVES", "Move", "decide", "evolve", "still_to_be_sent", "wish"]
