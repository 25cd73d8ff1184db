"""Figures of review, without a database."""

from __future__ import annotations

from datetime import timedelta

from review.commands import Approve, Claim, Reject, Show
from review.statistics import gather, last_days, sparkline
from review.testing import NOON, Story
from tests.fixtures.review import draft


def test_a_decision_takes_from_when_it_was_first_shown() -> None:
    """The time of a decision begins when the first reviewer saw that revision, not when it was claimed or drafted."""
    story = Story(draft()).after(timedelta(hours=3))
    story.when(Claim(output_id=story.id, actor="ana"))
    story.when(Show(output_id=story.id, actor="ana"))
    story.after(timedelta(seconds=59)).when(
        Approve(output_id=story.id, content_hash=story.output.content_hash, actor="ana")
    )
    figures = gather([story.output])[""]
    assert figures.median_seconds() == figures.p90_seconds() == 60
    assert last_days(figures, NOON, 2) == [0, 1]


def test_what_nobody_was_shown_has_no_time() -> None:
    """A verdict on what was never recorded as shown counts as a verdict, and not in the times."""
    story = Story(draft())
    story.when(Reject(output_id=story.id, content_hash=story.output.content_hash, actor="ana", reason_code="tone"))
    figures = gather([story.output], by="reviewer")["ana"]
    assert (figures.decided, figures.seconds, figures.approval_rate) == (1, [], 0.0)


def test_a_sparkline_has_a_bar_a_day() -> None:
    """The most is the highest bar, none is a dot, and the least that is something can be seen."""
    assert sparkline([0, 1, 4, 8, 800]) == "·▁▁▁█"
    assert sparkline([0, 0]) == "··"
