"""The judge of the fault campaigns: pure, apart from what it judges, fed with two lists that others wrote down.

The one list holds the ids whose `emit` or `append` had returned, the other the rows of the log. Neither is made here,
and nothing of copydesk is called: a judge that shares code with the accused shares its errors.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise

Row = tuple[int, str]
"""A row of the log: position and event id."""


def faults(acknowledged: Iterable[str], rows: Sequence[Row], *, never: Collection[str] = ()) -> list[str]:
    """What is wrong with a log after everything has been recovered; empty when every promise was kept.

    Args:
        acknowledged: The ids that somebody was told are safe.
        rows: All rows of the log, in the order of their positions.
        never: Ids of transactions that were rolled back: no row may have one.

    Returns:
        Sentences, one for each broken promise.
    """
    told, found = list(acknowledged), Counter(event_id for _, event_id in rows)
    wrong = []
    lost = [event_id for event_id in told if event_id not in found]
    if lost:
        wrong.append(f"{len(lost):,} of {len(told):,} acknowledged events are lost, {lost[0]} first")
    twice = [event_id for event_id, count in found.items() if count > 1]
    if twice:
        wrong.append(f"{len(twice):,} events are there more than once, {twice[0]} first")
    if len(set(told)) != len(told):
        wrong.append("one id was acknowledged for two events")
    risen = [event_id for event_id in never if event_id in found]
    if risen:
        wrong.append(f"{len(risen):,} events of transactions that were rolled back are there, {risen[0]} first")
    gap = next((number for number, (position, _) in enumerate(rows, start=1) if position != number), None)
    if gap is not None:
        wrong.append(f"position {gap:,} was expected and {rows[gap - 1][0]:,} found: positions are not dense")
    return wrong


def skipped(seen: Sequence[Row], rows: Sequence[Row]) -> list[str]:
    """What a tailing reader missed or saw out of order, against the rows that were there in the end."""
    if list(seen) == list(rows):
        return []
    missed = set(rows) - set(seen)
    first = next(iter(sorted(missed)), None) or next(a for a, b in zip(seen, rows, strict=False) if a != b)
    return [f"a reader missed {len(missed):,} of {len(rows):,} events or saw them out of order, {first} first"]


def disordered(emitted: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """Whether the events of one thread stand in the log in another order than that in which it emitted them."""
    place = {event_id: position for position, event_id in rows}
    places = [place[event_id] for event_id in emitted if event_id in place]
    turned = sum(later < earlier for earlier, later in pairwise(places))
    return [f"{turned:,} events of one thread stand before an earlier one"] if turned else []
