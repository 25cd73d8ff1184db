"""How review goes, and what can be learnt from it."""

from __future__ import annotations

from tests.acceptance.conftest import Copydesk, draft


def revise(output_id: str, body: str) -> dict[str, object]:
    """An agent's next version of an output."""
    return {
        "id": f"revise-{output_id}",
        "type": "output.revised",
        "data": {"output_id": output_id, "body": body},
    }


def decide(copydesk: Copydesk, verb: str, output_id: str, *options: str) -> None:
    """Give a verdict on what there is."""
    seen = copydesk("review", "show", output_id, "--json").object["content_hash"]
    ran = copydesk("review", verb, output_id, "--hash", seen, *options)
    assert ran.code == 0, ran.err


def reviewed(copydesk: Copydesk) -> None:
    """Five outputs: edited and approved, revised and approved, replaced after a rejection, and one that waits."""
    copydesk.import_events(
        draft("o1", body="Thank you so much!", trigger_context="Nice video"),
        draft("o2", body="Buy now"),
        draft("o3", body="No."),
        draft("o4", channel="x"),
    )
    decide(copydesk, "edit", "o1", "--body", "Thank you!", "--as", "ana")
    decide(copydesk, "approve", "o1", "--as", "ana")
    decide(copydesk, "changes", "o2", "--reason", "tone", "--note", "softer", "--as", "bob")
    copydesk.import_events(revise("o2", "Have a look"))
    decide(copydesk, "approve", "o2", "--as", "ana")
    decide(copydesk, "reject", "o3", "--reason", "off_brand", "--as", "bob")
    copydesk.import_events(draft("o5", body="Sorry, no.", supersedes="o3"))
    decide(copydesk, "approve", "o5", "--as", "bob")


def test_stats_count_what_was_decided(copydesk: Copydesk) -> None:
    """`stats` tells what waits, verdicts, reasons, edits and rates, of all and for each reviewer."""
    reviewed(copydesk)
    (total,) = copydesk("review", "stats", "--json").lines
    assert (total["outputs"], total["waiting"], total["decided"]) == (5, 1, 5)
    assert (total["approved"], total["changes_requested"], total["rejected"]) == (3, 1, 1)
    assert total["approval_rate"] == 0.6
    assert total["reasons"] == {"tone": 1, "off_brand": 1}
    assert (total["edits"], 0 < total["edit_distance"] < 1) == (1, True)
    assert sum(total["days"]) == 5
    people = {line["group"]: line for line in copydesk("review", "stats", "--by", "reviewer", "--json").lines}
    assert (people["ana"]["decided"], people["bob"]["decided"]) == (2, 3)
    channels = {line["group"]: line for line in copydesk("review", "stats", "--by", "channel", "--json").lines}
    assert (channels["x"]["waiting"], channels["youtube"]["waiting"]) == (1, 0)
    assert copydesk("review", "stats", "--since", "2100-01-01T00:00:00Z", "--json").object["decided"] == 0
    assert copydesk("review", "stats", "--by", "moon").code == 2


def test_export_gives_outputs_and_pairs(copydesk: Copydesk) -> None:
    """`export` writes each output whole; `--preferences` each text beside the one that was preferred to it."""
    reviewed(copydesk)
    lines = copydesk("review", "export").lines
    assert [line["output_id"] for line in lines] == ["o1", "o2", "o3", "o4", "o5"]
    shown = copydesk("review", "show", "o1", "--json").object
    assert {**lines[0], "missing_media": []} == shown
    pairs = {line["output_id"]: line for line in copydesk("review", "export", "--preferences").lines}
    assert {name: (pair["how"], pair["rejected"], pair["chosen"]) for name, pair in pairs.items()} == {
        "o1": ("edited", "Thank you so much!", "Thank you!"),
        "o2": ("revised", "Buy now", "Have a look"),
        "o5": ("replaced", "No.", "Sorry, no."),
    }
    assert (pairs["o1"]["prompt"], pairs["o1"]["reviewer"], pairs["o1"]["edited"]) == (
        "Nice video",
        "ana",
        "Thank you!",
    )
    assert (pairs["o2"]["reason_code"], pairs["o2"]["note"]) == ("tone", "softer")
    assert copydesk("review", "export", "--since", "2100-01-01T00:00:00Z").out == ""
