"""Contracts between agents: work with deliverables and a deadline. What an event leaves out stays as it was."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from capture.events.event import Event, Time
from capture.vocabulary.actions import Text
from capture.vocabulary.drafts import Line
from capture.vocabulary.tasks import Grade

ContractId = Annotated[str, Field(min_length=1, max_length=200)]
"""What names a contract. In characters."""


class _OfContract(Event):
    contract_id: ContractId
    description: Text | None = None
    assigned_to: Line | None = None
    estimated_minutes: Annotated[float, Field(ge=0)] | None = None
    priority: Grade | None = None
    dependencies: tuple[Line, ...] = ()
    deliverables: tuple[Line, ...] = ()
    deadline: Time | None = None
    outcome: Text | None = None


class ContractOpened(_OfContract, type="contract.opened", version=1, stream="contract_id"):
    """Work was offered."""


class ContractAssigned(_OfContract, type="contract.assigned", version=1, stream="contract_id"):
    """An agent took the work on."""


class ContractAmended(_OfContract, type="contract.amended", version=1, stream="contract_id"):
    """The terms of the work changed."""


class ContractCompleted(_OfContract, type="contract.completed", version=1, stream="contract_id"):
    """The work ended; `outcome` tells how."""
