"""What the read tables of agents and of the two example modules say about events."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from capture import Event, prepare
from capture.vocabulary import (
    ActionPerformed,
    AgentAwakened,
    AgentDetached,
    AgentHeartbeat,
    AgentReenabled,
    BreadcrumbLeft,
    ContractAmended,
    ContractOpened,
    CoordinationRequested,
    CoordinationResolved,
    ErrorLearned,
    MemoryForgotten,
    MemoryLearned,
    ModelCalled,
    OutputRevised,
    OutputSkipped,
    OutputWithdrawn,
    PatternLearned,
    PublicationConfirmed,
    PublicationStarted,
    ReviewApproved,
    ReviewEdited,
    ReviewRejected,
    SignalBroadcast,
    SkillPerformed,
    SocialPostDrafted,
    TaskAssigned,
    TaskCompleted,
    TaskDiscovered,
    TransactionRecorded,
    content_hash,
)
from projections.agents import (
    Actions,
    Awakening,
    Breadcrumbs,
    Contracts,
    Coordination,
    Errors,
    Memory,
    Patterns,
    Signals,
    Skills,
    SocialPosts,
    Tasks,
    Transactions,
)
from projections.modules import ActivityRuns, EngagementDaily
from projections.testing import fold, given

AT = datetime(2026, 11, 24, 23, 30, tzinfo=UTC)


def test_memory_holds_the_newest_value() -> None:
    """A key learned again holds the newer value, a forgotten one is gone."""
    old = MemoryLearned(key="a", value=1, kind="fact", confidence=0.5, source="page 3")
    given(Memory, old).then({"agent_id": "agent", "key": "a", "value": 1, "confidence": 0.5, "source": "page 3"})
    new = MemoryLearned(key="a", value=[2], kind="preference")
    given(Memory, old).when(new).then({"value": [2], "kind": "preference", "confidence": None, "source": None})
    given(Memory, old, new).when(MemoryForgotten(key="a"), MemoryForgotten(key="never")).then()


def test_errors_add_up_and_keep_the_first_solution() -> None:
    """Occurrences of one hash add up, the first solution stays, the newest message stands."""
    given(Errors, ErrorLearned(error_type="E", error_hash="h", message="one")).when(
        ErrorLearned(error_type="E", error_hash="h", occurrences=3, solution={"do": "this"}),
        ErrorLearned(error_type="E", error_hash="h", solution="that", message="two"),
        ErrorLearned(error_type="E", error_hash="other"),
    ).then(
        {"error_hash": "h", "occurrences": 5, "solution": {"do": "this"}, "message": "two", "position": 3},
        {"error_hash": "other", "occurrences": 1, "solution": None},
    )


def test_patterns_breadcrumbs_and_actions_are_a_row_an_event() -> None:
    """Equal events are as many rows as events."""
    for projector, event in (
        (Patterns, PatternLearned(pattern_type="p", pattern={"a": 1})),
        (Breadcrumbs, BreadcrumbLeft(session_id="s", action="search", results=({"x": 1},), related_docs=("d",))),
        (Actions, ActionPerformed(action="tidy", success=False, error="no", metadata={"m": 1})),
    ):
        rows = fold(projector, [event, event])
        assert [row["position"] for row in sorted(rows, key=lambda row: str(row["position"]))] == [1, 2]
    assert fold(Breadcrumbs, [BreadcrumbLeft(session_id="s", action="a", results=(1,))])[0]["results"] == [1]


def test_a_detached_agent_stays_detached_until_it_is_reenabled() -> None:
    """Neither a start nor a heartbeat undoes a detachment; `agent.reenabled` does."""
    awake = AgentAwakened(consciousness_level="full", koan="mu")
    beat = AgentHeartbeat(status="busy", uptime_s=3.5, health={"cpu": 0.1}, restart_count=1)
    given(Awakening, awake, beat).then({"state": "awake", "koan": "mu", "health": {"cpu": 0.1}, "heartbeats": 1})
    gone = given(Awakening, awake).when(AgentDetached(reason="too loud"), awake, beat)
    gone.then({"state": "detached", "reason": "too loud", "awakenings": 2})
    gone.when(AgentReenabled(reason="calm")).then({"state": "awake", "reason": "calm"})


def test_what_a_task_event_leaves_out_stays() -> None:
    """Tasks and contracts keep what was told before, and take what is told anew."""
    given(Tasks, TaskDiscovered(task_id="t", description="d", required_skills=("s",), priority=0.0)).when(
        TaskAssigned(task_id="t", assigned_to="bo", complexity="high"), TaskCompleted(task_id="t", outcome="done")
    ).then(
        {
            "state": "completed",
            "description": "d",
            "required_skills": ["s"],
            "priority": 0.0,
            "complexity": "high",
            "assigned_to": "bo",
            "outcome": "done",
        }
    )
    given(Contracts, ContractOpened(contract_id="c", description="d", priority=2)).when(
        ContractAmended(contract_id="c", deadline=AT), ContractAmended(contract_id="c", priority="urgent")
    ).then({"state": "open", "description": "d", "priority": "urgent", "deadline": AT, "amendments": 2})


def test_the_newest_signal_stands_as_a_whole() -> None:
    """A signal replaces the one before it, with what it leaves out."""
    given(Signals, SignalBroadcast(mode="open", focus="tea", capacity=1)).when(SignalBroadcast(mode="closed")).then(
        {"mode": "closed", "focus": None, "capacity": None}
    )


def test_a_request_is_open_until_it_is_resolved() -> None:
    """A coordination shows who asked whom for what, and how it ended."""
    asked = CoordinationRequested(coordination_id="c", kind="help", targets=("x",), payload={"n": 1})
    given(Coordination, asked).then({"state": "open", "requested_by": "agent", "targets": ["x"]})
    given(Coordination, asked).when(CoordinationResolved(coordination_id="c", outcome="helped")).then(
        {"state": "resolved", "outcome": "helped", "payload": {"n": 1}}
    )


def test_amounts_keep_their_digits() -> None:
    """A transaction shows the state that was seen last, its amount to the last place."""
    seen = TransactionRecorded(transaction_id="t", amount="-0.10", currency="EUR", purpose="tea", status="sent")
    given(Transactions, seen).when(
        seen.model_copy(update={"status": "confirmed", "chain_tx_hash": "0xab"}),
        seen.model_copy(update={"status": "final"}),
    ).then({"amount": Decimal("-0.10"), "status": "final", "chain_tx_hash": "0xab"})


def test_skills_are_a_row_an_execution() -> None:
    """An execution that is told again is one row."""
    one = SkillPerformed(execution_id="e", skill="s", correct=False)
    given(Skills, one).when(one.model_copy(update={"correct": True})).then({"execution_id": "e", "correct": True})


DRAFT = SocialPostDrafted(
    output_id="o1", channel="x", identity="@a", body="hello", tone="warm", risk_flags=("new",), metadata={"m": [1]}
)
HASH = content_hash(DRAFT)


def test_a_post_shows_what_became_of_it() -> None:
    """A row of `agents_social_posts` tells draft, verdict and publication, with the hash of the present content."""
    approved = ReviewApproved(output_id="o1", revision=1, content_hash=HASH, actor="bo")
    attempt = {"output_id": "o1", "revision": 1, "content_hash": HASH, "attempt": 1, "publisher": "folder"}
    given(SocialPosts, DRAFT).then(
        {"output_id": "o1", "state": "pending", "kind": "social_post", "post_type": "original", "content_hash": HASH}
    )
    given(SocialPosts, DRAFT, approved).when(
        PublicationStarted(**attempt, idempotency_key="k", worker="w"),
        PublicationConfirmed(**attempt, external_id="77", url="https://example.test/77"),
    ).then(
        {
            "state": "published",
            "body": "hello",
            "tone": "warm",
            "risk_flags": ["new"],
            "metadata": {"m": [1]},
            "decided_by": "bo",
            "external_id": "77",
            "url": "https://example.test/77",
            "attempts": 1,
            "revision": 1,
        }
    )


def test_what_does_not_apply_changes_nothing() -> None:
    """Another agent's revision, a second draft and an approval of other content leave a post as it was."""
    theirs = prepare(OutputRevised(output_id="o1", body="mine now"), agent_id="somebody else")
    stale = ReviewApproved(output_id="o1", revision=1, content_hash="0" * 64, actor="bo")
    second = DRAFT.model_copy(update={"body": "again"})
    given(SocialPosts, DRAFT).when(theirs, stale, second).then({"state": "pending", "body": "hello", "votes": 0})
    given(SocialPosts, OutputWithdrawn(output_id="o1")).when(DRAFT).then({"state": "withdrawn", "body": "hello"})
    revised = OutputRevised(output_id="o1", body="better")
    given(SocialPosts, DRAFT).when(revised).then(
        {"revision": 2, "content_hash": content_hash(DRAFT.model_copy(update={"body": "better"}))}
    )
    edited = ReviewEdited(
        output_id="o1", revision=2, content_hash="1" * 64, seen_hash=HASH, body="edited", actor="bo", note="typo"
    )
    given(SocialPosts, DRAFT).when(edited).then({"body": "edited", "revision": 2, "state": "pending", "note": "typo"})


