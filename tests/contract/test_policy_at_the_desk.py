"""What the rules of a policy do to outputs that are in the log, on every backend."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from capture import DatabaseManager, EventLog
from capture.vocabulary import (
    CommentDrafted,
    Draft,
    OutputRevised,
    SocialPostDrafted,
    content_hash,
)
from review import Accepted, Policy, Receipt, Refusal, ReviewDesk
from review.output import Output
from review.policy.rules import Match, MaxLength, Rule
from tests.fixtures.platform import Clock
from tests.fixtures.review import accepted, draft, live_approvals, refused, types


def policy(*rules: Rule, **more: Any) -> Policy:
    """A policy of these rules."""
    return Policy("house", rules, text="t", **more)


def sent(desk: ReviewDesk, post: Draft) -> Accepted | Refusal:
    """What the desk says to a worker that would send it."""
    return desk.start(post.output_id, content_hash(post), worker="w")


def approve(desk: ReviewDesk, post: Draft, actor: str = "ana", **more: Any) -> Accepted | Refusal:
    """What the desk says to a person who approves it."""
    return desk.approve(post.output_id, content_hash(post), actor=actor, **more)


def of(desk: ReviewDesk, post: Draft) -> Output:
    """The output as the log has it."""
    output = desk.output(post.output_id)
    assert output is not None
    return output


@pytest.fixture
def posts(log: EventLog) -> list[SocialPostDrafted]:
    """Four drafts in the log, each of its own text."""
    made = [draft(f"Ahoy {number}.") for number in range(4)]
    log.append(made, agent_id="poster")
    return made


def test_what_a_rule_denies_is_rejected_when_it_is_opened(
    manager: DatabaseManager, log: EventLog, post: SocialPostDrafted
) -> None:
    """Deny rejects at the opening, under the name of the policy and its version, and nobody can approve it after."""
    rules = policy(Rule(mode="auto"), Rule(Match(channel="x"), deny=True), Rule(mode="auto"))
    desk = ReviewDesk(manager, rules)
    answer = accepted(desk.open(post.output_id))
    assert (answer.state, answer.output.findings[0].code) == ("rejected", "DENIED")
    assert types(log) == ["social_post.drafted", "review.opened", "review.rejected"]
    last = answer.output.history[-1]
    assert (last.by, last.reason_code, last.note) == (rules.label, "other", "rule 2 denies it")
    refused(approve(desk, post), "STATE")
    refused(desk.auto_decide(post.output_id), "STATE")


def test_the_first_command_opens_what_a_rule_denies(
    manager: DatabaseManager, log: EventLog, post: SocialPostDrafted
) -> None:
    """Without automation the first command brings the rejection about, and is itself refused with `DENIED`."""
    desk = ReviewDesk(manager, policy(Rule(auto_reject=("ahoy",))))
    refusal = refused(approve(desk, post), "DENIED")
    assert (refusal.exit_code, refusal.state) == (4, "rejected")
    assert types(log) == ["social_post.drafted", "review.opened", "review.rejected"]
    assert live_approvals(manager) == set()


def test_who_may_not_ask_opens_nothing(manager: DatabaseManager, log: EventLog, post: SocialPostDrafted) -> None:
    """A person without the role brings about nothing, not even the rejection by a rule."""
    desk = ReviewDesk(manager, policy(Rule(deny=True), actors=(("ana", ("admin",)), ("vera", ("viewer",)))))
    for actor in ("vera", "nobody-named"):
        assert refused(approve(desk, post, actor), "ROLE").exit_code == 4
    assert types(log) == ["social_post.drafted"]


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (Rule(banned_phrases=("AHOY",)), "DENIED"),
        (Rule(max_length=MaxLength(4)), "LIMIT"),
        (Rule(max_length=MaxLength(4, "bytes")), "LIMIT"),
        (Rule(max_length=MaxLength(4, "x_weighted")), "LIMIT"),
    ],
)
def test_what_is_found_keeps_it_pending_until_it_is_edited(
    manager: DatabaseManager, log: EventLog, post: SocialPostDrafted, rule: Rule, code: str
) -> None:
    """A banned phrase and an excess of length are shown and refuse the approval; an edit mends them."""
    desk = ReviewDesk(manager, policy(rule))
    opened = accepted(desk.open(post.output_id))
    assert (opened.state, [finding.code for finding in opened.output.findings]) == ("pending", [code])
    assert refused(approve(desk, post), code).exit_code == 4
    edited = accepted(desk.edit(post.output_id, content_hash(post), body="Hi.", actor="bob"))
    assert edited.output.findings == ()
    assert accepted(desk.approve(post.output_id, edited.content_hash, actor="ana")).state == "approved"


def test_a_start_judges_again(manager: DatabaseManager, log: EventLog, posts: list[SocialPostDrafted]) -> None:
    """What was approved is not sent under rules that came after and forbid it, want more votes or ask for a dry run."""
    before = ReviewDesk(manager)
    for post in posts:
        accepted(approve(before, post))
    refused(sent(ReviewDesk(manager, policy(Rule(deny=True))), posts[0]), "DENIED")
    refused(sent(ReviewDesk(manager, policy(Rule(banned_phrases=("ahoy",)))), posts[0]), "DENIED")
    refused(sent(ReviewDesk(manager, policy(Rule(max_length=MaxLength(3)))), posts[0]), "LIMIT")
    refused(sent(ReviewDesk(manager, policy(Rule(approvals=2))), posts[0]), "NOT_APPROVED")
    refused(sent(ReviewDesk(manager, policy(Rule(mode="dry_run"))), posts[0]), "DRY_RUN")
    accepted(sent(before, posts[0]))


def test_a_rule_approves_by_itself(manager: DatabaseManager, log: EventLog, post: SocialPostDrafted) -> None:
    """Under `auto` the approval is the policy's, with its version, and is sent like a person's."""
    rules = policy(Rule(mode="auto"))
    desk = ReviewDesk(manager, rules)
    answer = accepted(desk.auto_decide(post.output_id))
    assert (answer.state, answer.output.votes[0].actor) == ("approved", rules.label)
    assert types(log) == ["social_post.drafted", "review.opened", "review.approved"]
    assert live_approvals(manager) == {(post.output_id, 1, content_hash(post))}
    accepted(sent(desk, post))


def test_a_rule_leaves_to_a_person_what_is_a_persons(
    manager: DatabaseManager, log: EventLog, posts: list[SocialPostDrafted]
) -> None:
    """A claim, an edit, a request for changes, a revocation and two approvals that are needed keep a rule out."""
    desk = ReviewDesk(manager, policy(Rule(mode="auto")))
    claimed, edited, sent_back, revoked = posts
    accepted(desk.claim(claimed.output_id, actor="ana"))
    refused(desk.auto_decide(claimed.output_id), "LEASE")
    accepted(desk.release(claimed.output_id, actor="ana"))
    accepted(desk.edit(edited.output_id, content_hash(edited), body="New.", actor="ana"))
    accepted(desk.request_changes(sent_back.output_id, content_hash(sent_back), actor="ana", reason_code="tone"))
    log.append([OutputRevised(output_id=sent_back.output_id, body="Newer.")], agent_id="poster")
    accepted(desk.auto_decide(revoked.output_id))
    accepted(desk.revoke(revoked.output_id, actor="ana"))
    for post in (edited, sent_back, revoked):
        refused(desk.auto_decide(post.output_id), "NOT_APPROVED")
    accepted(desk.auto_decide(claimed.output_id))
    strict = ReviewDesk(manager, policy(Rule(approvals=2), Rule(mode="auto")))
    more = draft("More.")
    log.append([more], agent_id="poster")
    assert "2 approvals" in refused(strict.auto_decide(more.output_id), "NOT_APPROVED").message


def test_a_rules_vote_counts_while_the_rule_would_give_it(
    manager: DatabaseManager, log: EventLog, post: SocialPostDrafted
) -> None:
    """What a rule approved is not sent once the rules leave it to a person; a person's approval then is."""
    accepted(ReviewDesk(manager, policy(Rule(mode="auto"))).auto_decide(post.output_id))
    desk = ReviewDesk(manager)
    assert "no longer" in refused(sent(desk, post), "NOT_APPROVED").message
    accepted(desk.revoke(post.output_id, actor="ana"))
    accepted(approve(desk, post))
    accepted(sent(desk, post))


