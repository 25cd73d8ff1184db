"""The sweeper: closes outputs whose time is over, and sends whose worker was not heard of again.

Time alone changes nothing; each of these is a command to the desk, which looks at the stream under the log's lock. So
any number of sweepers do no harm: of two that come at once, one is refused.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from review.automation.dues import expired
from review.commands import Expire
from review.decider import Answer
from review.desk import ReviewDesk
from review.output import State
from review.queue import list_outputs
from review.refusals import Accepted, Refusal

LOST_AFTER = timedelta(minutes=10)
"""How long an output may be `publishing` before its worker counts as dead."""

SWEEPER = "sweeper"
"""Under which name a lost send is told when no worker finds it."""

_logger = logging.getLogger("copydesk.automation")


def lost_send(desk: ReviewDesk, output_id: str, *, worker: str = SWEEPER) -> Answer | None:
    """Record that nobody knows what became of a send, when its worker has been silent for too long.

    Args:
        desk: Where it is recorded.
        output_id: The output that is being published.
        worker: Who found it.

    Returns:
        The desk's answer; None when it is not time, or the output is not being published any more.
    """
    output = desk.output(output_id)
    if output is None or output.state is not State.PUBLISHING or output.attempt is None:
        return None
    if desk.now() < output.attempt.started_at + LOST_AFTER:
        return None
    silent = f"the worker {output.attempt.worker} began to send and was not heard of again"
    _logger.warning("output %s may have gone out and may not: %s", output_id, silent)
    return desk.lose(output_id, output.attempt.number, silent, worker=worker)


class Sweeper:
    """Closes what is over. `agents_outputs` is brought up to date by the caller.

    Args:
        desk: Whom it asks.
    """

    def __init__(self, desk: ReviewDesk) -> None:
        self.desk = desk

    def run_once(self) -> int:
        """Close everything whose time is over.

        Returns:
            How many outputs that were.
        """
        return self._expire() + self._lose()

    def _expire(self) -> int:
        closed = 0
        for output_id in expired(self.desk.manager, self.desk.now()):
            closed += isinstance(self.desk.do(Expire(output_id=output_id)), Accepted)
        return closed

    def _lose(self) -> int:
        lost, after = 0, None
        while True:
            page = list_outputs(self.desk.manager, states=(State.PUBLISHING,), after=after)
            for row in page.rows:
                answer = lost_send(self.desk, row.output_id)
                lost += answer is not None and not isinstance(answer, Refusal)
            if page.after is None:
                return lost
            after = page.after
