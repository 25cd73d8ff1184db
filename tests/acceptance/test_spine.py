"""From a log line to an approved post, as an agent's author and an operator go it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from tests.acceptance.conftest import Copydesk, draft

AGENT = r"""
import structlog
from capture import CaptureProcessor

renderer = structlog.processors.JSONRenderer()
structlog.configure(processors=[structlog.contextvars.merge_contextvars, CaptureProcessor(), renderer])
structlog.contextvars.bind_contextvars(agent_id="scribe")
log = structlog.get_logger()

log.info("memory.learned", key="tone", value="friendly", kind="preference")
log.info("comment.drafted", output_id="good", channel="youtube", identity="@us", body="Grüße,\r\n\u202ethank you! 👍 ")
log.info("comment.drafted", output_id="other", channel="youtube", identity="@us", body="Never to be seen")
log.info("just a line")
"""

BODY = "Grüße,\r\n\u202ethank you! 👍 "


def published(copydesk: Copydesk) -> dict[str, bytes]:
    """The bodies in the folder, by file name."""
    return {path.name: path.read_bytes() for path in sorted((copydesk.folder / "published").glob("*.txt"))}


def test_an_agents_line_becomes_a_file_with_exactly_the_approved_bytes(
    copydesk: Copydesk, agent_script: Callable[[str], Path]
) -> None:
    """Fifteen lines of agent, `run --once`, a verdict, a publication: the file holds the approved bytes, no other."""
    assert len(AGENT.strip().splitlines()) <= 15
    agent = copydesk.python(str(agent_script(AGENT)))
    assert agent.code == 0
    assert [line.get("event") for line in agent.lines] == [
        "memory.learned",
        "comment.drafted",
        "comment.drafted",
        "just a line",
    ]

    assert copydesk("run", "--once").code == 0
    listed = {row["output_id"]: row for row in copydesk("review", "list", "--json").lines}
    assert {name: row["state"] for name, row in listed.items()} == {"good": "pending", "other": "pending"}
    assert listed["good"]["body"] == BODY
    right = listed["good"]["content_hash"]

    wrong = copydesk("review", "approve", "good", "--hash", hashlib.sha256(b"").hexdigest(), "--json")
    assert wrong.code == 3
    assert (wrong.object["code"], wrong.object["content_hash"]) == ("STALE", right)
    assert right in copydesk("review", "approve", "good", "--hash", "f" * 64).err
    assert copydesk("publish", "once", "--json").code == 6
    assert published(copydesk) == {}

    approved = copydesk("review", "approve", "good", "--hash", right, "--json")
    assert approved.code == 0
    assert (approved.object["output_id"], approved.object["state"]) == ("good", "approved")

    sent = copydesk("publish", "once", "--json")
    assert sent.code == 0
    assert (sent.object["published"], sent.object["failed"], sent.object["uncertain"]) == (1, 0, 0)
    assert [output["output_id"] for output in sent.object["outputs"]] == ["good"]
    assert list(published(copydesk).values()) == [BODY.encode()]

    assert copydesk("publish", "once").code == 6
    assert copydesk("run", "--once").code == 0
    assert list(published(copydesk).values()) == [BODY.encode()]
    assert [row["output_id"] for row in copydesk("review", "list", "--json").lines] == ["other"]
    assert copydesk("review", "show", "good", "--json").object["state"] == "published"


def test_an_edit_voids_the_approval(copydesk: Copydesk) -> None:
    """After an edit nothing goes out until the new content is approved, and then it is the new content that goes."""
    copydesk.import_events(draft())
    first = copydesk("review", "show", "o1", "--json").object["content_hash"]
    assert copydesk("review", "approve", "o1", "--hash", first).code == 0
    edited = copydesk("review", "edit", "o1", "--hash", first, "--body", "Thanks a lot!", "--as", "bob", "--json")
    assert (edited.code, edited.object["state"]) == (0, "pending")
    assert copydesk("publish", "once").code == 6
    assert copydesk("review", "approve", "o1", "--hash", first).code == 3
    assert copydesk("review", "approve", "o1", "--hash", edited.object["content_hash"]).code == 0
    assert copydesk("publish", "once").code == 0
    assert list(published(copydesk).values()) == [b"Thanks a lot!"]
    history = [(line["what"], line["by"]) for line in copydesk("review", "history", "o1", "--json").lines]
    assert ("review.edited", "bob") in history
    assert history.count(("review.approved", "operator")) == 2
    difference = copydesk("review", "diff", "o1", "--json").object
    assert [(change["what"], change["text"]) for change in difference["changes"]] == [
        ("delete", "Thank you!"),
        ("insert", "Thanks a lot!"),
    ]


def test_two_drafts_of_equal_content_need_two_approvals(copydesk: Copydesk) -> None:
    """An approval is of one output: another draft with the same bytes and the same hash waits for its own."""
    copydesk.import_events(draft("one"), draft("two"))
    rows = copydesk("review", "list", "--json").lines
    assert len({row["content_hash"] for row in rows}) == 1
    assert copydesk("review", "approve", "one", "--hash", rows[0]["content_hash"]).code == 0
    assert copydesk("publish", "once", "--json").object["published"] == 1
    assert [name[:3] for name in published(copydesk)] == ["one"]
    assert copydesk("review", "show", "two", "--json").object["state"] == "pending"
    assert copydesk("review", "approve", "two", "--hash", rows[0]["content_hash"]).code == 0
    assert copydesk("publish", "once", "--json").object["published"] == 1


def test_a_rejected_output_never_goes_out(copydesk: Copydesk) -> None:
    """A rejection needs a reason, is final, and nothing of the output is ever published."""
    copydesk.import_events(draft())
    seen = copydesk("review", "show", "o1", "--json").object["content_hash"]
    assert copydesk("review", "reject", "o1", "--hash", seen).code == 2
    assert copydesk("review", "reject", "o1", "--hash", seen, "--reason", "tone").code == 0
    assert copydesk("review", "approve", "o1", "--hash", seen).code == 3
    assert copydesk("publish", "once").code == 6
    verdict = copydesk("review", "wait", "o1", "--timeout", "0", "--json")
    assert (verdict.code, verdict.object["state"], verdict.object["reason_code"]) == (0, "rejected", "tone")


def test_an_agent_hears_back_or_hears_nothing(copydesk: Copydesk) -> None:
    """Changes that were asked for are a verdict; no verdict within the time is exit code 8, never an approval."""
    copydesk.import_events(draft())
    assert copydesk("review", "wait", "o1", "--timeout", "0").code == 8
    late = copydesk("review", "wait", "o1", "--timeout", "0", "--json").object
    assert (late["decided"], late["error"]["code"]) == (False, "TIMED_OUT")
    seen = copydesk("review", "show", "o1", "--json").object["content_hash"]
    asked = copydesk("review", "changes", "o1", "--hash", seen, "--reason", "other", "--note", "shorter", "--json")
    assert (asked.code, asked.object["state"]) == (0, "changes_requested")
    verdict = copydesk("review", "wait", "o1", "--timeout", "0", "--json").object
    assert (verdict["decided"], verdict["note"], verdict["actor"]) == (True, "shorter", "operator")


def test_an_approval_can_be_taken_back_before_the_sending(copydesk: Copydesk) -> None:
    """After a revocation nothing is sent; it needs no reason, and can be approved again."""
    copydesk.import_events(draft())
    seen = copydesk("review", "show", "o1", "--json").object["content_hash"]
    copydesk("review", "approve", "o1", "--hash", seen)
    assert copydesk("review", "revoke", "o1", "--json").object["state"] == "pending"
    assert copydesk("publish", "once").code == 6
    assert copydesk("review", "approve", "o1", "--hash", seen).code == 0


def test_review_commands_see_what_an_agent_left_behind(copydesk: Copydesk, agent_script: Callable[[str], Path]) -> None:
    """An agent that is killed right after its line has lost nothing: the next review command takes its journal over."""
    killed = AGENT + "\nimport os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n"
    assert copydesk.python(str(agent_script(killed))).code == -9
    assert {row["output_id"] for row in copydesk("review", "list", "--json").lines} == {"good", "other"}


def test_a_command_is_carried_out_once_under_its_id(copydesk: Copydesk) -> None:
    """The same verdict under the same command id gives the first result; another command under it is a conflict."""
    copydesk.import_events(draft("one"), draft("two"))
    seen = copydesk("review", "show", "one", "--json").object["content_hash"]
    first = copydesk("review", "approve", "one", "--hash", seen, "--command-id", "c1", "--json")
    again = copydesk("review", "approve", "one", "--hash", seen, "--command-id", "c1", "--json")
    assert (first.code, again.code) == (0, 0)
    assert first.object == again.object
    assert copydesk("review", "approve", "two", "--hash", seen, "--command-id", "c1").code == 3
