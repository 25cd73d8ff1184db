"""`PublishingWorker`: sends what is approved and due. At most one unattended send of each (output, revision, hash).

For each output, in this order and no other:

1. `desk.start`: under the log's lock the output is folded anew, its hash computed from the content as it is now, the
   votes counted; `publication.started` is committed so that a power cut can't undo it. Refused: nothing is sent.
2. The mark outside of the database names that event. A database that is not the one of the mark: nothing is sent.
3. `desk.judge_again`: a process may have slept for hours since step 1. Refused: nothing is sent.
4. One call of the publisher, with the content that this commit was about.
5. `desk.confirm`, `desk.fail` where it is certain that nothing went out, or `desk.lose` for everything else.

Nothing after step 4 leads back to it. A worker that dies between 1 and 5 leaves the output `publishing`; after a while
the sweep makes that `uncertain`. From there a look at the platform may find it; what is not found proves nothing.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from capture import CopydeskError
from review.automation.sweeper import lost_send
from review.decider import Answer
from review.desk import ReviewDesk
from review.errors import NotSent
from review.output import Attempt, Output, State
from review.publication.installed import installed
from review.publication.mark import Held, Marks
from review.publication.patience import Patience, pause_after
from review.publication.publisher import Publisher, Receipt, look_up
from review.queue import Listed, list_outputs
from review.refusals import Accepted, Refusal, refuse

_logger = logging.getLogger("copydesk.publication")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one output.

    Attributes:
        output_id: The output.
        state: Its state now; None when there is no such output any more.
        receipt: The platform's, if it was published.
        code: `OK`, or why it was not published.
        message: The same in words.
    """

    output_id: str
    state: State | None
    receipt: Receipt | None = None
    code: str = "OK"
    message: str = ""


@dataclass(frozen=True, slots=True)
class Summary:
    """What one run did.

    Attributes:
        outputs: What became of each output that the run looked at.
        held: Why publication holds, so that nothing was sent; None when it does not.
    """

    outputs: tuple[Outcome, ...] = ()
    held: str | None = None

    @property
    def published(self) -> int:
        """How many were published."""
        return self._count(State.PUBLISHED)

    @property
    def failed(self) -> int:
        """How many were tried and certainly did not go out."""
        return sum(outcome.code == "NOT_SENT" for outcome in self.outputs)

    @property
    def uncertain(self) -> int:
        """How many may have gone out and may not."""
        return self._count(State.UNCERTAIN)

    @property
    def skipped(self) -> int:
        """How many were not tried: a guard refused, or the pause after a failure is not over."""
        return len(self.outputs) - self.published - self.failed - self.uncertain

    def _count(self, state: State) -> int:
        return sum(outcome.state is state for outcome in self.outputs)


