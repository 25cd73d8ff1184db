"""Claims, and what can still be done after a verdict."""

from __future__ import annotations

from tests.acceptance.conftest import Copydesk, draft


def test_a_claim_keeps_others_from_deciding(copydesk: Copydesk) -> None:
    """Who claimed an output decides it; others are refused, and are given the next one, until it is released."""
    copydesk.import_events(draft("o1"), draft("o2"))
    claimed = copydesk("review", "claim", "o1", "--as", "ana", "--json")
    assert (claimed.code, claimed.object["holder"], claimed.object["generation"]) == (0, "ana", 1)
    seen = claimed.object["content_hash"]
    assert copydesk("review", "claim", "o1", "--as", "bob").code == 3
    assert copydesk("review", "approve", "o1", "--hash", seen, "--as", "bob").code == 3
    assert copydesk("review", "next", "--as", "bob", "--json").object["output_id"] == "o2"
    assert copydesk("review", "next", "--as", "ana", "--json").object["output_id"] == "o1"
    assert copydesk("review", "release", "o1", "--as", "bob").code == 3
    assert copydesk("review", "release", "o1", "--as", "ana").out == "o1 is free\n"
    taken = copydesk("review", "next", "--claim", "--as", "bob", "--json").object
    assert (taken["output_id"], taken["lease"]["holder"]) == ("o1", "bob")
    assert copydesk("review", "approve", "o1", "--hash", seen, "--as", "bob").code == 0


def test_nothing_next_is_exit_6(copydesk: Copydesk) -> None:
    """When nothing waits for this person, `next` says so and ends with 6."""
    copydesk.import_events(draft("o1"))
    copydesk("review", "claim", "o1", "--as", "ana")
    assert copydesk("review", "next", "--as", "bob").code == 6
    none = copydesk("review", "next", "--channel", "nowhere", "--json")
    assert (none.code, none.object["error"]["code"]) == (6, "NOTHING_TO_DO")


def test_what_a_rule_let_out_is_looked_at_afterwards(copydesk: Copydesk) -> None:
    """Under `posthoc` a person acknowledges or flags what was published, and an admin has it taken back."""
    (copydesk.folder / "policy.toml").write_text('name = "chat"\n[[rule]]\nmode = "posthoc"\n')
    assert copydesk("review", "policy", "adopt", "policy.toml").code == 0
    copydesk.import_events(draft("o1"), draft("o2"), draft("o3", channel="later"))
    assert copydesk("run", "--once").code == 0
    assert copydesk("review", "acknowledge", "o1", "--note", "fine").code == 0
    assert copydesk("review", "flag", "o2").code == 2
    assert copydesk("review", "flag", "o2", "--reason", "tone").code == 0
    flagged = copydesk("review", "show", "o2", "--json").object
    assert (flagged["state"], flagged["flagged"]) == ("published", True)
    assert copydesk("review", "retract", "o2").code == 2
    retracted = copydesk("review", "retract", "o2", "--note", "the price was wrong", "--json")
    assert (retracted.code, retracted.object["state"]) == (0, "retracting")
    assert copydesk("review", "withdraw", "o1", "--note", "too late").code == 3


def test_an_admin_withdraws_for_an_agent(copydesk: Copydesk) -> None:
    """An output that should not go on is withdrawn with a note, and without one it is not."""
    copydesk.import_events(draft("o1"))
    assert copydesk("review", "withdraw", "o1").code == 2
    done = copydesk("review", "withdraw", "o1", "--note", "the event was called off", "--json")
    assert (done.code, done.object["state"]) == (0, "withdrawn")
    assert copydesk("review", "wait", "o1", "--json").object["note"] == "the event was called off"
