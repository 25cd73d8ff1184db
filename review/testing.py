"""For tests of what becomes of an output, and for authors of publishers. No database is needed.

story = Story(SocialPostDrafted(channel="x", identity="@acme", body="Ahoy."))
story.when(Approve(output_id=story.id, content_hash=story.output.content_hash, actor="ana"))
assert story.output.state is State.APPROVED
"""
# ruff: noqa: S101 - a test kit asserts

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from capture import Event, Recorded, derived_id
from capture.vocabulary import Draft, SocialPostDrafted
from review.commands import Command
from review.effects import idempotency_key
from review.evolution import evolve
from review.output import Output
from review.publication.publisher import Publisher
from review.refusals import Refusal
from review.states import decide

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
"""When a story begins."""

DESK = "desk"


def recorded(event: Event, position: int, *, agent_id: str = DESK, at: datetime = NOON) -> Recorded[Any]:
    """An event as the log would give it back."""
    return Recorded(
        position=position,
        event_id=UUID(str(derived_id("testing", str(position)))),
        event_type=event.event_type,
        schema_version=event.schema_version,
        stream_id=event.stream_id(agent_id),
        agent_id=agent_id,
        run_id=None,
        correlation_id=None,
        causation_id=None,
        trace_id=None,
        occurred_at=at,
        recorded_at=at,
        payload=event,
        digest=b"",
    )


class Story:
    """What happens to one output, told as given, when, then.

    Args:
        draft: How it begins; None to begin with nothing.
        owner: The agent that drafts it.

    Attributes:
        owner: The agent that owns it.
        now: The time; every event takes a second.
        events: What was recorded.
        output: The output as the events made it.
    """

    def __init__(self, draft: Draft | None = None, *, owner: str = "agent") -> None:
        self.owner = owner
        self.now = NOON
        self.events: list[Recorded[Any]] = []
        self._output: Output | None = None
        if draft is not None:
            self.given(draft)

    @property
    def id(self) -> str:
        """The output's id."""
        return self.output.output_id

    @property
    def output(self) -> Output:
        """The output as the events made it.

        Raises:
            AssertionError: No event has said anything about an output.
        """
        if self._output is None:
            raise AssertionError("the story has an output once an event is given")
        return self._output

    def given(self, *events: Event, agent_id: str | None = None) -> Story:
        """Record events: an agent's under the owner's name, or another's."""
        for event in events:
            self.now += timedelta(seconds=1)
            fact = recorded(event, len(self.events) + 1, agent_id=agent_id or self.owner, at=self.now)
            self.events.append(fact)
            self._output = evolve(self._output, fact)
        return self

    def after(self, passed: timedelta) -> Story:
        """Let time pass."""
        self.now += passed
        return self

    def when(self, command: Command) -> tuple[Event, ...] | Refusal:
        """Decide a command and record what it appends.

        Returns:
            The events, or the refusal.
        """
        outcome = decide(self._output, command, self.now)
        if not isinstance(outcome, Refusal):
            self.given(*outcome, agent_id=DESK)
        return outcome


class PublisherContract:
    """What every publisher must hold. A test class derives from it and says how to make one and what arrived.

    class TestFolder(PublisherContract):
        def make(self) -> Publisher: ...
        def arrived(self, publisher: Publisher) -> list[bytes]:  # noqa: ARG002 - for the test class ...
    """

    bodies: ClassVar[tuple[str, ...]] = ("Ahoy.", "", " a\r\nb\n", "\u202eevil\u2066 ✓ \U0001f600", "../../etc/passwd")

    def make(self) -> Publisher:
        """A publisher to which nothing was given yet."""
        raise AssertionError("a test class says how its publisher is made")

    def arrived(self, publisher: Publisher) -> list[bytes]:  # noqa: ARG002 - for the test class
        """The bodies that arrived at the platform, as bytes."""
        raise AssertionError("a test class says what arrived at its platform")

    def test_exactly_the_approved_bytes_arrive(self) -> None:
        """The platform has the body byte for byte, and once."""
        for body in self.bodies:
            publisher = self.make()
            output, key = _an_output(body)
            publisher.publish(output, key)
            assert self.arrived(publisher) == [body.encode()]

    def test_what_was_published_is_found_by_its_key(self) -> None:
        """`find` gives the receipt of what was published, and nothing for another key."""
        publisher = self.make()
        output, key = _an_output("Ahoy.")
        assert publisher.find(key) is None
        receipt = publisher.publish(output, key)
        assert publisher.find(key) == receipt
        assert publisher.find(idempotency_key(output.output_id, 2, output.content_hash)) is None

    def test_what_was_retracted_is_not_found(self) -> None:
        """After `retract` the platform has it no more."""
        publisher = self.make()
        output, key = _an_output("Ahoy.")
        publisher.retract(publisher.publish(output, key))
        assert self.arrived(publisher) == []
        assert publisher.find(key) is None


def _an_output(body: str) -> tuple[Output, str]:
    output = Story(SocialPostDrafted(channel="x", identity="@acme", body=body)).output
    return output, idempotency_key(output.output_id, output.revision, output.content_hash)
