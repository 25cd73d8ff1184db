"""When a table is not what the code at hand makes of the log, and why: it stays as it is until a replay."""

from __future__ import annotations

from projections.checkpoint import Checkpoint
from projections.folding import Plan


def stale_reason(plan: Plan, at: Checkpoint) -> str | None:
    """Why a table does not fit the code, and what to do; None when it does."""
    projector = plan.projector
    if at.fingerprint == projector.fingerprint():
        return None
    if at.version == projector.version:
        return "replay needed: the columns of its tables changed"
    return f"replay needed: its tables were made by version {at.version} of the projector, this is {projector.version}"


def ahead_reason(at: Checkpoint, head: int) -> str:
    """Why a checkpoint lies beyond the log, and what to do."""
    return f"its checkpoint is {at.position}, the log ends at {head}: the database was restored; replay it"
