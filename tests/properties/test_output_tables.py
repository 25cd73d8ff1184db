"""Two tables tell about outputs: `agents_outputs`, which review works with, and `agents_social_posts`, for analysts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from capture import Event, prepare
from capture.vocabulary import (
    CommentDrafted,
    OutputRevised,
    OutputWithdrawn,
    PublicationConfirmed,
    PublicationFailed,
    PublicationLost,
    PublicationResolved,
    PublicationRetracted,
    PublicationRetractionFailed,
    PublicationRetractionStarted,
    PublicationStarted,
    ReviewApproved,
    ReviewChangesRequested,
    ReviewEdited,
    ReviewExpired,
    ReviewOpened,
    ReviewRejected,
    ReviewRevoked,
    ReviewSuperseded,
    ReviewWithdrawn,
    SocialPostDrafted,
)
from projections.agents import SocialPosts
from projections.testing import Given, fold
from review.outputs_table import Outputs

Seen = tuple[int, str]
"""The revision and the hash that an event names."""


def _on(seen: Seen) -> dict[str, Any]:
    return {"output_id": "o1", "revision": max(seen[0], 1), "content_hash": seen[1]}


def _by(seen: Seen) -> dict[str, Any]:
    return {**_on(seen), "actor": "bo"}


def _sent(seen: Seen) -> dict[str, Any]:
    return {**_on(seen), "attempt": 1, "publisher": "folder"}


_MAKE: dict[str, Callable[[Seen, int], Event]] = {
    "draft": lambda _, n: SocialPostDrafted(output_id="o1", channel="x", identity="@a", body=f"body {n}"),
    "comment": lambda _, n: CommentDrafted(output_id="o1", channel="x", identity="@a", body=f"body {n}", reply_to="u"),
    "revise": lambda _, n: OutputRevised(output_id="o1", body=f"body {n}"),
    "withdraw": lambda _, __: OutputWithdrawn(output_id="o1"),
    "open": lambda seen, n: ReviewOpened(**_on(seen), policy="p", needed=n % 3 + 1),
    "edit": lambda seen, n: ReviewEdited(**_by(seen), seen_hash=seen[1], body=f"body {n}"),
    "approve": lambda seen, n: ReviewApproved(**_by(seen), needed=n % 2 + 1),
    "changes": lambda seen, _: ReviewChangesRequested(**_by(seen), reason_code="tone"),
    "reject": lambda seen, _: ReviewRejected(**_by(seen), reason_code="spam"),
    "revoke": lambda seen, _: ReviewRevoked(**_by(seen)),
    "expire": lambda seen, _: ReviewExpired(**_on(seen), limit="deadline"),
    "take out": lambda seen, _: ReviewWithdrawn(**_by(seen), note="n"),
    "supersede": lambda seen, _: ReviewSuperseded(**_on(seen), superseded_by="o2"),
    "start": lambda seen, _: PublicationStarted(**_sent(seen), idempotency_key="k", worker="w"),
    "confirm": lambda seen, _: PublicationConfirmed(**_sent(seen), external_id="7", url="u"),
    "fail": lambda seen, _: PublicationFailed(**_sent(seen), error="no"),
    "lose": lambda seen, _: PublicationLost(**_sent(seen), error="silence"),
    "found": lambda seen, _: PublicationResolved(
        **_sent(seen), outcome="published", actor="bo", note="n", external_id="7", url="u"
    ),
    "not found": lambda seen, _: PublicationResolved(**_sent(seen), outcome="failed", actor="bo", note="n"),
    "retract": lambda seen, _: PublicationRetractionStarted(**_sent(seen), actor="bo", note="n"),
    "retracted": lambda seen, _: PublicationRetracted(**_sent(seen)),
    "not retracted": lambda seen, _: PublicationRetractionFailed(**_sent(seen), error="no"),
}

_steps = st.lists(
    st.tuples(st.sampled_from([*_MAKE, "draft", "approve", "open", "revise"]), st.booleans(), st.sampled_from("aab")),
    max_size=14,
)
SAME = ("state", "kind", "agent_id", "body", "content_hash", "revision", "votes", "needed")


@settings(max_examples=150, deadline=None)
@given(_steps)
def test_the_two_tables_agree(steps: list[tuple[str, bool, str]]) -> None:
    """After any run of events, legal or not, both tables tell the same state, owner, content and votes."""
    events: list[Given] = []
    for number, (what, fits, agent) in enumerate(steps):
        rows = fold(SocialPosts, events)
        present = (rows[0]["revision"], rows[0]["content_hash"]) if rows and rows[0]["content_hash"] else (1, "0" * 64)
        seen: Seen = (int(str(present[0])), str(present[1])) if fits else (1, "f" * 64)
        events.append(prepare(_MAKE[what](seen, number), agent_id=agent))
    posts = {row["output_id"]: row for row in fold(SocialPosts, events)}
    outputs = {row["output_id"]: row for row in fold(Outputs, events) if row["submitted_at"] is not None}
    drafted = {key: row for key, row in posts.items() if row["submitted_at"] is not None}
    assert {key: {name: row[name] for name in SAME} for key, row in drafted.items()} == {
        key: {name: row[name] for name in SAME} for key, row in outputs.items()
    }
