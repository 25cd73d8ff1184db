"""What a key means in a sitting of triage, and what a sheet shows; without a terminal."""

from __future__ import annotations

import itertools
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from review.cli.sheet import Row, compared, sheet
from review.cli.triage_session import KEYS, Do, Session, Shown, Step, Undoable
from review.testing import NOON, Story
from tests.fixtures.review import draft
from tests.unit.cli.test_hostile import CASES, any_text, columns_of, nasty_text, text_of

VALUES = [text_of(case)[:200] for case in CASES if "terminal" in case["surfaces"]]


def session(outputs: int = 3, pages: int = 1) -> Session:
    """A sitting with its first output on screen."""
    made = Session([f"o{number}" for number in range(outputs)])
    made.show(Shown("o0", "hash", pages))
    return made


@given(st.lists(st.sampled_from([*KEYS, "x", "\r"]), max_size=30), st.integers(1, 4))
def test_no_keys_approve_what_was_not_read_to_its_end(keys: list[str], pages: int) -> None:
    """Whatever is pressed, an approval comes only after the last page of exactly this content was shown."""
    sitting = session(1, pages)
    turned = 0
    for key in keys:
        step = sitting.press(key)
        turned += step.do is Do.PAGE
        assert step.do is not Do.APPROVE or turned == pages - 1


def test_another_content_is_read_anew() -> None:
    """What was read is a content, not an output: after an edit its end has to be shown again."""
    sitting = session(1, 2)
    sitting.press(" ")
    assert sitting.press("a") == Step(Do.APPROVE)
    sitting.show(Shown("o0", "another hash", 2))
    assert sitting.press("a").do is Do.TELL
    sitting.show(Shown("o0", "hash", 2))
    assert sitting.press("a") == Step(Do.APPROVE)


def test_a_sitting_goes_on_to_what_is_undecided() -> None:
    """After a verdict the next undecided one comes, also one before; skipped ones do not, and then it is over."""
    sitting = session(4)
    assert sitting.press("s") == Step(Do.GO)
    assert (sitting.decided("approved"), sitting.at) == (Step(Do.GO), 2)
    assert (sitting.press("J"), sitting.at) == (Step(Do.GO), 3)
    assert (sitting.decided("rejected"), sitting.at) == (Step(Do.GO), 2)
    assert sitting.decided("approved") == Step(Do.END)
    assert (sitting.press("k"), sitting.at) == (Step(Do.GO), 0)
    assert sitting.press("k").do is Do.TELL
    assert sitting.add(["o3", "o4"]) == 1
    assert (sitting.press("j"), sitting.at) == (Step(Do.GO), 4)


def test_undo_goes_back_to_what_was_decided_last() -> None:
    """An undone verdict is none: its output is undecided and looked at again; without a verdict there is no undo."""
    sitting = session(2)
    assert sitting.press("u").do is Do.TELL
    sitting.decided("approved", Undoable(0, "approve", "hash"))
    assert sitting.press("u") == Step(Do.UNDO)
    sitting.undone(0)
    assert (sitting.at, sitting.outcomes, sitting.done) == (0, {}, [])


@pytest.mark.parametrize("key", ["a", "r", "c", "e"])
def test_what_is_decided_is_not_decided_again(key: str) -> None:
    """On an output that is decided no verdict key does anything."""
    sitting = session()
    sitting.show(Shown("o0", "hash", undecided=False))
    assert sitting.press(key).do is Do.TELL


def shown(rows: list[Row]) -> list[str]:
    """The rows as a person sees them."""
    return [unicodedata.normalize("NFC", "".join(text for text, _ in row)) for row in rows]


@given(nasty_text, nasty_text)
def test_what_differs_looks_different(old: str, new: str) -> None:
    """A comparison of two texts has lines that went or came unless they are equal, and those never look alike."""
    _looks_different(old, new)


def test_hostile_values_look_different() -> None:
    """No two hostile values that follow each other, and none and its printable part, look equal in a comparison."""
    for old, new in itertools.pairwise(VALUES):
        _looks_different(old, new)
    for value in VALUES:
        _looks_different(value, "".join(filter(str.isprintable, value)))


def _looks_different(old: str, new: str) -> None:
    rows = shown(compared(old, new, 60))
    assert all(row[:4] in ("  │ ", "- │ ", "+ │ ") for row in rows)
    gone, come = ([row[4:] for row in rows if row[0] == mark] for mark in "-+")
    if old == new:
        assert (gone, come) == ([], [])
    else:
        assert gone != come


@given(any_text.filter(lambda text: ("\0" not in text and text.isascii()) or text.isprintable()))
def test_a_sheet_holds_everything_behind_the_gutter(body: str) -> None:
    """No row is wider than the screen; a body stands whole behind the gutter, and nothing of it stands elsewhere."""
    output = Story(draft(body, risk_flags=("tone",), trigger_context=body, target_url="https://x.com/1")).output
    rows = shown(sheet(output, "1/1", NOON, 60))
    assert all(columns_of(row) <= 60 for row in rows)
    assert all(row.isprintable() for row in rows)
    assert rows[0].startswith(f"1/1  {output.output_id}"[:59])
    assert all("│ " in row for row in rows[1:] if row)
    assert any(row.startswith("risk") and row.endswith("│ tone") for row in rows)
