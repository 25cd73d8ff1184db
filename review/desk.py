"""`ReviewDesk`: a method for each command. Here those of reviewers; the worker's and the admin's stand in files apart.

Each returns `Accepted` or a `Refusal`; how it is decided stands in `review.decider`, by which rules in `review.states`.
The desk does not write `agents_outputs`: after a verdict it lets that projection catch up, once the log is free again.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Literal

from capture import Clock, CopydeskError, DatabaseManager, utc_now
from capture.vocabulary import Media
from review import commands
from review.commands import ActorSource, Command
from review.decider import Answer, Decider
from review.ordering import Ordering
from review.output import JsonObject, Output
from review.policy.rules import Policy
from review.policy.verdict import Judgement, Reading, judge, read_rules
from review.publication.ledger import Ledger
from review.publication.publisher import Receipt
from review.refusals import Accepted

_logger = logging.getLogger("copydesk.review")


class ReviewDesk(Ledger, Ordering):
    """Decides about outputs.

    Args:
        manager: The database; `DatabaseManager.get()` when left out.
        policy: The rules of this desk; when left out, those that were adopted last, wherever and whenever that was.
            Without any, every output waits for one person.
        clock: Replaces the database's clock everywhere: for tests.

    Attributes:
        now: The time, as far as nothing is decided by it.
        stale: Why `agents_outputs` needs a replay, after `refresh`; None when it does not.
    """

    def __init__(
        self, manager: DatabaseManager | None = None, policy: Policy | None = None, clock: Clock | None = None
    ) -> None:
        self.manager = DatabaseManager.get() if manager is None else manager
        self.now: Clock = utc_now if clock is None else clock
        self.stale: str | None = None
        self._decider = Decider(self.manager, policy, clock)

    @property
    def policy(self) -> Policy:
        """The rules in force now."""
        return self._decider.policy

    def output(self, output_id: str) -> Output | None:
        """The output as the log has it now, or None when nothing was drafted under this id."""
        return self._decider.output(output_id)

    def refresh(self) -> int:
        """Bring `agents_outputs` up to date; the number of events that it took."""
        from projections import ProjectionRunner
        from review.outputs_table import Outputs

        runner = ProjectionRunner(self.manager, [Outputs])
        taken = runner.run_once()
        self.stale = runner.stale.get(Outputs.name)
        return taken

    def judged(self, output: Output, policy: Policy | None = None) -> Judgement:
        """What a policy says about an output now; for showing, nothing is decided by it.

        Args:
            output: The output.
            policy: The policy; the one in force when left out.
        """
        rules = self.policy if policy is None else policy
        return judge(rules, output, self._decider.known_of(output, rules, self.now()))

    def readings(self, output: Output) -> tuple[Reading, ...]:
        """What each rule of the policy in force says about an output now."""
        rules = self.policy
        return tuple(read_rules(rules, output, self._decider.known_of(output, rules, self.now())))

    def do(self, command: Command, *, command_id: str | None = None) -> Answer:
        """Carry out a command; the methods below make it. See `Decider.do`."""
        return self._decider.do(command, command_id=command_id)

    def open(self, output_id: str, *, command_id: str | None = None) -> Answer:
        """Take the present revision up, unless that was done: what the policy needs is known from here on."""
        return self._verdict(commands.Open(output_id=output_id), command_id)

    def auto_decide(self, output_id: str) -> Answer:
        """Let the rules decide, where they decide by themselves; refused where a person does."""
        return self._verdict(commands.AutoDecide(output_id=output_id), None)

    def show(self, output_id: str, *, actor: str, actor_source: ActorSource = "api") -> Answer:
        """Record that a reviewer sees the present revision."""
        return self.do(commands.Show(output_id=output_id, actor=actor, actor_source=actor_source))

    def claim(
        self, output_id: str, *, actor: str, actor_source: ActorSource = "api", duration: timedelta = commands.LEASE
    ) -> Answer:
        """Keep others from deciding for a while, or renew the own claim."""
        return self.do(commands.Claim(output_id=output_id, actor=actor, actor_source=actor_source, duration=duration))

    def release(self, output_id: str, *, actor: str, actor_source: ActorSource = "api") -> Answer:
        """Give the own claim back."""
        return self.do(commands.Release(output_id=output_id, actor=actor, actor_source=actor_source))

    def edit(
        self,
        output_id: str,
        content_hash: str,
        *,
        body: str,
        media: tuple[Media, ...] | None = None,
        arguments: JsonObject | None = None,
        actor: str,
        actor_source: ActorSource = "api",
        note: str | None = None,
        command_id: str | None = None,
    ) -> Answer:
        """Replace the content that was seen. All votes are void; the original is kept.

        Args:
            output_id: Which output.
            content_hash: The hash of the content that was seen.
            body: The new body.
            media: The new media; they stay when left out.
            arguments: The new arguments of an action; they stay when left out.
            actor: The person who edits.
            actor_source: How that is known.
            note: A remark.
            command_id: Names this asking; see `do`.
        """
        command = commands.Edit(
            output_id=output_id,
            content_hash=content_hash,
            body=body,
            media=media,
            arguments=arguments,
            actor=actor,
            actor_source=actor_source,
            note=note,
        )
        return self._verdict(command, command_id)

    def approve(
        self,
        output_id: str,
        content_hash: str,
        *,
        actor: str,
        actor_source: ActorSource = "api",
        note: str | None = None,
        generation: int | None = None,
        overrides_duplicate: str | None = None,
        command_id: str | None = None,
    ) -> Answer:
        """Approve exactly the content that was seen.

        Args:
            output_id: Which output.
            content_hash: The hash of the content that was seen.
            actor: The person who approves.
            actor_source: How that is known.
            note: A remark.
            generation: The claim under which it is given.
            overrides_duplicate: The earlier output that it may repeat; the note says why.
            command_id: Names this asking; see `do`.
        """
        command = commands.Approve(
            output_id=output_id,
            content_hash=content_hash,
            actor=actor,
            actor_source=actor_source,
            note=note,
            generation=generation,
            overrides_duplicate=overrides_duplicate,
        )
        return self._verdict(command, command_id)

    def reject(
        self,
        output_id: str,
        content_hash: str,
        *,
        actor: str,
        actor_source: ActorSource = "api",
        reason_code: str | None = None,
        note: str | None = None,
        generation: int | None = None,
        command_id: str | None = None,
    ) -> Answer:
        """Decide that the output is never published; a reason code is required, `other` needs a note."""
        command = commands.Reject(
            output_id=output_id,
            content_hash=content_hash,
            actor=actor,
            actor_source=actor_source,
            reason_code=reason_code,
            note=note,
            generation=generation,
        )
        return self._verdict(command, command_id)

    def request_changes(
        self,
        output_id: str,
        content_hash: str,
        *,
        actor: str,
        actor_source: ActorSource = "api",
        reason_code: str | None = None,
        note: str | None = None,
        generation: int | None = None,
        command_id: str | None = None,
    ) -> Answer:
        """Ask the agent for another version; a reason code is required, `other` needs a note."""
        command = commands.RequestChanges(
            output_id=output_id,
            content_hash=content_hash,
            actor=actor,
            actor_source=actor_source,
            reason_code=reason_code,
            note=note,
            generation=generation,
        )
        return self._verdict(command, command_id)

    def revoke(
        self,
        output_id: str,
        content_hash: str | None = None,
        *,
        actor: str,
        actor_source: ActorSource = "api",
        note: str | None = None,
        command_id: str | None = None,
    ) -> Answer:
        """Take the approval back, before the sending has started."""
        command = commands.Revoke(
            output_id=output_id, content_hash=content_hash, actor=actor, actor_source=actor_source, note=note
        )
        return self._verdict(command, command_id)

    def withdraw(
        self,
        output_id: str,
        *,
        actor: str,
        note: str,
        actor_source: ActorSource = "api",
        command_id: str | None = None,
    ) -> Answer:
        """Take the output out of review in place of its agent; the note says why."""
        command = commands.Withdraw(output_id=output_id, actor=actor, actor_source=actor_source, note=note)
        return self._verdict(command, command_id)

    def expire(self, output_id: str) -> Answer:
        """Close an output whose time is over."""
        return self._verdict(commands.Expire(output_id=output_id), None)

    def resolve(
        self,
        output_id: str,
        outcome: Literal["published", "failed"],
        *,
        actor: str,
        note: str,
        receipt: Receipt | None = None,
        actor_source: ActorSource = "api",
        command_id: str | None = None,
    ) -> Answer:
        """Say what became of an uncertain send; the note says how that is known."""
        command = commands.Resolve(
            output_id=output_id,
            outcome=outcome,
            external_id=None if receipt is None else receipt.external_id,
            url=None if receipt is None else receipt.url,
            actor=actor,
            actor_source=actor_source,
            note=note,
        )
        return self._verdict(command, command_id)

    def acknowledge(
        self,
        output_id: str,
        *,
        actor: str,
        actor_source: ActorSource = "api",
        note: str | None = None,
        command_id: str | None = None,
    ) -> Answer:
        """What a `posthoc` rule let out may stay."""
        command = commands.Acknowledge(output_id=output_id, actor=actor, actor_source=actor_source, note=note)
        return self._verdict(command, command_id)

    def flag(
        self,
        output_id: str,
        *,
        actor: str,
        actor_source: ActorSource = "api",
        reason_code: str | None = None,
        note: str | None = None,
        command_id: str | None = None,
    ) -> Answer:
        """Ask for the retraction of what a `posthoc` rule let out; a reason code is required, `other` needs a note."""
        command = commands.Flag(
            output_id=output_id, actor=actor, actor_source=actor_source, reason_code=reason_code, note=note
        )
        return self._verdict(command, command_id)

    def retract(
        self,
        output_id: str,
        *,
        actor: str,
        note: str,
        actor_source: ActorSource = "api",
        command_id: str | None = None,
    ) -> Answer:
        """Have what was published taken back from its platform; the note says why."""
        command = commands.Retract(output_id=output_id, actor=actor, actor_source=actor_source, note=note)
        return self._verdict(command, command_id)

    def _verdict(self, command: Command, command_id: str | None) -> Answer:
        answer = self.do(command, command_id=command_id)
        if isinstance(answer, Accepted):
            try:
                self.refresh()
            except CopydeskError as error:
                # The verdict stands in the log; the table can catch up later.
                _logger.warning("agents_outputs was not brought up to date: %s", error)
        return answer
