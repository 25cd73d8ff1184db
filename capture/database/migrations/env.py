"""What alembic runs: the migrations, on the connection and in the transaction that it was given."""

from __future__ import annotations

from alembic import context

from capture.database.migrations import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    version_table=VERSION_TABLE,
    # One transaction around all, which the caller has begun: SQLite's DDL is transactional too, once BEGIN was said.
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
