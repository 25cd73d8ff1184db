"""What a diff says."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from review.diff import lines, words

TEXT = st.text(alphabet="ab \0\n\u202e\U0001f600.", max_size=60)


@given(TEXT, TEXT)
def test_a_diff_holds_both_texts(old: str, new: str) -> None:
    """What stayed and what went make the old text, what stayed and what came the new one."""
    for changes, joined_by in ((words(old, new), ""), (lines(old, new), "\n")):
        assert joined_by.join(change.text for change in changes if change.what != "insert") == old
        assert joined_by.join(change.text for change in changes if change.what != "delete") == new


def test_a_changed_word_is_a_word() -> None:
    """A word that was replaced is shown as a whole, the rest as it was."""
    changes = words("Ship it now.", "Ship it later.")
    assert {(change.what, change.text) for change in changes} == {
        ("equal", "Ship it "),
        ("delete", "now"),
        ("insert", "later"),
        ("equal", "."),
    }


def test_a_long_hostile_text_is_compared_in_time() -> None:
    """Ten thousand tokens that repeat in another order are compared within the time of a test."""
    old, new = "a b " * 2500, "b a " * 2500
    assert "".join(change.text for change in words(old, new) if change.what != "insert") == old


def test_parts_with_the_same_hash_are_two() -> None:
    """A line that is empty and one that holds a NUL character are told apart, though rapidfuzz hashes them alike."""
    assert {change.what for change in lines("", "\0")} == {"delete", "insert"}
