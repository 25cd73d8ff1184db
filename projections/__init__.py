"""Projections: readable tables that are built from the log, and can be dropped and built again."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from projections.columns import Boolean, Exact, Integer, Json, Key, Real, Text, Timestamp
    from projections.dead_letters import DeadLetter, dead_letters_of
    from projections.difference import Difference, RowDifference, diff
    from projections.errors import (
        ObjectInTheWay,
        ReplayRunning,
        ReplayStopped,
        StaleProjection,
        SwapHeldUp,
        TableInTheWay,
        UnknownProjection,
        ViewInTheWay,
        WaitTimedOut,
    )
    from projections.past import AsOf, as_of
    from projections.projector import Projector, folds, handles
    from projections.registry import handled
    from projections.replay_process import Ended, ReplayProcess
    from projections.replaying import Progress, Replayed, replay
    from projections.rows import Rows
    from projections.runner import ProjectionRunner
    from projections.standing import Status, status
    from projections.table import Table, agents_table, foundup_table, module_table
    from projections.verification import verify
    from projections.waiting import wait_for

# No file has the name of a public function: importing the file would put the module in the function's place.
_NAMES = {
    "columns": ("Boolean", "Exact", "Integer", "Json", "Key", "Real", "Text", "Timestamp"),
    "dead_letters": ("DeadLetter", "dead_letters_of"),
    "difference": ("Difference", "RowDifference", "diff"),
    "errors": (
        "ObjectInTheWay",
        "ReplayRunning",
        "ReplayStopped",
        "StaleProjection",
        "SwapHeldUp",
        "TableInTheWay",
        "UnknownProjection",
        "ViewInTheWay",
        "WaitTimedOut",
    ),
    "past": ("AsOf", "as_of"),
    "projector": ("Projector", "folds", "handles"),
    "registry": ("handled",),
    "replay_process": ("Ended", "ReplayProcess"),
    "replaying": ("Progress", "Replayed", "replay"),
    "rows": ("Rows",),
    "runner": ("ProjectionRunner",),
    "standing": ("Status", "status"),
    "table": ("Table", "agents_table", "foundup_table", "module_table"),
    "verification": ("verify",),
    "waiting": ("wait_for",),
}
_FILES = {name: file for file, names in _NAMES.items() for name in names}

__all__ = [
    "AsOf",
    "Boolean",
    "DeadLetter",
    "Difference",
    "Ended",
    "Exact",
    "Integer",
    "Json",
    "Key",
    "ObjectInTheWay",
    "Progress",
    "ProjectionRunner",
    "Projector",
    "Real",
    "ReplayProcess",
    "ReplayRunning",
    "ReplayStopped",
    "Replayed",
    "RowDifference",
    "Rows",
    "StaleProjection",
    "Status",
    "SwapHeldUp",
    "Table",
    "TableInTheWay",
    "Text",
    "Timestamp",
    "UnknownProjection",
    "ViewInTheWay",
    "WaitTimedOut",
    "agents_table",
    "as_of",
    "dead_letters_of",
    "diff",
    "folds",
    "foundup_table",
    "handled",
    "handles",
    "module_table",
    "replay",
    "status",
    "verify",
    "wait_for",
]


def __getattr__(name: str) -> object:
    if name not in _FILES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_FILES[name]}"), name)
    globals()[name] = value
    return value
