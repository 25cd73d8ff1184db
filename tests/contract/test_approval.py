"""Nothing goes on that was not approved on exactly that content, on every backend."""

from __future__ import annotations

import pytest

from capture import DatabaseManager, EventLog
from capture.vocabulary import (
    OutputRevised,
    OutputWithdrawn,
    PublicationStarted,
    ReviewApproved,
    SocialPostDrafted,
    content_hash,
)
from review import Policy, ReviewDesk
from review.policy.rules import Match, Rule
from tests.fixtures.review import accepted, draft, live_approvals, refused, types

TWO = Policy(name="two", rules=(Rule(approvals=2),), text="two")


def test_exactly_what_was_seen_is_approved(desk: ReviewDesk, log: EventLog, post: SocialPostDrafted) -> None:
    """An approval names the hash of the content; the desk opens the revision in the same transaction."""
    seen = content_hash(post)
    answer = accepted(desk.approve(post.output_id, seen, actor="ana", actor_source="flag"))
    assert (answer.code, answer.exit_code, answer.state, answer.content_hash) == ("OK", 0, "approved", seen)
    assert types(log) == ["social_post.drafted", "review.opened", "review.approved"]
    assert answer.position == 3
    vote = next(log.read(after=2)).payload
    assert isinstance(vote, ReviewApproved)
    assert (vote.actor, vote.actor_source, vote.revision, vote.content_hash) == ("ana", "flag", 1, seen)
    assert live_approvals(desk.manager) == {(post.output_id, 1, seen)}


def test_an_approval_of_other_content_is_refused(desk: ReviewDesk, log: EventLog, post: SocialPostDrafted) -> None:
    """With another hash nothing is appended, and the refusal names the present one and who wrote it."""
    seen = content_hash(post)
    edited = accepted(desk.edit(post.output_id, seen, body="Ahoy, all.", actor="bob"))
    before = types(log)
    refusal = refused(desk.approve(post.output_id, seen, actor="ana"), "STALE")
    assert (refusal.exit_code, refusal.content_hash) == (3, edited.content_hash)
    assert edited.content_hash in refusal.message
    assert "bob edited it" in refusal.message
    assert types(log) == before
    assert live_approvals(desk.manager) == set()


def test_an_edit_voids_the_approval(desk: ReviewDesk, log: EventLog, post: SocialPostDrafted) -> None:
    """After an edit nothing is approved until the new content is; both contents can still be read."""
    accepted(desk.approve(post.output_id, content_hash(post), actor="ana"))
    edited = accepted(desk.edit(post.output_id, content_hash(post), body="Ahoy, all.", actor="bob"))
    assert (edited.state, edited.revision) == ("pending", 2)
    assert live_approvals(desk.manager) == set()
    refused(desk.start(post.output_id, edited.content_hash, worker="w"), "STATE")
    refused(desk.start(post.output_id, content_hash(post), worker="w"), "STATE")
    output = desk.output(post.output_id)
    assert output is not None
    assert [revision.body for revision in output.revisions] == ["Ahoy.", "Ahoy, all."]
    accepted(desk.approve(post.output_id, edited.content_hash, actor="ana"))
    assert live_approvals(desk.manager) == {(post.output_id, 2, edited.content_hash)}


def test_an_edit_that_changes_nothing_voids_nothing(desk: ReviewDesk, log: EventLog, post: SocialPostDrafted) -> None:
    """Saving without a change appends no event and leaves the approval."""
    accepted(desk.approve(post.output_id, content_hash(post), actor="ana"))
    before = types(log)
    answer = accepted(desk.edit(post.output_id, content_hash(post), body=post.body, actor="bob"))
    assert (answer.state, answer.position) == ("approved", 3)
    assert types(log) == before
    assert len(live_approvals(desk.manager)) == 1


def test_equal_contents_need_an_approval_each(desk: ReviewDesk, log: EventLog, post: SocialPostDrafted) -> None:
    """Of two drafts with one hash, the approval of one does not start the other."""
    twin = draft()
    log.append([twin], agent_id="poster")
    assert content_hash(twin) == content_hash(post)
    accepted(desk.approve(post.output_id, content_hash(post), actor="ana"))
    refused(desk.start(twin.output_id, content_hash(twin), worker="w"), "STATE")
    accepted(desk.start(post.output_id, content_hash(post), worker="w"))


def test_what_its_agent_took_back_is_not_sent(desk: ReviewDesk, log: EventLog, post: SocialPostDrafted) -> None:
    """A revision by the owner makes an approved output pending again; a withdrawal closes it."""
    accepted(desk.approve(post.output_id, content_hash(post), actor="ana"))
    log.append([OutputRevised(output_id=post.output_id, body="Better.")], agent_id="poster")
    refused(desk.start(post.output_id, content_hash(post), worker="w"), "STATE")
    output = desk.output(post.output_id)
    assert output is not None
    assert output.state == "pending"
    accepted(desk.approve(post.output_id, output.content_hash, actor="ana"))
    assert live_approvals(desk.manager) == {(post.output_id, 2, output.content_hash)}
    log.append([OutputWithdrawn(output_id=post.output_id, reason="outdated")], agent_id="poster")
    refused(desk.start(post.output_id, output.content_hash, worker="w"), "FINAL")


