"""What a policy says."""

from __future__ import annotations

from datetime import timedelta

import pytest

from capture.vocabulary import CommentDrafted, SocialPostDrafted
from review.policy.rules import REASONS, Match, Policy, Rule
from review.policy.verdict import judge
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
