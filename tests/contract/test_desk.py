"""What the desk promises of any command, on every backend."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from capture import DatabaseManager, EventLog, InvalidEvent, tables
from capture.vocabulary import (
    Media,
    SocialPostDrafted,
    content_hash,
)
from review import ReviewDesk
from review.decider import fold
from review.errors import CommandConflict, InvalidCommand
from review.queue import list_outputs
from tests.fixtures.review import accepted, draft, live_approvals, refused


@pytest.mark.parametrize("name", ["", "nobody", "a b", "o\0", "\ud800", "x" * 300, "output-1", "../o", "é"])
def test_an_unknown_output_is_not_found(desk: ReviewDesk, log: EventLog, name: str) -> None:
    """An id under which nothing was drafted, however odd, is a refusal and no error."""
    refusal = refused(desk.approve(name, "0" * 64, actor="ana"), "NOT_FOUND")
    assert refusal.exit_code == 5
    assert desk.output(name) is None
    assert log.head() == 0


@pytest.mark.parametrize(
    "actor", ["", "ana ", "system", "policy:default@1", "agent:poster", "--as", "a\u200bna", "a\nb"]
)
def test_nobody_decides_under_a_forged_name(
    desk: ReviewDesk, log: EventLog, post: SocialPostDrafted, actor: str
) -> None:
    """A name that is copydesk's own, or looks like another, is refused before anything is decided."""
    refused(desk.approve(post.output_id, content_hash(post), actor=actor), "ACTOR")
    refused(desk.edit(post.output_id, content_hash(post), body="x", actor=actor), "ACTOR")
    assert log.head() == 1


def test_a_text_that_no_database_keeps_is_refused(desk: ReviewDesk, log: EventLog, post: SocialPostDrafted) -> None:
    """An edit with NUL, with a lone surrogate or beyond the limit is an error that changes nothing."""
    for body in ("a\0b", "a\ud800b"):
        with pytest.raises((InvalidEvent, InvalidCommand)):
            desk.edit(post.output_id, content_hash(post), body=body, actor="ana")
    with pytest.raises(InvalidCommand, match="body"):
        desk.edit(post.output_id, content_hash(post), body="a" * 100_001, actor="ana")
    with pytest.raises(InvalidCommand, match="note"):
        desk.approve(post.output_id, content_hash(post), actor="ana", note="a" * 5_000)
    assert log.head() == 1


def test_a_command_id_is_carried_out_once(desk: ReviewDesk, log: EventLog, post: SocialPostDrafted) -> None:
    """The same command under the same id gives its first result again, also when the output has moved on."""
    first = accepted(desk.approve(post.output_id, content_hash(post), actor="ana", command_id="c1"))
    accepted(desk.edit(post.output_id, content_hash(post), body="Ahoy, all.", actor="bob", command_id="c2"))
    head = log.head()
    again = accepted(desk.approve(post.output_id, content_hash(post), actor="ana", command_id="c1"))
    assert again == first
    assert (again.state, again.revision, log.head()) == ("approved", 1, head)


def test_a_command_id_names_one_command(desk: ReviewDesk, log: EventLog, post: SocialPostDrafted) -> None:
    """Under an id that was used, another command is an error: another actor, hash, note, output or kind."""
    other = draft("Other.")
    log.append([other], agent_id="poster")
    accepted(desk.approve(post.output_id, content_hash(post), actor="ana", command_id="c1"))
    head = log.head()
    for ask in (
        lambda: desk.approve(post.output_id, content_hash(post), actor="bob", command_id="c1"),
        lambda: desk.approve(post.output_id, "0" * 64, actor="ana", command_id="c1"),
        lambda: desk.approve(post.output_id, content_hash(post), actor="ana", note="n", command_id="c1"),
        lambda: desk.approve(other.output_id, content_hash(other), actor="ana", command_id="c1"),
        lambda: desk.reject(post.output_id, content_hash(post), actor="ana", reason_code="tone", command_id="c1"),
    ):
        with pytest.raises(CommandConflict):
            ask()
    assert log.head() == head


def test_a_refused_command_id_may_be_asked_again(desk: ReviewDesk, post: SocialPostDrafted) -> None:
    """A refusal leaves no trace: the corrected command may come under the same id."""
    refused(desk.approve(post.output_id, "0" * 64, actor="ana", command_id="c1"), "STALE")
    accepted(desk.approve(post.output_id, content_hash(post), actor="ana", command_id="c1"))


