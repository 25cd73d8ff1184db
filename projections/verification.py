"""`verify`: is every live table what the code at hand makes of the log?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from capture import DatabaseManager
from projections.difference import Difference, diff
from projections.registry import ProjectorLike


class Verified(NamedTuple):
    """Whether one projection's tables are what the log makes.

    Attributes:
        projection: Its name.
        position: The position that they were compared at.
        ok: True when not a row differs.
        difference: What differs.
    """

    projection: str
    position: int
    ok: bool
    difference: Difference


def verify(
    manager: DatabaseManager,
    projection: str | None = None,
    *,
    projectors: Iterable[ProjectorLike] | None = None,
) -> list[Verified]:
    """Rebuild tables beside the live ones and compare: `ok` if and only if `diff` is empty.

    Args:
        manager: The database.
        projection: A projection's name; all when left out.
        projectors: Projectors or their classes; every installed one when left out.

    Raises:
        UnknownProjection: There is no such projection.
    """
    found = diff(manager, projection, projectors=projectors)
    return [Verified(one.projection, one.position, one.empty, one) for one in found]
