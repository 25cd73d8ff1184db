"""Any run of commands and of things that an agent can say, against a small model that was written apart.

The long campaign is `scripts/campaign/review_model.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from review import effects, evolution, guards, states
from review.commands import ALL
from tests.properties.review_runs import run
from tests.properties.review_sending import AnyReview

Mutate = Callable[[pytest.MonkeyPatch], None]

RUNS = settings(max_examples=25, stateful_step_count=40, deadline=None)
STEPS = 20_000
"""A mutant that is not caught in so many steps goes undetected."""


def test_any_run_does_what_the_model_says() -> None:
    """Under any run nothing unapproved is started, a refusal appends nothing, and final states are final."""
    run_state_machine_as_test(AnyReview, settings=RUNS)


def test_the_machine_asks_every_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """No command is left out of the runs."""
    asked: set[type] = set()

    ask = AnyReview.ask

    def listening(self, command, says, *, allowed):  # type: ignore[no-untyped-def]
        asked.add(type(command))
        return ask(self, command, says, allowed=allowed)

    monkeypatch.setattr(AnyReview, "ask", listening)
    assert run(seed=1, steps=1_500) > 1_000
    assert asked == set(ALL)


def _without(guard: Callable[..., object]) -> Mutate:
    def mutate(patch: pytest.MonkeyPatch) -> None:
        moves = {
            pair: replace(move, guards=tuple(one for one in move.guards if one is not guard))
            for pair, move in states.MOVES.items()
        }
        patch.setattr(states, "MOVES", MappingProxyType(moves))

    return mutate


def _votes_survive(patch: pytest.MonkeyPatch) -> None:
    new_content = evolution._new_content

    def keeps_votes(output, event, *more, **named):  # type: ignore[no-untyped-def]
        return {**new_content(output, event, *more, **named), "votes": output.votes, "state": output.state}

    patch.setattr(evolution, "_new_content", keeps_votes)


def _anybody_revises(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(evolution, "refused_to_agent", lambda output, agent_id: None)


def _less_is_needed(patch: pytest.MonkeyPatch) -> None:
    opened = evolution.opened

    def forgets(output, event):  # type: ignore[no-untyped-def]
        return {**opened(output, event), "needed": event.needed}

    patch.setattr(states, "opened", forgets)
    patch.setitem(evolution.APPLIES, evolution.ReviewOpened, lambda output, event, _: forgets(output, event))
    patch.setattr(effects, "opening", _opening_as_now)


def _opening_as_now(output, command):  # type: ignore[no-untyped-def]
    judged = command.judgement
    return evolution.ReviewOpened(
        output_id=output.output_id,
        revision=output.revision,
        content_hash=output.content_hash,
        policy=judged.policy,
        mode=judged.mode,
        needed=judged.needed,
        deadline=judged.deadline,
        findings=judged.findings,
    )


def _a_rule_forgets_the_person(patch: pytest.MonkeyPatch) -> None:
    opened = evolution.opened
    patch.setattr(states, "opened", lambda output, event: {**opened(output, event), "for_person": False})
    patch.setitem(
        evolution.APPLIES,
        evolution.ReviewOpened,
        lambda output, event, _: {**opened(output, event), "for_person": False},
    )


MUTANTS = {
    "an approval does not look at the hash": _without(guards.content_is_current),
    "one person votes twice": _without(guards.is_a_new_voter),
    "authors approve their own text": _without(guards.is_not_an_author),
    "a lost claim decides": _without(guards.lease_is_not_lost),
    "two claim one output": _without(guards.lease_is_free_or_own),
    "what a rule found is passed over": _without(guards.nothing_was_found_in_it),
    "a rule decides what is a person's": _without(guards.the_rules_decide_it),
    "a rule decides what somebody works on": _without(guards.nobody_works_on_it),
    "a start does not count the votes": _without(guards.enough_have_approved),
    "a start does not count the day": _without(guards.limits_are_kept),
    "a dry run is sent": _without(guards.it_is_to_be_sent),
    "a stop is passed over": _without(guards.publication_is_not_stopped),
    "what is over is sent": _without(guards.is_due),
    "a machine sends again after an uncertain send": _without(guards.a_machine_may_retry),
    "a late worker speaks for the newest attempt": _without(guards.attempt_is_current),
    "an edit keeps the votes": _votes_survive,
    "an agent may do anything at any time": _anybody_revises,
    "a milder policy asks for less": _less_is_needed,
    "a rule approves what was a person's": _a_rule_forgets_the_person,
}


@pytest.mark.parametrize("mutate", MUTANTS.values(), ids=MUTANTS)
def test_a_broken_table_is_caught(mutate: Mutate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any one of these guards the model and the table come apart."""
    mutate(monkeypatch)
    with pytest.raises(AssertionError):
        run(seed=1, steps=STEPS)
