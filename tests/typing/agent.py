"""An agent's code as its author writes it: what the type checker must understand of the public names."""

from __future__ import annotations

from typing import assert_type
from uuid import UUID

from capture import AppendCondition, CaptureProcessor, DatabaseManager, Event, EventLog, configure, emit, flush, new_id
from capture.vocabulary import MemoryLearned, SocialPostDrafted, content_hash


class ShipSighted(Event, type="ship.sighted", version=1, stream="ship_id"):
    """An event of the author's own."""

    ship_id: str
    knots: float | None = None


configure(agent_id="lookout", full_wait=0.5)
processor = CaptureProcessor(strict=True)

assert_type(new_id(), UUID)
assert_type(emit(ShipSighted(ship_id="s1", knots=12)), UUID)
assert_type(emit(MemoryLearned(key="k", value={"a": [1]}, kind="fact"), durable=True, run_id="r1"), UUID)
assert_type(flush(5), bool)

draft = SocialPostDrafted(channel="x", identity="@acme", body="Land ahoy.")
assert_type(content_hash(draft), str)

log = EventLog(DatabaseManager("sqlite://"))
assert_type(log.append([draft], AppendCondition(stream="ship-s1", after=0)), list[int])
assert_type(log.head(), int)
for recorded in log.read(after=0, limit=10, types=["ship.sighted"]):
    assert_type(recorded.position, int)
    assert_type(recorded.event_id, UUID)
    assert_type(recorded.agent_id, str)
