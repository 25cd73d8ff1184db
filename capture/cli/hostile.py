r"""Agent output is hostile: what a screen must never obey, hide or mix up is shown as a visible escape.

The rule is one own table over all code points. `str.isprintable` and the Unicode categories let ten kinds of invisible
characters through (U+034F, U+115F, U+17B4, U+180B, U+2800, U+3164, U+FE0F, U+FFA0, U+E0100 …), and a terminal obeys
what it is sent: an escape sequence moves the cursor, renames the window, or types for the user.

An escape is `\u{1b}`, short for a few (`\n`, `\r`, `\t`), and the backslash itself is `\\`: so a text can be read back
from what is shown, and two texts that differ never look equal by what is hidden. Letters that look alike in two
scripts stay letters; `mixed_scripts` names them. Right-to-left letters stay letters too, in the order of the text: a
terminal that reorders them does so by itself.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from capture.invisible import HIDDEN_CLASS, is_hidden

MAX_MARKS = 4
"""How many combining marks are drawn over one character; more would cover the lines around it."""

GUTTER = "│ "
"""Stands before every line of content, outside its column: content can't forge a prompt, a frame or a verdict."""

CONTINUED = "↳"
"""Stands after the gutter where a line was too wide for the screen; a content's own `↳` there is escaped."""

_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t", "\\": r"\\"}
_HIDDEN = re.compile(f"[{HIDDEN_CLASS}]")
_IN_HTML = str.maketrans({"<": r"\u003c", ">": r"\u003e", "&": r"\u0026"})
_PLAIN = re.compile(r"[ -\[\]-~]*")
_SCRIPTS_THAT_LOOK_ALIKE = frozenset({"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "COPTIC", "CHEROKEE"})


def visible(text: str, *, goes_on: bool = False) -> str:
    """One line of text as a screen may show it; line ends are escapes, too.

    Args:
        text: Any string, lone surrogates included.
        goes_on: Something follows on the same line, so that a blank at the end is seen.

    Returns:
        Printable characters only. Different texts give different results.
    """
    if _PLAIN.fullmatch(text) and (goes_on or not text.endswith(" ")):
        return text
    return "".join(_shown(f"{text}.") if goes_on else _shown(text))[: -1 if goes_on else None]


def harmless(text: str) -> str:
    """A sentence of our own that quotes something: as `visible`, but a backslash stays one.

    Messages quote what was found as Python writes it; its backslashes need no second escape.
    """
    return visible(text).replace("\\\\", "\\")


def content_lines(text: str, width: int = 100) -> list[str]:
    """A content of several lines, each behind the gutter and none wider than the screen.

    Args:
        text: Any string. Its line ends (U+000A) are shown as line ends, everything else as `visible` shows it.
        width: The width of the screen, in columns, gutter included; at least 20.

    Returns:
        At least one line. A line that goes on from the one above begins with the gutter and `↳`.
    """
    return ["".join(run for run, _ in row) for row in marked_lines(text, (), width)]


def marked_lines(text: str, marked: Sequence[bool], width: int = 100) -> list[list[tuple[str, bool]]]:
    """As `content_lines`, in runs of characters that are marked and that are not; the gutter is a run of its own.

    Args:
        text: Any string.
        marked: Whether each of its characters is; those that it does not reach are not.
        width: The width of the screen, in columns, gutter included; at least 20.
    """
    room = max(width, 20) - len(GUTTER)
    lines = []
    start = 0
    for line in text.split("\n"):
        shown = list(_shown(line))
        if shown and shown[0] == CONTINUED:
            shown[0] = _escape(CONTINUED)
        row, used, own = [(GUTTER, False)], 0, False
        for index, piece in enumerate(shown, start):
            mark = index < len(marked) and marked[index]
            # A blank in the last column would look like the gap that a wide character leaves there.
            for character in _escape(piece) if piece == " " and used == room - 1 else piece:
                columns = _columns(character)
                if used + columns > room:
                    lines.append(row)
                    row, used, own = [(GUTTER, False), (f"{CONTINUED} ", False)], 2, False
                if own and row[-1][1] == mark:
                    row[-1] = (row[-1][0] + character, mark)
                else:
                    row.append((character, mark))
                own = True
                used += columns
        lines.append(row)
        start += len(line) + 1
    return lines


def shorten(text: str, columns: int) -> str:
    """The beginning of a line as `visible` shows it; `…` stands at its end when it was cut.

    Args:
        text: Any string.
        columns: The most columns that the result takes; at least 1.
    """
    shown: list[str] = []
    used = 0
    for piece in _shown(text):
        width = sum(map(_columns, piece))
        if used + width > columns:
            while shown and used > columns - 1:
                used -= sum(map(_columns, shown.pop()))
            return "".join(shown) + "…"
        shown.append(piece)
        used += width
    return "".join(shown)


def fit(text: str, columns: int) -> str:
    """As `shorten`, filled with blanks to the whole width."""
    shown = shorten(text, columns)
    return shown + " " * (columns - sum(map(_columns, shown)))


def json_safe(text: str) -> str:
    r"""JSON text in which everything hidden is a JSON escape (`\u202e`): the same value, and safe on a screen.

    Args:
        text: JSON, as `json.dumps(..., ensure_ascii=False)` makes it.
    """
    return text if text.isascii() and "\x7f" not in text else _HIDDEN.sub(_json_escape, text)


def json_embedded(text: str) -> str:
    r"""As `json_safe`, and what would end a script block or begin a comment in HTML is an escape too (`\u003c`).

    A line of `--json` may then stand in a page as it is. Outside of its texts JSON has none of these characters.
    """
    return json_safe(text).translate(_IN_HTML)


def mixed_scripts(text: str) -> tuple[str, ...]:
    """The scripts whose letters look alike, when a text mixes two or more of them (a Cyrillic a in `paypal`).

    Returns:
        Their names in alphabetical order; empty when there is nothing to warn of.
    """
    if text.isascii():
        return ()
    names = {unicodedata.name(letter, "").partition(" ")[0] for letter in set(text) if letter.isalpha()}
    found = sorted(names & _SCRIPTS_THAT_LOOK_ALIKE)
    return tuple(name.capitalize() for name in found) if len(found) > 1 else ()


def _shown(text: str) -> Iterator[str]:
    """Each character as it is drawn, or its escape."""
    cluster, marks = "", 0  # what a combining mark would be drawn over, and how many are
    last = len(text) - 1
    for index, character in enumerate(text):
        if " " < character <= "~":
            yield _SHORT.get(character, character)
            cluster, marks = "" if character == "\\" else character, 0
        elif character == " ":
            # At the end of a line a blank would be seen by nobody.
            yield _escape(character) if index == last else character
            cluster = ""
        elif is_hidden(character):
            yield _escape(character)
            cluster = ""
        elif unicodedata.category(character)[0] == "M":
            marks += 1
            if cluster and marks <= MAX_MARKS and unicodedata.is_normalized("NFC", cluster + character):
                cluster += character
                yield character
            else:
                yield _escape(character)
        elif unicodedata.is_normalized("NFC", cluster[:1] + character):
            cluster, marks = character, 0
            yield character
        else:
            # Another spelling of a character (K for kelvin, jamo for a syllable) looks like the usual one.
            yield _escape(character)
            cluster = ""


def _escape(character: str) -> str:
    return _SHORT.get(character) or f"\\u{{{ord(character):x}}}"


def _json_escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


def _columns(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
