"""The projections that come with copydesk, all at once, on both backends."""

from __future__ import annotations

from datetime import UTC, datetime

from capture import DatabaseManager, EventLog, Prepared, prepare
from capture.vocabulary import (
    ActionPerformed,
    ActionProposed,
    AgentAwakened,
    AgentDetached,
    AgentHeartbeat,
    BreadcrumbLeft,
    CommentDrafted,
    ContractAssigned,
    ContractOpened,
    CoordinationRequested,
    ErrorLearned,
    MemoryForgotten,
    MemoryLearned,
    MessageDrafted,
    ModelCalled,
    OutputRevised,
    OutputSkipped,
    PatternLearned,
    ReviewApproved,
    ReviewOpened,
    SignalBroadcast,
    SkillPerformed,
    SocialPostDrafted,
    TaskAssigned,
    TaskDiscovered,
    ToolCalled,
    TransactionRecorded,
    content_hash,
)
from projections import ProjectionRunner, replay, status, verify
from projections.registry import installed
from tests.conftest import MakeDatabase
from tests.fixtures.projectors import TableRows, rows_of

NAMES = [
    "agents_actions",
    "agents_awakening",
    "agents_breadcrumbs",
    "agents_contracts",
    "agents_coordination",
    "agents_errors",
    "agents_memory",
    "agents_outputs",
    "agents_patterns",
    "agents_signals",
    "agents_skills",
    "agents_social_posts",
    "agents_tasks",
    "agents_transactions",
    "modules_activity_runs",
    "modules_engagement_daily",
]

DRAFT = SocialPostDrafted(
    output_id="o1", channel="x", identity="@é", body="🙂 hello", confidence=0.1, metadata={"a": 1e-7}
)
AT = datetime(2026, 11, 24, 23, 59, 59, 999_999, UTC)
EVENTS = [
    DRAFT,
    CommentDrafted(output_id="o2", channel="youtube", identity="@a", body="c", target_url="https://example.test/v"),
    MessageDrafted(output_id="o3", channel="mail", identity="@a", body="m", recipient="bo", not_after=AT),
    ActionProposed(output_id="o4", channel="chat", identity="@a", action="ban", arguments={"who": ["x"]}),
    ReviewOpened(output_id="o1", revision=1, content_hash=content_hash(DRAFT), policy="p@1"),
    ReviewApproved(output_id="o1", revision=1, content_hash=content_hash(DRAFT), actor="bo"),
    OutputRevised(output_id="o2", body="better"),
    OutputSkipped(channel="x", reason="nothing to say"),
    ActionPerformed(action="tidy", success=True, duration_ms=12.5),
    AgentAwakened(consciousness_level="full"),
    AgentHeartbeat(status="busy", health={"cpu": 0.1}, uptime_s=0.3),
    AgentDetached(reason="too loud"),
    BreadcrumbLeft(session_id="s", action="search", results=(1, {"a": None}), data={"k": "v"}),
    ContractOpened(contract_id="c", deliverables=("d",), deadline=AT, priority=1.5),
    ContractAssigned(contract_id="c", assigned_to="bo"),
    CoordinationRequested(coordination_id="c", kind="help", targets=("x",)),
    ErrorLearned(error_type="E", error_hash="h", solution={"do": "x"}, occurrences=3),
    MemoryLearned(key="k", value={"z": 1, "a": [True, None, "\u2028"]}, kind="fact"),
    MemoryLearned(key="gone", value=1, kind="fact"),
    MemoryForgotten(key="gone"),
    ModelCalled(provider="p", model="m", usage={"in": 3}),
    PatternLearned(pattern_type="p", pattern={"x": 1}),
    SignalBroadcast(mode="open", skills_offered=("s",), available_until=AT, autonomy_level="high"),
    SkillPerformed(execution_id="e", skill="s", correct=False),
    TaskDiscovered(task_id="t", priority=0.1, context={"c": 1}),
    TaskAssigned(task_id="t", assigned_to="bo"),
    ToolCalled(tool="grep", result=[1]),
    TransactionRecorded(transaction_id="t", amount="-0.10", currency="EUR", purpose="tea", status="sent"),
]


def _log() -> list[Prepared]:
    return [prepare(event, agent_id="a", run_id="r", occurred_at=AT) for event in EVENTS]


def _tables(manager: DatabaseManager) -> dict[str, TableRows]:
    return {table.full_name: rows_of(manager, table) for plan in installed() for table in plan.tables}


def test_every_installed_projection_runs_and_replays(manager: DatabaseManager) -> None:
    """All projections that come with copydesk take every family of events in, pass `verify`, and replay to the same."""
    EventLog(manager).append_prepared(_log())
    runner = ProjectionRunner(manager)
    assert [plan.name for plan in runner.plans] == NAMES
    assert runner.run_once() > len(EVENTS)
    assert [(one.state, one.dead_letters) for one in status(manager)] == [("current", 0)] * len(NAMES)
    before = _tables(manager)
    assert all(before.values())
    assert all(one.ok for one in verify(manager))
    assert len(replay(manager, "all")) == len(NAMES)
    assert _tables(manager) == before


def test_the_backends_hold_equal_rows(make_database: MakeDatabase) -> None:
    """The same log gives equal rows on SQLite and on PostgreSQL in every table."""
    log, found = _log(), []
    for backend in ("sqlite", "postgresql"):
        with DatabaseManager(make_database(backend)) as manager:
            EventLog(manager, clock=lambda: AT).append_prepared(log)
            ProjectionRunner(manager).run_once()
            found.append(_tables(manager))
    assert found[0] == found[1]
