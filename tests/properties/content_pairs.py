"""Pairs of drafts that differ in one field or one byte, and whether the world would see it: for tests and a campaign.

What the world sees is written down here by hand from the design, not taken from the code.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from capture.vocabulary import ActionProposed, CommentDrafted, Draft, Media, MessageDrafted, SocialPostDrafted

WORDS = ["", "a", "b", "ab", "Ahoy.", "Grüße 🜁", "a\u200bb", "\u202eevil", "line\r\nend ", "0", "null"]
WORDS += ["\u0301", "\u00e9", "e\u0301"]
SEEN = ("channel", "identity", "body", "target_url", "target_author", "media", "post_type", "reply_to", "recipient")
SEEN_OF_ACTIONS = ("action", "arguments")
UNSEEN = (
    "output_id",
    "tone",
    "trigger_context",
    "confidence",
    "risk_flags",
    "publish_after",
    "not_after",
    "dedupe_key",
    "supersedes",
    "metadata",
)
KINDS = (SocialPostDrafted, CommentDrafted, MessageDrafted, ActionProposed)


class Pair(NamedTuple):
    """Two drafts, and whether the world would see that they differ."""

    one: Draft
    other: Draft
    differs: bool
    field: str


def pair(rng: random.Random) -> Pair:
    """The next pair."""
    one = _draft(rng)
    fields = [name for name in (*SEEN, *SEEN_OF_ACTIONS, *UNSEEN) if name in type(one).model_fields]
    if rng.random() < 0.15:
        return _moved(rng, one)
    field = rng.choice(fields)
    before = getattr(one, field)
    value = _changed(rng, field, before) if rng.random() < 0.5 else _value(rng, field)
    other = one.model_copy(update={field: value})
    return Pair(one, other, field not in UNSEEN and _told(field, value) != _told(field, before), field)


def _draft(rng: random.Random) -> Draft:
    kind = rng.choice(KINDS)
    given = {name: _value(rng, name) for name in kind.model_fields if rng.random() < 0.6}
    given |= {"output_id": "o", "channel": "x", "identity": "@a", "body": rng.choice(WORDS)} | given
    if kind is MessageDrafted:
        given.setdefault("recipient", "ana")
    if kind is ActionProposed:
        given.setdefault("action", "like")
    return kind.model_validate(given)


def _moved(rng: random.Random, one: Draft) -> Pair:
    """A byte goes from one text to the one beside it: the same bytes in a row, another content."""
    texts = [name for name in ("identity", "target_url", "target_author", "body") if getattr(one, name)]
    left, right = [*texts, "body"][:2]
    moved = (getattr(one, left) or "a") + "z"
    start, end = rng.choice([(moved[:-1] or "a", "z"), (moved, "")])
    first = one.model_copy(update={left: start, right: end + (getattr(one, right) or "")})
    second = one.model_copy(update={left: start + end, right: getattr(one, right) or ""})
    return Pair(first, second, end != "", "moved")


def _told(field: str, value: Any) -> Any:
    """A field's value as the world sees it."""
    if field == "media":
        return tuple((media.sha256, media.alt) for media in value)
    if field == "arguments":
        return repr(value)  # keys in their order
    return value


_MAKES: dict[str, Callable[[random.Random], Any]] = {
    "output_id": lambda rng: rng.choice(["o", "p"]),
    "channel": lambda rng: rng.choice(["x", "y", "x_"]),
    "identity": lambda rng: rng.choice([word for word in WORDS if word]),
    "post_type": lambda rng: rng.choice(["original", "repost"]),
    "recipient": lambda rng: rng.choice([word for word in WORDS if word]),
    "action": lambda rng: rng.choice([word for word in WORDS if word]),
    "arguments": lambda rng: dict(rng.sample([("a", 1), ("b", "1"), ("", None), ("c", [1.5, {}])], rng.randrange(4))),
    "metadata": lambda rng: {rng.choice(WORDS): rng.choice(WORDS)},
    "media": lambda rng: tuple(_media(rng) for _ in range(rng.choice([0, 1, 1, 2]))),
    "confidence": lambda rng: rng.random(),
    "risk_flags": lambda rng: ("tone",) * rng.randrange(3),
    "publish_after": lambda rng: datetime(2030, 1, rng.randint(1, 28), tzinfo=UTC),
    "not_after": lambda rng: datetime(2031, 1, rng.randint(1, 28), tzinfo=UTC),
    "supersedes": lambda rng: rng.choice([None, "n", "m"]),
    "body": lambda rng: rng.choice(WORDS),
}


def _value(rng: random.Random, field: str) -> Any:
    make = _MAKES.get(field)
    return make(rng) if make is not None else rng.choice([None, *(word for word in WORDS if word)])


def _changed(rng: random.Random, field: str, before: Any) -> Any:
    """One byte more, less or other, where the field is a text."""
    if not isinstance(before, str) or field in ("channel", "output_id", "post_type", "supersedes"):
        return _value(rng, field)
    at = rng.randint(0, len(before))
    byte = rng.choice(["x", "\u200b", " ", "\n", "🜁"])
    start, end = before[:at], before[at:]
    return rng.choice([start + byte + end, start + byte + end[1:], start + end[1:]]) or byte


def _media(rng: random.Random) -> Media:
    return Media(
        sha256=rng.choice("ab") * 64,
        media_type=rng.choice(["image/png", "image/webp"]),
        alt=rng.choice([None, "", "a ship"]),
        url=rng.choice([None, "https://acme.example/1"]),
    )
