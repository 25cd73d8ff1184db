"""What an admin does about a held publication: look, then let this machine go on."""

from __future__ import annotations

import socket

from review.commands import ActorSource
from review.desk import ReviewDesk
from review.ordering import Ordered
from review.publication.mark import Marks
from review.refusals import Refusal


def resume_after_restore(
    desk: ReviewDesk, *, actor: str, reason: str, actor_source: ActorSource = "api"
) -> Ordered | Refusal:
    """Let this machine publish from the database as it is now, and record who said so.

    Each machine that publishes has a mark of its own, and is asked for by itself.

    Args:
        desk: The desk of the database.
        actor: An admin, who has looked at what is out already.
        reason: What was found.
        actor_source: How the actor is known.

    Raises:
        OSError: The mark can't be written: publication still holds.
    """
    marks = Marks(desk.manager)
    held = marks.held()
    if held is None:
        orders = desk.orders()
        return Ordered(orders.position, changed=False, orders=orders)
    answer = desk.resume_after_restore(
        actor=actor, reason=reason, held=held[:4_000], machine=socket.gethostname()[:100], actor_source=actor_source
    )
    if isinstance(answer, Ordered):
        marks.accept(answer.position)
    return answer
