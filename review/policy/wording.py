"""How phrases are looked for: without case, and without what nobody sees.

Two texts that a person reads as the same words should compare equal, so a text is first made plain:

- compatibility decomposition (NFKD), case folding, and no combining marks: wide, joined and styled letters are
  the plain ones. NFKD and not NFKC, so that no mark that is appended to a text can change the letter before it;
- code points of `capture.invisible` are taken out, and line ends and blanks of any kind and number are one blank;
- typographic quotes and dashes are the ones of the keyboard: a model writes the curved apostrophe where a
  person types the straight one.

Letters of two scripts that look alike stay two letters. A phrase is looked for as it stands: it is no pattern.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from capture import HIDDEN_CLASS

_KEYBOARD = str.maketrans(
    dict.fromkeys("\u2018\u2019\u201a\u201b\u02bc\u2032\u00b4\u0060\uff07", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u201f\u2033", '"')
    | dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-")
)
_BLANKS = re.compile(r"\s+")
_FILLERS = re.compile("[\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0]")  # invisible, but as wide as a blank
_UNSEEN = re.compile(f"[{HIDDEN_CLASS}]")
_NO_LETTERS = ("Mn", "Me", "Cn")


@lru_cache(maxsize=128)
def plain(text: str, *, filler: str = "") -> str:
    """A text as it is compared.

    Args:
        text: Any text.
        filler: What stands for letters without a shape: nothing, or a blank.
    """
    text = text.translate(_KEYBOARD)
    if not text.isascii():
        text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold()).translate(_KEYBOARD)
        text = _FILLERS.sub(filler, text)
        text = "".join(c for c in text if c.isascii() or unicodedata.category(c) not in _NO_LETTERS)
    text = _BLANKS.sub(" ", text.casefold())
    return _BLANKS.sub(" ", _UNSEEN.sub("", text))


def phrases_in(text: str, phrases: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the phrases that a text contains, as a reader would see it."""
    if not phrases:
        return ()
    forms = {plain(text), plain(text, filler=" ")}
    return tuple(phrase for phrase in phrases if any(plain(phrase).strip() in form for form in forms))
