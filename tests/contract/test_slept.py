"""A worker that slept between its start and its send, on every backend: it sends only what still may go."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from capture import EventLog
from capture.vocabulary import Media, OutputRevised, OutputWithdrawn, content_hash
from capture.vocabulary.drafts import Draft
from review import Accepted, PublishingWorker, ReviewDesk
from review.automation.sweeper import LOST_AFTER, lost_send
from review.policy.rules import Policy
from tests.fixtures.platform import NOW, Clock, Platform, approved, state

DENIES = Policy.parse('name = "late"\n[[rule]]\ndeny = true\n')


@pytest.fixture
def desk(clocked_desk: ReviewDesk) -> ReviewDesk:
    return clocked_desk


Meanwhile = Callable[[ReviewDesk, Draft, Clock], object]


def sleeps(worker: PublishingWorker, meanwhile: Callable[[], object], patch: pytest.MonkeyPatch) -> None:
    """Let something happen after the start is committed and the mark is written."""
    advance = worker.marks.advance

    def late(position: int) -> None:
        advance(position)
        meanwhile()

    patch.setattr(worker.marks, "advance", late)


def time_runs_out(desk: ReviewDesk, post: Draft, clock: Clock) -> None:
    clock.now += timedelta(hours=2)


def is_stopped(desk: ReviewDesk, post: Draft, clock: Clock) -> None:
    desk.stop(actor="ana", reason="an incident", agent="poster")


def is_denied(desk: ReviewDesk, post: Draft, clock: Clock) -> None:
    desk.adopt(DENIES, actor="ana")


def is_swept(desk: ReviewDesk, post: Draft, clock: Clock) -> None:
    clock.now += LOST_AFTER
    assert isinstance(lost_send(desk, post.output_id), Accepted)


def is_resolved_and_edited(desk: ReviewDesk, post: Draft, clock: Clock) -> None:
    is_swept(desk, post, clock)
    desk.resolve(post.output_id, "failed", actor="ana", note="not there")
    edited = desk.edit(post.output_id, content_hash(post), body="Ahoy again.", actor="ana")
    assert isinstance(edited, Accepted)
    assert isinstance(desk.approve(post.output_id, edited.content_hash, actor="bob"), Accepted)
    assert isinstance(desk.start(post.output_id, edited.content_hash, worker="another"), Accepted)


@pytest.mark.parametrize(
    ("meanwhile", "code", "after"),
    [
        (time_runs_out, "NOT_DUE", "publish_failed"),
        (is_stopped, "STOPPED", "publish_failed"),
        (is_denied, "DENIED", "publish_failed"),
        (is_swept, "UNCERTAIN", "uncertain"),
        (is_resolved_and_edited, "IN_FLIGHT", "publishing"),
    ],
)
def test_a_worker_that_slept_does_not_send_what_may_not_go_any_more(
    desk: ReviewDesk,
    worker: PublishingWorker,
    platform: Platform,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    meanwhile: Meanwhile,
    code: str,
    after: str,
) -> None:
    """Its time ran out, it was stopped, denied, given up or replaced while the worker slept: nothing is sent."""
    post = approved(desk, not_after=NOW + timedelta(hours=1))
    sleeps(worker, lambda: meanwhile(desk, post, clock), monkeypatch)
    summary = worker.run_once()
    assert platform.arrived == []
    assert ([outcome.code for outcome in summary.outputs], state(desk, post)) == ([code], after)


def test_what_was_stopped_in_between_goes_out_once_it_is_resumed(
    desk: ReviewDesk, worker: PublishingWorker, platform: Platform, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing was sent, and that is known: a later run tries again by itself."""
    post = approved(desk)
    with monkeypatch.context() as patch:
        sleeps(worker, lambda: is_stopped(desk, post, clock), patch)
        worker.run_once()
    assert [outcome.code for outcome in worker.run_once().outputs] == ["STOPPED"]
    desk.resume(actor="ana")
    assert worker.run_once().published == 1
    assert len(platform.arrived) == 1


def test_media_that_are_altered_in_between_are_not_sent(
    desk: ReviewDesk, worker: PublishingWorker, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The digests are taken again just before the send."""
    from capture import media

    approved(desk, media=(Media(sha256="ab" * 32, media_type="image/png"),))
    there = [True]
    monkeypatch.setattr("review.publication.ledger.stored_media", lambda *_, **__: media if there[0] else None)
    sleeps(worker, lambda: there.__setitem__(0, False), monkeypatch)
    assert [outcome.code for outcome in worker.run_once().outputs] == ["MEDIA"]
    assert platform.arrived == []


def test_what_its_agent_or_a_reviewer_says_after_the_start_comes_too_late(
    desk: ReviewDesk, worker: PublishingWorker, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A revision, a withdrawal or a revocation after the start changes nothing: what was approved goes out."""
    post = approved(desk)

    def too_late() -> None:
        events = [OutputRevised(output_id=post.output_id, body="Revised."), OutputWithdrawn(output_id=post.output_id)]
        EventLog(desk.manager).append(events, agent_id="poster")
        assert desk.revoke(post.output_id, actor="ana").code == "IN_FLIGHT"
        assert desk.edit(post.output_id, content_hash(post), body="Edited.", actor="ana").code == "IN_FLIGHT"

    sleeps(worker, too_late, monkeypatch)
    assert worker.run_once().published == 1
    assert [body for _, _, body in platform.arrived] == ["Ahoy."]


class LooksOnce(PublishingWorker):
    """The mutant: it goes by what held when it started."""

    def __init__(self, desk: ReviewDesk, platform: Platform) -> None:
        super().__init__(desk, {"folder": platform})
        self.desk.judge_again = lambda output, attempt: None  # type: ignore[method-assign]


def test_a_worker_that_does_not_look_again_is_caught(
    desk: ReviewDesk, platform: Platform, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that sends by what held at its start is caught by the tests above."""
    post = approved(desk, not_after=NOW + timedelta(hours=1))
    worker = LooksOnce(desk, platform)
    sleeps(worker, lambda: time_runs_out(desk, post, clock), monkeypatch)
    worker.run_once()
    assert len(platform.arrived) == 1
