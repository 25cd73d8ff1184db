"""What an operator does about events that a projection's code could not handle."""

from __future__ import annotations

from tests.acceptance.conftest import Copydesk, append_newer


def test_dead_letters_are_listed_and_shown(copydesk: Copydesk) -> None:
    """`dead-letters`, alone or with `list`, names the event and the error; `show` has the event as it is stored."""
    position = append_newer(copydesk.environment["DATABASE_URL"])
    assert copydesk("projections", "run", "--once").code == 0
    listed = copydesk("projections", "dead-letters", "list", "agents_memory", "--json").lines
    assert [(one["projection"], one["version"], one["position"]) for one in listed] == [("agents_memory", 1, position)]
    assert "newer than this code" in listed[0]["error"]
    assert listed[0] in copydesk("projections", "dead-letters", "--json").lines
    shown = copydesk("projections", "dead-letters", "show", "agents_memory", str(position), "--json").object
    assert listed[0].items() <= shown.items()
    assert (shown["agent_id"], shown["schema_version"], shown["payload"]["key"]) == ("a", 9, "k")
    assert "newer than this code" in copydesk("projections", "dead-letters", "show", "agents_memory", "1").out
    missing = copydesk("projections", "dead-letters", "show", "agents_memory", "7", "--json")
    assert (missing.code, missing.object["error"]["code"]) == (5, "NOT_FOUND")


def test_a_replay_says_what_it_can_not_pass(copydesk: Copydesk) -> None:
    """A replay stops at what it can't handle, names it, and ends with 1; `--skip-dead` passes it and says how many."""
    position = append_newer(copydesk.environment["DATABASE_URL"])
    assert copydesk("projections", "run", "--once").code == 0
    stopped = copydesk("projections", "replay", "agents_memory", "--json")
    assert (stopped.code, stopped.object["error"]["code"]) == (1, "REPLAY_STOPPED")
    assert f"position {position}" in stopped.object["error"]["message"]
    passed = copydesk("projections", "replay", "agents_memory", "--skip-dead", "--json").object
    assert (passed["passed"], passed["position"], passed["generation"]) == (1, position, 2)
    (status,) = [
        line for line in copydesk("projections", "status", "--json").lines if line["projection"] == "agents_memory"
    ]
    assert (status["skipped"], status["dead"], status["dead_letters"]) == (1, 0, 1)
