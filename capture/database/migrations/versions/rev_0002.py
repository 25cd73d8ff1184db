"""What the limits of a policy ask for: what was sent, by whom and where; and which outputs say the same.

Revision ID: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

POSITION = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.TIMESTAMP(timezone=True).with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    """Add what was sent to each publication, from the drafts in the log; and the table of what outputs say."""
    for name in ("channel", "kind", "identity", "target_url", "agent_id"):
        op.add_column("agents_publications", sa.Column(name, sa.Text()))
    op.create_index("agents_publications_started", "agents_publications", ["started_at"])
    op.create_table(
        "agents_repeats",
        sa.Column("saying", sa.Text(), nullable=False),
        sa.Column("output_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("position", POSITION, nullable=False),
        sa.Column("opened_at", TIME, nullable=False),
        sa.Column("sent_at", TIME),
        sa.PrimaryKeyConstraint("saying", "output_id", "revision"),
    )
    part = "json_extract(payload, '$.{}')" if op.get_context().dialect.name == "sqlite" else "payload->>'{}'"
    kind = "replace(replace(event_type, '.drafted', ''), '.proposed', '')"
    for column, value in (
        ("channel", part.format("channel")),
        ("kind", kind),
        ("identity", part.format("identity")),
        ("target_url", part.format("target_url")),
        ("agent_id", "agent_id"),
    ):
        # The first draft of a stream is the one that counts; other event types of a stream never end so.
        op.execute(
            sa.text(
                f"UPDATE agents_publications SET {column} = (SELECT {value} FROM agents_events "
                "WHERE stream_id = 'output-' || agents_publications.output_id "
                "AND (event_type LIKE '%.drafted' OR event_type LIKE '%.proposed') ORDER BY position LIMIT 1)"
            )
        )
