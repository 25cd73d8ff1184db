"""Nothing is said twice by accident: `unique_within`, on every backend."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from capture import DatabaseManager, EventLog
from capture.vocabulary import ActionProposed, Draft, MessageDrafted, OutputRevised, OutputWithdrawn, content_hash
from review import Policy, ReviewDesk
from review.policy.rules import Rule
from review.tables import restore
from tests.fixtures.platform import Clock
from tests.fixtures.review import accepted, draft, refused

WEEK = Policy("house", (Rule(unique_within=timedelta(days=7)),), text="t")


@pytest.fixture
def desk(manager: DatabaseManager, clock: Clock) -> ReviewDesk:
    """A desk under a rule that nothing is said twice in a week."""
    return ReviewDesk(manager, WEEK, clock=clock)


def put(desk: ReviewDesk, *drafts: Draft) -> None:
    """Put drafts into the log, at the desk's time."""
    EventLog(desk.manager, clock=desk.now).append(drafts, agent_id="poster")


def approve(desk: ReviewDesk, post: Draft, **more: Any) -> Any:
    """Have ana approve a draft."""
    return desk.approve(post.output_id, content_hash(post), actor="ana", **more)


def send(desk: ReviewDesk, post: Draft) -> Any:
    """Have a worker begin to send it."""
    return desk.start(post.output_id, content_hash(post), worker="w")


def test_the_second_of_two_waits_for_an_operator(desk: ReviewDesk) -> None:
    """Of two outputs that say the same, the one taken up second can't be approved; its refusal names the first."""
    first, second = draft("Ahoy."), draft("AHOY\u200b.")
    put(desk, first, second)
    accepted(desk.open(second.output_id))
    opened = accepted(desk.open(first.output_id)).output
    assert [(finding.code, finding.output_id) for finding in opened.findings] == [("DUPLICATE", second.output_id)]
    refusal = refused(approve(desk, first), "DUPLICATE")
    assert (refusal.exit_code, second.output_id in refusal.message) == (3, True)
    accepted(approve(desk, second))
    accepted(send(desk, second))


def test_an_operator_may_say_it_again_and_why(desk: ReviewDesk) -> None:
    """With the earlier output's id and a reason a duplicate is approved and sent; a newer duplicate is told anew."""
    first, second, third = draft("Ahoy."), draft("Ahoy."), draft("Ahoy.")
    put(desk, first, second, third)
    accepted(desk.open(first.output_id))
    refused(approve(desk, second, overrides_duplicate=first.output_id), "DUPLICATE")
    refused(approve(desk, second, overrides_duplicate="o9", note="again"), "DUPLICATE")
    accepted(approve(desk, second, overrides_duplicate=first.output_id, note="again"))
    accepted(send(desk, second))
    refused(approve(desk, first), "DUPLICATE")
    refused(approve(desk, third, overrides_duplicate=first.output_id, note="again"), "DUPLICATE")
    accepted(approve(desk, third, overrides_duplicate=second.output_id, note="again"))


def test_an_override_without_need_takes_a_reason_too(desk: ReviewDesk) -> None:
    """Who names an output that may be repeated says why, whether or not there is one."""
    post = draft("Ahoy.")
    put(desk, post)
    assert refused(approve(desk, post, overrides_duplicate="o9"), "REASON_REQUIRED").exit_code == 2
    accepted(approve(desk, post))


@pytest.mark.parametrize("how", ["rejected", "withdrawn", "revised", "expired", "old", "failed"])
def test_what_goes_nowhere_is_no_duplicate(desk: ReviewDesk, clock: Clock, how: str) -> None:
    """An earlier output that was closed, says something else by now, or is too old is in nobody's way."""
    ends = clock.now + timedelta(hours=1)
    first, second = draft("Ahoy.", not_after=ends if how == "expired" else None), draft("Ahoy.")
    put(desk, first)
    accepted(desk.open(first.output_id))
    log = EventLog(desk.manager, clock=desk.now)
    match how:
        case "rejected":
            accepted(desk.reject(first.output_id, content_hash(first), actor="ana", reason_code="tone"))
        case "withdrawn":
            log.append([OutputWithdrawn(output_id=first.output_id)], agent_id="poster")
        case "revised":
            log.append([OutputRevised(output_id=first.output_id, body="Other.")], agent_id="poster")
        case "expired":
            clock.now = ends
            accepted(desk.expire(first.output_id))
        case "old":
            clock.now += timedelta(days=7, seconds=1)
        case _:
            accepted(desk.withdraw(first.output_id, actor="ana", note="never sent"))
    put(desk, second)
    accepted(approve(desk, second))


