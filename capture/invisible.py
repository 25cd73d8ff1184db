"""Which code points nobody sees, or a screen would obey: one table, for what is shown and for what is compared.

`str.isprintable` and the Unicode categories let ten kinds of invisible characters through (U+034F, U+115F, U+17B4,
U+180B, U+2800, U+3164, U+FE0F, U+FFA0, U+E0100 …), so the table is our own.
"""

from __future__ import annotations

import re
import unicodedata

# First and last code point, and what they are.
HIDDEN: tuple[tuple[int, int, str], ...] = (
    (0x00, 0x1F, "C0 controls: ESC, BEL, backspace, line ends"),
    (0x7F, 0x9F, "DEL and C1 controls: one-byte CSI and OSC, NEL"),
    (0xA0, 0xA0, "no-break space"),
    (0xAD, 0xAD, "soft hyphen"),
    (0x034F, 0x034F, "combining grapheme joiner"),
    (0x0600, 0x0605, "Arabic number signs: format characters"),
    (0x061C, 0x061C, "Arabic letter mark: bidirectional"),
    (0x06DD, 0x06DD, "Arabic end of ayah: a format character"),
    (0x070F, 0x070F, "Syriac abbreviation mark"),
    (0x0890, 0x0891, "Arabic currency marks above: format characters"),
    (0x08E2, 0x08E2, "Arabic disputed end of ayah"),
    (0x115F, 0x1160, "Hangul fillers: letters without a shape"),
    (0x1680, 0x1680, "Ogham space"),
    (0x17B4, 0x17B5, "Khmer inherent vowels: without a shape"),
    (0x180B, 0x180F, "Mongolian variation selectors and vowel separator"),
    (0x2000, 0x200A, "blanks of other widths"),
    (0x200B, 0x200F, "zero-width characters, left-to-right and right-to-left marks"),
    (0x2028, 0x2029, "line and paragraph separators"),
    (0x202A, 0x202E, "bidirectional embeddings and overrides"),
    (0x202F, 0x202F, "narrow no-break space"),
    (0x205F, 0x205F, "mathematical space"),
    (0x2060, 0x206F, "word joiner, invisible operators, bidirectional isolates, deprecated format characters"),
    (0x2800, 0x2800, "Braille pattern without dots"),
    (0x2E3A, 0x2E3B, "dashes two and three characters wide"),
    (0x3000, 0x3000, "ideographic space"),
    (0x3164, 0x3164, "Hangul filler"),
    (0xD800, 0xDFFF, "surrogates: no characters"),
    (0xE000, 0xF8FF, "private use"),
    (0xFDD0, 0xFDEF, "no characters"),
    (0xFDFA, 0xFDFB, "ligatures many characters wide"),
    (0xFDFD, 0xFDFD, "a ligature many characters wide"),
    (0xFE00, 0xFE0F, "variation selectors"),
    (0xFEFF, 0xFEFF, "zero-width no-break space, byte order mark"),
    (0xFFA0, 0xFFA0, "half-width Hangul filler"),
    (0xFFF0, 0xFFFC, "specials: annotation, object replacement"),
    (0xFFFE, 0xFFFF, "no characters"),
    (0x110BD, 0x110BD, "Kaithi number sign: a format character"),
    (0x110CD, 0x110CD, "Kaithi number sign above"),
    (0x12000, 0x1254F, "cuneiform: one sign is up to ten characters wide"),
    (0x13430, 0x1345F, "Egyptian hieroglyph format controls"),
    (0x16FE4, 0x16FE4, "Khitan small script filler"),
    (0x1BCA0, 0x1BCA3, "shorthand format controls"),
    (0x1D159, 0x1D159, "musical symbol without a shape"),
    (0x1D173, 0x1D17A, "musical format controls"),
    *((plane << 16 | 0xFFFE, plane << 16 | 0xFFFF, "no characters") for plane in range(1, 14)),
    (0xE0000, 0xE0FFF, "tags, variation selectors: ASCII that models read and people do not see"),
    (0xEFFFE, 0xEFFFF, "no characters"),
    (0xF0000, 0x10FFFF, "private use"),
)
"""What is shown as an escape, whatever stands around it. A code point that Unicode has not given out is, too."""

HIDDEN_CLASS = "".join(f"{chr(first)}-{chr(last)}" for first, last, _ in HIDDEN)
"""The same as the inside of a character class of a regular expression."""

_HIDDEN = re.compile(f"[{HIDDEN_CLASS}]")


def is_hidden(character: str) -> bool:
    """True when a character is shown as an escape wherever it stands."""
    return _HIDDEN.match(character) is not None or unicodedata.category(character) == "Cn"