def test_an_agent_replaces_its_own_output(desk: ReviewDesk, log: EventLog, post: SocialPostDrafted) -> None:
    """A draft that supersedes an own one closes it when the new one comes before the desk; another agent's does not."""
    foreign, own = draft("Mine.", supersedes=post.output_id), draft("New.", supersedes=post.output_id)
    log.append([foreign], agent_id="other")
    accepted(desk.open(foreign.output_id))
    output = desk.output(post.output_id)
    assert output is not None
    assert output.state == "pending"
    accepted(desk.approve(post.output_id, content_hash(post), actor="ana"))
    log.append([own], agent_id="poster")
    accepted(desk.open(own.output_id))
    output = desk.output(post.output_id)
    assert output is not None
    assert (output.state, output.superseded_by) == ("superseded", own.output_id)
    assert live_approvals(desk.manager) == set()


def test_drafts_that_supersede_each_other_do_not_both_close(desk: ReviewDesk, log: EventLog) -> None:
    """Only an earlier draft is superseded, so a circle leaves the latest open."""
    one, two = draft("1", output_id="one", supersedes="two"), draft("2", output_id="two", supersedes="one")
    itself = draft("3", output_id="three", supersedes="three")
    log.append([one, two, itself], agent_id="poster")
    for name in ("one", "two", "three"):
        desk.open(name)
    states = {name: output.state for name in ("one", "two", "three") if (output := desk.output(name)) is not None}
    assert states == {"one": "superseded", "two": "pending", "three": "pending"}


def test_the_desk_goes_by_its_clock(manager: DatabaseManager, log: EventLog) -> None:
    """The clock that is passed in decides what is due, and what `ago` says."""
    now = [datetime(2030, 1, 1, tzinfo=UTC)]
    desk = ReviewDesk(manager, clock=lambda: now[0])
    late = draft(publish_after=now[0] + timedelta(hours=1), not_after=now[0] + timedelta(hours=2))
    EventLog(manager, clock=lambda: now[0]).append([late], agent_id="poster")
    accepted(desk.approve(late.output_id, content_hash(late), actor="ana"))
    refused(desk.start(late.output_id, content_hash(late), worker="w"), "NOT_DUE")
    now[0] += timedelta(minutes=59)
    assert "ana 59 m ago" in refused(desk.approve(late.output_id, content_hash(late), actor="ana"), "STATE").message
    now[0] += timedelta(minutes=61)
    refused(desk.start(late.output_id, content_hash(late), worker="w"), "NOT_DUE")
    assert accepted(desk.expire(late.output_id)).state == "expired"


def test_the_table_is_what_the_desk_sees(desk: ReviewDesk, log: EventLog, post: SocialPostDrafted) -> None:
    """`agents_outputs` holds exactly the output that the desk folds, and after a verdict shows it at once."""
    other = draft("Other.", media=(Media(sha256="a" * 64, media_type="image/png"),), metadata={"a": [1.5, None]})
    log.append([other, draft("x", output_id=other.output_id)], agent_id="poster")
    accepted(desk.approve(post.output_id, content_hash(post), actor="ana"))
    rows = {row.output_id: row for row in list_outputs(desk.manager).rows}
    assert rows[post.output_id].state == "approved"
    assert (rows[post.output_id].votes, rows[post.output_id].needed) == (1, 1)
    assert rows[other.output_id].ignored == 1
    for output_id in rows:
        stored = desk.manager.execute_query("SELECT folded FROM agents_outputs WHERE output_id = ?", (output_id,))
        output = desk.output(output_id)
        assert output is not None
        text = stored[0]["folded"]
        assert output == fold(log.read(stream=f"output-{output_id}"))
        assert type(output).model_validate_json(text if isinstance(text, str) else json.dumps(text)) == output


def test_the_desk_alone_writes_its_own_tables(desk: ReviewDesk, log: EventLog, post: SocialPostDrafted) -> None:
    """Approvals and publications can be made again from the log, row by row."""
    seen = content_hash(post)
    accepted(desk.approve(post.output_id, seen, actor="ana"))
    started = accepted(desk.start(post.output_id, seen, worker="w"))
    accepted(desk.fail(post.output_id, 1, "refused", worker="w"))
    accepted(desk.retry(post.output_id, seen, worker="w"))
    accepted(desk.lose(post.output_id, 2, "no answer", worker="w"))
    output = desk.output(post.output_id)
    assert output is not None
    with desk.manager.connect() as connection:
        rows = connection.execute(tables.publications.select().order_by(tables.publications.c.attempt)).mappings().all()
    assert [(row["attempt"], row["state"], row["worker"], row["idempotency_key"]) for row in rows] == [
        (attempt.number, attempt.state, attempt.worker, attempt.idempotency_key) for attempt in output.attempts
    ]
    assert rows[0]["started_position"] == started.position
    assert [row["state"] for row in rows] == ["failed", "uncertain"]
    assert live_approvals(desk.manager) == {(post.output_id, 1, seen)}
