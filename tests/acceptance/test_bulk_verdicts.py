"""Verdicts on many outputs at once."""

from __future__ import annotations

from collections import Counter

from tests.acceptance.conftest import Copydesk, draft


def states(copydesk: Copydesk) -> Counter[str]:
    """How many outputs stand in each state."""
    return Counter(line["state"] for line in copydesk("review", "list", "--all", "--json").lines)


def test_many_are_decided_only_as_counted(copydesk: Copydesk) -> None:
    """A filter decides what it chooses if exactly so many were expected; else nothing, and the count is told."""
    copydesk.import_events(*(draft(f"o{n}", channel="x" if n < 3 else "y") for n in range(5)))
    asked = copydesk("review", "approve", "--filter", "channel=x", "--json")
    assert (asked.code, asked.object["count"], asked.object["error"]["code"]) == (2, 3, "EXPECT_COUNT")
    assert [row["output_id"] for row in asked.object["sample"]] == ["o0", "o1", "o2"]
    other = copydesk("review", "approve", "--filter", "channel=x", "--expect-count", "2", "--json")
    assert (other.code, other.object["count"], other.object["error"]["code"]) == (3, 3, "COUNT")
    assert states(copydesk) == {"pending": 5}
    done = copydesk("review", "approve", "--filter", "channel=x", "--expect-count", "3", "--json")
    assert (done.code, done.object["ok"], done.object["refused"], done.object["no_longer_pending"]) == (0, 3, 0, 0)
    assert states(copydesk) == {"pending": 2, "approved": 3}
    none = copydesk("review", "approve", "--filter", "channel=x", "--expect-count", "3", "--json")
    assert (none.code, none.object["error"]["code"]) == (6, "NOTHING_TO_DO")
    rest = copydesk("review", "reject", "--filter", "channel=y", "--expect-count", "2", "--reason", "spam")
    assert (rest.code, rest.out) == (0, "reject: 2 ok, 0 refused, 0 no longer pending\n")
    assert states(copydesk) == {"rejected": 2, "approved": 3}


def test_each_of_many_is_decided_alone(copydesk: Copydesk) -> None:
    """What another reviewer works on is refused and told, and the others are decided."""
    copydesk.import_events(draft("o1"), draft("o2"))
    assert copydesk("review", "claim", "o1", "--as", "bob").code == 0
    done = copydesk(
        "review", "changes", "--filter", "kind=comment", "--expect-count", "2", "--reason", "tone", "--json"
    )
    assert done.code == 3
    assert (done.object["ok"], done.object["refused"], done.object["no_longer_pending"]) == (1, 1, 0)
    assert {(told["output_id"], told["code"]) for told in done.object["outputs"]} == {("o1", "LEASE"), ("o2", "OK")}
    assert states(copydesk) == {"pending": 1, "changes_requested": 1}


def test_a_filter_is_checked(alone: Copydesk) -> None:
    """A filter that can't be meant, or that stands beside one output, is a usage error, and nothing is decided."""
    alone.import_events(draft("o1"))
    for arguments in (
        ["--filter", "chanel=x"],
        ["--filter", "channel"],
        ["--filter", "channel=x", "--filter", "channel=y"],
        ["--filter", "older_than=soon"],
        ["--filter", "channel=x", "o1"],
        ["--filter", "channel=x", "--hash", "0" * 64],
        ["--expect-count", "1"],
        [],
    ):
        ran = alone("review", "approve", *arguments)
        assert (ran.code, ran.out) == (2, ""), arguments
    assert states(alone) == {"pending": 1}


def test_filters_narrow_what_is_listed(copydesk: Copydesk) -> None:
    """Risk, text and age narrow a list; it can begin with the newest and go on behind any output."""
    copydesk.import_events(
        draft("o1", body="Buy NOW 100%", risk_flags=["spam", 'odd "flag"']), draft("o2", body="Hello"), draft("o3")
    )

    def listed(*options: str) -> list[str]:
        return [line["output_id"] for line in copydesk("review", "list", *options, "--json").lines]

    assert listed("--risk", "spam") == listed("--risk", 'odd "flag"') == ["o1"]
    assert listed("--risk", "spa") == listed("--risk", "SPAM") == []
    assert listed("--text", "buy now") == listed("--text", "0%") == ["o1"]
    assert listed("--text", "b%y") == []
    assert listed("--older-than", "1h") == []
    assert listed("--newer-than", "1h") == listed() == ["o1", "o2", "o3"]
    assert listed("--sort", "newest") == ["o3", "o2", "o1"]
    assert listed("--after", "o1", "--limit", "1") == ["o2"]
    assert listed("--after", "o2", "--sort", "newest") == ["o1"]
    counts = {line["state"]: line["outputs"] for line in copydesk("review", "list", "--counts", "--json").lines}
    assert (counts["pending"], counts["approved"]) == (3, 0)
