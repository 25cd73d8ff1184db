"""What changed between two texts, word by word.

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
    """The changes from one text to another: `equal` and `delete` make the old one, `equal` and `insert` the new one."""
    before, after = _TOKENS.findall(old), _TOKENS.findall(new)
    changes: list[Change] = []
    for tag, old_from, old_to, new_from, new_to in Indel.opcodes(before, after):
        if tag == "insert":
            changes.append(Change("insert", "".join(after[new_from:new_to])))
        else:
            changes.append(Change("equal" if tag == "equal" else "delete", "".join(before[old_from:old_to])))
    return tuple(changes)
