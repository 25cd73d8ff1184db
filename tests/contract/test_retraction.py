"""What was published is taken back when an admin says so, on every backend."""

from __future__ import annotations

from datetime import timedelta

import pytest

from review import Accepted, PublishingWorker, ReviewDesk
from review.errors import NotSent
from tests.fixtures.platform import Clock, Platform, approved, raises, state


@pytest.fixture
def desk(clocked_desk: ReviewDesk) -> ReviewDesk:
    return clocked_desk


def test_what_an_admin_retracts_is_taken_back(desk: ReviewDesk, worker: PublishingWorker, platform: Platform) -> None:
    """The platform is asked once, by the receipt of the send; nothing is sent again."""
    post = approved(desk)
    worker.run_once()
    assert isinstance(desk.retract(post.output_id, actor="ana", note="wrong price"), Accepted)
    summary = worker.run_once()
    assert [outcome.state for outcome in summary.outputs] == ["retracted"]
    assert platform.retracted == ["p1"]
    assert worker.run_once().outputs == ()
    assert (len(platform.arrived), platform.retracted, state(desk, post)) == (1, ["p1"], "retracted")


@pytest.mark.parametrize("error", [NotSent("no route"), OSError("401 not accepted")])
def test_what_certainly_still_stands_is_published_as_before(
    desk: ReviewDesk, worker: PublishingWorker, platform: Platform, error: Exception
) -> None:
    """Nothing was asked, or it was declared not accepted: it is published, and an admin may try again."""
    post = approved(desk)
    worker.run_once()
    desk.retract(post.output_id, actor="ana", note="wrong price")
    platform.retract = raises(error)  # type: ignore[method-assign]
    summary = worker.run_once()
    assert (summary.outputs[0].code, state(desk, post)) == ("NOT_SENT", "published")
    assert isinstance(desk.retract(post.output_id, actor="ana", note="again"), Accepted)


def test_a_retraction_without_an_answer_is_asked_again_ever_later(
    desk: ReviewDesk, worker: PublishingWorker, platform: Platform, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without an answer it stays `retracting`; a second time is asked at once, and then after pauses."""
    post = approved(desk)
    worker.run_once()
    desk.retract(post.output_id, actor="ana", note="wrong price")
    asked: list[str] = []

    def times_out(receipt: object) -> None:
        asked.append("once more")
        raise TimeoutError

    with monkeypatch.context() as patch:
        patch.setattr(platform, "retract", times_out)
        for _ in range(5):
            worker.run_once()
        assert (len(asked), state(desk, post)) == (2, "retracting")
        clock.now += timedelta(minutes=1)
        worker.run_once()
        assert len(asked) == 3
    clock.now += timedelta(hours=3)
    worker.run_once()
    assert (state(desk, post), len(platform.arrived)) == ("retracted", 1)


def test_an_uncertain_output_is_not_looked_up_at_every_turn(
    desk: ReviewDesk, worker: PublishingWorker, platform: Platform, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A platform is asked twice at once, and then after pauses."""
    approved(desk)
    platform.after = raises(TimeoutError())
    worker.run_once()
    looks: list[str] = []
    monkeypatch.setattr(platform, "find", looks.append)
    for _ in range(10):
        worker.run_once()
    assert len(looks) == 2
    clock.now += timedelta(minutes=1)
    worker.run_once()
    assert len(looks) == 3


def test_a_platform_that_shows_it_within_its_grace_is_believed(desk: ReviewDesk, platform: Platform) -> None:
    """A verifying publisher is asked until it shows the post, or its grace is over."""
    slept: list[float] = []
    worker = PublishingWorker(desk, {"folder": platform}, sleep=slept.append)
    platform.verifies = timedelta(seconds=2)
    kept = platform.find
    platform.find = lambda key: kept(key) if len(slept) > 2 else None  # type: ignore[method-assign]
    post = approved(desk)
    assert worker.run_once().published == 1
    assert (state(desk, post), len(slept)) == ("published", 3)
    platform.find = lambda key: None  # type: ignore[method-assign]
    late = approved(desk, "Ahoy again.")
    assert worker.run_once().uncertain == 1
    assert (state(desk, late), len(platform.arrived)) == ("uncertain", 2)
    assert sum(slept[3:]) == pytest.approx(2)
