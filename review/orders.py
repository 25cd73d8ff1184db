"""Standing orders: what holds for all outputs at once. Folded from the stream `desk-orders`; pure.

Which policy was adopted last, where publication is stopped, and which rules stand down.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple

from capture import Recorded
from capture.vocabulary import (
    PublicationResumed,
    PublicationStopped,
    ReviewAutomationPaused,
    ReviewAutomationResumed,
    ReviewPolicyAdopted,
)
from review.output import Output
from review.policy.rules import Policy

STREAM = "desk-orders"
"""Where they stand in the log."""


class Stop(NamedTuple):
    """A stop of publication: everywhere, of an agent, or on a channel."""

    agent: str | None
    channel: str | None
    actor: str
    reason: str

    def holds(self, output: Output) -> bool:
        """True when it keeps this output from being sent."""
        return self.agent in (None, output.agent_id) and self.channel in (None, output.channel)

    def told(self) -> str:
        """In words."""
        where = "everywhere"
        if self.agent is not None or self.channel is not None:
            of = [] if self.agent is None else [f"of {self.agent}"]
            where = " ".join(of + ([] if self.channel is None else [f"on {self.channel}"]))
        return f"{where}, by {self.actor}: {self.reason}"


class Paused(NamedTuple):
    """A rule that stands down for an identity, and since which rejection.

    Attributes:
        rule: The digest of what the rule matches.
        identity: The account.
        actor: Who rejected.
        rejected: What was rejected.
    """

    rule: str
    identity: str
    actor: str
    rejected: str


@dataclass(frozen=True, slots=True)
class Orders:
    """What holds for all outputs.

    Attributes:
        position: The newest order.
        text: The text of the policy that was adopted last; None when none was.
        label: That policy, as `policy:NAME@VERSION`.
        adopted_by: Who adopted it.
        stops: Where publication is stopped.
        paused: Rules that stand down.
    """

    position: int = 0
    text: str | None = None
    label: str = Policy().label
    adopted_by: str = ""
    stops: tuple[Stop, ...] = ()
    paused: tuple[Paused, ...] = ()

    @property
    def policy(self) -> Policy:
        """The policy that was adopted last; everything waits for one person when none was.

        Raises:
            BadPolicy: This version of copydesk can't read it.
        """
        return Policy() if self.text is None else _parsed(self.text, self.label)

    def stop_of(self, output: Output) -> str | None:
        """Why this output is not to be sent, in words; None when it may be."""
        return next((stop.told() for stop in self.stops if stop.holds(output)), None)

    def paused_rules(self) -> frozenset[tuple[str, str]]:
        """The rules that stand down, as rule and identity."""
        return frozenset((paused.rule, paused.identity) for paused in self.paused)


def evolve(orders: Orders, recorded: Recorded[Any]) -> Orders:
    """The orders after one more event of their stream. Total: another event changes nothing."""
    event = recorded.payload
    match event:
        case ReviewPolicyAdopted():
            label = f"policy:{event.name}@{event.version[:12]}"
            orders = replace(orders, text=event.text, label=label, adopted_by=event.actor)
        case PublicationStopped():
            stop = Stop(event.agent, event.channel, event.actor, event.reason or "")
            orders = replace(orders, stops=(*_without(orders.stops, event.agent, event.channel), stop))
        case PublicationResumed(agent=None, channel=None):
            orders = replace(orders, stops=())
        case PublicationResumed():
            orders = replace(orders, stops=_without(orders.stops, event.agent, event.channel))
        case ReviewAutomationPaused():
            paused = Paused(event.rule, event.identity, event.actor, event.rejected)
            orders = replace(orders, paused=(*orders.paused, paused))
        case ReviewAutomationResumed():
            left = (one for one in orders.paused if (one.rule, one.identity) != (event.rule, event.identity))
            orders = replace(orders, paused=tuple(left))
    return replace(orders, position=recorded.position)


def _without(stops: tuple[Stop, ...], agent: str | None, channel: str | None) -> tuple[Stop, ...]:
    return tuple(stop for stop in stops if (stop.agent, stop.channel) != (agent, channel))


@lru_cache(maxsize=8)
def _parsed(text: str, label: str) -> Policy:
    return Policy.parse(text, f"the adopted {label}")
