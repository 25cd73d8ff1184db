"""`modules_engagement_daily`: how much happened on each day, per channel, account and kind of event.

A worked example for module authors. Verdicts and publications name an output, not its channel: so a keyed fold
remembers where each output belongs, and each of its events counts there. Chosen silence names its channel itself: a
plain handler is enough. A module's own projector looks the same, lives in its own distribution, and is found through
the entry-point group `copydesk.projectors`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from capture import Recorded
from capture.vocabulary import (
    Draft,
    OutputRevised,
    OutputSkipped,
    OutputWithdrawn,
    PublicationConfirmed,
    PublicationFailed,
    PublicationLost,
    PublicationRetracted,
    ReviewApproved,
    ReviewChangesRequested,
    ReviewEdited,
    ReviewExpired,
    ReviewRejected,
    ReviewRevoked,
)
from projections.columns import Integer, Key, Text
from projections.projector import Projector, folds, handles
from projections.rows import Rows
from projections.table import module_table


class Engaged(BaseModel):
    """Where an output belongs, and the event of it that was seen last."""

    model_config = ConfigDict(frozen=True)

    channel: str
    identity: str
    day: str
    kind: str
    position: int


class EngagementDaily(Projector, version=1):
    """One row a day, channel, account and event type. The day is that of `occurred_at`, in UTC."""

    table = module_table(
        "engagement", "daily", Key("day"), Key("channel"), Key("identity"), Key("kind"), Integer("events")
    )
    outputs = module_table("engagement", "outputs", Key("output_id"), Text("channel"), Text("identity"))

    @handles(
        Draft,
        OutputRevised,
        OutputWithdrawn,
        ReviewEdited,
        ReviewApproved,
        ReviewChangesRequested,
        ReviewRejected,
        ReviewRevoked,
        ReviewExpired,
        PublicationConfirmed,
        PublicationFailed,
        PublicationLost,
        PublicationRetracted,
    )
    @folds(key="output_id", value=Engaged, table=outputs)
    def follow(self, before: Engaged | None, fact: Recorded[Any]) -> Engaged | None:
        """The first draft says where the output belongs; what comes before it can't be counted anywhere."""
        of = before if before is not None else fact.payload if isinstance(fact.payload, Draft) else None
        if of is None:
            return None
        return Engaged(
            channel=of.channel,
            identity=of.identity,
            day=day_of(fact.occurred_at),
            kind=fact.event_type,
            position=fact.position,
        )

    def columns(self, value: Engaged) -> Mapping[str, object]:
        """Where the output belongs."""
        return {"channel": value.channel, "identity": value.identity}

    def changed(self, before: Engaged | None, after: Engaged | None, rows: Rows) -> None:  # noqa: ARG002 - each event counts, whatever was before
        """Each event of the output counts once."""
        if after is not None:
            key = {"day": after.day, "channel": after.channel, "identity": after.identity, "kind": after.kind}
            rows[self.table].at(**key).add(events=1)

    @handles(OutputSkipped)
    def skipped(self, fact: Recorded[OutputSkipped], rows: Rows) -> None:
        """Chosen silence counts too; it names no account."""
        day = day_of(fact.occurred_at)
        rows[self.table].at(day=day, channel=fact.payload.channel, identity="", kind=fact.event_type).add(events=1)


def day_of(time: datetime) -> str:
    """The day of a time in UTC, as `2026-11-24`."""
    return time.astimezone(UTC).date().isoformat()
