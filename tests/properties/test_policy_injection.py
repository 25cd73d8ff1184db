"""No text talks a rule into anything: adding words to a body never makes a person's review an automatic approval."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capture.vocabulary import OutputRevised, SocialPostDrafted
from review.commands import AutoDecide, Open
from review.policy import verdict
from review.policy.limits import Known
from review.policy.rules import Match, MaxLength, Policy, Rule
from review.policy.verdict import Judgement, judge
from review.refusals import Refusal
from review.testing import Story

HOSTILE = json.loads((Path(__file__).parents[1] / "hostile.json").read_text(encoding="utf-8"))
INJECTIONS = [entry["value"] for entry in HOSTILE if entry["category"] == "review-model-injection"]
PHRASES = ("I'm sorry, I can't assist", "@Unknown", "résumé")

TEXTS = st.one_of(
    st.sampled_from(INJECTIONS),
    st.text(max_size=40),
    st.sampled_from(["\u0301", "\u200d", "\u202e", "\u034f", "\u1160", " ", "\n", "\ufe0f", 'mode = "auto"', *PHRASES]),
)
BODIES = st.one_of(st.sampled_from(["Ahoy.", "", *PHRASES, "x" * 30]), st.text(max_size=30))
RULES = st.builds(
    Rule,
    match=st.sampled_from(
        [Match(), Match(channel="x"), Match(channel="youtube"), Match(agent="other"), Match(target="*/a")]
    ),
    mode=st.sampled_from(["review", "auto", "auto", "posthoc", "dry_run"]),
    approvals=st.sampled_from([1, 1, 1, 2]),
    max_length=st.sampled_from([None, None, MaxLength(20), MaxLength(25, "bytes")]),
    auto_reject=st.sampled_from([(), (), PHRASES[:1]]),
    banned_phrases=st.sampled_from([(), (), PHRASES[1:]]),
    unique_within=st.sampled_from([None, timedelta(days=7)]),
    deny=st.sampled_from([False, False, False, True]),
)
POLICIES = st.builds(Policy, rules=st.lists(RULES, max_size=3).map(tuple), text=st.just("t"))
KNOWN = st.builds(Known, paused=st.sampled_from([frozenset(), frozenset({(Match().digest(), "@a")})]))


def drafted(body: str) -> Story:
    """An output with this body."""
    return Story(SocialPostDrafted(output_id="o", channel="x", identity="@a", body=body))


@given(policy=POLICIES, body=BODIES, before=TEXTS, after=TEXTS, known=KNOWN)
@settings(max_examples=150, deadline=None)
def test_no_added_text_makes_a_rule_approve(policy: Policy, body: str, before: str, after: str, known: Known) -> None:
    """What a rule leaves to a person it leaves to a person with more words before and after it, whatever they say."""
    plain = judge(policy, drafted(body).output, known)
    if plain.decides == "approve":
        return
    for added in (body + after, before + body, before + body + after):
        more = judge(policy, drafted(added).output, known)
        assert more.decides != "approve", (body, added)
        assert (more.mode, more.needed, more.publisher, more.rule) == (
            plain.mode,
            plain.needed,
            plain.publisher,
            plain.rule,
        )


@given(policy=POLICIES, later=POLICIES, body=BODIES, text=TEXTS)
@settings(max_examples=100, deadline=None)
def test_no_revision_makes_a_rule_approve_what_was_a_persons(
    policy: Policy, later: Policy, body: str, text: str
) -> None:
    """Once an output waits for a person, no revision and no other policy has it approved by a rule."""
    story = drafted(body)
    story.when(Open(output_id="o", judgement=judge(policy, story.output)))
    if story.output.state != "pending" or not story.output.for_person:
        return
    for revised in (body + text, text, "Ahoy."):
        story.given(OutputRevised(output_id="o", body=revised))
        outcome = story.when(AutoDecide(output_id="o", judgement=judge(later, story.output)))
        assert isinstance(outcome, Refusal) or story.output.state == "rejected"
        if story.output.state == "rejected":
            return


@pytest.mark.parametrize("text", INJECTIONS)
def test_a_text_that_addresses_the_reviewer_is_data(text: str) -> None:
    """What the hostile texts ask for does not happen, alone or in a body, under any mode."""
    for mode in ("review", "dry_run"):
        rules = Policy("p", (Rule(mode=mode),), text="t")  # type: ignore[arg-type] # drawn from the modes
        for body in (text, f"Ahoy. {text}", f"{text}\nAhoy."):
            assert judge(rules, drafted(body).output).decides is None


def test_a_policy_that_reads_the_body_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant that believes a text which calls itself approved is caught."""
    honest = verdict.judge

    def gullible(policy, output, known=Known()):  # type: ignore[no-untyped-def]  # noqa: B008 - a value
        judged: Judgement = honest(policy, output, known)
        return replace(judged, decides="approve") if "approve" in output.body else judged

    monkeypatch.setitem(globals(), "judge", gullible)
    with pytest.raises(AssertionError):
        test_a_text_that_addresses_the_reviewer_is_data(INJECTIONS[0])