def test_what_was_sent_a_moment_ago_counts_whenever_it_was_written(desk: ReviewDesk, clock: Clock) -> None:
    """An output that was taken up long ago and sent now is repeated by one that was written in between."""
    first, second = draft("Ahoy."), draft("Ahoy.")
    put(desk, first)
    accepted(approve(desk, first))
    clock.now += timedelta(days=8)
    put(desk, second)
    accepted(approve(desk, second))
    accepted(send(desk, first))
    refusal = refused(send(desk, second), "DUPLICATE")
    assert first.output_id in refusal.message


def test_what_it_is_to_say_the_same(desk: ReviewDesk) -> None:
    """The same channel, account and target, and the same words or dedupe key: a key of its own hides no words."""
    post = draft("Ahoy.", dedupe_key="k")
    same = [draft("Other.", dedupe_key="k"), draft("Ahoy.", dedupe_key="l"), draft("ahoy.")]
    others = [
        draft("Other."),
        draft("Ahoy.", target_url="https://x.example/1"),
        draft("Ahoy.").model_copy(update={"identity": "@other"}),
        draft("Ahoy.").model_copy(update={"channel": "y"}),
        MessageDrafted(channel="x", identity="@acme", body="Ahoy.", recipient="ana"),
        ActionProposed(channel="x", identity="@acme", action="like", body="Ahoy."),
    ]
    put(desk, post, *same, *others)
    accepted(desk.open(post.output_id))
    for other in others:
        accepted(approve(desk, other))
        accepted(desk.withdraw(other.output_id, actor="ana", note="for the next"))
    for other in same:
        refused(approve(desk, other), "DUPLICATE")


def test_two_actions_are_told_apart_by_what_they_do(desk: ReviewDesk) -> None:
    """Two likes of two posts are no duplicates, two of one are."""
    likes = [
        ActionProposed(channel="x", identity="@acme", action="like", arguments={"post": post}) for post in (1, 2, 1)
    ]
    put(desk, *likes)
    for like in likes:
        accepted(desk.open(like.output_id))
    accepted(approve(desk, likes[1]))
    refused(approve(desk, likes[2]), "DUPLICATE")


def test_the_table_of_what_was_said_is_made_again_from_the_log(desk: ReviewDesk) -> None:
    """After a trusted import the duplicates are found as before."""
    first, second = draft("Ahoy.", dedupe_key="k"), draft("Ahoy.")
    put(desk, first, second)
    accepted(approve(desk, first))
    accepted(send(desk, first))
    columns = "saying, output_id, revision, position, opened_at, sent_at"
    before = desk.manager.execute_query(f"SELECT {columns} FROM agents_repeats ORDER BY saying")
    assert len(before) == 2
    desk.manager.execute_write("DELETE FROM agents_repeats")
    restore(desk.manager)
    assert desk.manager.execute_query(f"SELECT {columns} FROM agents_repeats ORDER BY saying") == before
    refused(approve(desk, second), "DUPLICATE")


def test_a_row_of_what_goes_nowhere_is_removed(desk: ReviewDesk) -> None:
    """A thousand rejected copies do not slow the next one down: what is met and dead is forgotten."""
    copies = [draft("Ahoy.") for _ in range(4)]
    put(desk, *copies)
    for copy in copies[:3]:
        accepted(desk.open(copy.output_id))
        accepted(desk.reject(copy.output_id, content_hash(copy), actor="ana", reason_code="spam"))
    accepted(approve(desk, copies[3]))
    rows = desk.manager.execute_query("SELECT output_id FROM agents_repeats")
    assert [row["output_id"] for row in rows] == [copies[3].output_id]
