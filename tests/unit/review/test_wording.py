"""Phrases are found as a reader would see them, and texts are measured as a platform does."""

from __future__ import annotations

import time

import pytest

from capture.invisible import HIDDEN
from review.policy.wording import phrases_in, plain
from review.policy.x_weight import x_weight

SORRY = "I'm sorry, I can't assist"


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, I can't assist with that request.",
        "i'M SORRY, i CAN'T ASSIST",
        "I\u2019m sorry, I can\u2019t assist",
        "I'm so\u200brry, I can't ass\u00adist",
        "I'm\u00a0sorry,\nI\u3000can't \t assist",
        "I'm\u3164sorry, I can't\u2800assist",
        "\u202eI'm sorry,\u2066 I can't assist",
        "\uff29'm \uff53\uff4f\uff52\uff52\uff59, I can't assist",
        "I'm s\U0001d428rry, I can't assist",
        "I'm so\ufe0frry, I can't assist\u0301",
        "I'm sorr\u00fd, I can't a\u034fssist",
        "x" * 90_000 + SORRY,
    ],
)
def test_a_phrase_is_found_however_it_is_dressed(text: str) -> None:
    """Case, invisible characters, other blanks, wide letters, marks and curved quotes hide no phrase."""
    assert phrases_in(text, (SORRY, "@Unknown")) == (SORRY,)


@pytest.mark.parametrize("text", ["I'm glad I can assist", "I\u043c sorry", "Imsorry, Ican'tassist", "this hit", ""])
def test_other_words_are_no_phrase(text: str) -> None:
    """Words that a reader tells apart stay apart: blanks are not taken out, letters of other scripts not turned."""
    assert phrases_in(text, (SORRY, "shit")) == ()


def test_nothing_invisible_is_left() -> None:
    """Of all hidden characters only blanks leave a trace, and letters that are hidden since they are too wide."""
    for first, last, what in HIDDEN:
        if "wide" in what:
            continue
        for code in range(first, min(last, first + 300) + 1):
            assert plain(f"a{chr(code)}b") in ("ab", "a b"), hex(code)


@pytest.mark.parametrize("added", ["\u0301", "\u200d", "\ufe0f", "x", " ", "\u1161", "\ua67c", "\u0345"])
def test_no_character_beside_it_hides_a_phrase(added: str) -> None:
    """What is written before or after a phrase does not change its letters."""
    for phrase in ("@Unknown", "ni\u00f1o", "\uac00", "\u03c3\u03bf\u03c6\u03cc\u03c2"):
        assert phrases_in(phrase + added, (phrase,)) == (phrase,)
        assert phrases_in(added + phrase, (phrase,)) == (phrase,)


# From the conformance suite of twitter-text (validate.yml), with its configuration version 3.
COUNTED = [
    ("Hi http://test.co", 26),
    ("http://test.co", 23),
    ("285 chars-" + "xxxxxxxxxx-" * 25, 285),
    ("https://www.twitter.com/aloha " * 10, 240),
    ("\u6545\u4eba" * 80, 320),
    ("\U0001f637" * 160, 320),
    ("the" + "\u6545\u4eba" * 80, 323),
    ("A\u0301B", 2),
    ("H\U0001f431\u263a\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466", 7),
    ("\U0001f64b\U0001f3fd\U0001f468\u200d\U0001f3a4", 4),
    ("\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466" * 140, 280),
    ("randomurl" * 7 + "s.com", 68),
    ("http://" + "\u3042\u3044\u3046\u3048\u304a\u304b\u304d\u304f\u3051\u3053" * 5 + "\u3042\u3044.com", 23),
    ("1\ufe0f\u20e3", 2),
    ("\U0001f1ef\U0001f1f5", 2),
    ("\u2018\u2019\u201c\u2014\u2032", 5),
    ("", 0),
]


@pytest.mark.parametrize(("text", "length"), COUNTED)
def test_a_text_is_as_long_as_x_says(text: str, length: int) -> None:
    """Weights of 1 and 2, emoji of 2 and links of 23 characters, as twitter-text counts."""
    assert x_weight(text) == length


@pytest.mark.parametrize(
    ("text", "least"),
    [
        ("a.co", 4),
        ("see example.com now", 23),
        ("long-name-of-a-file-without-any-meaning.extension", 49),
        ("https://localhost/" + "a" * 300, 300),
        ("xhttps://a.co/" + "a" * 300, 300),
        ("@a.co/" + "a" * 300, 300),
        ("https://a.co/\u00e9" + "\u00e9" * 300, 300),
    ],
)
def test_what_is_hardly_a_link_is_not_counted_short(text: str, least: int) -> None:
    """Where we can't know whether X sees a link, the longer count holds."""
    assert x_weight(text) >= least


@pytest.mark.parametrize(
    "text",
    [
        "a." * 50_000,
        "a-" * 50_000,
        "http://" + "a." * 49_000,
        "http://a/" * 11_000,
        "http://a.co/?" + "?!" * 40_000,
        "a-.a-." * 16_000,
        "\U0001f468\u200d" * 40_000,
        "\u00e9" * 100_000,
        ("a" * 63 + ".") * 1_500,
    ],
    ids=lambda text: text[:12],
)
def test_measuring_takes_no_longer_for_a_hostile_text(text: str) -> None:
    """A body of 100,000 characters that was made to be slow is measured in well under a second."""
    began = time.process_time()
    x_weight(text)
    plain(text)
    assert time.process_time() - began < 2