class PublishingWorker:
    """Publishes through the desk.

    Args:
        desk: Where it starts, confirms and fails.
        publishers: By the name that a policy uses; the installed ones when left out.
        name: Names this worker in the ledger.
        sleep: Waits for so many seconds: for a platform that shows what it took only after a while.
    """

    def __init__(
        self,
        desk: ReviewDesk,
        publishers: Mapping[str, Publisher] | None = None,
        *,
        name: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.desk = desk
        self.publishers = installed() if publishers is None else dict(publishers)
        self.name = name or f"{socket.gethostname()[:100]}:{os.getpid()}"
        self.marks = Marks(desk.manager)
        self._sleep = sleep
        self._looks, self._retractions = Patience(), Patience()
        self._held: str | None = None

    def run_once(self) -> Summary:
        """Publish everything that is approved and due now, each at most once.

        Raises:
            CopydeskError: The database is away. What was sent before that and could not be recorded stays
                `publishing`, and is never sent again by a machine.
        """
        self.desk.refresh()
        held = self.marks.held(begin=True)
        if held is not None and held != self._held:
            _logger.warning("publication holds: %s", held)
        self._held = held
        outcomes = [outcome for row in self._rows(State.PUBLISHING) if (outcome := self._swept(row)) is not None]
        outcomes += [outcome for row in self._rows(State.UNCERTAIN) if (outcome := self._found(row)) is not None]
        if held is None:
            outcomes += [out for row in self._rows(State.RETRACTING) if (out := self._retracted(row)) is not None]
            outcomes += [self._published(row) for row in self._rows(State.APPROVED, State.PUBLISH_FAILED)]
        if outcomes:
            self.desk.refresh()
        return Summary(tuple(outcomes), held)

    def _rows(self, *states: State) -> Iterator[Listed]:
        after = None
        while True:
            page = list_outputs(self.desk.manager, states=states, after=after)
            yield from page.rows
            after = page.after
            if after is None:
                return

    def _published(self, row: Listed) -> Outcome:
        publisher = self.publishers.get(row.publisher)
        if publisher is None:
            message = f"there is no publisher {row.publisher!r:.60}"
            return Outcome(row.output_id, State(row.state), None, "UNKNOWN_PUBLISHER", message)
        if row.state == State.PUBLISH_FAILED:
            answer = self._retried(row)
        else:
            # The row may be old: the desk looks at the stream, and refuses if the content is another by now.
            answer = self.desk.start(row.output_id, row.content_hash, worker=self.name)
            if isinstance(answer, Refusal) and answer.code == "DRY_RUN":
                return self._rehearsed(row)
        if isinstance(answer, Refusal):
            return _outcome(answer)
        return self._withheld(answer) or self._sent(publisher, answer.output)

    def _withheld(self, started: Accepted) -> Outcome | None:
        """The last look before the send, from outside of the log's lock; None when it may go out."""
        output, attempt = started.output, started.output.attempts[-1]
        try:
            self.marks.advance(started.position)
        except (Held, OSError) as error:
            return self._failed(output, attempt, error)
        refusal = self.desk.judge_again(output, attempt.number)
        if refusal is None:
            return None
        if refusal.state is State.PUBLISHING:
            answer = self.desk.fail(output.output_id, attempt.number, refusal.message, worker=self.name)
            state = None if isinstance(answer, Refusal) else answer.state
            return Outcome(output.output_id, state, None, refusal.code, refusal.message)
        return _outcome(refusal)

    def _rehearsed(self, row: Listed) -> Outcome:
        answer = self.desk.rehearse(row.output_id, row.content_hash, worker=self.name)
        if isinstance(answer, Refusal):
            return _outcome(answer)
        return Outcome(row.output_id, answer.state, None, "DRY_RUN", "everything is ready; a rule says: send nothing")

    def _retried(self, row: Listed) -> Answer:
        output = self.desk.output(row.output_id)
        until = None if output is None else _pause(output)
        if output is not None and until is not None and self.desk.now() < until:
            return refuse(output, "NOT_DUE", f"it is tried again from {until.isoformat()} on")
        return self.desk.retry(row.output_id, row.content_hash, worker=self.name)

    def _sent(self, publisher: Publisher, output: Output) -> Outcome:
        attempt = output.attempts[-1]
        try:
            receipt = publisher.publish(output, attempt.idempotency_key)
        except NotSent as error:
            return self._failed(output, attempt, error)
        except Exception as error:  # noqa: BLE001 - a publisher is foreign code: whatever it raises is about this send
            if _declared_not_accepted(publisher, error):
                return self._failed(output, attempt, error)
            return self._lost(output, attempt, _words(error))
        except BaseException as error:
            self._lost(output, attempt, f"the worker was interrupted while it sent ({type(error).__name__})")
            raise
        return self._confirmed(publisher, output, attempt, receipt)

    def _confirmed(self, publisher: Publisher, output: Output, attempt: Attempt, receipt: Receipt) -> Outcome:
        if getattr(publisher, "verifies", None) not in (None, False) and not self._sees(publisher, output, attempt):
            return self._lost(output, attempt, "the platform said yes, but does not show it")
        try:
            answer = self.desk.confirm(
                output.output_id, attempt.number, Receipt(receipt.external_id, receipt.url), worker=self.name
            )
        except (CopydeskError, AttributeError, TypeError, ValueError) as error:
            if isinstance(error, CopydeskError) and error.exit_code != 2:
                raise  # the database's trouble, not the receipt's
            return self._lost(output, attempt, f"the receipt can't be recorded: {_words(error)}")
        return _outcome(answer, receipt)

    def _failed(self, output: Output, attempt: Attempt, error: BaseException) -> Outcome:
        words = _words(error)
        answer = self.desk.fail(output.output_id, attempt.number, words, worker=self.name)
        if isinstance(answer, Refusal):
            return _outcome(answer)
        return Outcome(output.output_id, answer.state, None, "NOT_SENT", words)

    def _lost(self, output: Output, attempt: Attempt, words: str) -> Outcome:
        _logger.warning("output %s may have gone out and may not: %s", output.output_id, words)
        answer = self.desk.lose(output.output_id, attempt.number, words, worker=self.name)
        if isinstance(answer, Refusal):
            return _outcome(answer)
        return Outcome(output.output_id, answer.state, None, "UNCERTAIN", words)

    def _swept(self, row: Listed) -> Outcome | None:
        answer = lost_send(self.desk, row.output_id, worker=self.name)
        if answer is None:
            return None
        if isinstance(answer, Refusal):
            return _outcome(answer)
        message = answer.output.attempts[-1].error or ""
        return self._found(row) or Outcome(row.output_id, answer.state, None, "UNCERTAIN", message)

    def _found(self, row: Listed) -> Outcome | None:
        output = self.desk.output(row.output_id)
        if output is None or output.state is not State.UNCERTAIN or output.attempt is None:
            return None
        publisher = self.publishers.get(output.attempt.publisher)
        if publisher is None or not self._looks.may_ask(output.output_id, self.desk.now()):
            return None
        try:
            receipt = look_up(publisher, output, output.attempt.idempotency_key)
        except Exception as error:  # noqa: BLE001 - a publisher is foreign code, and a look that fails changes nothing
            _logger.warning("the look-up of output %s failed: %s", output.output_id, _words(error))
            return None
        if receipt is None:
            return None
        self._looks.forget(output.output_id)
        return _outcome(self.desk.confirm(output.output_id, output.attempt.number, receipt, worker=self.name), receipt)

    def _retracted(self, row: Listed) -> Outcome | None:
        # Of two that take the same post back the second is told that there is none, which proves nothing about it.
        with self.marks.alone("retraction"):
            output = self.desk.output(row.output_id)
            if output is None or output.state is not State.RETRACTING or output.attempt is None:
                return None
            attempt = output.attempt
            publisher = self.publishers.get(attempt.publisher)
            if publisher is None or attempt.external_id is None:
                why = f"there is no publisher {attempt.publisher!r:.60}" if publisher is None else "it has no receipt"
                return Outcome(output.output_id, output.state, None, "UNKNOWN_PUBLISHER", why)
            if not self._retractions.may_ask(output.output_id, self.desk.now()):
                return None
            receipt = Receipt(attempt.external_id, attempt.url)
            try:
                publisher.retract(receipt)
            except Exception as error:  # noqa: BLE001 - a publisher is foreign code: it is about this retraction
                if isinstance(error, NotSent) or _declared_not_accepted(publisher, error):
                    self._retractions.forget(output.output_id)
                    return self._failed(output, attempt, error)
                # It may be gone. To ask again posts nothing, so that is done, ever later.
                _logger.warning("the retraction of output %s got no answer: %s", output.output_id, _words(error))
                return Outcome(output.output_id, output.state, None, "NOT_RETRACTED", _words(error))
            self._retractions.forget(output.output_id)
            return _outcome(self.desk.confirm(output.output_id, attempt.number, receipt, worker=self.name))

    def _sees(self, publisher: Publisher, output: Output, attempt: Attempt) -> bool:
        """Look until the platform shows it, or its grace is over."""
        left = getattr(publisher.verifies, "total_seconds", float)()
        pause = 0.1
        while True:
            try:
                if look_up(publisher, output, attempt.idempotency_key) is not None:
                    return True
            except Exception as error:  # noqa: BLE001 - a publisher is foreign code, and a look that fails changes nothing
                _logger.warning("the look-up of output %s failed: %s", output.output_id, _words(error))
            if left <= 0:
                return False
            self._sleep(min(pause, left))
            left, pause = left - pause, pause * 2


def _pause(output: Output) -> datetime | None:
    attempts = [attempt for attempt in output.attempts if attempt.revision == output.revision]
    if not attempts:
        return None
    ended = attempts[-1].finished_at or attempts[-1].started_at
    return ended + pause_after(len(attempts))


def _declared_not_accepted(publisher: Publisher, error: Exception) -> bool:
    try:
        return publisher.not_accepted(error) is True
    except Exception:  # noqa: BLE001 - a publisher is foreign code; without a clear no the send is uncertain
        return False


def _words(error: BaseException) -> str:
    # What a platform answers is hostile text of any length, and goes into the log.
    text = getattr(error, "message", None) or str(error) or type(error).__name__
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text[:1_000])


def _outcome(answer: Accepted | Refusal, receipt: Receipt | None = None) -> Outcome:
    if isinstance(answer, Refusal):
        return Outcome(answer.output_id, answer.state, None, answer.code, answer.message)
    return Outcome(answer.output_id, answer.state, receipt)
