"""`agents_errors`: the errors that each agent met, a row a hash, with what solved them."""

from __future__ import annotations

from capture import Recorded
from capture.vocabulary import ErrorLearned
from projections.columns import Integer, Json, Key, Text, Timestamp
from projections.projector import Projector, handles
from projections.rows import Rows
from projections.table import agents_table


class Errors(Projector, version=1):
    """Occurrences of one hash add up, and the first solution stays."""

    table = agents_table(
        "errors",
        Key("agent_id"),
        Key("error_hash"),
        Text("error_type"),
        Text("message"),
        Json("solution"),
        Integer("occurrences"),
        Text("run_id"),
        Timestamp("first_at"),
        Timestamp("last_at"),
        Integer("position"),
    )

    @handles(ErrorLearned)
    def learned(self, fact: Recorded[ErrorLearned], rows: Rows) -> None:
        """The newest message and time, the first solution, and the sum."""
        error = fact.payload
        row = rows.at(agent_id=fact.agent_id, error_hash=error.error_hash)
        row.add(occurrences=error.occurrences).first(solution=error.solution, first_at=fact.occurred_at)
        row.set(error_type=error.error_type, run_id=fact.run_id, last_at=fact.occurred_at, position=fact.position)
        if error.message is not None:
            row.set(message=error.message)
