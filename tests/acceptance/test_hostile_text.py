"""What an agent wrote, as the commands show it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.acceptance.conftest import Copydesk, draft

KINDS = (
    "ansi-csi",
    "ansi-osc-dcs",
    "bidi",
    "control-c0",
    "gutter-forging",
    "newline-forging",
    "rich-markup",
    "tag-smuggling",
)
CASES = {
    case["id"]: case["value"]
    for case in json.loads(Path(__file__).parents[1].joinpath("hostile.json").read_text(encoding="utf-8"))
    if case["category"] in KINDS
}


@pytest.fixture(scope="module")
def desk(shared: Copydesk) -> Copydesk:
    """A desk with a draft of each hostile text: as its body, its account, its context and its risk flag."""
    shared.import_events(
        *(
            draft(name, body=text, identity=text[:400], trigger_context=text, risk_flags=[text[:400]])
            for name, text in CASES.items()
        )
    )
    return shared


def visible(text: str) -> bool:
    """True when a screen would obey nothing in it; a tab stands between columns."""
    return all(line.replace("\t", "").isprintable() for line in text.split("\n"))


@pytest.mark.parametrize("name", CASES)
def test_an_output_is_shown_as_what_it_is(desk: Copydesk, name: str) -> None:
    """A person sees every character of a content, behind the gutter, and only characters; JSON keeps the text."""
    shown = desk("review", "show", name)
    assert visible(shown.out)
    content = [line for line in shown.out.split("\n") if line.startswith("│ ") and not line.startswith("│ ↳ ")]
    assert len(content) == CASES[name].count("\n") + 1
    data = desk("review", "show", name, "--json")
    assert visible(data.out)
    assert data.object["body"] == CASES[name]


@pytest.mark.parametrize(
    "command",
    ["review list", "review list --json", "review next", "events tail", "events tail --json", "events show 1"],
)
def test_lists_are_as_careful(desk: Copydesk, command: str) -> None:
    """No list, no log line and no JSON sends a terminal anything that it would obey."""
    ran = desk(*command.split())
    assert ran.code == 0
    assert ran.out
    assert visible(ran.out)


def test_a_row_is_a_line(desk: Copydesk) -> None:
    """No content can add a row to a list, or a column to a row."""
    rows = desk("review", "list").out.splitlines()
    assert len(rows) == len(CASES)
    assert {row.count("\t") for row in rows} == {6}


@pytest.mark.parametrize("name", list(CASES)[:8])
def test_errors_and_verdicts_are_as_careful(desk: Copydesk, name: str) -> None:
    """A refusal that quotes what was given quotes it visibly."""
    for arguments in (["review", "show", CASES[name]], ["review", "approve", name, "--hash", CASES[name]]):
        ran = desk(*arguments)
        assert ran.code in (3, 5)
        assert visible(ran.err)
