"""What an admin asks of the desk for all outputs at once: adopt a policy, stop publication, let it and a rule go on.

Each is decided under the log's lock, and is an event of the stream `desk-orders`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from capture import DatabaseManager, Decision, Event
from capture.vocabulary import (
    PublicationResumed,
    PublicationResumedAfterRestore,
    PublicationStopped,
    ReviewAutomationResumed,
    ReviewPolicyAdopted,
)
from review.actors import check_person
from review.commands import ActorSource
from review.decider import Decider
from review.errors import BadPolicy
from review.orders import Orders, Stop
from review.output import Output
from review.policy.rules import Policy
from review.policy.verdict import judge
from review.refusals import Refusal

_logger = logging.getLogger("copydesk.review")

Decide = Callable[[Orders], tuple[Event, ...] | Refusal]


@dataclass(frozen=True, slots=True)
class Ordered:
    """An order was given, or there was nothing to do.

    Attributes:
        position: The event that says so; of an order that changed nothing, the newest order.
        changed: False when there was nothing to do.
        orders: All standing orders afterwards.
    """

    position: int
    changed: bool
    orders: Orders = field(repr=False, compare=False)

    code: ClassVar[str] = "OK"
    exit_code: ClassVar[int] = 0


class Ordering:
    """The admin's half of the desk; `review.desk.ReviewDesk` is the whole."""

    manager: DatabaseManager
    _decider: Decider

    def orders(self) -> Orders:
        """What holds for all outputs now."""
        return self._decider.orders()

    def tell_if_the_file_differs(self) -> None:
        """Say in the log of the process that the policy file here is not the policy in force, if it is not."""
        told = self._decider.difference(self.manager.settings.policy)
        if told is not None:
            _logger.warning("%s", told)

    def adopt(
        self, policy: Policy, *, actor: str, actor_source: ActorSource = "api", as_the_service: bool = False
    ) -> Ordered | Refusal:
        """Put a policy in force, everywhere and from now on. The one that is in force already is not adopted again.

        Args:
            policy: What to adopt; its text stands in the log.
            actor: Who adopts it.
            actor_source: How that is known.
            as_the_service: True for `copydesk run`: who starts the service has its configuration in hand, and needs no
                role in the policy before.

        Raises:
            BadPolicy: The policy has no text, or its text says something else.
        """
        if Policy.parse(policy.text) != policy:
            raise BadPolicy("a policy that was read from a text was expected: its text is what is adopted")

        def decide(orders: Orders) -> tuple[Event, ...] | Refusal:
            if orders.text == policy.text:
                return ()
            refusal = None if as_the_service else _not_an_admin(_readable(orders), actor, "adopt a policy")
            if refusal is not None:
                return refusal
            adopted = ReviewPolicyAdopted(
                actor=actor, actor_source=actor_source, name=policy.name, version=policy.digest, text=policy.text
            )
            return (adopted,)

        return self._order(actor, decide)

    def stop(
        self,
        *,
        actor: str,
        reason: str,
        agent: str | None = None,
        channel: str | None = None,
        actor_source: ActorSource = "api",
    ) -> Ordered | Refusal:
        """Let no worker begin to send any more: nothing at all, nothing of an agent, or nothing on a channel.

        Args:
            actor: Who stops it: an admin.
            reason: Why.
            agent: Only outputs of this agent.
            channel: Only outputs on this channel.
            actor_source: How the actor is known.
        """

        def decide(orders: Orders) -> tuple[Event, ...] | Refusal:
            refusal = _not_an_admin(self._decider.policy_under(orders), actor, "stop publication")
            if refusal is not None:
                return refusal
            if not reason.strip():
                return Refusal("REASON_REQUIRED", "a reason was expected, none was given", "say why")
            if Stop(agent, channel, actor, reason) in orders.stops:
                return ()
            given = {"actor": actor, "actor_source": actor_source, "agent": agent, "channel": channel}
            return (PublicationStopped.model_validate({**given, "reason": reason}),)

        return self._order(actor, decide)

    def resume(
        self,
        *,
        actor: str,
        reason: str | None = None,
        agent: str | None = None,
        channel: str | None = None,
        actor_source: ActorSource = "api",
    ) -> Ordered | Refusal:
        """Let workers send again: of this agent, on this channel, or everything.

        Args:
            actor: Who lets it go on: an admin.
            reason: Why.
            agent: Lift the stop of this agent.
            channel: Lift the stop on this channel. Without agent and channel every stop is lifted.
            actor_source: How the actor is known.
        """

        def decide(orders: Orders) -> tuple[Event, ...] | Refusal:
            refusal = _not_an_admin(self._decider.policy_under(orders), actor, "resume publication")
            if refusal is not None:
                return refusal
            everything = agent is None and channel is None
            if not any(everything or (stop.agent, stop.channel) == (agent, channel) for stop in orders.stops):
                return ()
            given = {"actor": actor, "actor_source": actor_source, "agent": agent, "channel": channel}
            return (PublicationResumed.model_validate({**given, "reason": reason}),)

        return self._order(actor, decide)

    def resume_after_restore(
        self, *, actor: str, reason: str, held: str, machine: str, actor_source: ActorSource = "api"
    ) -> Ordered | Refusal:
        """Record that a machine may publish from a database that is not the one that it published from before.

        Args:
            actor: Who lets it: an admin, who has looked at what is out already.
            reason: Why it may.
            held: Why publication held there.
            machine: Where.
            actor_source: How the actor is known.
        """

        def decide(orders: Orders) -> tuple[Event, ...] | Refusal:
            refusal = _not_an_admin(self._decider.policy_under(orders), actor, "resume publication after a restore")
            if refusal is not None:
                return refusal
            if not reason.strip():
                return Refusal("REASON_REQUIRED", "a reason was expected, none was given", "say what you looked at")
            given = {"actor": actor, "actor_source": actor_source, "reason": reason}
            return (PublicationResumedAfterRestore.model_validate({**given, "held": held, "machine": machine}),)

        return self._order(actor, decide)

    def resume_rule(
        self, output: Output, *, actor: str, note: str | None = None, actor_source: ActorSource = "api"
    ) -> Ordered | Refusal:
        """Let the rule that is about an output approve again for its identity, after it stood down.

        Args:
            output: Any output of the identity that the rule is about.
            actor: Who lets it: an admin.
            note: Why.
            actor_source: How the actor is known.
        """

        def decide(orders: Orders) -> tuple[Event, ...] | Refusal:
            policy = self._decider.policy_under(orders)
            refusal = _not_an_admin(policy, actor, "let a rule approve again")
            if refusal is not None:
                return refusal
            rule = judge(policy, output).rule
            if (rule, output.identity) not in orders.paused_rules():
                return ()
            return (
                ReviewAutomationResumed(
                    actor=actor, actor_source=actor_source, rule=rule, identity=output.identity, note=note
                ),
            )

        return self._order(actor, decide)

    def _order(self, actor: str, decide: Decide) -> Ordered | Refusal:
        refusal = check_person(actor)
        if refusal is not None:
            return refusal

        def work(decision: Decision) -> Ordered | Refusal:
            orders = self._decider.orders_under(decision)
            events = decide(orders)
            if isinstance(events, Refusal):
                return events
            if not events:
                return Ordered(orders.position, changed=False, orders=orders)
            (position,) = decision.append(events)
            return Ordered(position, changed=True, orders=self._decider.orders_under(decision))

        return self._decider.in_a_decision(work)


def _readable(orders: Orders) -> Policy:
    """The policy in force; one that this version can't read asks for no role, else nobody could mend it."""
    try:
        return orders.policy
    except BadPolicy:
        return Policy()


def _not_an_admin(policy: Policy, actor: str, wanted: str) -> Refusal | None:
    if "admin" in policy.roles_of(actor):
        return None
    return Refusal(
        "ROLE",
        f"{actor} may not {wanted}: that takes the role admin",
        "ask somebody who has it, or have the policy changed",
    )
