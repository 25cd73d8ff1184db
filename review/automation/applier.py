"""The applier: takes new drafts up, and lets the rules decide what they decide by themselves.

It knows nothing that the desk does not: what is due stands in `agents_output_dues`, and whether it is still so is
decided under the log's lock. So any number of appliers do no harm: of two that come at once, the second finds nothing
to do.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from itertools import islice

from capture import InvalidEvent
from review.automation.dues import awaiting
from review.commands import AutoDecide, Command, Open
from review.decider import Answer
from review.desk import ReviewDesk
from review.errors import InvalidCommand
from review.output import State
from review.policy.rules import BY_ITSELF
from review.refusals import Accepted

AT_ONCE = 500
"""How many outputs a round handles at most: beside other work in one process, no round may take an hour."""

ASK_AGAIN = timedelta(minutes=1)
"""After how long a rule is asked again about what it did not decide: a claim ends, a duplicate is withdrawn."""

_logger = logging.getLogger("copydesk.automation")


class Applier:
    """Applies the policy to new drafts. `agents_outputs` is brought up to date by the caller.

    Args:
        desk: Whom it asks.
    """

    def __init__(self, desk: ReviewDesk) -> None:
        self.desk = desk
        self._undecided: dict[str, tuple[int, datetime]] = {}  # under which orders, and until when not to ask again

    def run_once(self) -> int:
        """Take up what is new, and decide what rules decide.

        Returns:
            How many outputs were taken up or decided; the caller comes again while there were any.
        """
        some = islice(awaiting(self.desk.manager, "opening"), AT_ONCE)
        done = sum(self._take_up(output_id) for output_id in some)
        orders, now = self.desk.orders().position, self.desk.now()
        self._undecided = {name: kept for name, kept in self._undecided.items() if kept[0] == orders and now < kept[1]}
        for output_id in awaiting(self.desk.manager, "rule"):
            if done >= AT_ONCE:
                break
            if output_id not in self._undecided:
                done += self._decide(output_id)
        return done

    def _take_up(self, output_id: str) -> bool:
        answer = self._ask(Open(output_id=output_id))
        if not isinstance(answer, Accepted):
            return False
        output = answer.output
        if output.state is State.PENDING and output.mode in BY_ITSELF and not output.for_person:
            self._decide(output_id)
        return True

    def _decide(self, output_id: str) -> bool:
        answer = self._ask(AutoDecide(output_id=output_id))
        if isinstance(answer, Accepted):
            return True
        self._undecided[output_id] = (self.desk.orders().position, self.desk.now() + ASK_AGAIN)
        return False

    def _ask(self, command: Command) -> Answer | None:
        try:
            return self.desk.do(command)
        except (InvalidCommand, InvalidEvent) as error:
            # One output that can't be handled must not keep the others waiting; people see it, and decide.
            _logger.warning("output %s could not be taken up: %s", command.output_id, error)
            return None
