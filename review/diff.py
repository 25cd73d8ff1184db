"""What changed between two texts, word by word or line by line.

rapidfuzz, not difflib: difflib takes 0.84 s for 500 hostile tokens and was not done with 5,000 after ten minutes.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from rapidfuzz.distance import Indel

_TOKENS = re.compile(r"\w+|\s+|[^\w\s]")


class Change(NamedTuple):
    """A part of a diff.

    Attributes:
        what: Whether the text stands in both, only in the old or only in the new one.
        text: The text.
    """

    what: Literal["equal", "delete", "insert"]
    text: str


def words(old: str, new: str) -> tuple[Change, ...]:
    """The changes by words: `equal` and `delete` joined make the old text, `equal` and `insert` the new one."""
    before, after = _TOKENS.findall(old), _TOKENS.findall(new)
    changes: list[Change] = []
    for step in Indel.opcodes(*_numbered(before, after)):
        if step.tag == "insert":
            changes.append(Change("insert", "".join(after[step.dest_start : step.dest_end])))
        else:
            kept = "".join(before[step.src_start : step.src_end])
            changes.append(Change("equal" if step.tag == "equal" else "delete", kept))
    return tuple(changes)


def lines(old: str, new: str) -> tuple[Change, ...]:
    """The changes by lines, a `Change` for each, without its line end; what goes stands before what comes."""
    before, after = old.split("\n"), new.split("\n")
    changes: list[Change] = []
    coming: list[Change] = []
    for step in Indel.opcodes(*_numbered(before, after)):
        if step.tag == "insert":
            coming += [Change("insert", line) for line in after[step.dest_start : step.dest_end]]
        elif step.tag == "equal":
            changes += [*coming, *(Change("equal", line) for line in before[step.src_start : step.src_end])]
            coming = []
        else:
            changes += [Change("delete", line) for line in before[step.src_start : step.src_end]]
    return (*changes, *coming)


def _numbered(*texts: list[str]) -> list[list[int]]:
    """The same number for the same part and for no other: rapidfuzz compares hashes; to it NUL is the empty text."""
    numbers: dict[str, int] = {}
    return [[numbers.setdefault(part, len(numbers)) for part in text] for text in texts]
