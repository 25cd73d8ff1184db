"""At most one unattended send of what is approved, on every backend."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from capture import EventLog
from capture.vocabulary import ActionProposed, Media, OutputRevised, SocialPostDrafted, content_hash
from review import Accepted, Output, PublishingWorker, Receipt, ReviewDesk
from review.automation.sweeper import LOST_AFTER
from review.commands import Approve
from review.publication.worker import Outcome
from review.publishers.folder import FolderPublisher
from review.queue import Listed
from tests.fixtures.platform import (
    NOW,
    Clock,
    Platform,
    approved,
    drafted,
    raises,
    state,
)

HOSTILE = json.loads((Path(__file__).parents[1] / "hostile.json").read_text(encoding="utf-8"))


@pytest.fixture
def desk(clocked_desk: ReviewDesk) -> ReviewDesk:
    return clocked_desk


class Crash(BaseException):
    """The worker's process ends here: nothing of it runs any more."""


def test_only_what_is_approved_is_sent(desk: ReviewDesk, worker: PublishingWorker, platform: Platform) -> None:
    """Of a pending, an edited, a rejected and an approved output, the approved one alone reaches the platform."""
    drafted(desk, "pending")
    edited, rejected = approved(desk, "edited"), drafted(desk, "rejected")
    desk.edit(edited.output_id, content_hash(edited), body="edited now", actor="bob")
    desk.reject(rejected.output_id, content_hash(rejected), actor="ana", reason_code="tone")
    post = approved(desk, "approved")
    summary = worker.run_once()
    assert platform.arrived == [(post.output_id, content_hash(post), "approved")]
    assert (summary.published, summary.failed, summary.uncertain, summary.skipped) == (1, 0, 0, 0)
    assert [(outcome.output_id, outcome.state, outcome.receipt) for outcome in summary.outputs] == [
        (post.output_id, "published", Receipt("p1", "https://x.example/1"))
    ]
    output = desk.output(post.output_id)
    assert output is not None
    assert output.attempt is not None
    assert (output.attempt.external_id, output.attempt.url, output.attempt.worker) == (
        "p1",
        "https://x.example/1",
        "w1",
    )
    assert worker.run_once().outputs == ()


def test_the_start_is_committed_before_anything_is_sent(
    desk: ReviewDesk, worker: PublishingWorker, platform: Platform
) -> None:
    """While the platform is being called, everybody else can already see that the sending has begun."""
    post = approved(desk)
    seen: list[str] = []

    def look(output: Output) -> None:
        other = threading.Thread(target=lambda: seen.append(state(desk, post)))
        other.start()
        other.join()

    platform.before = look
    worker.run_once()
    assert seen == ["publishing"]


class SendsFirst(PublishingWorker):
    """The mutant: it sends before the start is committed."""

    def _published(self, row: Listed) -> Outcome:
        output = self.desk.output(row.output_id)
        assert output is not None
        self.publishers[output.publisher].publish(output, "key")
        return super()._published(row)


def test_a_worker_that_sends_before_the_commit_is_caught(desk: ReviewDesk, platform: Platform) -> None:
    """A worker that calls the platform before its start is committed is caught by the test above."""
    with pytest.raises(AssertionError):
        test_the_start_is_committed_before_anything_is_sent(desk, SendsFirst(desk, {"folder": platform}), platform)


def dies_before_the_send(desk: ReviewDesk, platform: Platform, patch: pytest.MonkeyPatch) -> None:
    platform.before = raises(Crash())


def dies_after_the_send(desk: ReviewDesk, platform: Platform, patch: pytest.MonkeyPatch) -> None:
    platform.after = raises(Crash())


def dies_before_the_confirmation(desk: ReviewDesk, platform: Platform, patch: pytest.MonkeyPatch) -> None:
    def crash(*args: object, **named: object) -> None:
        raise Crash

    patch.setattr(desk, "confirm", crash)


