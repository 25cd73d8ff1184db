"""`copydesk db check` and `db checkpoint`, as a user types them."""

from __future__ import annotations

from tests.acceptance.conftest import Copydesk, draft
from tests.fixtures.tampering import tampering


def kept(copydesk: Copydesk, name: str = "kept.txt") -> str:
    """Write a checkpoint to a file in the working directory; what was written."""
    body = copydesk("db", "checkpoint").out
    (copydesk.folder / name).write_text(body)
    return body


def test_a_checkpoint_is_three_lines(copydesk: Copydesk) -> None:
    """`db checkpoint` prints origin, size and root and nothing else, the same with `--json`."""
    copydesk.import_events(draft())
    body = kept(copydesk)
    said = copydesk("db", "checkpoint", "--json").object
    assert said == {"origin": said["origin"], "size": 1, "root": said["root"], "body": body}
    assert body == f"{said['origin']}\n1\n{said['root']}\n"
    status = copydesk("db", "status", "--json").object
    assert said["origin"] == f"copydesk/{status['log_id']}"


def test_a_log_that_grew_holds_against_its_checkpoints(copydesk: Copydesk) -> None:
    """A sound database ends with 0, alone and against a checkpoint of its past; the page says so."""
    copydesk.import_events(draft())
    kept(copydesk)
    copydesk.import_events(draft("o2"))
    kept(copydesk, "later.txt")
    ran = copydesk("db", "check", "--against", "kept.txt", "--against", "later.txt")
    assert ran.code == 0, ran.out
    assert "2 events" in ran.out
    assert "0 errors" in ran.out
    said = copydesk("db", "check", "--json").object
    assert (said["ok"], said["errors"], said["size"]) == (True, 0, 2)
    assert {finding["severity"] for finding in said["findings"]} <= {"warning", "note"}


def test_a_tampered_log_ends_with_1(copydesk: Copydesk) -> None:
    """A change that hides by itself ends with 1 against the checkpoint, and gets no new one when it does not hide."""
    copydesk.import_events(draft(), draft("o2"), draft("o3"))
    kept(copydesk)
    with tampering(copydesk.environment["DATABASE_URL"]) as by:
        by.run("DELETE FROM agents_events WHERE position = 3")
        by.run("UPDATE agents_head SET position = 2")
        said = copydesk("db", "check", "--against", "kept.txt", "--json")
        assert said.code == 1
        [found] = [one for one in said.object["findings"] if one["check"] == "against"]
        assert found["severity"] == "error"
        assert "2 of them are there" in found["found"]
        assert copydesk("db", "checkpoint").code == 0
        by.run("DELETE FROM agents_events WHERE position = 1")
        refused = copydesk("db", "checkpoint")
    assert (refused.code, refused.out) == (1, "")
    assert "position 1" in refused.err
    assert "copydesk db check" in refused.err


def test_a_wrong_file_is_an_error(copydesk: Copydesk, alone: Copydesk) -> None:
    """A file that is not there, is no checkpoint, or is of another log, is one line that says so."""
    copydesk.import_events(draft())
    (copydesk.folder / "nonsense.txt").write_bytes(b"\xff\x00nonsense")
    alone.import_events(draft())
    (copydesk.folder / "other.txt").write_text(alone("db", "checkpoint").out)
    for name, code, kind in (
        ("nowhere.txt", 5, "NOT_FOUND"),
        ("nonsense.txt", 1, "NOT_A_CHECKPOINT"),
        ("other.txt", 1, "OTHER_LOG"),
    ):
        ran = copydesk("db", "check", "--against", name, "--json")
        assert (ran.code, ran.object["error"]["code"]) == (code, kind)
        assert ran.object["error"]["hint"]


def test_an_empty_database_is_told(alone: Copydesk) -> None:
    """A database without tables is an error that names the command which makes them, and nothing is made."""
    ran = alone("db", "check")
    assert ran.code == 1
    assert "copydesk db init" in ran.out
    assert alone("db", "status", "--json").object["revision"] is None