def test_engagement_counts_by_day_channel_account_and_kind() -> None:
    """Each event of an output counts on its own day in UTC, where the draft said that the output belongs."""
    late = prepare(DRAFT, agent_id="a", occurred_at=AT)
    approved = ReviewApproved(output_id="o1", revision=1, content_hash=HASH, actor="bo")
    rejected = ReviewRejected(output_id="unknown", revision=1, content_hash=HASH, actor="bo", reason_code="spam")
    rows = fold(EngagementDaily, [late, late, approved, rejected, OutputSkipped(channel="x", reason="no")])
    assert [(row["day"], row["channel"], row["identity"], row["kind"], row["events"]) for row in rows] == [
        ("2026-01-01", "x", "", "output.skipped", 1),
        ("2026-01-01", "x", "@a", "review.approved", 1),
        ("2026-11-24", "x", "@a", "social_post.drafted", 2),
    ]


def test_a_run_shows_what_it_did() -> None:
    """`modules_activity_runs` counts what an agent did in a run, and nothing that names no run."""
    events: list[Event] = [ModelCalled(provider="p", model="m"), DRAFT, ErrorLearned(error_type="E", error_hash="h")]
    in_run = [prepare(event, agent_id="a", run_id="r", occurred_at=AT) for event in events]
    (row,) = fold(ActivityRuns, [*in_run, DRAFT])
    assert (row["agent_id"], row["run_id"], row["events"], row["drafts"], row["models_called"]) == ("a", "r", 3, 1, 1)
    assert (row["errors"], row["outputs"], row["first_type"]) == (1, ["o1"], "model.called")
    assert row["began_at"] == row["last_at"] == AT
