"""The keys that README promises to programs are there, command by command."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from capture import DatabaseManager
from tests.acceptance.conftest import Copydesk, Ran, append_newer, draft
from tests.documentation.checkout import table

Row = Callable[[Copydesk], list[dict[str, Any]]]


def _verdict(verb: str, *options: str, output: str = "o1") -> Row:
    def run(copydesk: Copydesk) -> list[dict[str, Any]]:
        seen = copydesk("review", "show", output, "--json").object["content_hash"]
        return copydesk("review", verb, output, "--hash", seen, *options, "--json").lines

    return run


def _plain(*arguments: str, stdin: str = "") -> Row:
    def run(copydesk: Copydesk) -> list[dict[str, Any]]:
        ran: Ran = copydesk(*arguments, "--json", stdin=stdin)
        return ran.lines

    return run


def _after_a_forgery(*arguments: str) -> Row:
    def run(copydesk: Copydesk) -> list[dict[str, Any]]:
        with DatabaseManager(copydesk.environment["DATABASE_URL"]) as manager:
            manager.execute_write("INSERT INTO agents_memory (agent_id, key) VALUES ('x', 'forged')")
        return _plain(*arguments)(copydesk)

    return run


def _with_a_policy(*arguments: str) -> Row:
    def run(copydesk: Copydesk) -> list[dict[str, Any]]:
        (copydesk.folder / "policy.toml").write_text('name = "house"\n[[rule]]\n', encoding="utf-8")
        return _plain(*arguments)(copydesk)

    return run


def _published_unseen(*arguments: str) -> Row:
    def run(copydesk: Copydesk) -> list[dict[str, Any]]:
        (copydesk.folder / "policy.toml").write_text('name = "chat"\n[[rule]]\nmode = "posthoc"\n')
        assert copydesk("review", "policy", "adopt", "policy.toml").code == 0
        copydesk.import_events(draft("p1", body="One"), draft("p2", body="Two"))
        assert copydesk("run", "--once").code == 0
        return _plain(*arguments)(copydesk)

    return run


# In an order in which each finds something to do.
COMMANDS: dict[str, Row] = {
    "events tail": _plain("events", "tail"),
    "events show": _plain("events", "show", "1"),
    "events export": _plain("events", "export"),
    "events stats": _plain("events", "stats"),
    "db check": _plain("db", "check"),
    "db checkpoint": _plain("db", "checkpoint"),
    "events import": _plain("events", "import", "-", stdin="nonsense\n"),
    "projections status": _plain("projections", "status"),
    "projections run --once": _plain("projections", "run", "--once"),
    "projections diff": _after_a_forgery("projections", "diff", "agents_memory"),
    "projections verify": _plain("projections", "verify"),
    "projections replay": _plain("projections", "replay", "agents_memory", "--skip-dead"),
    "projections as-of": _plain("projections", "as-of", "agents_memory", "1"),
    "projections dead-letters list": _plain("projections", "dead-letters", "list"),
    "projections dead-letters show": _plain("projections", "dead-letters", "show", "agents_memory", "5"),
    "review list": _plain("review", "list"),
    "review next": _plain("review", "next"),
    "review show": _plain("review", "show", "o1"),
    "review edit": _verdict("edit", "--body", "Thanks!"),
    "review diff": _plain("review", "diff", "o1"),
    "review claim": _plain("review", "claim", "o1"),
    "review release": _plain("review", "release", "o1"),
    "review approve": _verdict("approve"),
    "review export --preferences": _plain("review", "export", "--preferences"),
    "review revoke": _plain("review", "revoke", "o1"),
    "review changes": _verdict("changes", "--reason", "tone"),
    "publish once": _plain("publish", "once"),
    "publish status": _plain("publish", "status"),
    "publish stop": _plain("publish", "stop", "--reason", "wrong prices"),
    "publish resume": _plain("publish", "resume"),
    "review automate": _plain("review", "automate", "--once"),
    "review policy check": _with_a_policy("review", "policy", "check"),
    "review policy adopt": _plain("review", "policy", "adopt"),
    "review policy show": _plain("review", "policy", "show", "o2"),
    "review policy resume": _plain("review", "policy", "resume", "o2"),
    "review reject": _verdict("reject", "--reason", "tone", output="o2"),
    "review reject --filter": _plain(
        "review", "reject", "--filter", "channel=many", "--expect-count", "1", "--reason", "tone"
    ),
    "review withdraw": _plain("review", "withdraw", "o4", "--note", "late"),
    "review wait": _plain("review", "wait", "o2"),
    "review history": _plain("review", "history", "o1"),
    "review list --counts": _plain("review", "list", "--counts"),
    "review export": _plain("review", "export"),
    "review stats": _plain("review", "stats", "--by", "channel"),
    "review acknowledge": _published_unseen("review", "acknowledge", "p1"),
    "review flag": _plain("review", "flag", "p2", "--reason", "tone"),
    "review retract": _plain("review", "retract", "p2", "--note", "wrong"),
}


def _documented() -> dict[str, set[str]]:
    """The keys of each command, as README's table has them."""
    found: dict[str, set[str]] = {}
    for commands, keys in table("README.md", "## For programs"):
        accepted = set(re.findall(r"`(\w+)`", keys.split("refused:")[0].split("another count")[0]))
        for command in re.findall(r"`([a-z -]+)`", commands):
            found[command] = accepted | (found["review list"] if keys.startswith("those") else set())
    return found


def test_each_command_has_the_keys_of_readme(copydesk: Copydesk) -> None:
    """Every object that a command of README's table writes has the keys that stand there."""
    copydesk.import_events(draft(), draft("o2"), draft("o3", channel="many"), draft("o4", body="Later"))
    append_newer(copydesk.environment["DATABASE_URL"])
    documented = _documented()
    assert documented.keys() == COMMANDS.keys()
    for name, run in COMMANDS.items():
        lines = run(copydesk)
        assert lines, name
        for line in lines:
            assert documented[name] <= line.keys(), f"{name}: {line}"


def test_a_failure_and_a_refusal_have_the_keys_of_readme(copydesk: Copydesk) -> None:
    """A failure is an `error` with a code, a message and a hint; a refused verdict says the present hash."""
    copydesk.import_events(draft())
    rows = dict(table("README.md", "## For programs"))
    (failing,) = [set(re.findall(r"`(\w+)`", keys)) for commands, keys in rows.items() if commands.startswith("any")]
    error = copydesk("review", "show", "nothing", "--json").object
    assert {"error", *error["error"]} == failing
    (verdict,) = [keys for keys in rows.values() if "refused:" in keys]
    refused = copydesk("review", "approve", "o1", "--hash", "0" * 64, "--json").object
    promised = set(re.findall(r"`(\w+)`", verdict.split("refused:")[1]))
    assert promised <= refused.keys(), refused
