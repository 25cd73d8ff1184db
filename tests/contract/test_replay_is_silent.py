"""Making tables anew is for readers alone: nothing is appended, decided or sent by it."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from capture import DatabaseManager, EventLog, Recorded
from capture.vocabulary import SocialPostDrafted
from projections import Key, ProjectionRunner, Projector, Rows, agents_table, as_of, diff, handles, replay, verify
from projections.registry import installed
from review import PublishingWorker, ReviewDesk
from tests.fixtures.platform import Platform, approved, drafted

READ_TABLES = {table.full_name for plan in installed() for table in plan.tables}
OWN = {"agents_checkpoints", "agents_leases", "agents_table_owners"}
"""What a replay writes besides read tables."""


def _everything_else(manager: DatabaseManager) -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables but the read tables and a replay's own books."""
    with manager.connect() as connection:
        names = set(sa.inspect(connection).get_table_names()) - READ_TABLES - OWN
    return {name: manager.execute_query(f'SELECT * FROM "{name}" ORDER BY 1') for name in sorted(names)}


def test_a_replay_appends_and_publishes_nothing(
    clocked_desk: ReviewDesk, worker: PublishingWorker, platform: Platform
) -> None:
    """Replay, diff, verify and as-of leave the log's position, every other table and the platform as they were."""
    manager, log = clocked_desk.manager, EventLog(clocked_desk.manager)
    drafted(clocked_desk, "pending")
    approved(clocked_desk, "sent")
    worker.run_once()
    approved(clocked_desk, "approved and not sent yet")
    ProjectionRunner(manager).run_once()
    head, before, arrived = log.head(), _everything_else(manager), list(platform.arrived)
    assert {"agents_events", "agents_head", "agents_approvals", "agents_publications"} <= before.keys()
    assert len(arrived) == 1
    replay(manager, "all")
    assert all(one.empty for one in diff(manager))
    assert all(one.ok for one in verify(manager))
    as_of(manager, "agents_outputs", head)
    assert log.head() == head
    assert _everything_else(manager) == before
    assert platform.arrived == arrived
    assert worker.run_once().published == 1
    assert len(platform.arrived) == 2


class Talkative(Projector, version=1):
    """Breaks the rule: it appends when it handles."""

    table = agents_table("tested_talkative", Key("output_id"))
    log: EventLog

    @handles(SocialPostDrafted)
    def drafted(self, fact: Recorded[SocialPostDrafted], rows: Rows) -> None:
        self.log.append([SocialPostDrafted(channel="x", identity="@a", body="again")])
        rows.upsert(output_id=fact.payload.output_id)


def test_a_projector_that_appends_is_caught(clocked_desk: ReviewDesk) -> None:
    """The comparison has teeth: a projector that appends moves the head and changes the log."""
    manager, log = clocked_desk.manager, EventLog(clocked_desk.manager)
    drafted(clocked_desk)
    Talkative.log = log
    head, before = log.head(), _everything_else(manager)
    replay(manager, "all", projectors=[Talkative])
    assert log.head() > head
    assert _everything_else(manager)["agents_events"] != before["agents_events"]
