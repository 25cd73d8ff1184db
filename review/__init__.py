"""Decisions: what may go out, and who said so. The public names; each is imported when it is first asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from review.desk import ReviewDesk
    from review.output import Output, State
    from review.policy.rules import Policy
    from review.publication.publisher import Publisher, Receipt
    from review.publication.worker import PublishingWorker
    from review.refusals import Accepted, Refusal
    from review.states import decide, evolve
    from review.waiting import Verdict, wait, wait_async

_HOMES = {
    "Accepted": "review.refusals",
    "Output": "review.output",
    "Policy": "review.policy.rules",
    "Publisher": "review.publication.publisher",
    "PublishingWorker": "review.publication.worker",
    "Receipt": "review.publication.publisher",
    "Refusal": "review.refusals",
    "ReviewDesk": "review.desk",
    "State": "review.output",
    "Verdict": "review.waiting",
    "decide": "review.states",
    "evolve": "review.states",
    "wait": "review.waiting",
    "wait_async": "review.waiting",
}

__all__ = [
    "Accepted",
    "Output",
    "Policy",
    "Publisher",
    "PublishingWorker",
    "Receipt",
    "Refusal",
    "ReviewDesk",
    "State",
    "Verdict",
    "decide",
    "evolve",
    "wait",
    "wait_async",
]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