def test_another_agent_changes_nothing(desk: ReviewDesk, log: EventLog, post: SocialPostDrafted) -> None:
    """What another agent says about an output is kept, told, and without effect on its approval."""
    accepted(desk.approve(post.output_id, content_hash(post), actor="ana"))
    log.append(
        [
            OutputRevised(output_id=post.output_id, body="Buy now!"),
            OutputWithdrawn(output_id=post.output_id),
            draft("Buy now!", output_id=post.output_id),
        ],
        agent_id="intruder",
    )
    output = desk.output(post.output_id)
    assert output is not None
    assert (output.state, output.body) == ("approved", "Ahoy.")
    assert output.ignored == ((4, "OWNER"), (5, "OWNER"), (6, "SECOND_DRAFT"))
    accepted(desk.start(post.output_id, content_hash(post), worker="w"))


def test_two_people_approve_where_the_policy_says_so(
    manager: DatabaseManager, log: EventLog, post: SocialPostDrafted
) -> None:
    """Under a rule of two approvals, one leaves the output pending and no approval complete."""
    desk = ReviewDesk(manager, TWO)
    assert accepted(desk.approve(post.output_id, content_hash(post), actor="ana")).state == "pending"
    assert live_approvals(manager) == set()
    refused(desk.approve(post.output_id, content_hash(post), actor="ana"), "DUPLICATE_VOTE")
    assert accepted(desk.approve(post.output_id, content_hash(post), actor="bob")).state == "approved"
    assert len(live_approvals(manager)) == 1


def test_a_milder_policy_does_not_lower_what_is_needed(
    manager: DatabaseManager, log: EventLog, post: SocialPostDrafted
) -> None:
    """What was opened under two approvals needs two, whatever the policy says later, also after an edit."""
    accepted(ReviewDesk(manager, TWO).open(post.output_id))
    desk = ReviewDesk(manager)
    edited = accepted(desk.edit(post.output_id, content_hash(post), body="Ahoy, all.", actor="cleo"))
    assert accepted(desk.approve(post.output_id, edited.content_hash, actor="ana")).state == "pending"


def test_a_rule_holds_for_what_it_matches(manager: DatabaseManager, log: EventLog, post: SocialPostDrafted) -> None:
    """Of all matching rules the strictest number holds; rules for other channels do not."""
    rules = (Rule(Match(channel="x"), approvals=2), Rule(Match(agent="poster")), Rule(Match(channel="y*"), approvals=9))
    answer = accepted(ReviewDesk(manager, Policy("house", rules, text="t")).open(post.output_id))
    assert answer.output.needed == 2
    assert answer.output.policy == Policy("house", rules, text="t").label


def test_a_revoked_approval_can_be_given_again(desk: ReviewDesk, post: SocialPostDrafted) -> None:
    """Revoking takes the approval out of the database's guard; the same person may then approve again."""
    seen = content_hash(post)
    accepted(desk.approve(post.output_id, seen, actor="ana"))
    assert accepted(desk.revoke(post.output_id, actor="ana")).state == "pending"
    assert live_approvals(desk.manager) == set()
    accepted(desk.approve(post.output_id, seen, actor="ana"))
    assert live_approvals(desk.manager) == {(post.output_id, 1, seen)}


def test_the_database_takes_no_start_without_its_approval(
    desk: ReviewDesk, log: EventLog, post: SocialPostDrafted
) -> None:
    """A start of another output, revision or hash than an approved one is refused by the database itself."""
    twin = draft()
    log.append([twin], agent_id="poster")
    seen = content_hash(post)
    accepted(desk.approve(post.output_id, seen, actor="ana"))

    def send(output_id: str, revision: int, content: str) -> None:
        started = PublicationStarted(
            output_id=output_id,
            revision=revision,
            content_hash=content,
            attempt=1,
            publisher="folder",
            idempotency_key="k",
            worker="w",
        )
        head = log.head()
        with desk.manager.transaction() as transaction:
            transaction.execute_write(
                "INSERT INTO agents_events (position, event_id, event_type, schema_version, stream_id, agent_id, "
                "occurred_at, recorded_at, payload, digest) VALUES "
                "(?, ?, 'publication.started', 1, ?, 'desk', ?, ?, ?, ?)",
                (
                    head + 1,
                    "01a20ffe-6545-71df-a5f2-e7b8c11a62a3",
                    f"output-{output_id}",
                    "2026-11-24T10:00:00.000000Z",
                    "2026-11-24T10:00:00.000000Z",
                    started.model_dump_json(),
                    b"\0" * 32,
                ),
            )
            transaction.execute_write("UPDATE agents_head SET position = position + 1", None)

    before = types(log)
    for unapproved in ((twin.output_id, 1, seen), (post.output_id, 2, seen), (post.output_id, 1, "0" * 64)):
        with pytest.raises(Exception, match="live approval"):
            send(*unapproved)
    accepted(desk.revoke(post.output_id, actor="ana"))
    with pytest.raises(Exception, match="live approval"):
        send(post.output_id, 1, seen)
    assert types(log) == [*before, "review.revoked"]
    accepted(desk.approve(post.output_id, seen, actor="ana"))
    send(post.output_id, 1, seen)
    assert types(log)[-1] == "publication.started"