def dies_before_the_start(desk: ReviewDesk, platform: Platform, patch: pytest.MonkeyPatch) -> None:
    def crash(*args: object, **named: object) -> None:
        raise Crash

    patch.setattr(desk, "start", crash)


@pytest.mark.parametrize(
    ("dies", "sent", "after"),
    [
        (dies_before_the_start, 0, "approved"),
        (dies_before_the_send, 0, "publishing"),
        (dies_after_the_send, 1, "publishing"),
        (dies_before_the_confirmation, 1, "publishing"),
    ],
)
def test_a_worker_that_dies_never_leads_to_a_second_send(
    desk: ReviewDesk,
    platform: Platform,
    clock: Clock,
    dies: Callable[[ReviewDesk, Platform, pytest.MonkeyPatch], None],
    sent: int,
    after: str,
) -> None:
    """Wherever a worker dies, no later one sends what may have gone out: it becomes uncertain, or is found."""
    post = approved(desk)
    with pytest.MonkeyPatch.context() as patch:
        dies(desk, platform, patch)
        worker = PublishingWorker(desk, {"folder": platform}, name="dead")
        # A killed process records nothing on its way out.
        patch.setattr(worker, "_lost", raises(Crash()))
        with pytest.raises(Crash):
            worker.run_once()
    assert (len(platform.arrived), state(desk, post)) == (sent, after)
    platform.before = platform.after = lambda output: None
    heir = PublishingWorker(desk, {"folder": platform}, name="heir")
    if after == "approved":
        assert heir.run_once().published == 1
        assert len(platform.arrived) == 1
        return
    assert heir.run_once().outputs == ()
    assert state(desk, post) == "publishing"
    clock.now += LOST_AFTER
    summary = heir.run_once()
    assert len(platform.arrived) == sent
    if sent:
        assert [outcome.state for outcome in summary.outputs] == ["published"]
    else:
        assert [outcome.state for outcome in summary.outputs] == ["uncertain"]
        for _ in range(3):
            clock.now += timedelta(days=1)
            heir.run_once()
        assert (platform.arrived, state(desk, post)) == ([], "uncertain")


def test_an_uncertain_output_is_found_and_never_sent_again(
    desk: ReviewDesk, worker: PublishingWorker, platform: Platform
) -> None:
    """A look that finds it confirms it; a look that fails, or finds nothing, changes nothing."""
    post = approved(desk)
    platform.after = raises(TimeoutError())
    worker.run_once()
    kept, platform.by_key = platform.by_key, {}
    assert worker.run_once().outputs == ()
    assert state(desk, post) == "uncertain"
    platform.by_key = kept
    assert worker.run_once().published == 1
    assert len(platform.arrived) == 1


def test_two_workers_send_once(desk: ReviewDesk, platform: Platform) -> None:
    """Of workers that run at the same time exactly one sends each output."""
    posts = [approved(desk, f"Ahoy {number}.") for number in range(6)]
    gate = threading.Barrier(3)
    failed: list[BaseException] = []

    def run(name: str) -> None:
        worker = PublishingWorker(desk, {"folder": platform}, name=name)
        gate.wait()
        try:
            worker.run_once()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(f"w{number}",)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert sorted(output_id for output_id, _, _ in platform.arrived) == sorted(post.output_id for post in posts)
    assert {state(desk, post) for post in posts} == {"published"}


