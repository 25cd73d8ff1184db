"""Long runs of the review machine by a plain seeded generator: hypothesis shrinks, this one is fast.

Every rule of the machine is called, with arguments drawn from the same values.
"""

from __future__ import annotations

import inspect
import random
from typing import Any

from tests.properties.review_model import DRAWN, REASON, Says
from tests.properties.review_sending import AnyReview, Confirm, Fail, Lose, Rehearse, Retry, Start

VALUES: dict[str, list[Any]] = {
    "actor": ["ana", "ana", "bob", "bob", "cleo", "dan", "vera"],
    "body": ["one", "two", "three"],
    "seen": [True, True, True, True, False],
    "late": [0, 0, 0, 1],
    "spite": [None, None, "o0"],
    "changes": [True, False],
    "reason": [REASON, REASON, {}],
    "note": ["outdated", "seen", "wrong link", None],
    "send": [Start, Start, Start, Rehearse, Retry],
    "end": [Confirm, Confirm, Fail, Lose],
    "wrong": [{}, {}, {"stopped": "an incident"}, {"missing_media": ("a" * 64,)}],
    "operator": [None, None, "bob", "vera"],
    "outcome": ["published", "failed"],
    "flags": [True, False],
    "agent": ["agent", "agent", "other"],
    "drafted_at": [0, 99],
    "minutes": [1, 5, 20, 90],
}
# What ends a run, or only lets time pass, comes more seldom than what goes on.
SELDOM, LESS = ("withdraw", "take_back", "supersede", "come_late"), ("turn_down", "wait")
WEIGHTS = dict.fromkeys(SELDOM, 1) | dict.fromkeys(LESS, 2)
WEIGHTS |= {"go_on": 12, "approve": 8, "start": 12}


def rules() -> dict[str, list[str]]:
    """The machine's rules, each with the names of its arguments."""
    found = {}
    for name, member in inspect.getmembers(AnyReview, inspect.isfunction):
        if hasattr(member, "hypothesis_stateful_rule"):
            found[name] = [argument for argument in inspect.signature(member).parameters if argument != "self"]
    return found


def run(seed: int, steps: int, *, each: int = 40) -> int:
    """Go so many steps, a new output after each so many; every invariant is asked after every step.

    Returns:
        How many commands were asked.
    """
    rng = random.Random(seed)
    arguments = rules()
    names = [name for name in arguments for _ in range(WEIGHTS.get(name, 4))]
    invariants = [
        name
        for name, member in inspect.getmembers(AnyReview, inspect.isfunction)
        if hasattr(member, "hypothesis_stateful_invariant")
    ]
    asked = 0
    for start in range(0, steps, each):
        machine = AnyReview()
        machine.drafted("one")
        for _ in range(min(each, steps - start)):
            name = rng.choice(names)
            if name in ("withdraw", "take_back", "supersede") and machine.steps < 12:
                name = "go_on"
            getattr(machine, name)(**{argument: _drawn(rng, argument) for argument in arguments[name]})
            for invariant in invariants:
                getattr(machine, invariant)()
        asked += machine.steps
    return asked


def _drawn(rng: random.Random, argument: str) -> Any:
    if argument == "says":
        return Says(**{name: rng.choice(values) for name, values in DRAWN.items()})
    return rng.choice(VALUES[argument])
