"""How long a text is for X: twitter-text's version 3 configuration.

Each code point of the composed form (NFC) has weight 100 in the ranges of the configuration and 200 elsewhere, an
emoji 200 however many code points it is made of, and a link 2,300 however long it is; 100 is one character.

X knows every top-level domain; we do not. A link with its scheme counts as one when its host looks like one. A host
without a scheme counts 23 characters or its own length, whichever is more: so a text that is too long for X may be
found too long here when it is not, but hardly ever the other way round.
"""

from __future__ import annotations

import re
import unicodedata

SCALE, DEFAULT, LINK = 100, 200, 2_300
RANGES = ((0, 4351), (8192, 8205), (8208, 8223), (8242, 8247))
"""Code points with weight 100, from first to last."""

_LABEL = r"[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?"
_WIDE_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_PATH = (
    r"(?:/[a-z0-9!*';:=+,.$/%#\[\]\-_~@|&()]*[a-z0-9=_#/+\-]|/)?"
    r"(?:\?[a-z0-9!?*'();:&=+$/%#\[\]\-_.,~|@]*[a-z0-9_&=#/\-])?"
)
_HOST_ENDS = r"(?![\w@\uff20-])(?::[0-9]+)?"
_LINKS = re.compile(
    rf"(?P<whole>(?<![a-z0-9@\uff20$#\uff03])https?://(?:{_WIDE_LABEL}\.)+(?:[^\W\d_]{{2,63}}|xn--[a-z0-9-]{{2,59}})"
    rf"{_HOST_ENDS}{_PATH})"
    rf"|(?P<bare>(?<![\w@\uff20$#\uff03./-])(?:{_LABEL}\.)+(?:[a-z]{{2,63}}|xn--[a-z0-9-]{{2,59}})"
    rf"{_HOST_ENDS}{_PATH})",
    re.IGNORECASE,
)
_TONE = "[\U0001f3fb-\U0001f3ff]"
_PICTURE = (
    "[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u23ff\u24c2\u25aa-\u27bf\u2934\u2935"
    "\u2b05-\u2b55\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
)
_ONE = f"{_PICTURE}(?:\ufe0f|{_TONE})?"
# Four pictures are the most that one emoji joins: who joins more has written several.
_EMOJI = re.compile(
    "[\U0001f1e6-\U0001f1ff]{2}"
    "|[0-9#*]\ufe0f?\u20e3"
    "|\U0001f3f4[\U000e0061-\U000e007a]{2,6}\U000e007f"
    f"|(?![\u00a9\u00ae\u203c\u2049\u2122\u2139\u3030\u303d](?!\ufe0f)){_ONE}(?:\u200d{_ONE}){{0,3}}"
)


def x_weight(text: str) -> int:
    """The length of a text as X counts it, in characters."""
    text = unicodedata.normalize("NFC", text)
    total = at = 0
    for link in _LINKS.finditer(text):
        total += _plain(text[at : link.start()])
        host = re.match(r"https?://([^/:?]*)", link[0], re.IGNORECASE)
        if link["whole"] and host is not None and all(_short(label) for label in host[1].split(".")):
            total += LINK
        else:
            total += max(LINK if link["bare"] else 0, _plain(link[0]))
        at = link.end()
    return (total + _plain(text[at:]) + SCALE - 1) // SCALE


def _short(label: str) -> bool:
    # A label of a host has at most 63 bytes as it is looked up.
    return len(label) <= 63 if label.isascii() else len(label.encode("punycode")) + len("xn--") <= 63


def _plain(text: str) -> int:
    if text.isascii():
        return len(text) * SCALE
    total = at = 0
    for emoji in _EMOJI.finditer(text):
        total += _points(text[at : emoji.start()]) + DEFAULT
        at = emoji.end()
    return total + _points(text[at:])


def _points(text: str) -> int:
    return sum(
        SCALE if any(first <= ord(character) <= last for first, last in RANGES) else DEFAULT for character in text
    )
