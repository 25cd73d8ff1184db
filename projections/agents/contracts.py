"""`agents_contracts`: work that is offered with deliverables and a deadline, a row a contract."""

from __future__ import annotations

from capture import Recorded
from capture.vocabulary import ContractAmended, ContractAssigned, ContractCompleted, ContractOpened
from projections.columns import Integer, Json, Key, Real, Text, Timestamp
from projections.projector import Projector, handles
from projections.rows import Rows
from projections.table import agents_table


class Contracts(Projector, version=1):
    """Each event tells what is known then; what it leaves out stays. An amendment changes no state."""

    table = agents_table(
        "contracts",
        Key("contract_id"),
        Text("state"),
        Text("description"),
        Text("assigned_to"),
        Real("estimated_minutes"),
        Json("priority"),
        Json("dependencies"),
        Json("deliverables"),
        Timestamp("deadline"),
        Text("outcome"),
        Text("agent_id"),
        Text("run_id"),
        Integer("amendments"),
        Timestamp("opened_at"),
        Timestamp("assigned_at"),
        Timestamp("amended_at"),
        Timestamp("completed_at"),
        Integer("position"),
        indexes=[("state", "assigned_to")],
    )

    @handles(ContractOpened)
    def opened(self, fact: Recorded[ContractOpened], rows: Rows) -> None:
        """Work is offered."""
        self._tell(fact, rows, state="open", opened_at=fact.occurred_at)

    @handles(ContractAssigned)
    def assigned(self, fact: Recorded[ContractAssigned], rows: Rows) -> None:
        """Somebody has taken it on."""
        self._tell(fact, rows, state="assigned", assigned_at=fact.occurred_at)

    @handles(ContractAmended)
    def amended(self, fact: Recorded[ContractAmended], rows: Rows) -> None:
        """Its terms changed."""
        self._tell(fact, rows, amended_at=fact.occurred_at)
        rows.at(contract_id=fact.payload.contract_id).add(amendments=1)

    @handles(ContractCompleted)
    def completed(self, fact: Recorded[ContractCompleted], rows: Rows) -> None:
        """It is over."""
        self._tell(fact, rows, state="completed", completed_at=fact.occurred_at)

    def _tell(
        self,
        fact: Recorded[ContractOpened]
        | Recorded[ContractAssigned]
        | Recorded[ContractAmended]
        | Recorded[ContractCompleted],
        rows: Rows,
        **more: object,
    ) -> None:
        contract = fact.payload
        said = {name: getattr(contract, name) for name in TOLD}
        row = rows.at(contract_id=contract.contract_id)
        row.set(**{name: value for name, value in said.items() if value not in (None, ())}, **more)
        row.set(agent_id=fact.agent_id, run_id=fact.run_id, position=fact.position)


TOLD = (
    "description",
    "assigned_to",
    "estimated_minutes",
    "priority",
    "dependencies",
    "deliverables",
    "deadline",
    "outcome",
)
"""What any event of a contract may tell."""
