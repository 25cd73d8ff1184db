"""Verdicts, edits and revisions at the same time: exactly one outcome, and each is told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from capture import DatabaseManager, Decision, EventLog
from capture.vocabulary import (
    OutputRevised,
    SocialPostDrafted,
    content_hash,
)
from review import Accepted, Policy, Refusal, ReviewDesk
from review.commands import Command, Edit
from review.decider import Answer, Decider
from review.output import Output
from tests.fixtures.review import accepted, draft, types


def race(*asks: Callable[[], Any]) -> list[Any]:
    """Ask all at once, each from a thread of its own."""
    gate = threading.Barrier(len(asks))
    answers: list[Any] = [None] * len(asks)

    def run(place: int, ask: Callable[[], Any]) -> None:
        gate.wait()
        try:
            answers[place] = ask()
        except Exception as error:
            answers[place] = error

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(asks)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def race_an_edit_and_an_approval(desk: ReviewDesk, log: EventLog, rounds: int) -> None:
    for number in range(rounds):
        post = draft(f"Ahoy {number}.")
        log.append([post], agent_id="poster")
        seen = content_hash(post)
        edited, vote = race(
            lambda post=post, seen=seen: desk.edit(post.output_id, seen, body="Edited.", actor="bob"),
            lambda post=post, seen=seen: desk.approve(post.output_id, seen, actor="ana"),
        )
        output = desk.output(post.output_id)
        assert output is not None
        assert isinstance(edited, Accepted), edited
        assert (output.state, output.body, output.votes) == ("pending", "Edited.", ())
        if isinstance(vote, Refusal):
            assert (vote.code, vote.content_hash) == ("STALE", output.content_hash)
        else:
            assert accepted(vote).position < edited.position


def test_an_edit_and_an_approval_that_race_do_not_meet(desk: ReviewDesk, log: EventLog) -> None:
    """Whoever comes second sees what the first did: edited content is never approved by an approval of the old."""
    race_an_edit_and_an_approval(desk, log, rounds=12)


class FindsThenUpdates(Decider):
    """The mutant: it folds the output before it has the lock, as `SELECT` and then `UPDATE` would."""

    def __init__(self, manager: DatabaseManager) -> None:
        super().__init__(manager, Policy(), None)
        self.both_have_looked, self.it_is_edited = threading.Barrier(2), threading.Barrier(2)
        self.found = threading.local()

    def do(self, command: Command, *, command_id: str | None = None) -> Answer:
        self.found.output = self.output(command.output_id)
        self.both_have_looked.wait()
        if isinstance(command, Edit):
            answer = super().do(command, command_id=command_id)
            self.it_is_edited.wait()
            return answer
        self.it_is_edited.wait()
        return super().do(command, command_id=command_id)

    def _folded(self, decision: Decision, output_id: str) -> Output | None:
        return self.found.output  # type: ignore[no-any-return] # a thread's own


def test_a_desk_that_finds_and_then_updates_is_caught(
    desk: ReviewDesk, log: EventLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A desk that looks at the output before it has the lock is caught by the race."""
    monkeypatch.setattr(desk, "_decider", FindsThenUpdates(desk.manager))
    with pytest.raises(AssertionError):
        race_an_edit_and_an_approval(desk, log, rounds=1)


def test_of_verdicts_that_race_exactly_one_counts(desk: ReviewDesk, log: EventLog) -> None:
    """Approve, approve and reject at once: one is accepted, and the others are told who decided."""
    for number in range(8):
        post = draft(f"Ahoy {number}.")
        log.append([post], agent_id="poster")
        seen = content_hash(post)
        answers = race(
            lambda post=post, seen=seen: desk.approve(post.output_id, seen, actor="ana"),
            lambda post=post, seen=seen: desk.approve(post.output_id, seen, actor="bob"),
            lambda post=post, seen=seen: desk.reject(post.output_id, seen, actor="cleo", reason_code="tone"),
        )
        losers = [answer for answer in answers if isinstance(answer, Refusal)]
        assert len(losers) == 2, answers
        assert {loser.code for loser in losers} == {"STATE"}
        verdicts = [
            event.event_type
            for event in log.read(stream=f"output-{post.output_id}")
            if event.event_type in ("review.approved", "review.rejected")
        ]
        assert len(verdicts) == 1


def test_a_revision_and_a_start_that_race_do_not_meet(desk: ReviewDesk, log: EventLog) -> None:
    """Either the sending begins with the approved content and the revision is ignored, or nothing is started."""
    for number in range(8):
        post = draft(f"Ahoy {number}.")
        log.append([post], agent_id="poster")
        seen = content_hash(post)
        accepted(desk.approve(post.output_id, seen, actor="ana"))
        revised = OutputRevised(output_id=post.output_id, body="Revised.")
        started, _ = race(
            lambda post=post, seen=seen: desk.start(post.output_id, seen, worker="w"),
            lambda revised=revised: log.append([revised], agent_id="poster"),
        )
        output = desk.output(post.output_id)
        assert output is not None
        if isinstance(started, Accepted):
            assert (output.state, output.body) == ("publishing", post.body)
            assert [code for _, code in output.ignored] == ["IN_FLIGHT"]
        else:
            assert (output.state, output.body) == ("pending", "Revised.")


def test_one_command_asked_by_many_at_once_is_carried_out_once(
    desk: ReviewDesk, log: EventLog, post: SocialPostDrafted
) -> None:
    """A command id asked from several threads at once gives all of them the one result."""
    seen = content_hash(post)
    answers = race(*[lambda: desk.approve(post.output_id, seen, actor="ana", command_id="c")] * 5)
    assert len({accepted(answer).position for answer in answers}) == 1
    assert types(log).count("review.approved") == 1
