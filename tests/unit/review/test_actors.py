"""Whose name may stand under a decision."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from review.actors import check_person

HOSTILE = json.loads((Path(__file__).parents[2] / "hostile.json").read_text(encoding="utf-8"))
ALICE = "alice"


@pytest.mark.parametrize(
    "name",
    [
        "alice",
        "Ana Ruiz",
        "o'brien",
        "www-data",
        "_apt",
        "r2d2",
        "ana@acme.example",
        "Зоя",
        "山田 太郎",
        "अनिता",
        "ACME\\ana",
    ],
)
def test_a_plain_name_is_taken(name: str) -> None:
    """Names of people and of system users are taken, in any script."""
    assert check_person(name) is None


@pytest.mark.parametrize("entry", [e for e in HOSTILE if e["category"] == "identity"], ids=lambda entry: entry["id"])
def test_a_forged_name_is_refused_or_is_another(entry: dict[str, str]) -> None:
    """No hostile name passes for alice, for a policy, for an agent or for copydesk itself."""
    name = entry["value"]
    refusal = check_person(name)
    if refusal is None:
        assert name == "Alice", "only the capital is another name that looks like another name"
    else:
        assert (refusal.code, refusal.exit_code) == ("ACTOR", 2)
        assert refusal.message.isascii()
        assert refusal.message.isprintable()


DECEIVING = """
alice\x20|\x20alice|system|System|desk|policy:p@1|agent:x|--as|-|ali\u200bce|ali\u3164ce|alice\ufe0f|ali\u202ece|alice\n
|al\u0430ce|ali\u034fce|e\u0301va|\u0301eva|a\ud800|a\x00b|../a|a/b|a@|\x20
"""


@pytest.mark.parametrize("name", ["", "x" * 101, *DECEIVING[1:-1].replace("\n|", "|").split("|")])
def test_a_name_that_deceives_is_refused(name: str) -> None:
    """Blanks around it, what nobody sees, mixed scripts and copydesk's own names are refused."""
    refusal = check_person(name)
    assert refusal is not None
    assert refusal.code == "ACTOR"
