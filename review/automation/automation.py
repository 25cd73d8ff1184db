"""`Automation`: everything about review that needs no person, in one round after another."""

from __future__ import annotations

import logging
from collections.abc import Callable

from review.automation.applier import Applier
from review.automation.notifier import Notifier
from review.automation.sweeper import Sweeper
from review.desk import ReviewDesk

_logger = logging.getLogger("copydesk.automation")


class Automation:
    """Applies the policy, closes what is over, and tells people what waits for them.

    Args:
        desk: Whom it asks.
        deliver: Replaces the delivery of messages: for tests.
    """

    def __init__(self, desk: ReviewDesk, *, deliver: Callable[[str, bytes], None] | None = None) -> None:
        self.desk = desk
        self.applier = Applier(desk)
        self.sweeper = Sweeper(desk)
        self._told: str | None = None
        self.notifier = Notifier(desk, desk.manager.settings.notify, deliver=deliver)

    def run_once(self) -> int:
        """One round.

        Returns:
            How many outputs were taken up, decided or closed; none while the table of outputs waits for a replay.

        Raises:
            CopydeskError: The database is away, or this version can't read the adopted policy.
        """
        self.desk.refresh()
        if self.desk.stale is not None:
            if self._told != self.desk.stale:
                self._told = self.desk.stale
                _logger.warning("nothing is taken up or closed before agents_outputs is replayed: %s", self._told)
            return 0
        done = self.applier.run_once() + self.sweeper.run_once()
        if done:
            self.desk.refresh()
        self.notifier.run_once()
        return done

    def close(self) -> None:
        """Wait for a message that is on its way."""
        self.notifier.close()
