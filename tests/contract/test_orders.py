"""What holds for all outputs at once: the adopted policy and the stops, on every backend."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from capture import DatabaseManager, EventLog, Settings
from capture.vocabulary import ReviewPolicyAdopted, SocialPostDrafted, content_hash
from review import Policy, PublishingWorker, Refusal, ReviewDesk
from review.errors import BadPolicy
from review.ordering import Ordered
from review.policy.rules import Rule
from tests.fixtures.platform import Platform
from tests.fixtures.review import accepted, draft, refused, types

TWO = Policy.parse('name = "two"\n[[rule]]\napprovals = 2\n')
NAMED = Policy.parse('name = "named"\n[actors]\nana = ["admin", "reviewer"]\nbob = ["reviewer"]\nvera = ["viewer"]\n')


def done(answer: Ordered | Refusal) -> Ordered:
    """The answer, which must be a yes."""
    assert isinstance(answer, Ordered), answer
    return answer


def test_the_text_of_a_policy_is_an_event(desk: ReviewDesk, log: EventLog, post: SocialPostDrafted) -> None:
    """Adopting puts the whole text into the log, with its hash and who adopted it; the same text only once."""
    adopted = done(desk.adopt(TWO, actor="ana", actor_source="flag"))
    assert adopted.changed
    event = next(log.read(types=["review.policy_adopted"])).payload
    assert isinstance(event, ReviewPolicyAdopted)
    assert (event.text, event.version, event.actor, event.actor_source) == (TWO.text, TWO.digest, "ana", "flag")
    again = done(desk.adopt(TWO, actor="bob"))
    assert (again.changed, again.position) == (False, adopted.position)
    assert types(log).count("review.policy_adopted") == 1


def test_every_desk_goes_by_what_was_adopted_last(database_url: str, desk: ReviewDesk, post: SocialPostDrafted) -> None:
    """A desk that was made before goes by the new policy at its next decision, also in another process's manager."""
    assert desk.policy == Policy()
    with DatabaseManager(database_url) as elsewhere:
        other = ReviewDesk(elsewhere)
        assert other.policy == Policy()
        done(desk.adopt(TWO, actor="ana"))
        assert accepted(other.approve(post.output_id, content_hash(post), actor="ana")).state == "pending"
        assert other.policy == TWO
        done(other.adopt(NAMED, actor="ana"))
    refused(desk.approve(post.output_id, content_hash(post), actor="vera"), "ROLE")
    assert desk.policy == NAMED


def test_a_policy_that_was_rolled_back_is_not_in_force(
    desk: ReviewDesk, log: EventLog, post: SocialPostDrafted
) -> None:
    """What a larger transaction adopted and then took back is forgotten with it."""
    with pytest.raises(ZeroDivisionError), desk.manager.transaction(durable=True):
        done(desk.adopt(TWO, actor="ana"))
        assert desk.policy == TWO
        raise ZeroDivisionError
    # The log grows beyond the position that the order had: nothing but the roll-back tells that it is gone.
    log.append([draft("2"), draft("3"), draft("4")], agent_id="poster")
    assert desk.policy == Policy()
    assert accepted(desk.approve(post.output_id, content_hash(post), actor="ana")).state == "approved"


def test_a_policy_without_a_text_is_not_adopted(desk: ReviewDesk) -> None:
    """What was made in code has no text that the log could keep: it serves the desk that it was given to."""
    with pytest.raises(BadPolicy, match="text"):
        desk.adopt(Policy("house", (Rule(approvals=2),)), actor="ana")


def test_orders_take_the_role_admin(desk: ReviewDesk, log: EventLog, post: SocialPostDrafted) -> None:
    """Under a policy with actors only an admin adopts, stops and resumes; who starts the service needs no role."""
    done(desk.adopt(NAMED, actor="carl"))
    head = log.head()
    for actor in ("bob", "vera", "carl"):
        for answer in (
            desk.adopt(TWO, actor=actor),
            desk.stop(actor=actor, reason="r"),
            desk.resume(actor=actor),
        ):
            assert isinstance(answer, Refusal)
            assert (answer.code, answer.exit_code) == ("ROLE", 4)
    assert isinstance(desk.stop(actor="policy:x@1", reason="r"), Refusal)
    assert log.head() == head
    done(desk.adopt(TWO, actor="carl", as_the_service=True))


def test_roles_hold_for_every_command(desk: ReviewDesk, log: EventLog) -> None:
    """A viewer decides nothing; a reviewer takes nothing out and back; an admin without the role approves nothing."""
    rules = Policy.parse('[actors]\nana = ["admin"]\nbob = ["reviewer"]\nvera = ["viewer"]\n')
    done(desk.adopt(rules, actor="ana"))
    one = draft("Ahoy.")
    log.append([one], agent_id="poster")
    seen = content_hash(one)
    for answer in (
        desk.approve(one.output_id, seen, actor="ana"),
        desk.approve(one.output_id, seen, actor="vera"),
        desk.claim(one.output_id, actor="vera"),
        desk.show(one.output_id, actor="vera"),
        desk.edit(one.output_id, seen, body="x", actor="vera"),
        desk.reject(one.output_id, seen, actor="vera", reason_code="tone"),
        desk.withdraw(one.output_id, actor="bob", note="why"),
    ):
        refused(answer, "ROLE")
    assert types(log)[1:] == ["social_post.drafted"]
    accepted(desk.approve(one.output_id, seen, actor="bob"))
    accepted(desk.withdraw(one.output_id, actor="ana", note="why"))


