"""What people look at: lists, counts, ids, and the verdict that an agent waits for."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from capture import DatabaseManager, EventLog, NotFound
from capture.vocabulary import OutputRevised, SocialPostDrafted, content_hash
from review import Accepted, ReviewDesk, State, wait, wait_async
from review.errors import AmbiguousId
from review.queue import count_by_state, find_id, list_outputs


@pytest.fixture
def desk(manager: DatabaseManager) -> ReviewDesk:
    return ReviewDesk(manager)


def draft(number: int = 0, **more: Any) -> SocialPostDrafted:
    fields: dict[str, Any] = {"channel": "x", "identity": "@acme", "body": f"Ahoy {number}.", **more}
    return SocialPostDrafted(**fields)


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
def test_pages_hold_every_output_once(desk: ReviewDesk, limit: int) -> None:
    """Page after page, oldest first, every output comes once, also those that were recorded at the same moment."""
    log = EventLog(desk.manager)
    first, second = [draft(n) for n in range(9)], [draft(n) for n in range(3)]
    log.append(first, agent_id="a")
    log.append(second, agent_id="a")
    desk.refresh()
    seen, after = [], None
    while True:
        page = list_outputs(desk.manager, states=[State.PENDING], after=after, limit=limit)
        assert len(page.rows) <= limit
        seen += [row.output_id for row in page.rows]
        after = page.after
        if after is None:
            break
    assert sorted(seen) == sorted(post.output_id for post in first + second)
    assert set(seen[-3:]) == {post.output_id for post in second}


def test_a_list_can_be_narrowed(desk: ReviewDesk) -> None:
    """State, channel, agent, account and kind each leave out the others; without any, all that was drafted comes."""
    log = EventLog(desk.manager)
    log.append([draft(1), draft(2, channel="mastodon"), draft(3, identity="@b")], agent_id="a")
    log.append([draft(4)], agent_id="b")
    log.append([OutputRevised(output_id="ghost", body="x")], agent_id="b")
    desk.refresh()

    def bodies(**wanted: Any) -> list[str]:
        return [row.body for row in list_outputs(desk.manager, **wanted).rows]

    assert bodies() == ["Ahoy 1.", "Ahoy 2.", "Ahoy 3.", "Ahoy 4."]
    assert bodies(channel="mastodon") == ["Ahoy 2."]
    assert bodies(identity="@b") == ["Ahoy 3."]
    assert bodies(agent="b") == ["Ahoy 4."]
    assert bodies(kind="comment") == []
    assert bodies(states=["approved"]) == []
    assert bodies(states=["approved", "pending"], agent="b") == ["Ahoy 4."]


def test_the_counts_are_kept(desk: ReviewDesk) -> None:
    """The count of each state follows every verdict, and is what counting would find."""
    posts = [draft(number) for number in range(4)]
    EventLog(desk.manager).append(posts, agent_id="a")
    desk.refresh()
    assert count_by_state(desk.manager)[State.PENDING] == 4
    for post in posts[:2]:
        desk.approve(post.output_id, content_hash(post), actor="ana")
    desk.edit(posts[0].output_id, content_hash(posts[0]), body="Edited.", actor="ana")
    desk.reject(posts[3].output_id, content_hash(posts[3]), actor="ana", reason_code="tone")
    counts = count_by_state(desk.manager)
    assert {state: count for state, count in counts.items() if count} == {
        State.PENDING: 2,
        State.APPROVED: 1,
        State.REJECTED: 1,
    }


def test_an_output_is_found_by_the_first_characters_of_its_id(desk: ReviewDesk) -> None:
    """A beginning that fits one output finds it; one that fits more names them; one that fits none says so."""
    names = ["alpha-1", "alpha-2", "beta_1", "betaX1", "beta_1.more", "Alpha-1"]
    EventLog(desk.manager).append([draft(output_id=name) for name in names], agent_id="a")
    EventLog(desk.manager).append([OutputRevised(output_id="ghost", body="x")], agent_id="a")
    desk.refresh()
    assert find_id(desk.manager, "alpha-1") == "alpha-1"
    assert find_id(desk.manager, "beta_1") == "beta_1"
    assert find_id(desk.manager, "beta_1.") == "beta_1.more"
    assert find_id(desk.manager, "betaX") == "betaX1"
    with pytest.raises(AmbiguousId, match="alpha-1, alpha-2"):
        find_id(desk.manager, "alpha")
    for start in ("gamma", "beta%", "", "ghost", "a\0", "é", "\ud800", "' OR 1=1 --"):
        with pytest.raises(NotFound):
            find_id(desk.manager, start)


def test_an_agent_learns_its_verdict(desk: ReviewDesk) -> None:
    """While nobody decides, waiting ends with the time and says undecided; after a verdict it ends at once with why."""
    post = draft()
    EventLog(desk.manager).append([post], agent_id="a")
    verdict = wait(post.output_id, 0.05, manager=desk.manager)
    assert (verdict.decided, verdict.state) == (False, "pending")
    desk.reject(post.output_id, content_hash(post), actor="ana", reason_code="other", note="not now")
    verdict = wait(post.output_id, 60, manager=desk.manager)
    assert (verdict.decided, verdict.state, verdict.actor) == (True, "rejected", "ana")
    assert (verdict.reason_code, verdict.note, verdict.edited) == ("other", "not now", False)


def test_an_agent_sees_what_was_edited(desk: ReviewDesk) -> None:
    """The verdict on an edited output has the text that goes out, and what was changed in the agent's own."""
    post = draft()
    EventLog(desk.manager).append([post, OutputRevised(output_id=post.output_id, body="Ship it now.")], agent_id="a")
    output = desk.output(post.output_id)
    assert output is not None
    edited = desk.edit(post.output_id, output.content_hash, body="Ship it later.", actor="bob")
    assert isinstance(edited, Accepted)
    desk.approve(post.output_id, edited.content_hash, actor="ana", note="fine")
    verdict = wait(post.output_id, 60, manager=desk.manager)
    assert (verdict.state, verdict.actor, verdict.note, verdict.edited) == ("approved", "ana", "fine", True)
    assert verdict.body == "Ship it later."
    assert "".join(change.text for change in verdict.diff if change.what != "insert") == "Ship it now."


def test_an_agent_waits_for_an_output_that_is_not_there_yet(desk: ReviewDesk) -> None:
    """Waiting begins before the draft is in the log, and ends when it is decided."""
    post = draft(output_id="later")
    verdicts: list[Any] = []
    waiting = threading.Thread(target=lambda: verdicts.append(wait("later", 60, manager=desk.manager)))
    waiting.start()
    EventLog(desk.manager).append([post], agent_id="a")
    desk.approve("later", content_hash(post), actor="ana")
    waiting.join(60)
    assert [(verdict.decided, verdict.state) for verdict in verdicts] == [(True, "approved")]
    assert not wait("never", 0, manager=desk.manager).decided


def test_waiting_leaves_the_event_loop_free(desk: ReviewDesk) -> None:
    """In an event loop other tasks go on while an agent waits."""
    post = draft()
    EventLog(desk.manager).append([post], agent_id="a")

    async def both() -> Any:
        waiting = asyncio.create_task(wait_async(post.output_id, 60, manager=desk.manager))
        for _ in range(3):
            await asyncio.sleep(0)
        assert not waiting.done()
        await asyncio.to_thread(desk.approve, post.output_id, content_hash(post), actor="ana")
        return await waiting

    started = time.monotonic()
    assert asyncio.run(both()).state == "approved"
    assert time.monotonic() - started < 60
