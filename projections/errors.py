"""The errors of projections."""

from __future__ import annotations

from typing import ClassVar

from capture import CopydeskError, NotFound


class UnknownProjection(NotFound):
    """No projector at hand has this name."""

    code = "UNKNOWN_PROJECTION"


class TableInTheWay(CopydeskError):
    """A table that a projection wants to make is there already, and no checkpoint says that the projection made it."""

    code = "TABLE_IN_THE_WAY"


class ReplayStopped(CopydeskError):
    """A replay met an event that its projector can't handle. The old table is untouched."""

    code = "REPLAY_STOPPED"


class ReplayRunning(CopydeskError):
    """Another process replays this projection."""

    code = "REPLAY_RUNNING"
    exit_code = 3


class ViewInTheWay(CopydeskError):
    """A view needs a column that the new table does not have. Nothing was changed."""

    code = "VIEW_IN_THE_WAY"
    exit_code = 3


class ObjectInTheWay(CopydeskError):
    """Something that hangs on the table would be lost, or not work, with the new one. Nothing was changed."""

    code = "OBJECT_IN_THE_WAY"
    exit_code = 3


class SwapHeldUp(CopydeskError):
    """Readers held the table, or an old snapshot, for as long as the swap may wait. The old table serves on."""

    code = "SWAP_HELD_UP"
    exit_code = 8


class StaleProjection(CopydeskError):
    """The table was made by other code. A replay brings it up to date."""

    code = "STALE_PROJECTION"


class WaitTimedOut(CopydeskError):
    """A projection did not reach a position in time."""

    code = "TIMED_OUT"
    exit_code: ClassVar[int] = 8
