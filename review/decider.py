"""How a command is carried out: one decision under the log's lock.

The output's stream is folded from the log, never from a table; `decide` is asked; what it says is appended; and the
desk's own two tables are brought in line, all in one transaction that survives a power cut. So decisions are serial: of
an edit and an approval that race, one comes second and sees what the first did.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import reduce
from typing import Any

from pydantic import ValidationError

from capture import Clock, DatabaseManager, Decision, EventLog, Recorded, derived_id
from capture.vocabulary import ReviewOpened
from review import tables
from review.actors import check_person
from review.commands import Command, Supersede
from review.errors import CommandConflict, InvalidCommand
from review.output import Output
from review.policy.rules import Policy
from review.policy.verdict import judge
from review.refusals import Accepted, Refusal, not_found
from review.states import decide, evolve

Answer = Accepted | Refusal

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,199}")


def stream_of(output_id: str) -> str:
    """The stream of an output."""
    return f"output-{output_id}"


def fold(events: Iterable[Recorded[Any]], output: Output | None = None) -> Output | None:
    """The output that the events of a stream add up to, from `output` on."""
    return reduce(evolve, events, output)


class Decider:
    """Carries commands out.

    Args:
        manager: The database; `DatabaseManager.get()` when left out.
        policy: The rules in force.
        clock: Replaces the database's clock: for tests.
    """

    def __init__(self, manager: DatabaseManager | None, policy: Policy, clock: Clock | None) -> None:
        self.log = EventLog(manager, clock=clock)
        self.policy = policy

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
        try:
            return self.log.manager.retrying(lambda _: self._decide(command, command_id), durable=True)
        except ValidationError as error:
            fault = error.errors(include_url=False, include_context=False)[0]
            field = ".".join(map(str, fault["loc"])) or "the command"
            raise InvalidCommand(f"{field}: {fault['msg']}, found {fault['input']!a:.60}") from None
        except ValueError as error:  # a lone surrogate, or a number that JSON does not have
            raise InvalidCommand(f"the command can't be recorded: {str(error)!a:.200}") from None

    def _decide(self, command: Command, command_id: str | None) -> Answer:
        with self.log.deciding() as decision:
            if command_id is not None and (first := decision.find(_event_id(command_id))) is not None:
                return _repeated(decision, first, command, command_id)
            return self._carry_out(decision, command, command_id)

    def _carry_out(self, decision: Decision, command: Command, command_id: str | None = None) -> Answer:
        output = self._folded(decision, command.output_id)
        if output is not None and output.drafted:
            command = replace(command, judgement=judge(self.policy, output))
        events = decide(output, command, decision.now)
        if isinstance(events, Refusal):
            return events
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
