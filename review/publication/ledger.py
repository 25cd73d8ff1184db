"""What the publishing worker asks the desk for: each becomes a line of the ledger, a `publication.*` event."""

from __future__ import annotations

from dataclasses import replace

from capture import Clock, DatabaseManager, stored_media
from review import commands
from review.actors import check_person
from review.decider import Answer, Decider
from review.output import Output
from review.publication.publisher import Receipt
from review.refusals import Refusal


class Ledger:
    """The worker's half of the desk; `review.desk.ReviewDesk` is the whole."""

    manager: DatabaseManager
    now: Clock
    _decider: Decider

    def start(self, output_id: str, content_hash: str, *, worker: str) -> Answer:
        """Begin to send. Once this has returned `Accepted`, it is committed so that no power cut forgets it.

        Args:
            output_id: Which output.
            content_hash: The hash that the worker is about to send.
            worker: Who sends.
        """
        return self._decider.do(
            commands.Start(
                output_id=output_id, content_hash=content_hash, actor=worker, missing_media=self._missing(output_id)
            )
        )

    def rehearse(self, output_id: str, content_hash: str, *, worker: str) -> Answer:
        """Record, once for each revision, that everything is ready to be sent; under `dry_run` nothing is.

        Args:
            output_id: Which output.
            content_hash: The hash that the worker would send.
            worker: Who would send it.
        """
        return self._decider.do(
            commands.Rehearse(
                output_id=output_id, content_hash=content_hash, actor=worker, missing_media=self._missing(output_id)
            )
        )

    def retry(self, output_id: str, content_hash: str, *, worker: str, operator: str | None = None) -> Answer:
        """Begin to send again, under the same key, what is known not to have gone out.

        Args:
            output_id: Which output.
            content_hash: The hash that the worker is about to send.
            worker: Who sends.
            operator: The person who asks for it: needed when an earlier attempt was uncertain.
        """
        refusal = None if operator is None else check_person(operator)
        if refusal is not None:
            return replace(refusal, output_id=output_id)
        command = commands.Retry(
            output_id=output_id,
            content_hash=content_hash,
            actor=worker,
            operator=operator,
            missing_media=self._missing(output_id),
        )
        return self._decider.do(command)

    def judge_again(self, output: Output, attempt: int) -> Refusal | None:
        """Whether what was started may still be sent: its process may have slept since.

        Asked without the lock, and nothing is appended. Its own start is counted by now, so limits are not asked again.

        Args:
            output: As it was when the attempt was started.
            attempt: Which attempt.

        Returns:
            Why it may not; its `state` is what it is now. None when it may.
        """
        return self._decider.judge_again(output, attempt, self._missing(output.output_id), self.now())

    def confirm(self, output_id: str, attempt: int, receipt: Receipt, *, worker: str) -> Answer:
        """The platform has it; or, of a retraction, has it no more."""
        return self._decider.do(
            commands.Confirm(
                output_id=output_id, attempt=attempt, external_id=receipt.external_id, url=receipt.url, actor=worker
            )
        )

    def fail(self, output_id: str, attempt: int, error: str, *, worker: str) -> Answer:
        """It is certain that nothing went out; or, of a retraction, that it still stands."""
        return self._decider.do(commands.Fail(output_id=output_id, attempt=attempt, error=error, actor=worker))

    def lose(self, output_id: str, attempt: int, error: str, *, worker: str) -> Answer:
        """It may have gone out and may not."""
        return self._decider.do(commands.Lose(output_id=output_id, attempt=attempt, error=error, actor=worker))

    def _missing(self, output_id: str) -> tuple[str, ...]:
        # Before the lock is taken: media may be large. The content hash names them, so they are the same inside.
        output = self._decider.output(output_id)
        media = () if output is None else output.content.media
        return tuple(item.sha256 for item in media if stored_media(item.sha256, settings=self.manager.settings) is None)
