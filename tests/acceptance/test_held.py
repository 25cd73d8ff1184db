"""What an operator is told when the database is not the one that this machine published from."""

from __future__ import annotations

import json

from tests.acceptance.conftest import Copydesk, draft


def test_publication_holds_until_it_is_resumed_after_a_restore(copydesk: Copydesk) -> None:
    """`publish status` says why, `publish once` sends nothing and exits 4, `resume --after-restore` lets it go on."""
    copydesk.import_events(draft("o1"), draft("o2"))
    for output_id in ("o1", "o2"):
        seen = copydesk("review", "show", output_id, "--json").object["content_hash"]
        assert copydesk("review", "approve", output_id, "--hash", seen).code == 0
        if output_id == "o1":
            assert copydesk("publish", "once").code == 0
    assert copydesk("publish", "status", "--json").object["held"] is None
    (mark,) = (copydesk.folder / "foundup.publishing").glob("*.json")
    mark.write_text(json.dumps({**json.loads(mark.read_text()), "position": 10_000}), encoding="utf-8")

    status = copydesk("publish", "status", "--json").object
    assert "older than what was sent" in status["held"]
    assert "holds" in copydesk("publish", "status").out
    once = copydesk("publish", "once", "--json")
    assert (once.code, once.object["published"], once.object["held"]) == (4, 0, status["held"])
    told = copydesk("publish", "once")
    assert told.code == 4
    assert "publish resume --after-restore" in told.out + told.err
    assert len(list((copydesk.folder / "published").glob("*.txt"))) == 1

    assert copydesk("publish", "resume", "--after-restore").code == 2
    assert copydesk("publish", "resume", "--after-restore", "--channel", "x", "--reason", "y").code == 2
    resumed = copydesk("publish", "resume", "--after-restore", "--reason", "I looked.", "--json")
    assert (resumed.code, resumed.object["changed"]) == (0, True)
    assert copydesk("publish", "once", "--json").object["published"] == 1
