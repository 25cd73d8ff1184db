"""What a policy says."""

from __future__ import annotations

from datetime import timedelta

import pytest

from capture import from_text
from capture.vocabulary import CommentDrafted, SocialPostDrafted
from review.output import Output
from review.policy.limits import Known, day_began
from review.policy.rules import REASONS, Match, MaxLength, Policy, Rule
from review.policy.verdict import Judgement, judge
from review.testing import NOON, Story

POST = Story(SocialPostDrafted(channel="x", identity="@acme", body="Ahoy.")).output
COMMENT = Story(
    CommentDrafted(channel="youtube", identity="acme", body="Yes.", target_url="https://youtube.com/watch?v=1")
).output


def test_without_rules_everything_waits_for_one_person() -> None:
    """The default asks for one approval, by the folder, without a deadline."""
    judged = judge(Policy(), POST)
    assert (judged.mode, judged.needed, judged.deadline, judged.publisher) == ("review", 1, None, "folder")
    assert judged.reasons == REASONS


@pytest.mark.parametrize(
    ("match", "matches"),
    [
        (Match(), True),
        (Match(channel="youtube", kind="comment", target="https://youtube.com/*"), True),
        (Match(channel="YouTube"), False),
        (Match(channel="x"), False),
        (Match(kind="social_post"), False),
        (Match(identity="ac??"), True),
        (Match(agent="agent"), True),
        (Match(agent="other"), False),
        (Match(target="https://vimeo.com/*"), False),
    ],
)
def test_a_rule_matches_by_globs(match: Match, matches: bool) -> None:
    """Every glob that a rule names must fit; one that it leaves out fits all."""
    assert match.covers(COMMENT) is matches


def test_the_strictest_number_of_all_matching_rules_holds() -> None:
    """Approvals are the most, the deadline the soonest, whatever the order; the last rule names the publisher."""
    rules = (
        Rule(approvals=3, expires_after=timedelta(hours=4), publisher="a"),
        Rule(approvals=1, expires_after=timedelta(hours=2), publisher="b"),
        Rule(Match(channel="youtube"), approvals=9, expires_after=timedelta(minutes=1), publisher="c"),
        Rule(),
    )
    for order in (rules, rules[::-1]):
        judged = judge(Policy("house", order), POST)
        assert judged.needed == 3
        assert POST.submitted_at is not None
        assert judged.deadline == POST.submitted_at + timedelta(hours=2)
    assert judge(Policy("house", rules), POST).publisher == "b"
    assert judge(Policy("house", rules), POST).deadline != NOON


def test_the_version_is_the_hash_of_the_text() -> None:
    """Another text is another version; the label names both, as every automatic verdict does."""
    assert Policy("house", text="a").version != Policy("house", text="b").version
    assert Policy("house", text="a").label == "policy:house@ca978112ca1b"


def judged(*rules: Rule, known: Known = Known(), output: Output = POST) -> Judgement:  # noqa: B008 - a value
    """What a policy of these rules says."""
    return judge(Policy("house", rules, text="t"), output, known)


def test_the_last_matching_rule_decides_the_mode() -> None:
    """A later rule that matches decides, one that does not match has no say; without a mode it means a person."""
    auto, review, other = Rule(mode="auto"), Rule(), Rule(Match(channel="y"), mode="posthoc")
    assert judged(review, auto, other).mode == "auto"
    assert judged(auto, review, other).mode == "review"
    assert judged(auto).decides == "approve"
    assert judged(auto, review).decides is None
    assert judged(other).because == "no rule is about it, so a person decides"


def test_deny_wins_wherever_it_stands() -> None:
    """Of all matching rules one that denies is enough, before and after the one that approves."""
    deny, auto = Rule(deny=True), Rule(mode="auto")
    for rules in ((deny, auto), (auto, deny)):
        assert (judged(*rules).decides, judged(*rules).findings[0].code) == ("reject", "DENIED")
    assert judged(Rule(Match(channel="y"), deny=True), auto).decides == "approve"


def test_the_strictest_limit_of_all_matching_rules_holds() -> None:
    """Each rule's own length is held, whichever comes last."""
    long, short = Rule(max_length=MaxLength(100), mode="auto"), Rule(max_length=MaxLength(2), mode="auto")
    for rules in ((long, short), (short, long)):
        assert [finding.code for finding in judged(*rules).findings] == ["LIMIT"]
        assert judged(*rules).decides is None


def test_a_rule_decides_only_where_one_approval_is_enough() -> None:
    """Where another rule wants two people, no rule stands in for them."""
    assert judged(Rule(approvals=2), Rule(mode="auto")).decides is None


def test_a_rule_that_errs_means_a_person() -> None:
    """Whatever goes wrong while a rule is asked, its output waits for a person, and a dry run stays one."""

    class Broken(Match):
        """Raises."""

        def misses(self, subject: object) -> tuple[str, ...]:
            raise RecursionError

    for rules in ((Rule(Broken()), Rule(mode="auto")), (Rule(mode="auto"), Rule(Broken(), mode="auto"))):
        assert (judged(*rules).decides, judged(*rules).mode) == (None, "review")
        assert "errs" in judged(*rules).because
    assert judged(Rule(mode="dry_run"), Rule(Broken())).mode == "dry_run"


def test_a_zone_that_this_machine_does_not_know_keeps_it_from_being_sent_by_rule() -> None:
    """A limit that can't be counted is an error of its rule: a person decides."""
    known = Known(now=NOON)
    assert judged(Rule(mode="auto", daily_limit=1, timezone="Mars/Base"), known=known).decides is None


@pytest.mark.parametrize(
    ("now", "zone", "began"),
    [
        ("2026-11-24T14:59:00Z", "Asia/Tokyo", "2026-11-23T15:00:00Z"),
        ("2026-11-24T15:00:00Z", "Asia/Tokyo", "2026-11-24T15:00:00Z"),
        ("2026-03-29T10:00:00Z", "Europe/Berlin", "2026-03-28T23:00:00Z"),
        ("2026-10-25T22:59:00Z", "Europe/Berlin", "2026-10-24T22:00:00Z"),
        ("2026-11-24T00:00:00Z", "UTC", "2026-11-24T00:00:00Z"),
    ],
)
def test_a_day_begins_at_midnight_there(now: str, zone: str, began: str) -> None:
    """A day is the one of its time zone, of 23 or 25 hours where the clocks are changed."""
    assert day_began(from_text(now), zone) == from_text(began)


def test_a_paused_rule_approves_nothing_of_that_account() -> None:
    """A rule that stands down for an account leaves it to people, and keeps deciding for others."""
    rule = Rule(mode="auto")
    assert judged(rule, known=Known(paused=frozenset({(rule.match.digest(), "@acme")}))).decides is None
    assert judged(rule, known=Known(paused=frozenset({(rule.match.digest(), "@other")}))).decides == "approve"


def test_a_rule_is_the_same_through_versions_by_what_it_matches() -> None:
    """What names a rule is what it matches: globs that join to the same text are told apart."""
    assert Match(channel="a", kind="bc").digest() != Match(channel="ab", kind="c").digest()
    assert Match(channel="a").digest() == Match(channel="a").digest()