@pytest.mark.parametrize("scope", [{}, {"agent": "poster"}, {"channel": "x"}])
def test_a_stop_holds_every_worker(desk: ReviewDesk, log: EventLog, scope: dict[str, str]) -> None:
    """Nothing is begun to be sent while publication is stopped, everywhere or where it matters; then it goes on."""
    post, elsewhere = draft("Ahoy."), SocialPostDrafted(channel="y", identity="@acme", body="Ahoy.")
    log.append([post], agent_id="poster")
    log.append([elsewhere], agent_id="herald")
    for one in (post, elsewhere):
        accepted(desk.approve(one.output_id, content_hash(one), actor="ana"))
    assert isinstance(desk.stop(actor="ana", reason=" ", **scope), Refusal)
    done(desk.stop(actor="ana", reason="wrong prices", **scope))
    refusal = refused(desk.start(post.output_id, content_hash(post), worker="w"), "STOPPED")
    assert (refusal.exit_code, "by ana: wrong prices" in refusal.message) == (4, True)
    if scope:
        accepted(desk.start(elsewhere.output_id, content_hash(elsewhere), worker="w"))
    assert not done(desk.resume(actor="ana", channel="linkedin")).changed
    assert done(desk.resume(actor="ana", reason="mended", **scope)).orders.stops == ()
    accepted(desk.start(post.output_id, content_hash(post), worker="w"))


def test_resume_alone_lifts_every_stop(desk: ReviewDesk) -> None:
    """`resume` without agent and channel lifts all stops; with one it lifts that one."""
    done(desk.stop(actor="ana", reason="a"))
    done(desk.stop(actor="ana", reason="b", channel="x"))
    done(desk.stop(actor="ana", reason="c", agent="herald"))
    assert len(done(desk.resume(actor="ana", channel="x")).orders.stops) == 2
    assert done(desk.resume(actor="ana")).orders.stops == ()


def test_a_dry_run_sends_nothing_and_says_so_once(
    manager: DatabaseManager, log: EventLog, post: SocialPostDrafted, platform: Platform
) -> None:
    """Under `dry_run` the worker records once for each revision that all was ready, and the platform gets nothing."""
    desk = ReviewDesk(manager, Policy("dry", (Rule(mode="dry_run"),), text="t"))
    worker = PublishingWorker(desk, {"folder": platform}, name="w")
    accepted(desk.approve(post.output_id, content_hash(post), actor="ana"))
    for _ in range(3):
        outcome = worker.run_once().outputs[0]
        assert (outcome.code, outcome.state) == ("DRY_RUN", "approved")
    assert types(log).count("publication.rehearsed") == 1
    edited = accepted(desk.edit(post.output_id, content_hash(post), body="New.", actor="bob"))
    accepted(desk.approve(post.output_id, edited.content_hash, actor="ana"))
    worker.run_once()
    assert types(log).count("publication.rehearsed") == 2
    assert platform.arrived == []
    # What was approved when nothing was to be sent is not let loose by another policy.
    assert PublishingWorker(ReviewDesk(manager), {"folder": platform}).run_once().published == 0
    assert "publication.started" not in types(log)


def test_a_file_that_differs_is_told_and_not_followed(
    manager: DatabaseManager, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process beside another policy file goes by the adopted text, and says that its file differs."""
    file = tmp_path / "policy.toml"
    settings = Settings.from_environment({"COPYDESK_POLICY": str(file)})
    monkeypatch.setattr(manager, "settings", settings)
    desk = ReviewDesk(manager)
    with caplog.at_level(logging.WARNING, "copydesk"):
        desk.tell_if_the_file_differs()
        assert caplog.messages == []
        file.write_text(TWO.text, encoding="utf-8")
        desk.tell_if_the_file_differs()
        assert "policy:default@" in caplog.messages[0]
        assert str(file) in caplog.messages[0]
        done(desk.adopt(TWO, actor="ana"))
        caplog.clear()
        desk.tell_if_the_file_differs()
        assert caplog.messages == []
    assert desk.policy == TWO


def test_a_policy_that_this_version_can_not_read_stops_the_desk(
    manager: DatabaseManager, log: EventLog, post: SocialPostDrafted
) -> None:
    """Nothing is decided under rules that can't be read; an admin may put others in force."""
    newer = 'name = "newer"\n[[rule]]\nmoods = 3\n'
    event = ReviewPolicyAdopted(actor="ana", name="newer", version=Policy(text=newer).digest, text=newer)
    with log.deciding() as decision:
        decision.append([event])
    desk = ReviewDesk(manager)
    with pytest.raises(BadPolicy, match="moods"):
        desk.approve(post.output_id, content_hash(post), actor="ana")
    assert types(log) == ["social_post.drafted", "review.policy_adopted"]
    done(desk.adopt(TWO, actor="ana"))
    accepted(desk.approve(post.output_id, content_hash(post), actor="ana"))
