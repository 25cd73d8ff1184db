"""`Publisher`: what the worker needs from a platform. A small protocol, found by the entry point `copydesk.publishers`.

A publisher sends exactly the approved bytes or fails: it never cuts or rewrites. It never tries twice: whether a send
may be repeated is not for it to decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, runtime_checkable

from review.output import Output


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a platform says about an output that it has.

    Attributes:
        external_id: The platform's own id of it; never empty.
        url: Where it can be seen.
    """

    external_id: str
    url: str | None = None


@runtime_checkable
class Publisher(Protocol):
    """Sends outputs to one platform.

    Where the platform can't be asked for a key, a publisher may have `find_output(output, key)` beside `find(key)`: it
    looks for what is equal to the output.

    Attributes:
        key_lifetime: How long the platform honours an idempotency key; None when it knows none.
        verifies: How long a success may take until `find` sees it; None when success needs no look.
    """

    key_lifetime: timedelta | None
    verifies: timedelta | None

    def publish(self, output: Output, key: str) -> Receipt:
        """Send an output: one mutation, once.

        Args:
            output: What to send: its `content` as it was approved.
            key: The idempotency key of this output, revision and hash.

        Raises:
            NotSent: It is certain that nothing went out. Any other exception means that it may have.
        """
        ...

    def find(self, key: str) -> Receipt | None:
        """Look up, without changing anything, whether the platform has what was sent under a key."""
        ...

    def retract(self, receipt: Receipt) -> None:
        """Take back what was published."""
        ...

    def not_accepted(self, answer: BaseException) -> bool:
        """True when what `publish` raised is the platform's declared answer for "not accepted"."""
        ...


def look_up(publisher: Publisher, output: Output, key: str) -> Receipt | None:
    """Ask whether the platform has an output: by its key, or by what it is where the publisher can.

    Args:
        publisher: Whom to ask.
        output: What was sent.
        key: Under which key.
    """
    find_output = getattr(publisher, "find_output", None)
    found: Receipt | None = publisher.find(key) if find_output is None else find_output(output, key)
    return found
