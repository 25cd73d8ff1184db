"""Money that an agent saw move. Recording moves none: what moves money is an `action.proposed`, and passes review."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from capture.events.event import Event, JsonObject
from capture.vocabulary.actions import Text
from capture.vocabulary.drafts import Line

TransactionId = Annotated[str, Field(min_length=1, max_length=200)]
"""What names a transaction. In characters."""

# Text, since JSON numbers are read as binary floats, which have no 0.10. `[0-9]`: `\d` takes other scripts' digits too.
Amount = Annotated[str, Field(pattern=r"^-?[0-9]+(\.[0-9]+)?$", max_length=100)]
"""A decimal number as text: `-12.50`."""


class TransactionRecorded(Event, type="transaction.recorded", version=1, stream="transaction_id"):
    """A payment in the state that the agent saw it in. The newest event of a transaction tells its state."""

    transaction_id: TransactionId
    amount: Amount
    currency: Line
    purpose: Text
    status: Line
    chain_tx_hash: Line | None = None
    metadata: JsonObject = Field(default_factory=dict)
