"""`COPYDESK_NOTIFY`: one message when outputs wait for a person, are uncertain, or near the end of their time.

The message has counts and no word of any content. What comes in while the last message is fresh is told by the next,
together. A message that can't be delivered is logged, and holds nothing up.
"""

from __future__ import annotations

import json
import logging
import subprocess
import threading
import urllib.request
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlsplit

from review.automation.dues import count_awaiting, count_near
from review.desk import ReviewDesk
from review.output import State
from review.queue import count_by_state

PAUSE = timedelta(minutes=1)
"""How long after a message the next may follow."""

NEAR = timedelta(hours=1)
"""How long before the end of its time an output counts as near it."""

PATIENCE = 10.0
"""How long a delivery may take, in seconds."""

_logger = logging.getLogger("copydesk.automation")


class Waiting(NamedTuple):
    """How many outputs need somebody.

    Attributes:
        waiting: For a verdict.
        uncertain: For somebody who looks at the platform.
        near_deadline: Come to the end of their time soon, undecided or unsent.
    """

    waiting: int = 0
    uncertain: int = 0
    near_deadline: int = 0


class Notifier:
    """Tells a person that there is something to do.

    Args:
        desk: Whose outputs it counts.
        target: A URL that takes a POST, or a command that reads standard input; nobody is told when it is None.
        deliver: Replaces the delivery: for tests.
    """

    def __init__(
        self, desk: ReviewDesk, target: str | None, *, deliver: Callable[[str, bytes], None] | None = None
    ) -> None:
        self.desk = desk
        self.target = target
        self._deliver = deliver or _deliver
        self._told = Waiting()
        self._told_at: datetime | None = None
        self._delivery: threading.Thread | None = None

    def run_once(self) -> bool:
        """Send a message if there is more to do than the last one said, and that was long enough ago.

        Returns:
            True when a message was sent off.
        """
        if self.target is None:
            return False
        now = self.desk.now()
        found = self._counted(now)
        more = any(count > told for count, told in zip(found, self._told, strict=True))
        self._told = Waiting(*map(min, found, self._told))
        recent = self._told_at is not None and now < self._told_at + PAUSE
        if not more or recent or (self._delivery is not None and self._delivery.is_alive()):
            return False
        self._told, self._told_at = found, now
        self._delivery = threading.Thread(target=self._send, args=(self.target, message(found)), daemon=True)
        self._delivery.start()
        return True

    def close(self, timeout: float = PATIENCE) -> None:
        """Wait for the message that is on its way, at most so many seconds."""
        if self._delivery is not None:
            self._delivery.join(timeout)

    def _counted(self, now: datetime) -> Waiting:
        manager = self.desk.manager
        counts = count_by_state(manager)
        return Waiting(
            waiting=max(counts[State.PENDING] - count_awaiting(manager), 0),
            uncertain=counts[State.UNCERTAIN],
            near_deadline=count_near(manager, now, now + NEAR),
        )

    def _send(self, target: str, data: bytes) -> None:
        try:
            self._deliver(target, data)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong with a message, the work goes on
            _logger.warning("COPYDESK_NOTIFY was not told: %s", _words(target, error))


def message(found: Waiting) -> bytes:
    """What is sent: counts, and the same as a sentence."""
    parts = [
        f"{found.waiting:,} wait for a verdict" if found.waiting else "",
        f"{found.uncertain:,} may have gone out and may not" if found.uncertain else "",
        f"{found.near_deadline:,} are near the end of their time" if found.near_deadline else "",
    ]
    return json.dumps({"text": "copydesk: " + ", ".join(filter(None, parts)), **found._asdict()}).encode() + b"\n"


def _deliver(target: str, data: bytes) -> None:
    if target.startswith(("https://", "http://")):
        request = urllib.request.Request(  # noqa: S310 - the scheme is one of the two above
            target, data, {"Content-Type": "application/json", "User-Agent": "copydesk"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=PATIENCE):  # noqa: S310 - as above
            return
    # The operator's own command, as the shell would take it; nothing of any content is in it or in what it reads.
    subprocess.run(  # noqa: S603 - the setting is a command
        ["sh", "-c", target],  # noqa: S607 - the shell is wherever the system has it
        input=data,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=PATIENCE,
        check=True,
    )


def _words(target: str, error: Exception) -> str:
    # A webhook's address is its password, and so may be the words of a command.
    where = urlsplit(target).hostname if target.startswith(("https://", "http://")) else "the command"
    kind = f"exit code {error.returncode}" if isinstance(error, subprocess.CalledProcessError) else type(error).__name__
    return f"{where}: {kind}"
