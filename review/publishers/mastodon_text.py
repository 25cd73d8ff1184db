"""How Mastodon reads a text: what it would change, and how long it counts it."""

from __future__ import annotations

import re
import unicodedata

LINK = 23
"""A link counts so many characters, however long it is."""

_STRIPPED = "\0\t\n\v\f\r "
"""What a server takes away at both ends of a text before it keeps it (Ruby's `String#strip`)."""

_LINKS = re.compile(r"https?://\S+", re.IGNORECASE)
_ELSEWHERE = re.compile(r"(?<![\w/])(@[\w.-]+)@[\w.-]+")
_JOINER = "\u200d"


def would_change(text: str) -> bool:
    """True when a server would keep another text than the one that it was sent.

    Args:
        text: What would be posted.
    """
    return text.strip(_STRIPPED) != text


def shortest_count(text: str) -> int:
    """The least that a server can count for a text, in its characters: what is longer than its limit it refuses.

    A server counts what a reader sees as one character (a grapheme cluster) once, a link as 23, and of a name elsewhere
    (`@user@host`) the first half. Where the rules of Unicode are finer than these, less is counted here.

    Args:
        text: What would be posted.
    """
    links = len(_LINKS.findall(text))
    rest = _ELSEWHERE.sub(r"\1", _LINKS.sub("", text))
    short = sum(min(len(link), LINK) for link in _LINKS.findall(text)) if links else 0
    return short + _clusters(rest.replace("\r\n", "\n"))


def _clusters(text: str) -> int:
    count, flags, before = 0, 0, ""
    for character in text:
        flag = "\U0001f1e6" <= character <= "\U0001f1ff"
        flags += flag
        joined = before == _JOINER or (
            before != "" and unicodedata.combining(before) == 9
        )  # 9: a virama joins consonants
        if not (flag or joined or _extends(character)):
            count += 1
        before = character
    return count + (flags + 1) // 2


def _extends(character: str) -> bool:
    return (
        unicodedata.category(character) in ("Mn", "Mc", "Me", "Cf")
        or "\U0001f3fb" <= character <= "\U0001f3ff"  # tones of skin
        or "\u1100" <= character <= "\u11ff"  # letters that make up a syllable of Hangul
        or "\ua960" <= character <= "\ua97f"
        or "\ud7b0" <= character <= "\ud7ff"
    )
