"""The log, its head, bookkeeping of projections, and the desk's own tables.

Revision ID: 0001
"""

from __future__ import annotations

import uuid

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

POSITION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.TIMESTAMP(timezone=True).with_variant(sa.Text(), "sqlite")
UUID = sa.Uuid(as_uuid=False).with_variant(sa.Text(), "sqlite")
JSON = sa.JSON().with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    """Make all tables, the head's one row, and the triggers that hold the log append-only."""
    sqlite = op.get_context().dialect.name == "sqlite"
    _the_log()
    _bookkeeping()
    _the_desk()
    op.execute(
        sa.text(
            "INSERT INTO agents_head (id, log_id, epoch, position, recorded_at) VALUES (1, :log_id, 1, 0, :recorded_at)"
        ).bindparams(
            sa.bindparam("log_id", str(uuid.uuid4())),
            sa.bindparam("recorded_at", "1970-01-01T00:00:00.000000Z", literal_execute=True),
        )
    )
    for statement in _SQLITE if sqlite else _POSTGRESQL:
        op.execute(sa.text(statement.replace(":", r"\:")))


def _the_log() -> None:
    op.create_table(
        "agents_events",
        sa.Column("position", POSITION, primary_key=True, autoincrement=False),
        sa.Column("event_id", UUID, nullable=False, unique=True),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("schema_version", sa.Integer(), nullable=False),
        sa.Column("stream_id", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text()),
        sa.Column("correlation_id", sa.Text()),
        sa.Column("causation_id", sa.Text()),
        sa.Column("trace_id", sa.Text()),
        sa.Column("occurred_at", TIME, nullable=False),
        sa.Column("recorded_at", TIME, nullable=False),
        sa.Column("payload", JSON, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
    )
    op.create_index("agents_events_stream", "agents_events", ["stream_id", "position"])
    op.create_index("agents_events_type", "agents_events", ["event_type", "position"])
    op.create_table(
        "agents_head",
        sa.Column(
            "id",
            sa.SmallInteger(),
            sa.CheckConstraint("id = 1", name="agents_head_one_row"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("log_id", sa.Text(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("position", POSITION, nullable=False),
        sa.Column("recorded_at", TIME, nullable=False),
        sa.Column("moved_to", sa.Text()),
    )


def _bookkeeping() -> None:
    op.create_table(
        "agents_table_owners",
        sa.Column("full_name", sa.Text(), primary_key=True),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
    )
    op.create_table(
        "agents_checkpoints",
        sa.Column("projection", sa.Text(), primary_key=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("position", POSITION, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("handled", POSITION, nullable=False),
        sa.Column("skipped", POSITION, nullable=False),
        sa.Column("dead", POSITION, nullable=False),
        sa.Column("rate", sa.Double(), nullable=False),
    )
    op.create_table(
        "agents_leases",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
    )
    op.create_table(
        "agents_dead_letters",
        sa.Column("projection", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("position", POSITION, nullable=False),
        sa.Column("event_id", UUID, nullable=False),
        sa.Column("event_type", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("projection", "version", "position"),
    )
    op.create_table(
        "agents_quarantine",
        sa.Column("quarantine_id", UUID, primary_key=True),
        sa.Column("received_at", TIME, nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Text()),
        sa.Column("event_type", sa.Text()),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
    )


def _the_desk() -> None:
    op.create_table(
        "agents_approvals",
        sa.Column("output_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("position", POSITION, nullable=False),
        sa.Column("approved_at", TIME, nullable=False),
        sa.Column("revoked_position", POSITION),
        sa.PrimaryKeyConstraint("output_id", "revision", "content_hash"),
    )
    op.create_table(
        "agents_publications",
        sa.Column("output_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("publisher", sa.Text(), nullable=False),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("started_position", POSITION, nullable=False),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("finished_position", POSITION),
        sa.Column("external_id", sa.Text()),
        sa.Column("url", sa.Text()),
        sa.PrimaryKeyConstraint("output_id", "revision", "content_hash", "attempt"),
    )


_SQLITE = (
    """CREATE TRIGGER agents_events_no_update BEFORE UPDATE ON agents_events
       BEGIN SELECT RAISE(ABORT, 'agents_events is append-only: no UPDATE'); END""",
    """CREATE TRIGGER agents_events_no_delete BEFORE DELETE ON agents_events
       BEGIN SELECT RAISE(ABORT, 'agents_events is append-only: no DELETE'); END""",
    # INSERT OR REPLACE deletes the old row without a DELETE trigger (recursive_triggers is off), so it is stopped here.
    """CREATE TRIGGER agents_events_dense BEFORE INSERT ON agents_events
       WHEN NEW.position IS NOT (SELECT coalesce(max(position), 0) + 1 FROM agents_events)
         OR EXISTS (SELECT 1 FROM agents_events WHERE event_id = NEW.event_id)
       BEGIN
         SELECT RAISE(ABORT, 'agents_events: the event id is in the log already')
          WHERE EXISTS (SELECT 1 FROM agents_events WHERE event_id = NEW.event_id);
         SELECT RAISE(ABORT, 'agents_events: the position is not the next one');
       END""",
    """CREATE TRIGGER agents_events_approved BEFORE INSERT ON agents_events
       WHEN NEW.event_type = 'publication.started' AND NOT EXISTS (
         SELECT 1 FROM agents_approvals
          WHERE output_id = json_extract(NEW.payload, '$.output_id')
            AND revision = json_extract(NEW.payload, '$.revision')
            AND content_hash = json_extract(NEW.payload, '$.content_hash')
            AND revoked_position IS NULL)
       BEGIN SELECT RAISE(ABORT, 'agents_events: publication.started needs a live approval of its content'); END""",
)

# ENABLE ALWAYS: `session_replication_role = replica` would switch ordinary triggers off.
_POSTGRESQL = (
    "ALTER TABLE agents_head SET (fillfactor = 10)",
    """CREATE FUNCTION agents_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN RAISE EXCEPTION 'agents_events is append-only: no %', TG_OP; END $$""",
    """CREATE TRIGGER agents_events_no_update BEFORE UPDATE ON agents_events
       FOR EACH STATEMENT EXECUTE FUNCTION agents_refuse_change()""",
    """CREATE TRIGGER agents_events_no_delete BEFORE DELETE ON agents_events
       FOR EACH STATEMENT EXECUTE FUNCTION agents_refuse_change()""",
    """CREATE TRIGGER agents_events_no_truncate BEFORE TRUNCATE ON agents_events
       FOR EACH STATEMENT EXECUTE FUNCTION agents_refuse_change()""",
    # The search path is the migration's and ends with pg_temp: a temporary agents_approvals must not stand in for ours.
    """DO $$ BEGIN EXECUTE format('
       CREATE FUNCTION agents_require_approval() RETURNS trigger LANGUAGE plpgsql SET search_path = %I, pg_temp AS $f$
       BEGIN
         IF NOT EXISTS (
           SELECT 1 FROM agents_approvals
            WHERE output_id = NEW.payload->>''output_id''
              AND revision = (NEW.payload->>''revision'')::integer
              AND content_hash = NEW.payload->>''content_hash''
              AND revoked_position IS NULL)
         THEN RAISE EXCEPTION ''agents_events: publication.started needs a live approval of its content'';
         END IF;
         RETURN NEW;
       END $f$', current_schema()); END $$""",
    """CREATE TRIGGER agents_events_approved BEFORE INSERT ON agents_events FOR EACH ROW
       WHEN (NEW.event_type = 'publication.started') EXECUTE FUNCTION agents_require_approval()""",
    "ALTER TABLE agents_events ENABLE ALWAYS TRIGGER agents_events_no_update",
    "ALTER TABLE agents_events ENABLE ALWAYS TRIGGER agents_events_no_delete",
    "ALTER TABLE agents_events ENABLE ALWAYS TRIGGER agents_events_no_truncate",
    "ALTER TABLE agents_events ENABLE ALWAYS TRIGGER agents_events_approved",
)
