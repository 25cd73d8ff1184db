"""What a screen shows of hostile text."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.cli import hostile

CASES = json.loads(Path(__file__).parents[2].joinpath("hostile.json").read_text(encoding="utf-8"))
ESCAPE = re.compile(r"\\(?:u\{([0-9a-f]+)\}|(.))", re.DOTALL)


def text_of(case: dict) -> str:
    """The text of a line of hostile.json: some are hexadecimal bytes, some repeat between a prefix and a suffix."""
    if case.get("encoding") == "hex":
        return bytes.fromhex(case["value"]).decode("utf-8", "surrogateescape")
    repeat = min(int(case.get("repeat", 1)), 5000)
    return case.get("prefix", "") + case["value"] * repeat + case.get("suffix", "")


TERMINAL = [pytest.param(text_of(case), id=case["id"]) for case in CASES if "terminal" in case["surfaces"]]
any_text = st.text(st.characters(exclude_categories=()), max_size=60)
NASTY = "ab \\\n\t\x1b\u200b\u202e│↳u{}e\u0301\u0323\u00e9\u212b가각\u1100\u1161\u11a8\u4e2d\ud800"
nasty_text = st.text(st.sampled_from(NASTY), max_size=60)


def columns_of(shown: str) -> int:
    """How many columns a terminal gives a text: two to wide characters, none to marks."""
    marks = ("Mn", "Me")
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else unicodedata.category(c) not in marks for c in shown)


def read_back(shown: str) -> str:
    """The text that `visible` was given."""
    short = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\"}
    return ESCAPE.sub(lambda match: chr(int(match[1], 16)) if match[1] else short[match[2]], shown)


def on_screen(lines: list[str]) -> tuple[str, ...]:
    """What a person can tell apart: the lines without the blanks at their ends, in one Unicode spelling."""
    return tuple(unicodedata.normalize("NFC", line).rstrip(" ") for line in lines)


@pytest.mark.parametrize("text", TERMINAL)
def test_a_screen_gets_printable_characters_only(text: str) -> None:
    """Nothing that a terminal obeys, hides or reorders reaches it, whatever an agent wrote."""
    for line in [hostile.visible(text), *hostile.content_lines(text)]:
        assert line.isprintable()
        assert not any(hostile.is_hidden(character) for character in line)
        line.encode("utf-8")


@pytest.mark.parametrize("text", TERMINAL)
def test_content_stays_behind_its_gutter_and_inside_the_screen(text: str) -> None:
    """Each line of content begins with the gutter, and none is wider than the screen."""
    for line in hostile.content_lines(text, width=60):
        assert line.startswith("│ ")
        assert columns_of(line) <= 60


def test_the_table_holds_every_character_that_unicode_calls_invisible() -> None:
    """Controls, formats, surrogates, private use, separators and all blanks but U+0020 are in the table."""
    left_out = [
        f"U+{code:04X}"
        for code in range(0x110000)
        if unicodedata.category(chr(code)) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs")
        and code != 0x20
        and not hostile.is_hidden(chr(code))
    ]
    assert left_out == []


@pytest.mark.parametrize(
    "code",
    [0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x180B, 0x2800, 0x3164, 0xFE0F, 0xFFA0, 0xE0100, 0xE0069, 0xFFFC],
    ids=hex,
)
def test_what_isprintable_lets_through_is_hidden(code: int) -> None:
    """The ten kinds of invisible characters that Python calls printable, or letters, are shown as escapes."""
    assert hostile.visible(f"a{chr(code)}") == f"a\\u{{{code:x}}}"


@pytest.mark.parametrize(
    "text", ["Grüße, élan, ñandú", "Привет", "שלום", "नमस्ते", "日本語", "한국어", "👍🏽 ₹ ﷼", "สวัสดี"]
)
def test_ordinary_writing_stays_readable(text: str) -> None:
    """Text in any script is shown as it is."""
    assert hostile.visible(text) == text


@given(any_text | nasty_text)
def test_what_is_shown_can_be_read_back(text: str) -> None:
    """Two different texts never give the same line: the line says the text."""
    assert read_back(hostile.visible(text)) == text


@given(nasty_text, nasty_text)
def test_unequal_contents_never_look_equal(one: str, other: str) -> None:
    """Two contents that differ differ on the screen, too, at its end, at its edge and in the spelling of a letter."""
    same = on_screen(hostile.content_lines(one, 20)) == on_screen(hostile.content_lines(other, 20))
    assert same == (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("fine", "fine "),
        ("e\u0301", "\u00e9"),
        ("a\\n", "a\n"),
        ("x" * 19, "x" * 18 + "\n↳ x"),
        ("x" * 17 + "中", "x" * 17 + " 中"),
        ("\u1100\u1161", "가"),
        ("\u212b", "Å"),
        ("a\u0323\u0301", "a\u0301\u0323"),
    ],
)
def test_lookalikes_are_told_apart(one: str, other: str) -> None:
    """A blank at the end, another spelling, an escape as text, a wrapped line: each shows."""
    assert on_screen(hostile.content_lines(one, 20)) != on_screen(hostile.content_lines(other, 20))


def test_a_flood_of_marks_is_bounded() -> None:
    """At most four combining marks are drawn over one character."""
    shown = hostile.visible("Z" + "\u0316" * 50)
    assert shown.count("\u0316") == hostile.MAX_MARKS
    assert shown.count(r"\u{316}") == 50 - hostile.MAX_MARKS


def test_a_mark_never_lands_on_the_gutter() -> None:
    """A combining mark without a character before it is an escape: it would be drawn over our own frame."""
    assert hostile.content_lines("\u0338x") == [r"│ \u{338}x"]
    assert hostile.visible("\x1b\u0338") == r"\u{1b}\u{338}"


@given(any_text)
def test_json_for_a_screen_is_the_same_value(text: str) -> None:
    """JSON with its hidden characters escaped reads back as the same value, and holds none of them."""
    text = text.encode("utf-8", "replace").decode()
    safe = hostile.json_safe(json.dumps({"body": text}, ensure_ascii=False))
    assert json.loads(safe) == {"body": text}
    assert safe.isprintable() or not any(hostile.is_hidden(c) for c in safe if unicodedata.category(c) != "Cn")


@given(any_text | nasty_text, st.integers(1, 30))
def test_a_shortened_line_fits(text: str, columns: int) -> None:
    """A cell never grows past its column, and says when it was cut."""
    shown = hostile.shorten(text, columns)
    assert shown == hostile.visible(text) or shown.endswith("…")
    assert columns_of(shown) <= columns


@pytest.mark.parametrize(
    ("name", "scripts"),
    [
        ("p\u0430ypal", ("Cyrillic", "Latin")),
        ("\u0391lice", ("Greek", "Latin")),
        ("Jürgen", ()),
        ("Олег", ()),
        ("東京tower", ()),
    ],
)
def test_mixed_scripts_are_named(name: str, scripts: tuple[str, ...]) -> None:
    """A name whose letters come from two scripts that look alike is told."""
    assert hostile.mixed_scripts(name) == scripts
