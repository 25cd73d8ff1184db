"""A database that is older than what was sent by it, on every backend: nothing is sent until a person has looked."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from capture import DatabaseManager, Settings
from review import PublishingWorker, ReviewDesk
from review.ordering import Ordered
from review.policy.rules import Policy
from review.publication.holding import resume_after_restore
from review.publication.mark import Held, Marks
from tests.conftest import MakeDatabase
from tests.fixtures.backups import Backups
from tests.fixtures.platform import Platform, approved, state
from tests.fixtures.review import types


@pytest.fixture
def desk(clocked_desk: ReviewDesk) -> ReviewDesk:
    return clocked_desk


@contextmanager
def at(url: str, settings: Settings) -> Iterator[ReviewDesk]:
    with DatabaseManager(url, settings=settings) as manager:
        yield ReviewDesk(manager)


def publish(desk: ReviewDesk, platform: Platform) -> str | None:
    """Run a worker; why publication holds."""
    return PublishingWorker(desk, {"folder": platform}).run_once().held


@pytest.mark.parametrize("sent_before", [0, 1], ids=["before the first send", "before a later send"])
def test_a_database_restored_from_before_a_send_sends_nothing(
    database_url: str, settings: Settings, backups: Backups, platform: Platform, sent_before: int
) -> None:
    """Publication holds, says why, sends nothing, and goes on once an admin has looked and said why."""
    with at(database_url, settings) as desk:
        for number in range(sent_before):
            approved(desk, f"Before {number}.")
            assert publish(desk, platform) is None
        post = approved(desk)
    restore = backups.of(database_url)
    with at(database_url, settings) as desk:
        assert publish(desk, platform) is None
        assert state(desk, post) == "published"
    sent = list(platform.arrived)
    assert len(sent) == sent_before + 1
    restore()
    with at(database_url, settings) as desk:
        assert state(desk, post) == "approved"
        for _ in range(2):
            held = publish(desk, platform)
            assert held is not None
            assert "older" in held or "timeline" in held
        # The log grows beyond the position of the lost send: the event there is another one.
        for number in range(4):
            approved(desk, f"After {number}.")
        held = publish(desk, platform)
        assert held is not None
        assert "is another" in held
        assert Marks(desk.manager).held() == held
        assert platform.arrived == sent
        desk.withdraw(post.output_id, actor="ana", note="it is out")
        answer = resume_after_restore(desk, actor="ana", reason="one post went out after the backup")
        assert isinstance(answer, Ordered)
        assert answer.changed
        assert types(desk._decider.log)[-1] == "publication.resumed_after_restore"
        assert publish(desk, platform) is None
        assert [body for _, _, body in platform.arrived[len(sent) :]] == [f"After {number}." for number in range(4)]
        again = resume_after_restore(desk, actor="ana", reason="again")
        assert isinstance(again, Ordered)
        assert not again.changed


class Forgets(PublishingWorker):
    """The mutant: it sends whatever the database says."""

    def run_once(self):  # type: ignore[no-untyped-def]
        self.marks.held = lambda *, begin=False: None  # type: ignore[method-assign]
        self.marks.advance = lambda position: None  # type: ignore[method-assign]
        return super().run_once()


def test_a_worker_without_a_mark_is_caught(
    database_url: str, settings: Settings, backups: Backups, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that goes by the database alone sends twice after a restore, and the test above catches it."""
    monkeypatch.setattr("tests.contract.test_mark.PublishingWorker", Forgets)
    with pytest.raises(AssertionError):
        test_a_database_restored_from_before_a_send_sends_nothing(database_url, settings, backups, platform, 0)
    assert len(platform.arrived) == 2


def test_a_lost_mark_holds_where_something_was_sent(
    desk: ReviewDesk, settings: Settings, platform: Platform, tmp_path: Path
) -> None:
    """Without a mark a machine publishes only from a log in which no send ever began."""
    approved(desk)
    assert publish(desk, platform) is None
    (mark,) = (tmp_path / "foundup.publishing").glob("*.json")
    mark.unlink()
    approved(desk, "Ahoy again.")
    held = publish(desk, platform)
    assert held is not None
    assert "missing" in held
    mark.write_text("{", encoding="utf-8")
    held = publish(desk, platform)
    assert held is not None
    assert "can't be read" in held
    assert len(platform.arrived) == 1
    resume_after_restore(desk, actor="ana", reason="the disk was replaced")
    assert publish(desk, platform) is None
    assert len(platform.arrived) == 2


