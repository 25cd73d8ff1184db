"""A policy as an operator uses it: check, adopt, show, and what `copydesk run` makes of it."""

from __future__ import annotations

from typing import Any

from tests.acceptance.conftest import Copydesk, draft

HOUSE = """name = "house"
[actors]
operator = ["reviewer", "admin"]
vera = ["viewer"]
[[rule]]
match = { channel = "youtube" }
mode = "auto"
auto_reject = ["I'm sorry, I can't assist"]
banned_phrases = ["@Unknown"]
[[rule]]
match = { identity = "@ceo" }
approvals = 2
"""


def drafts(copydesk: Copydesk) -> None:
    """One for each thing that the rules can say."""
    copydesk.import_events(
        draft("fine"),
        draft("sorry", body="I\u2019m sorry, I can\u2019t assist with that request."),
        draft("banned", body="Yo @Unknown"),
        draft("ceo", identity="@ceo"),
    )


def states(copydesk: Copydesk) -> dict[str, str]:
    """Where each output stands."""
    return {row["output_id"]: row["state"] for row in copydesk("review", "list", "--all", "--json").lines}


def write(copydesk: Copydesk, text: str) -> None:
    """Put a policy file where copydesk looks for it."""
    (copydesk.folder / "policy.toml").write_text(text, encoding="utf-8")


def test_run_adopts_the_file_and_applies_it(copydesk: Copydesk) -> None:
    """`copydesk run` puts its file in force: it rejects, approves and sends by rule, and leaves the rest to people."""
    drafts(copydesk)
    write(copydesk, HOUSE)
    ran = copydesk("run", "--once", "--json").object
    assert (ran["published"], ran["decided"]) == (1, 4)
    assert states(copydesk) == {"fine": "published", "sorry": "rejected", "banned": "pending", "ceo": "pending"}
    (adopted,) = copydesk("events", "tail", "--type", "review.policy_adopted", "--json").lines
    assert (adopted["data"]["text"], adopted["data"]["actor"]) == (HOUSE, "operator")
    history = copydesk("review", "history", "sorry", "--json").lines
    assert history[-1]["by"].startswith("policy:house@")
    assert "published" in states(copydesk).values()
    copydesk("run", "--once", "--json")
    assert len(copydesk("events", "tail", "--type", "review.policy_adopted", "--json").lines) == 1


def test_check_says_what_it_would_decide_and_changes_nothing(copydesk: Copydesk) -> None:
    """`policy check` reads a file and asks it about the queue; the log and the queue stay as they are."""
    drafts(copydesk)
    write(copydesk, HOUSE)
    checked = copydesk("review", "policy", "check", "--json").object
    assert checked["decides"] == {"approve": 1, "reject": 1, "person": 2}
    assert (checked["name"], checked["rules"], checked["in_force"], checked["more"]) == ("house", 2, False, False)
    decided = {output["output_id"]: (output["decides"], output["needed"]) for output in checked["outputs"]}
    assert decided == {"fine": ("approve", 1), "sorry": ("reject", 1), "banned": ("person", 1), "ceo": ("person", 2)}
    assert copydesk("events", "stats", "--json").object["head"] == 4
    shown = copydesk("review", "policy", "check")
    assert (shown.code, shown.err) == (0, "")
    assert "1 approve, 1 reject, 2 person" in shown.out


def test_a_bad_file_is_refused_and_the_running_policy_stays(copydesk: Copydesk) -> None:
    """Check, adopt and run refuse a file with its line and key, exit 2; the adopted rules stay in force."""
    write(copydesk, HOUSE)
    assert copydesk("review", "policy", "adopt", "--json").object["changed"]
    write(copydesk, HOUSE + "aprovals = 3\n")
    line = HOUSE.count("\n") + 1
    for command in (("review", "policy", "check"), ("review", "policy", "adopt"), ("run", "--once")):
        ran = copydesk(*command, "--json")
        assert ran.code == 2
        error = ran.lines[-1]["error"]
        assert error["code"] == "BAD_POLICY"
        assert f"policy.toml, line {line}, rule[2].aprovals" in error["message"]
        assert "the running policy stays" in error["hint"]
    copydesk.import_events(draft("ceo", identity="@ceo"))
    assert copydesk("review", "policy", "show", "ceo", "--json").object["needed"] == 2