def test_a_rule_that_errs_means_a_person(manager: DatabaseManager, post: SocialPostDrafted) -> None:
    """When a rule can't be asked, nothing is decided by rule, and a person can decide."""

    class Broken(Match):
        def misses(self, subject: Any) -> tuple[str, ...]:
            raise ZeroDivisionError("by zero")

    desk = ReviewDesk(manager, policy(Rule(mode="auto"), Rule(Broken(), mode="auto")))
    refusal = refused(desk.auto_decide(post.output_id), "NOT_APPROVED")
    accepted(desk.open(post.output_id))
    assert "a person" in refusal.message
    assert "rule 2 errs (ZeroDivisionError: by zero)" in desk.judged(of(desk, post)).because
    assert accepted(approve(desk, post)).state == "approved"


def test_a_rule_stands_down_after_a_person_rejects(
    manager: DatabaseManager, log: EventLog, posts: list[SocialPostDrafted]
) -> None:
    """Once a person rejects what a rule would have approved, it approves nothing of that account until it may again."""
    desk = ReviewDesk(
        manager, policy(Rule(mode="auto"), actors=(("ana", ("reviewer", "admin")), ("bob", ("reviewer",))))
    )
    first, second, third, _ = posts
    other = SocialPostDrafted(channel="x", identity="@other", body="Ahoy.")
    log.append([other], agent_id="poster")
    accepted(desk.reject(first.output_id, content_hash(first), actor="bob", reason_code="tone"))
    assert "review.automation_paused" in types(log)
    assert "stands down" in refused(desk.auto_decide(second.output_id), "NOT_APPROVED").message
    accepted(desk.auto_decide(other.output_id))
    accepted(desk.reject(second.output_id, content_hash(second), actor="bob", reason_code="tone"))
    assert types(log).count("review.automation_paused") == 1
    assert isinstance(desk.resume_rule(of(desk, third), actor="bob"), Refusal)
    resumed = desk.resume_rule(of(desk, third), actor="ana", note="mended")
    assert not isinstance(resumed, Refusal)
    assert resumed.changed
    accepted(desk.auto_decide(third.output_id))