def test_another_log_at_the_same_address_sends_nothing(
    backend_name: str, make_database: MakeDatabase, settings: Settings, backups: Backups, platform: Platform
) -> None:
    """A fresh database in the place of the one that was published from holds, too."""
    url = make_database(backend_name, migrated=False)
    empty = backups.of(url)
    with at(url, settings) as desk:
        approved(desk)
        assert publish(desk, platform) is None
    empty()
    with at(url, settings) as desk:
        approved(desk)
        held = publish(desk, platform)
        assert held is not None
        assert "another log" in held
        assert isinstance(resume_after_restore(desk, actor="ana", reason="a new start"), Ordered)
        assert publish(desk, platform) is None
    assert len(platform.arrived) == 2


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epoch": 7}, "restored or copied"),
        ({"position": 10_000}, "older"),
        ({"digest": "00" * 32}, "is another"),
        ({"system": "1", "timeline": 1}, "cluster"),
        ({"timeline": 99}, "timeline"),
    ],
)
def test_whatever_contradicts_the_mark_holds(
    desk: ReviewDesk, platform: Platform, changes: dict[str, str | int], words: str
) -> None:
    """Epoch, position, digest and, where the database is a PostgreSQL, its cluster and timeline must be the mark's."""
    approved(desk)
    assert publish(desk, platform) is None
    marks = Marks(desk.manager)
    kept, why = marks._kept(marks._ask().now)
    assert kept is not None
    assert why is None
    server = desk.manager.backend.name == "postgresql"
    assert (kept.system is not None, kept.timeline is not None) == (server, server)
    marks._write(replace(kept, **changes))  # type: ignore[arg-type] # of the right type each
    held = marks.held()
    if not server and words in ("cluster", "timeline"):
        assert held is None
        return
    assert held is not None
    assert words in held
    with pytest.raises(Held, match="publication holds"):
        marks.advance(kept.position)


def test_a_database_that_changes_between_the_look_and_the_send_sends_nothing(
    desk: ReviewDesk, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mark is compared again after the start is committed: what was not sent is known not to be."""
    approved(desk, "First.")
    assert publish(desk, platform) is None
    marks = Marks(desk.manager)
    kept, _ = marks._kept(marks._ask().now)
    assert kept is not None
    marks._write(replace(kept, epoch=9))
    post = approved(desk)
    worker = PublishingWorker(desk, {"folder": platform})
    monkeypatch.setattr(worker.marks, "held", lambda *, begin: None)
    summary = worker.run_once()
    assert (summary.failed, state(desk, post), len(platform.arrived)) == (1, "publish_failed", 1)


def test_the_mark_is_written_before_the_send_and_for_its_owner_alone(
    desk: ReviewDesk, worker: PublishingWorker, platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the platform is called the mark names the start; the folder is 0700, the file 0600."""
    started: list[int] = []
    advance = worker.marks.advance
    monkeypatch.setattr(worker.marks, "advance", lambda position: (advance(position), started.append(position)))
    marked: list[int] = []
    marks = Marks(desk.manager)

    def look(_: object) -> None:
        kept, _why = marks._kept(marks._ask().now)
        assert kept is not None
        marked.append(kept.position)

    platform.before = look
    for number in range(3):
        approved(desk, f"Ahoy {number}.")
        worker.run_once()
    assert len(marked) == 3
    assert marked == started
    folder = tmp_path / "foundup.publishing"
    modes = {path.suffix: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.glob("*.json"))}
    assert modes == {".publishing": 0o700, ".json": 0o600}
    assert [path for path in folder.iterdir() if path.name.startswith(".new")] == []


def test_a_mark_that_can_not_be_written_keeps_it_from_being_sent(
    desk: ReviewDesk, worker: PublishingWorker, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without room for the mark nothing is sent, and it is tried again later."""
    post = approved(desk)
    with monkeypatch.context() as patch:

        def full(position: int) -> None:
            raise OSError(28, "No space left on device")

        patch.setattr(worker.marks, "advance", full)
        assert worker.run_once().failed == 1
    assert (platform.arrived, state(desk, post)) == ([], "publish_failed")
    assert worker.run_once().published == 1


def test_only_an_admin_with_a_reason_lets_it_go_on(
    manager: DatabaseManager, platform: Platform, tmp_path: Path
) -> None:
    """A reviewer, and an admin without a reason, are refused; publication still holds."""
    policy = Policy.parse('name = "house"\n[actors]\nana = ["admin"]\nbob = ["reviewer"]\n')
    desk = ReviewDesk(manager, policy)
    marks = Marks(manager)
    marks.held(begin=True)
    kept, _ = marks._kept(marks._ask().now)
    assert kept is not None
    marks._write(replace(kept, epoch=3))
    for actor, reason, code in (("bob", "I looked", "ROLE"), ("ana", " ", "REASON_REQUIRED")):
        answer = resume_after_restore(desk, actor=actor, reason=reason)
        assert not isinstance(answer, Ordered)
        assert answer.code == code
    assert marks.held() is not None
    assert isinstance(resume_after_restore(desk, actor="ana", reason="I looked"), Ordered)
    assert marks.held() is None