def test_show_says_which_rules_matched_and_why(copydesk: Copydesk) -> None:
    """`policy show` names each rule, the fields that keep it from matching, and what was found."""
    drafts(copydesk)
    write(copydesk, HOUSE)
    copydesk("review", "policy", "adopt")
    shown = copydesk("review", "policy", "show", "banned", "--json").object
    first, second = shown["rules"]
    assert (first["matches"], second["matches"], second["misses"]) == ("yes", "no", ["identity"])
    assert first["findings"][0]["code"] == "DENIED"
    assert (shown["decides"], shown["mode"], shown["opened"]) == ("person", "auto", None)
    text = copydesk("review", "policy", "show", "banned").out
    assert "identity is not @ceo" in text
    assert "@Unknown" in text


def test_a_file_that_differs_is_told(copydesk: Copydesk) -> None:
    """A review command beside another file goes by the adopted policy, and says so on standard error."""
    drafts(copydesk)
    write(copydesk, HOUSE)
    told = copydesk("review", "list")
    assert "the policy in force is policy:default@" in told.err
    assert "copydesk review policy adopt policy.toml" in told.err
    assert copydesk("review", "list", "--json").lines
    copydesk("review", "policy", "adopt")
    assert copydesk("review", "list").err == ""


def test_roles_are_told_apart(copydesk: Copydesk) -> None:
    """Who is no reviewer can't approve, who is no admin can't adopt or stop: exit 4, with the code."""
    drafts(copydesk)
    write(copydesk, HOUSE)
    copydesk("review", "policy", "adopt")
    seen = copydesk("review", "show", "ceo", "--json").object["content_hash"]
    refusals: list[dict[str, Any]] = []
    for command in (
        ("review", "approve", "ceo", "--hash", seen),
        ("review", "policy", "adopt"),
        ("publish", "stop", "--reason", "x"),
        ("publish", "resume"),
    ):
        if "adopt" in command:
            write(copydesk, HOUSE + "# changed\n")
        ran = copydesk(*command, "--as", "vera", "--json")
        assert ran.code == 4, ran
        refusals.append(ran.object)
    assert {refusal["code"] for refusal in refusals} == {"ROLE"}


def test_publication_is_stopped_and_goes_on(copydesk: Copydesk) -> None:
    """`publish stop` holds back what is approved, says so, and `publish resume` lets it go."""
    copydesk.import_events(draft())
    seen = copydesk("review", "show", "o1", "--json").object["content_hash"]
    copydesk("review", "approve", "o1", "--hash", seen)
    assert copydesk("publish", "stop", "--json").code == 2
    stopped = copydesk("publish", "stop", "--channel", "youtube", "--reason", "wrong prices", "--json").object
    assert stopped["stops"] == [{"agent": None, "channel": "youtube", "actor": "operator", "reason": "wrong prices"}]
    held = copydesk("publish", "once", "--json")
    assert (held.code, held.object["outputs"][0]["code"]) == (4, "STOPPED")
    assert copydesk("publish", "status", "--json").object["stops"] == stopped["stops"]
    assert "wrong prices" in copydesk("publish", "status").out
    assert copydesk("publish", "resume", "--json").object["stops"] == []
    assert copydesk("publish", "once", "--json").object["published"] == 1


def test_automation_runs_alone(copydesk: Copydesk) -> None:
    """`review automate` applies the adopted policy without publishing; a second round finds nothing."""
    drafts(copydesk)
    write(copydesk, HOUSE)
    copydesk("review", "policy", "adopt")
    assert copydesk("review", "automate", "--once", "--json").object == {"decided": 4}
    assert states(copydesk)["fine"] == "approved"
    assert copydesk("review", "automate", "--once", "--json").object == {"decided": 0}


def test_a_rule_that_stood_down_is_let_on(copydesk: Copydesk) -> None:
    """After a rejection the rule approves nothing of the account, until `policy resume`."""
    write(copydesk, HOUSE)
    copydesk("review", "policy", "adopt")
    copydesk.import_events(draft("one"), draft("two", body="Two."))
    seen = copydesk("review", "show", "one", "--json").object["content_hash"]
    assert copydesk("review", "reject", "one", "--hash", seen, "--reason", "tone").code == 0
    copydesk("review", "automate", "--once")
    assert states(copydesk)["two"] == "pending"
    assert "stands down" in copydesk("review", "policy", "show", "two").out
    resumed = copydesk("review", "policy", "resume", "two", "--note", "mended", "--json").object
    assert resumed["changed"]
    copydesk("review", "automate", "--once")
    assert states(copydesk)["two"] == "approved"
