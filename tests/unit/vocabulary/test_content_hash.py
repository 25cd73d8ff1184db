"""The content hash: it differs if and only if the world would see a difference."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest

from capture.vocabulary import (
    ActionProposed,
    CommentDrafted,
    Draft,
    Media,
    MessageDrafted,
    SocialPostDrafted,
    content_hash,
)

PICTURE = Media(sha256="a" * 64, media_type="image/png")

POST = SocialPostDrafted(output_id="o", channel="mastodon", identity="@acme", body="Acme 2.0 is out.")
PICTURED = POST.model_copy(update={"media": (PICTURE,)})
COMMENT = CommentDrafted(output_id="o", channel="youtube", identity="acme", body="Yes.", reply_to="https://y.example/1")
MESSAGE = MessageDrafted(output_id="o", channel="mail", identity="acme", body="Grüße 🜁", recipient="ana@acme.example")
ACTION = ActionProposed(
    output_id="o", channel="x", identity="acme", action="like", arguments={"b": 1, "a": [True, None]}
)


@pytest.mark.parametrize(
    ("draft", "golden"),
    [
        (POST, "bcab8045f495e03227abaa8fee56d0ce5a744eb67233e8bf6f954f1a8cbe78fb"),
        (COMMENT, "db566a88338178b768b56041bdd0867de4d3f0e297efa38aa230fd4599da6309"),
        (MESSAGE, "c1d7cb0f7840a330cf3187a09c3a27d89b1dda88792334a03eccb303d619b67a"),
        (ACTION, "0d3c62faaf4bfa3c113a675578df29ac68886e5968db791d08080e90aaff80e7"),
        (
            POST.model_copy(update={"media": (PICTURE,)}),
            "37bf584c50bd177bd80ffed7481a3e5509b483607c1610f717bbb6f42eb92c46",
        ),
    ],
)
def test_a_golden_hash_never_changes(draft: Draft, golden: str) -> None:
    """Approvals that stand in a log are for these hashes: another hash of the same content would void them all."""
    assert content_hash(draft) == golden


def test_the_hash_is_the_documented_one() -> None:
    """The hash is SHA-256 over the domain and the parts, each after its length in eight bytes; None is eight 0xFF."""
    parts = (
        "social_post",
        "original",
        "mastodon",
        "@acme",
        None,
        None,
        None,
        None,
        "Acme 2.0 is out.",
        "0",
        None,
        None,
    )
    data = b"copydesk-content-1"
    for part in parts:
        data += b"\xff" * 8 if part is None else len(part.encode()).to_bytes(8, "big") + part.encode()
    assert content_hash(POST) == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    "seen",
    [
        {"channel": "x"},
        {"identity": "@other"},
        {"body": "Acme 2.0 is out. "},
        {"body": "Acme 2.0 is out\u2024"},
        {"post_type": "repost"},
        {"target_url": "https://acme.example"},
        {"target_url": ""},
        {"target_author": "ana"},
        {"media": (PICTURE,)},
        {"media": (PICTURE, PICTURE)},
        {"media": (PICTURE.model_copy(update={"sha256": "b" * 64}),)},
        {"media": (PICTURE.model_copy(update={"alt": "a ship"}),)},
        {"media": (PICTURE.model_copy(update={"alt": ""}),)},
    ],
)
def test_what_the_world_sees_changes_the_hash(seen: dict[str, object]) -> None:
    """Another account, text, target or picture is another content; the empty text differs from none."""
    others = [POST, PICTURED]
    changed = POST.model_copy(update=seen)
    assert content_hash(changed) not in {content_hash(other) for other in others if other != changed}


@pytest.mark.parametrize(
    "unseen",
    [
        {"output_id": "p"},
        {"tone": "dry"},
        {"trigger_context": "a release"},
        {"confidence": 0.5},
        {"risk_flags": ("tone",)},
        {"metadata": {"a": 1}},
        {"dedupe_key": "k"},
        {"supersedes": "n"},
        {"publish_after": datetime(2030, 1, 1, tzinfo=UTC)},
        {"not_after": datetime(2030, 1, 1, tzinfo=UTC)},
    ],
)
def test_what_the_world_does_not_see_leaves_the_hash(unseen: dict[str, object]) -> None:
    """Notes, schedule and metadata can change without voiding an approval."""
    assert content_hash(POST.model_copy(update=unseen)) == content_hash(POST)


def test_where_a_picture_came_from_leaves_the_hash() -> None:
    """A picture is named by its bytes and its text; its address and media type say nothing more."""
    moved = PICTURE.model_copy(update={"url": "https://acme.example/a.png", "media_type": "image/webp"})
    assert content_hash(POST.model_copy(update={"media": (moved,)})) == content_hash(PICTURED)


def test_text_does_not_move_between_fields() -> None:
    """Two drafts whose texts join to the same text have two hashes."""
    one = POST.model_copy(update={"identity": "@acme", "target_url": "ab"})
    two = POST.model_copy(update={"identity": "@acmea", "target_url": "b"})
    three = POST.model_copy(update={"target_url": None, "target_author": "ab"})
    assert len({content_hash(draft) for draft in (one, two, three)}) == 3


def test_the_order_of_arguments_is_content() -> None:
    """Arguments are hashed with their keys as given: what was approved is the very text that is sent."""
    turned = ACTION.model_copy(update={"arguments": {"a": [True, None], "b": 1}})
    assert content_hash(turned) != content_hash(ACTION)
