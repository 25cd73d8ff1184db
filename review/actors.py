"""Who may be named as the person behind a decision.

The name goes into the log for ever and onto other people's screens. So it must look like what it is: no two names that
differ only in what nobody sees, and none that belongs to copydesk itself (`system`, `policy:…`, `agent:…`).
"""

from __future__ import annotations

import unicodedata

from review.refusals import Refusal

MAX = 100
"""The longest name, in characters."""

_RESERVED = frozenset({"system", "desk", "copydesk"})
_JOINS = frozenset(" .@+'_-\\")
# Letters by their category, blanks by their look: the fillers of Hangul, and vowel signs that Khmer no longer writes.
_UNSEEN = frozenset("\u115f\u1160\u3164\uffa0\u17b4\u17b5\u034f") | {chr(c) for c in range(0xFE00, 0xFE10)}
_MIXED_UP = ("LATIN", "CYRILLIC", "GREEK")


def check_person(name: str) -> Refusal | None:
    """Refuse a name that no person can decide under.

    Args:
        name: What was given as the actor.

    Returns:
        None, or a refusal `ACTOR` that says what is wrong.
    """
    fault = _fault(name)
    if fault is None:
        return None
    return Refusal(
        "ACTOR", f"the name of a person {fault}, found {name!a:.80}", "give a plain name: --as NAME, or COPYDESK_ACTOR"
    )


def _fault(name: str) -> str | None:
    rules = (
        (0 < len(name) <= MAX, f"has 1 to {MAX} characters"),
        (name.casefold() not in _RESERVED, "is none that copydesk itself acts under"),
        (all(map(_may_stand_in_a_name, name)), "is made of letters, digits, blanks and . @ + ' _ - \\"),
        (name[:1] == "_" or _is(name[:1], "LN"), "begins with a letter or a digit"),
        (name[-1:] == "_" or _is(name[-1:], "LNM"), "ends with a letter or a digit"),
        (unicodedata.normalize("NFC", name) == name, "is in its composed form (NFC)"),
        (len({_script(character) for character in name} - {None}) <= 1, "has letters of one script only"),
    )
    return next((fault for holds, fault in rules if not holds), None)


def _is(character: str, categories: str) -> bool:
    return character != "" and unicodedata.category(character)[0] in categories


def _may_stand_in_a_name(character: str) -> bool:
    return character in _JOINS or (_is(character, "LNM") and character not in _UNSEEN)


def _script(character: str) -> str | None:
    # Only the scripts whose letters pass for each other: the Cyrillic letter looks like the Latin one.
    words = unicodedata.name(character, "").split(" ", 1)[0]
    return words if words in _MIXED_UP else None
