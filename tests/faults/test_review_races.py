"""Verdicts, edits and revisions at the same time: exactly one outcome, and each is told.

The long campaign is `scripts/campaign/review_races.py`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from capture import EventLog
from capture.vocabulary import (
    OutputRevised,
    SocialPostDrafted,
    content_hash,
)
from review import Accepted, Refusal, ReviewDesk
from tests.faults import review_racers
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


@pytest.mark.parametrize("kind", review_racers.RACES)
def test_of_processes_that_race_each_is_told_the_truth(database_url: str, kind: str) -> None:
    """Whoever comes second sees what the first did: one outcome, and the right refusal for every loser."""
    assert sum(review_racers.run(database_url, kind, rounds=6).values()) == 6


# An agent's revision is appended without looking, so there is nothing that it could find too early.
@pytest.mark.parametrize("kind", ["edit against approve", "approve against approve", "claim against claim"])
def test_a_desk_that_finds_and_then_updates_is_caught(database_url: str, kind: str) -> None:
    """A desk that looks at the output before it has the lock is caught by the races."""
    with pytest.raises(AssertionError):
        review_racers.run(database_url, kind, rounds=3, mutant=True)


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
