"""The content hash over pairs of drafts: it differs if and only if the world would see the difference.

The long campaign is `scripts/campaign/content_pairs.py`.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter

import pytest

from capture.vocabulary import content_hash
from tests.properties.content_pairs import SEEN, SEEN_OF_ACTIONS, UNSEEN, pair

PAIRS = 2_000


def hold(pairs: int, seed: int) -> Counter[str]:
    """Compare so many pairs; how many of each field they differed in."""
    rng = random.Random(seed)
    fields: Counter[str] = Counter()
    for _ in range(pairs):
        found = pair(rng)
        assert (content_hash(found.one) != content_hash(found.other)) is found.differs, found
        fields[found.field] += 1
    return fields


def test_the_hash_differs_if_and_only_if_the_world_would_see_it() -> None:
    """Two drafts that differ in one field or byte have two hashes where that is seen, and one where it is not."""
    fields = hold(PAIRS, seed=1)
    assert set(fields) == {*SEEN, *SEEN_OF_ACTIONS, *UNSEEN, "moved"}


def test_a_hash_without_lengths_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The mutant that joins the parts without their lengths gives two contents one hash, and is caught."""

    def joined(draft):  # type: ignore[no-untyped-def]
        texts = [draft.identity, draft.target_url, draft.target_author, draft.body]
        seen = draft.model_dump_json(exclude={*UNSEEN, "identity", "target_url", "target_author", "body"})
        return hashlib.sha256("".join(text or "" for text in [*texts, seen]).encode()).hexdigest()

    monkeypatch.setitem(globals(), "content_hash", joined)
    with pytest.raises(AssertionError):
        hold(PAIRS, seed=1)
