"""The tables that the migrations make, for SQLAlchemy Core statements.

This is the present; `migrations/` is the way here. `tests/migration` holds the two equal. What only SQL can say (the
triggers that hold the log append-only) stands in the migrations alone.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
)

from capture.database.types import JsonText, UtcTime, UuidText

metadata = MetaData()

Position = BigInteger().with_variant(Integer(), "sqlite")
"""A position of the log. On SQLite INTEGER, since only `INTEGER PRIMARY KEY` is the row's own key there."""

events = Table(
    "agents_events",
    metadata,
    Column("position", Position, primary_key=True, autoincrement=False),
    Column("event_id", UuidText, nullable=False, unique=True),
    Column("event_type", Text, nullable=False),
    Column("schema_version", Integer, nullable=False),
    Column("stream_id", Text, nullable=False),
    Column("agent_id", Text, nullable=False),
    Column("run_id", Text),
    Column("correlation_id", Text),
    Column("causation_id", Text),
    Column("trace_id", Text),
    Column("occurred_at", UtcTime, nullable=False),
    Column("recorded_at", UtcTime, nullable=False),
    Column("payload", JsonText, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Index("agents_events_stream", "stream_id", "position"),
    Index("agents_events_type", "event_type", "position"),
)
"""The log. Append-only; written by `capture.eventlog` alone."""

head = Table(
    "agents_head",
    metadata,
    Column(
        "id", SmallInteger, CheckConstraint("id = 1", name="agents_head_one_row"), primary_key=True, autoincrement=False
    ),
    Column("log_id", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("position", Position, nullable=False),
    Column("recorded_at", UtcTime, nullable=False),
    Column("moved_to", Text),
)
"""One row: where the log ends. Who appends locks it first."""

table_owners = Table(
    "agents_table_owners",
    metadata,
    Column("full_name", Text, primary_key=True),
    Column("namespace", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("table_name", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
)
"""Which owner a full table name belongs to; written by `capture.names.owners` alone."""

checkpoints = Table(
    "agents_checkpoints",
    metadata,
    Column("projection", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("position", Position, nullable=False),
    Column("updated_at", UtcTime, nullable=False),
    Column("handled", Position, nullable=False),
    Column("skipped", Position, nullable=False),
    Column("dead", Position, nullable=False),
    Column("rate", Double, nullable=False),
)
"""How far each projection has come and what it counted; written with its rows, in one transaction."""

leases = Table(
    "agents_leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("expires_at", UtcTime, nullable=False),
)
"""Who works on what just now. A lease only avoids double work."""

dead_letters = Table(
    "agents_dead_letters",
    metadata,
    Column("projection", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("position", Position, nullable=False),
    Column("event_id", UuidText, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("created_at", UtcTime, nullable=False),
    PrimaryKeyConstraint("projection", "version", "position"),
)
"""Events that a projector could not fold, under one version of its code."""

quarantine = Table(
    "agents_quarantine",
    metadata,
    Column("quarantine_id", UuidText, primary_key=True),
    Column("received_at", UtcTime, nullable=False),
    Column("source", Text, nullable=False),
    Column("agent_id", Text),
    Column("event_type", Text),
    Column("raw", LargeBinary, nullable=False),
    Column("error", Text, nullable=False),
)
"""What was put out but can't be an event: the bytes and the reason."""

approvals = Table(
    "agents_approvals",
    metadata,
    Column("output_id", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("content_hash", Text, nullable=False),
    Column("position", Position, nullable=False),
    Column("approved_at", UtcTime, nullable=False),
    Column("revoked_position", Position),
    PrimaryKeyConstraint("output_id", "revision", "content_hash"),
)
"""One row when all needed votes are there; live while `revoked_position` is null. Written by the desk alone."""

publications = Table(
    "agents_publications",
    metadata,
    Column("output_id", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("content_hash", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("idempotency_key", Text, nullable=False),
    Column("publisher", Text, nullable=False),
    Column("worker", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("started_position", Position, nullable=False),
    Column("started_at", UtcTime, nullable=False),
    Column("finished_position", Position),
    Column("external_id", Text),
    Column("url", Text),
    Column("channel", Text),
    Column("kind", Text),
    Column("identity", Text),
    Column("target_url", Text),
    Column("agent_id", Text),
    PrimaryKeyConstraint("output_id", "revision", "content_hash", "attempt"),
    Index("agents_publications_started", "started_at"),
)
"""One row a send; `state` is publishing, published, failed or uncertain. Written by the desk alone.

From `channel` on it says what a policy's rules look at, so that daily limits and intervals are counted here.
"""

repeats = Table(
    "agents_repeats",
    metadata,
    Column("saying", Text, nullable=False),
    Column("output_id", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("position", Position, nullable=False),
    Column("opened_at", UtcTime, nullable=False),
    Column("sent_at", UtcTime),
    PrimaryKeyConstraint("saying", "output_id", "revision"),
)
"""What each output says, as digests, from when the desk took it up: so that a duplicate is found by an index.

Written by the desk alone. A row of an output that goes nowhere any more is removed when it is met.
"""

LOG_TABLES = frozenset({"agents_events", "agents_head", "agents_approvals", "agents_publications"})
"""What no connection of copydesk may drop or alter outside of a migration."""