def test_what_changes_between_list_and_start_is_not_sent(
    desk: ReviewDesk, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that read its list before a revision, an edit or a revocation sends nothing of it."""
    posts = [approved(desk, f"Ahoy {number}.") for number in range(3)]
    worker = PublishingWorker(desk, {"folder": platform})
    rows = list(worker._rows("approved"))  # type: ignore[arg-type] # as text will do
    assert len(rows) == 3
    EventLog(desk.manager).append([OutputRevised(output_id=posts[0].output_id, body="Revised.")], agent_id="poster")
    desk.edit(posts[1].output_id, content_hash(posts[1]), body="Edited.", actor="bob")
    desk.revoke(posts[2].output_id, actor="bob")
    monkeypatch.setattr(worker, "_rows", lambda *states: rows if "approved" in states else [])
    summary = worker.run_once()
    assert (summary.skipped, platform.arrived) == (3, [])


def test_it_goes_out_when_it_is_due(
    desk: ReviewDesk, worker: PublishingWorker, platform: Platform, clock: Clock
) -> None:
    """A scheduled output waits for its time; one whose time is over is never sent."""
    late = approved(desk, "late", publish_after=NOW + timedelta(hours=1))
    over = approved(desk, "over", not_after=NOW + timedelta(minutes=30))
    clock.now += timedelta(minutes=40)
    summary = worker.run_once()
    assert {outcome.code for outcome in summary.outputs} == {"NOT_DUE"}
    clock.now += timedelta(minutes=20)
    assert worker.run_once().published == 1
    assert [body for _, _, body in platform.arrived] == ["late"]
    assert (state(desk, late), state(desk, over)) == ("published", "approved")


def test_missing_media_keep_an_output_from_being_sent(
    desk: ReviewDesk, worker: PublishingWorker, platform: Platform
) -> None:
    """Without the bytes that its digest names an output is not sent."""
    approved(desk, media=(Media(sha256="ab" * 32, media_type="image/png"),))
    summary = worker.run_once()
    assert (summary.outputs[0].code, platform.arrived) == ("MEDIA", [])


def test_a_publisher_that_is_not_there_is_told(desk: ReviewDesk) -> None:
    """An output whose publisher is not installed stays approved, and the run says so."""
    post = approved(desk)
    summary = PublishingWorker(desk, {}).run_once()
    assert (summary.skipped, summary.outputs[0].code, state(desk, post)) == (1, "UNKNOWN_PUBLISHER", "approved")


def test_the_folder_holds_exactly_the_approved_bytes(desk: ReviewDesk, tmp_path: Path) -> None:
    """A hostile text of each category arrives in the folder byte for byte, in a file whose name it did not choose."""
    folder = tmp_path / "published"
    bodies = {entry["category"]: entry["value"] for entry in HOSTILE if storable(entry)}
    assert len(bodies) > 30
    posts = [SocialPostDrafted(channel="x", identity="@acme", body=body) for body in bodies.values()]
    EventLog(desk.manager).append(posts, agent_id="poster")
    for post in posts:
        approval = Approve(output_id=post.output_id, content_hash=content_hash(post), actor="ana")
        assert isinstance(desk.do(approval), Accepted)
    worker = PublishingWorker(desk, {"folder": FolderPublisher(folder)})
    assert worker.run_once().published == len(posts)
    texts = {path.name: path.read_bytes() for path in folder.glob("*.txt")}
    assert texts == {f"{post.output_id}-1-{content_hash(post)[:16]}.txt": post.body.encode() for post in posts}
    assert {path.suffix for path in folder.iterdir()} == {".txt", ".json"}


def storable(entry: dict[str, Any]) -> bool:
    value = entry["value"]
    if not isinstance(value, str) or "repeat" in entry or "encoding" in entry or "\0" in value or len(value) > 100_000:
        return False
    return not any("\ud800" <= character <= "\udfff" for character in value)


def test_an_action_goes_out_with_its_arguments(desk: ReviewDesk, tmp_path: Path) -> None:
    """What an action would do stands in the second file, as it was approved."""
    action = ActionProposed(channel="x", identity="@acme", action="like", arguments={"b": 1, "a": ["\u202e", None]})
    EventLog(desk.manager).append([action], agent_id="poster")
    assert isinstance(desk.approve(action.output_id, content_hash(action), actor="ana"), Accepted)
    PublishingWorker(desk, {"folder": FolderPublisher(tmp_path / "published")}).run_once()
    (label,) = (tmp_path / "published").glob("*.json")
    written = json.loads(label.read_text(encoding="utf-8"))
    assert (written["action"], written["arguments"], written["content_hash"]) == (
        "like",
        {"b": 1, "a": ["\u202e", None]},
        content_hash(action),
    )
