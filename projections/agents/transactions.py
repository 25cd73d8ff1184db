"""`agents_transactions`: payments as agents saw them, a row a transaction."""

from __future__ import annotations

from decimal import Decimal

from capture import Recorded
from capture.vocabulary import TransactionRecorded
from projections.columns import Exact, Integer, Json, Key, Text, Timestamp
from projections.projector import Projector, handles
from projections.rows import Rows
from projections.table import agents_table


class Transactions(Projector, version=1):
    """The newest event of a transaction tells its state. Amounts are decimals, never floats."""

    table = agents_table(
        "transactions",
        Key("transaction_id"),
        Exact("amount"),
        Text("currency"),
        Text("purpose"),
        Text("status"),
        Text("chain_tx_hash"),
        Json("metadata"),
        Text("agent_id"),
        Text("run_id"),
        Timestamp("first_at"),
        Timestamp("last_at"),
        Integer("position"),
        indexes=[("status", "last_at")],
    )

    @handles(TransactionRecorded)
    def recorded(self, fact: Recorded[TransactionRecorded], rows: Rows) -> None:
        """The state that was seen last; a hash that was known once stays."""
        seen = fact.payload
        row = rows.at(transaction_id=seen.transaction_id).first(first_at=fact.occurred_at)
        row.set(
            amount=Decimal(seen.amount),
            currency=seen.currency,
            purpose=seen.purpose,
            status=seen.status,
            metadata=seen.metadata,
            agent_id=fact.agent_id,
            run_id=fact.run_id,
            last_at=fact.occurred_at,
            position=fact.position,
        )
        if seen.chain_tx_hash is not None:
            row.set(chain_tx_hash=seen.chain_tx_hash)
