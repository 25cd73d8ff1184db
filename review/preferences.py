"""What training learns from review: of two texts for the same occasion, which one people preferred. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

from review.output import Entry, Output, Revision, State

_WENT_ON = frozenset({State.APPROVED, State.PUBLISHING, State.PUBLISHED, State.UNCERTAIN, State.PUBLISH_FAILED})
_WAYS_BACK = frozenset({State.RETRACTING, State.RETRACTED})


class Preference(NamedTuple):
    """Two texts of which the second was preferred.

    Attributes:
        how: `edited`: a reviewer made it better; `revised`: its agent did, when changes were asked for; `replaced`: its
            agent drafted another output in its place.
        original: The text that was not good enough, as its agent wrote it.
        chosen: The text that was approved.
        reason_code: Why the original was not, if that was said.
        note: The same in words.
        reviewer: Who edited, or who turned the original down.
    """

    how: Literal["edited", "revised", "replaced"]
    original: str
    chosen: str
    reason_code: str | None
    note: str | None
    reviewer: str | None


def preferences(output: Output, other: Callable[[str], Output | None]) -> Iterator[Preference]:
    """The pairs that an output makes; none unless its present content was approved.

    Args:
        output: The output.
        other: Finds another output by its id: the one whose place it took.
    """
    if output.state not in _WENT_ON | _WAYS_BACK or not output.drafted:
        return
    chosen = output.current
    for revision in output.revisions[:-1]:
        after = output.revisions[revision.number]
        if revision.edited or revision.body == chosen.body:
            continue
        refused = _refusal(output, revision)
        if after.edited:
            yield Preference("edited", revision.body, chosen.body, None, after.note, after.made_by)
        elif refused is not None:
            yield _turned_down("revised", revision.body, chosen, refused)
    before = None if output.supersedes is None else other(output.supersedes)
    if before is None or not before.drafted or before.state is not State.REJECTED:
        return
    refused = _refusal(before, before.current)
    if refused is not None and before.body != chosen.body:
        yield _turned_down("replaced", before.body, chosen, refused)


def _refusal(output: Output, revision: Revision) -> Entry | None:
    kinds = ("review.changes_requested", "review.rejected")
    entries = (entry for entry in output.history if entry.what in kinds and entry.revision == revision.number)
    return next(entries, None)


def _turned_down(how: Literal["revised", "replaced"], original: str, chosen: Revision, why: Entry) -> Preference:
    return Preference(how, original, chosen.body, why.reason_code, why.note, why.by)