def test_what_was_let_out_is_reviewed_after(
    manager: DatabaseManager, log: EventLog, posts: list[SocialPostDrafted]
) -> None:
    """Under `posthoc` a reviewer acknowledges or flags what was published; after a flag the rule stands down."""
    desk = ReviewDesk(manager, policy(Rule(mode="posthoc")))
    fine, wrong, later, _ = posts
    for post in (fine, wrong):
        accepted(desk.auto_decide(post.output_id))
        accepted(sent(desk, post))
        accepted(desk.confirm(post.output_id, 1, Receipt("p"), worker="w"))
    head = accepted(desk.acknowledge(fine.output_id, actor="ana")).position
    assert accepted(desk.acknowledge(fine.output_id, actor="bob")).position == head
    refused(desk.flag(wrong.output_id, actor="ana"), "REASON_REQUIRED")
    assert accepted(desk.flag(wrong.output_id, actor="ana", reason_code="tone")).output.flagged
    refused(desk.auto_decide(later.output_id), "NOT_APPROVED")
    assert accepted(desk.retract(wrong.output_id, actor="ana", note="wrong")).state == "retracting"


def test_a_day_has_so_many_sends(manager: DatabaseManager, clock: Clock) -> None:
    """Starts are counted in the rule's own day, over everything that the rule matches, and failed ones are not."""
    clock.now = datetime(2026, 11, 24, 13, tzinfo=UTC)  # 22:00 in Tokyo
    rules = policy(Rule(Match(channel="x"), daily_limit=2, timezone="Asia/Tokyo"))
    desk = ReviewDesk(manager, rules, clock=clock)
    log = EventLog(manager, clock=clock)
    posts = [draft(f"{number}") for number in range(5)]
    comment = CommentDrafted(channel="youtube", identity="@acme", body="Yes.")
    log.append([*posts, comment], agent_id="poster")
    for post in (*posts, comment):
        accepted(approve(desk, post))
    accepted(sent(desk, posts[0]))
    accepted(desk.fail(posts[0].output_id, 1, "no route", worker="w"))
    accepted(sent(desk, posts[1]))
    accepted(sent(desk, posts[2]))
    refusal = refused(sent(desk, posts[3]), "LIMIT")
    assert (refusal.exit_code, "2 of 2 sends of this day (Asia/Tokyo)" in refusal.message) == (4, True)
    refused(desk.retry(posts[0].output_id, content_hash(posts[0]), worker="w"), "LIMIT")
    accepted(sent(desk, comment))
    clock.now += timedelta(hours=2)  # midnight in Tokyo
    accepted(sent(desk, posts[3]))


def test_one_send_follows_the_last_after_a_while(manager: DatabaseManager, clock: Clock) -> None:
    """`min_interval` holds the next send back until the last is so long ago; of two rules the longer holds."""
    desk = ReviewDesk(
        manager, policy(Rule(min_interval=timedelta(hours=4)), Rule(min_interval=timedelta(hours=1))), clock=clock
    )
    posts = [draft("1"), draft("2")]
    EventLog(manager, clock=clock).append(posts, agent_id="poster")
    for post in posts:
        accepted(approve(desk, post))
    accepted(sent(desk, posts[0]))
    clock.now += timedelta(hours=3, minutes=59)
    refused(sent(desk, posts[1]), "LIMIT")
    clock.now += timedelta(minutes=1)
    accepted(sent(desk, posts[1]))
