"""What a send proves, and what it does not, on every backend."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from capture import CopydeskError
from capture.vocabulary import content_hash
from review import Accepted, PublishingWorker, Receipt, ReviewDesk
from review.automation.sweeper import LOST_AFTER
from review.errors import NotSent
from review.publication.patience import PAUSES
from tests.fixtures.platform import Clock, Platform, approved, raises, state


@pytest.fixture
def desk(clocked_desk: ReviewDesk) -> ReviewDesk:
    return clocked_desk


def test_an_interrupted_worker_says_that_it_is_uncertain(
    desk: ReviewDesk, worker: PublishingWorker, platform: Platform
) -> None:
    """Ctrl-C in the middle of a send leaves the output uncertain, and goes on up."""
    post = approved(desk)
    platform.after = raises(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        worker.run_once()
    assert state(desk, post) == "uncertain"


@pytest.mark.parametrize(
    ("when", "error", "becomes", "sends"),
    [
        ("before", NotSent("no route"), "publish_failed", 0),
        ("before", OSError("401 not accepted"), "publish_failed", 0),
        ("before", OSError("400"), "uncertain", 0),
        ("after", TimeoutError(), "uncertain", 1),
        ("after", RuntimeError("400 that did post \x1b[2J\n" + "x" * 9000), "uncertain", 1),
    ],
)
def test_what_a_platform_raises_is_taken_for_what_it_proves(
    desk: ReviewDesk,
    worker: PublishingWorker,
    platform: Platform,
    when: str,
    error: Exception,
    becomes: str,
    sends: int,
) -> None:
    """Only "nothing was sent" and a declared "not accepted" are failures; anything else is uncertain."""
    post = approved(desk)
    setattr(platform, when, raises(error))
    summary = worker.run_once()
    assert state(desk, post) == becomes
    assert (summary.failed, summary.uncertain) == ((1, 0) if becomes == "publish_failed" else (0, 1))
    output = desk.output(post.output_id)
    assert output is not None
    assert output.attempt is not None
    assert output.attempt.error is not None
    assert output.attempt.error.isprintable()
    assert len(platform.arrived) == sends


@pytest.mark.parametrize(
    "receipt",
    [None, "p1", Receipt(""), Receipt("x" * 600), Receipt("p\0"), Receipt("p1", "https://x.example/" + "a" * 5000)],
)
def test_a_receipt_that_can_not_be_recorded_is_uncertain(
    desk: ReviewDesk, worker: PublishingWorker, platform: Platform, receipt: Any
) -> None:
    """Whatever a platform answers, the output was sent once and its fate is told."""
    post = approved(desk)
    platform.answer = lambda _: receipt
    worker.run_once()
    assert state(desk, post) == "uncertain"
    platform.answer = lambda kept: kept
    worker.run_once()
    assert state(desk, post) == "published"
    assert len(platform.arrived) == 1


def test_a_platform_that_shows_nothing_is_not_believed(
    desk: ReviewDesk, worker: PublishingWorker, platform: Platform
) -> None:
    """A success that a verifying publisher can't find is uncertain."""
    post = approved(desk)
    platform.verifies = timedelta()
    platform.after = lambda output: platform.by_key.clear()
    worker.run_once()
    assert state(desk, post) == "uncertain"


def test_a_failed_send_is_tried_again_after_a_pause(
    desk: ReviewDesk, worker: PublishingWorker, platform: Platform, clock: Clock
) -> None:
    """What certainly did not go out is tried again under the same key, first at once, then ever later."""
    post = approved(desk)
    platform.before = raises(NotSent("no route"))
    assert worker.run_once().failed == 1
    assert worker.run_once().failed == 1
    summary = worker.run_once()
    assert (summary.skipped, summary.outputs[0].code) == (1, "NOT_DUE")
    clock.now += PAUSES[1]
    platform.before = lambda output: None
    assert worker.run_once().published == 1
    output = desk.output(post.output_id)
    assert output is not None
    assert [attempt.number for attempt in output.attempts] == [1, 2, 3]
    assert len({attempt.idempotency_key for attempt in output.attempts}) == 1


def test_a_person_decides_what_became_of_an_uncertain_send(
    desk: ReviewDesk, worker: PublishingWorker, platform: Platform, clock: Clock
) -> None:
    """After "it is not there" no machine sends again; the content goes out once somebody edits and approves it anew."""
    post = approved(desk)
    platform.before = raises(TimeoutError())
    worker.run_once()
    platform.before = lambda output: None
    assert isinstance(desk.resolve(post.output_id, "failed", actor="ana", note="not there"), Accepted)
    clock.now += timedelta(days=1)
    summary = worker.run_once()
    assert (summary.skipped, summary.outputs[0].code) == (1, "UNCERTAIN")
    assert platform.arrived == []
    edited = desk.edit(post.output_id, content_hash(post), body="Ahoy again.", actor="ana")
    assert isinstance(edited, Accepted)
    assert isinstance(desk.approve(post.output_id, edited.content_hash, actor="ana"), Accepted)
    assert worker.run_once().published == 1
    assert [body for _, _, body in platform.arrived] == ["Ahoy again."]


def test_a_database_that_goes_away_after_the_send_does_not_send_twice(
    desk: ReviewDesk, worker: PublishingWorker, platform: Platform, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the confirmation can't be recorded the worker stops, and the next finds the post instead of sending it."""
    post = approved(desk)

    def away(*args: object, **named: object) -> None:
        raise CopydeskError("the database is away")

    with monkeypatch.context() as patch:
        patch.setattr(desk, "confirm", away)
        with pytest.raises(CopydeskError, match="away"):
            worker.run_once()
    clock.now += LOST_AFTER
    worker.run_once()
    assert (len(platform.arrived), state(desk, post)) == (1, "published")
