"""`agents_outputs`: every output as its events made it, a row each. Written by the projection runner alone.

Its state is `review.states.evolve` and nothing else: one rule for what the desk decides on and what people read.
`agents_output_counts` keeps how many outputs stand in each state, so that counting never scans. `agents_output_dues`
has a row for each output that something is due of without a person: to be taken up, to be decided by a rule, to expire.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from capture import Recorded
from capture.vocabulary import Draft
from projections import Integer, Key, Projector, Rows, Text, Timestamp, agents_table, folds, handles
from review.commands import Expire
from review.evolution import APPLIES
from review.output import Output, State
from review.policy.rules import BY_ITSELF
from review.states import MOVES, evolve

MAY_EXPIRE = frozenset(state for state, command in MOVES if command is Expire)
"""States in which the time of an output can be over."""


class Outputs(Projector, version=1):
    """One row an output, and one a state with its count."""

    table = agents_table(
        "outputs",
        Key("output_id"),
        Text("state"),
        Text("kind"),
        Text("channel"),
        Text("identity"),
        Text("agent_id"),
        Text("body"),
        Text("target_url"),
        Text("risk_flags"),
        Text("content_hash"),
        Integer("revision"),
        Integer("votes"),
        Integer("needed"),
        Text("publisher"),
        Timestamp("submitted_at"),
        Timestamp("updated_at"),
        Timestamp("publish_after"),
        Timestamp("not_after"),
        Timestamp("deadline"),
        Text("decided_by"),
        Timestamp("decided_at"),
        Integer("ignored"),
        Text("external_id"),
        Text("url"),
        indexes=[("state", "submitted_at", "output_id"), ("submitted_at", "output_id")],
    )
    counts = agents_table("output_counts", Key("state"), Integer("outputs"))
    dues = agents_table(
        "output_dues",
        Key("output_id"),
        Text("awaits"),
        Timestamp("expires_at"),
        indexes=[("awaits", "output_id"), ("expires_at", "output_id")],
    )

    @handles(Draft, *APPLIES)
    @folds(key="output_id", value=Output)
    def follow(self, before: Output | None, fact: Recorded[Any]) -> Output | None:
        """The output after one more of its events."""
        return evolve(before, fact)

    def columns(self, value: Output) -> Mapping[str, object]:
        """What lists show, sort and filter by."""
        decided, attempt = value.decided, value.attempt
        return {
            "state": value.state.value,
            "kind": value.kind,
            "channel": value.channel,
            "identity": value.identity,
            "agent_id": value.agent_id,
            "body": value.body,
            "target_url": value.content.target_url,
            "risk_flags": json.dumps(value.risk_flags) if value.risk_flags else None,
            "content_hash": value.content_hash,
            "revision": value.revision,
            "votes": len(value.votes),
            "needed": value.needed,
            "publisher": value.publisher,
            "submitted_at": value.submitted_at,
            "updated_at": value.updated_at,
            "publish_after": value.publish_after,
            "not_after": value.not_after,
            "deadline": value.deadline,
            "decided_by": None if decided is None else decided.by,
            "decided_at": None if decided is None else decided.at,
            "ignored": len(value.ignored),
            "external_id": None if attempt is None else attempt.external_id,
            "url": None if attempt is None else attempt.url,
        }

    def changed(self, before: Output | None, after: Output | None, rows: Rows) -> None:
        """An output is counted in its state and in no other, and what is due of it is kept."""
        due, was_due = _due(after), _due(before)
        if due != was_due and after is not None:
            if due is None:
                rows[self.dues].delete(output_id=after.output_id)
            else:
                rows[self.dues].upsert(output_id=after.output_id, awaits=due[0], expires_at=due[1])
        left, entered = (None if output is None else output.state.value for output in (before, after))
        if left != entered:
            if left is not None:
                rows[self.counts].at(state=left).add(outputs=-1)
            if entered is not None:
                rows[self.counts].at(state=entered).add(outputs=1)


def _due(output: Output | None) -> tuple[str | None, datetime | None] | None:
    """What an output awaits of a machine, and when its time is over; None when there is neither."""
    if output is None or not output.drafted:
        return None
    awaits = None
    if output.state is State.PENDING and not output.opened:
        awaits = "opening"
    elif output.state is State.PENDING and output.mode in BY_ITSELF and not output.for_person:
        awaits = "rule"
    ends = [limit for limit in (output.not_after, output.deadline) if limit is not None]
    expires = min(ends) if ends and output.state in MAY_EXPIRE else None
    return (awaits, expires) if awaits or expires else None
