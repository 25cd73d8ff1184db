"""A desk that moves to another database by a file."""

from __future__ import annotations

from capture import DatabaseManager
from tests.acceptance.conftest import Copydesk, draft


def test_an_export_moves_the_whole_desk(copydesk: Copydesk, alone: Copydesk) -> None:
    """A whole export into an empty database gives the same log, the same states, and nothing to publish twice."""
    copydesk.import_events(draft("sent"), draft("waiting", body="\u202e\x1b[31m"), draft("approved"))
    for name in ("sent", "approved"):
        seen = copydesk("review", "show", name, "--json").object["content_hash"]
        assert copydesk("review", "approve", name, "--hash", seen).code == 0
        if name == "sent":
            assert copydesk("publish", "once", "--json").object["published"] == 1
    assert copydesk("events", "export", "all.jsonl", "--json").code == 0
    exported = (copydesk.folder / "all.jsonl").read_bytes()
    copy = alone("events", "import", "-", "--trusted", "--json", stdin=exported)
    assert (copy.code, copy.object["imported"]) == (0, len(exported.splitlines()))
    assert alone("events", "export").out.encode() == exported
    states = {row["output_id"]: row["state"] for row in alone("review", "list", "--all", "--json").lines}
    assert states == {"sent": "published", "waiting": "pending", "approved": "approved"}
    kept = "SELECT * FROM agents_approvals ORDER BY position", "SELECT * FROM agents_publications ORDER BY output_id"
    with (
        DatabaseManager(copydesk.environment["DATABASE_URL"]) as original,
        DatabaseManager(f"sqlite:///{alone.folder}/foundup.db") as moved,
    ):
        for query in kept:
            rows = original.execute_query(query)
            assert [list(map(str, row)) for row in moved.execute_query(query)] == [list(map(str, row)) for row in rows]
            assert rows
    # A log that sent before, on a machine that did not: it publishes when an admin says so, and sends nothing twice.
    assert alone("publish", "once", "--json").object["published"] == 0
    assert alone("publish", "resume", "--after-restore", "--reason", "the first machine is gone").code == 0
    assert [output["output_id"] for output in alone("publish", "once", "--json").object["outputs"]] == ["approved"]
