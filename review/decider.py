"""How a command is carried out: one decision under the log's lock.

The output's stream is folded from the log, never from a table; `decide` is asked; what it says is appended; and the
desk's own two tables are brought in line, all in one transaction that survives a power cut. So decisions are serial: of
an edit and an approval that race, one comes second and sees what the first did.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from capture import Clock, DatabaseManager, Decision, EventLog, Recorded, Transaction, derived_id
from capture.vocabulary import ReviewOpened
from review import orders, repeats, tables
from review.actors import check_person
from review.commands import Command, Open, Retry, Start, Supersede
from review.errors import CommandConflict, InvalidCommand
from review.orders import Orders
from review.output import Output
from review.policy.limits import Known, horizon
from review.policy.rules import Policy
from review.policy.verdict import judge
from review.refusals import Accepted, Refusal, not_found
from review.states import decide, evolve, still_to_be_sent

Answer = Accepted | Refusal
T = TypeVar("T")

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,199}")


def stream_of(output_id: str) -> str:
    """The stream of an output."""
    return f"output-{output_id}"


def fold(events: Iterable[Recorded[Any]], output: Output | None = None) -> Output | None:
    """The output that the events of a stream add up to, from `output` on."""
    return reduce(evolve, events, output)


@contextmanager
def saying_what_is_wrong() -> Iterator[None]:
    """Turn what no event can hold into an error of the caller's.

    Raises:
        InvalidCommand: A text of the command can't be recorded.
    """
    try:
        yield
    except ValidationError as error:
        fault = error.errors(include_url=False, include_context=False)[0]
        field = ".".join(map(str, fault["loc"])) or "the command"
        raise InvalidCommand(f"{field}: {fault['msg']}, found {fault['input']!a:.60}") from None
    except ValueError as error:  # a lone surrogate, or a number that JSON does not have
        raise InvalidCommand(f"the command can't be recorded: {str(error)!a:.200}") from None


class Decider:
    """Carries commands out.

    Args:
        manager: The database; `DatabaseManager.get()` when left out.
        policy: The rules in force; None for those that were adopted last, whenever that is.
        clock: Replaces the database's clock: for tests.
    """

    def __init__(self, manager: DatabaseManager | None, policy: Policy | None, clock: Clock | None) -> None:
        self.log = EventLog(manager, clock=clock)
        self._policy = policy
        self._orders = Orders()

    @property
    def policy(self) -> Policy:
        """The rules in force."""
        return self.policy_under(self.orders())

    def policy_under(self, orders: Orders) -> Policy:
        """The rules in force under these orders.

        Raises:
            BadPolicy: This version of copydesk can't read the adopted policy.
        """
        return orders.policy if self._policy is None else self._policy

    def orders(self) -> Orders:
        """The standing orders as the log has them now."""
        known = self._orders if self._orders.position <= self.log.head() else Orders()
        found = reduce(orders.evolve, self.log.read(known.position, stream=orders.STREAM), known)
        if not self.log.manager.in_transaction():
            self._orders = found  # what a transaction wrote may still be rolled back
        return found

    def orders_under(self, decision: Decision) -> Orders:
        """The standing orders under the log's lock."""
        known = self._orders if self._orders.position <= decision.head else Orders()
        found = reduce(orders.evolve, decision.read(stream=orders.STREAM, after=known.position), known)
        # Only then: what a larger transaction wrote may still be rolled back.
        decision.transaction.after_commit(lambda: setattr(self, "_orders", found))
        return found

    def known_of(self, output: Output, policy: Policy, now: datetime) -> Known:
        """What a policy would ask the desk about an output, outside of a decision: for showing."""
        far = horizon(policy, output, now)
        with self.log.manager.connect() as connection:
            return Known(
                now=now,
                starts=() if far.starts is None else tables.starts(connection, far.starts),
                earlier=()
                if far.repeats is None
                else repeats.find(connection, self.output, output, far.repeats, forget=False),
                paused=self.orders().paused_rules(),
            )

    def difference(self, path: Path) -> str | None:
        """How the policy file differs from the policy in force, in words; None when it does not, or there is none."""
        if self._policy is not None or not path.exists():
            return None
        orders = self.orders()
        try:
            same = orders.text is not None and path.read_bytes() == orders.text.encode()
        except OSError:
            same = False
        if same:
            return None
        return f"the policy in force is {orders.label}; the file {path} differs: `copydesk review policy adopt {path}`"

    def output(self, output_id: str) -> Output | None:
        """The output as the log has it now, or None when nothing was drafted under this id."""
        if not _ID.fullmatch(output_id):
            return None
        output = fold(self.log.read(stream=stream_of(output_id)))
        return output if output is not None and output.drafted else None

    def do(self, command: Command, *, command_id: str | None = None) -> Answer:
        """Carry out a command.

        Args:
            command: What is asked for.
            command_id: Names this asking: the same command under the same id is carried out once, and its first
                result returned again.

        Raises:
            CommandConflict: The command id was used for another command.
            InvalidCommand: A text of the command can't be recorded.
        """
        refusal = check_person(command.actor) if command.by_person else None
        if refusal is not None:
            return replace(refusal, output_id=command.output_id)
        if not _ID.fullmatch(command.output_id):
            return not_found(command.output_id)
        return self.in_a_decision(lambda decision: self._decide(decision, command, command_id))

    def judge_again(self, before: Output, attempt: int, missing: tuple[str, ...], now: datetime) -> Refusal | None:
        """Whether an attempt that was started may still be sent: nothing is locked, and nothing appended.

        Args:
            before: The output when the attempt was started.
            attempt: Its number.
            missing: Digests of media that are missing or altered.
            now: The time.
        """
        output = self.output(before.output_id)
        if output is None:
            return not_found(before.output_id)
        standing = self.orders()
        policy = self.policy_under(standing)
        command = Start(
            output_id=output.output_id,
            content_hash=before.content_hash,
            judgement=judge(policy, output, self.known_of(output, policy, now)),
            stopped=standing.stop_of(output),
            missing_media=missing,
        )
        return still_to_be_sent(output, command, attempt, now)

    def in_a_decision(self, work: Callable[[Decision], T]) -> T:
        """Do something under the log's lock, in one transaction that survives a power cut.

        Raises:
            InvalidCommand: A text can't be recorded.
        """

        def whole(_: Transaction) -> T:
            with self.log.deciding() as decision:
                return work(decision)

        with saying_what_is_wrong():
            return self.log.manager.retrying(whole, durable=True)

    def _decide(self, decision: Decision, command: Command, command_id: str | None) -> Answer:
        if command_id is not None and (first := decision.find(_event_id(command_id))) is not None:
            return _repeated(decision, first, command, command_id)
        return self._carry_out(decision, command, command_id)

    def _carry_out(self, decision: Decision, command: Command, command_id: str | None = None) -> Answer:
        output = self._folded(decision, command.output_id)
        if output is not None and output.drafted:
            command = self._informed(decision, command, output)
        events = decide(output, command, decision.now)
        if isinstance(events, Refusal):
            return self._opened_and_refused(decision, command, output, events)
        if output is None:
            return not_found(command.output_id)
        if not events:
            return _accepted(output, output.position)
        *_, last = decision.append(
            events,
            event_ids=[None] * (len(events) - 1) + [None if command_id is None else _event_id(command_id)],
            causation_id=_cause(command),
        )
        after = fold(decision.read(stream=stream_of(command.output_id), after=output.position), output) or output
        tables.keep(decision.transaction, output, after, last)
        if output.supersedes is not None and any(isinstance(event, ReviewOpened) for event in events):
            self._supersede(decision, output)
        return _accepted(after, last)

    def _informed(self, decision: Decision, command: Command, output: Output) -> Command:
        """The command with what the desk knows: what the policy says, who may ask, what is stopped."""
        standing = self.orders_under(decision)
        policy = self.policy_under(standing)
        far = horizon(policy, output, decision.now)
        connection = decision.transaction.connection
        sending = isinstance(command, Start) and far.starts is not None
        known = Known(
            now=decision.now,
            starts=tables.starts(connection, far.starts) if sending and far.starts is not None else (),
            earlier=()
            if far.repeats is None
            else repeats.find(connection, lambda name: self._folded(decision, name), output, far.repeats, forget=True),
            paused=standing.paused_rules(),
        )
        actor = command.operator or command.actor if isinstance(command, Retry) else command.actor
        command = replace(command, judgement=judge(policy, output, known), roles=policy.roles_of(actor))
        return replace(command, stopped=standing.stop_of(output)) if isinstance(command, Start) else command

    def _opened_and_refused(
        self, decision: Decision, command: Command, output: Output | None, refusal: Refusal
    ) -> Refusal:
        """What a rule rejects is rejected when the first command comes, whatever it is; that one is refused."""
        if output is None or output.opened or refusal.code != "DENIED" or command.judgement.decides != "reject":
            return refusal
        opened = self._carry_out(decision, Open(output_id=command.output_id))
        return refusal if isinstance(opened, Refusal) else replace(refusal, state=opened.state)

    def _folded(self, decision: Decision, output_id: str) -> Output | None:
        return fold(decision.read(stream=stream_of(output_id)))

    def _supersede(self, decision: Decision, output: Output) -> None:
        # The agent said in its draft what it takes the place of. The other stream learns of it here, when the new
        # output comes before the desk for the first time.
        self._carry_out(
            decision,
            Supersede(
                output_id=output.supersedes or "",
                superseded_by=output.output_id,
                agent_id=output.agent_id,
                drafted_at=output.revisions[0].position,
            ),
        )


def _event_id(command_id: str) -> str:
    return str(derived_id("command", command_id))


def _cause(command: Command) -> str:
    return f"command:{command.fingerprint()}"


def _accepted(output: Output, position: int) -> Accepted:
    return Accepted(output.output_id, output.state, output.content_hash, output.revision, position, output)


def _repeated(decision: Decision, first: Recorded[Any], command: Command, command_id: str) -> Answer:
    if first.causation_id != _cause(command):
        raise CommandConflict(
            f"the command id {command_id!r:.80} was used at position {first.position} for another command",
            hint="give each command an id of its own",
            command_id=command_id,
            position=first.position,
        )
    events = decision.read(stream=first.stream_id)
    output = fold(event for event in events if event.position <= first.position)
    return not_found(command.output_id) if output is None else _accepted(output, first.position)
