"""How review goes: what waits, how long decisions take, and how they fall. Computed from outputs as they stream by."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rapidfuzz.distance import Levenshtein

from review.output import BY_POLICY, Entry, Output, State

VERDICTS = {
    "review.approved": "approved",
    "review.changes_requested": "changes_requested",
    "review.rejected": "rejected",
}
"""The events that are verdicts, and what they say."""

GROUPS = ("agent", "channel", "identity", "reviewer")
"""By what the figures can be told apart."""

_COMPARED = 10_000  # characters; longer bodies are compared up to here


@dataclass
class Figures:
    """Figures of some outputs.

    Attributes:
        outputs: How many there are.
        waiting: How many of them wait for a verdict.
        oldest: When that was submitted which has waited longest.
        verdicts: How many of each kind were given.
        reasons: The reason codes of those that were no approvals.
        seconds: From when a revision was first shown to its verdict; a rule's verdicts are not among them.
        edits: How far a reviewer's body is from the one before it: 0 for equal, 1 for nothing in common.
        days: Verdicts by day, UTC.
    """

    outputs: int = 0
    waiting: int = 0
    oldest: datetime | None = None
    verdicts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    edits: list[float] = field(default_factory=list)
    days: Counter[str] = field(default_factory=Counter)

    @property
    def decided(self) -> int:
        """How many verdicts there were."""
        return self.verdicts.total()

    @property
    def approval_rate(self) -> float | None:
        """Which part of the verdicts was approval; None without any."""
        return self.verdicts["approved"] / self.decided if self.decided else None

    def waits(self, output: Output) -> None:
        """Count an output, and whether it waits."""
        self.outputs += 1
        if output.state is State.PENDING:
            self.waiting += 1
            if output.submitted_at is not None and (self.oldest is None or output.submitted_at < self.oldest):
                self.oldest = output.submitted_at

    def verdict(self, entry: Entry, shown: datetime | None) -> None:
        """Count a verdict."""
        self.verdicts[VERDICTS[entry.what]] += 1
        self.days[entry.at.date().isoformat()] += 1
        if entry.what != "review.approved" and entry.reason_code is not None:
            self.reasons[entry.reason_code] += 1
        if shown is not None and not entry.by.startswith(BY_POLICY):
            self.seconds.append((entry.at - shown).total_seconds())

    def median_seconds(self) -> float | None:
        """Half of the decisions took no longer."""
        return statistics.median(self.seconds) if self.seconds else None

    def p90_seconds(self) -> float | None:
        """Nine of ten decisions took no longer."""
        return sorted(self.seconds)[-(-len(self.seconds) * 9 // 10) - 1] if self.seconds else None

    def mean_edit(self) -> float | None:
        """How far edits went, on average."""
        return statistics.fmean(self.edits) if self.edits else None


def gather(outputs: Iterable[Output], by: str | None = None, since: datetime | None = None) -> dict[str, Figures]:
    """The figures of outputs, of all together under the empty name, and of each group.

    Args:
        outputs: They are read once.
        by: One of `GROUPS`; none when left out.
        since: Only verdicts and edits from then on; what waits is always counted.
    """
    found: dict[str, Figures] = {"": Figures()}
    key = _KEYS.get(by or "")

    def groups(output: Output, entry: Entry | None) -> list[Figures]:
        mine = [found[""]]
        name = None if by is None else entry.by if by == "reviewer" and entry else key(output) if key else None
        return mine if name is None else [*mine, found.setdefault(name, Figures())]

    for output in outputs:
        for figures in groups(output, None):
            figures.waits(output)
        shown: dict[int, datetime] = {}
        for entry in output.history:
            if entry.what == "review.shown":
                shown.setdefault(entry.revision, entry.at)
            elif since is not None and entry.at < since:
                continue
            elif entry.what in VERDICTS:
                for figures in groups(output, entry):
                    figures.verdict(entry, shown.get(entry.revision))
            elif entry.what == "review.edited":
                distance = _edit_distance(output, entry.revision)
                for figures in groups(output, entry):
                    figures.edits.append(distance)
    return found


def last_days(figures: Figures, today: datetime, days: int = 14) -> list[int]:
    """How many verdicts each of the last days had, today last."""
    return [figures.days[(today - timedelta(days=back)).date().isoformat()] for back in range(days - 1, -1, -1)]


def sparkline(values: list[int]) -> str:
    """Numbers as bars, one a character; a dot stands for none."""
    most = max(values, default=0)
    return "".join("▁▂▃▄▅▆▇█"[-(-value * 8 // most) - 1] if value else "·" for value in values)


def _edit_distance(output: Output, revision: int) -> float:
    after, before = output.revisions[revision - 1], output.revisions[revision - 2]
    return float(Levenshtein.normalized_distance(before.body[:_COMPARED], after.body[:_COMPARED]))


_KEYS: dict[str, Callable[[Output], str]] = {
    "agent": lambda output: output.agent_id,
    "channel": lambda output: output.channel,
    "identity": lambda output: output.identity,
}
