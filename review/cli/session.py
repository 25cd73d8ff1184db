"""What every review command does first: take in what agents left behind, and bring the list up to date."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from capture.cli import Database

if TYPE_CHECKING:
    from review import Output, ReviewDesk
    from review.queue import Filters


def at_the_desk(database: Database, *, tell: bool = True) -> ReviewDesk:
    """The desk of a database, once it knows everything that agents put out up to now.

    So an operator without a running `copydesk run` sees the truth, too.

    Args:
        database: The database.
        tell: Say so when the policy file here is not the policy in force.
    """
    from capture import recover_journals
    from review import ReviewDesk

    desk = ReviewDesk(database.manager)
    recover_journals(database.manager)
    desk.refresh()
    if tell:
        desk.tell_if_the_file_differs()
    return desk


def find(desk: ReviewDesk, start: str) -> Output:
    """The output whose id is, or begins with, what was typed.

    Raises:
        NotFound: No output fits.
        AmbiguousId: More than one fits.
    """
    from review.queue import find_id

    # The log first: it knows the whole id even while the table waits for a replay.
    output = desk.output(start)
    if output is None:
        found = desk.output(find_id(desk.manager, start))
        assert found is not None  # noqa: S101 - the table has it from the same log
        output = found
    return output


def waiting_for(desk: ReviewDesk, actor: str, wanted: Filters) -> Iterator[Output]:
    """The outputs that wait for a verdict of this person: not those that others work on, or that lack others' votes.

    Args:
        desk: The desk.
        actor: The person.
        wanted: What they are narrowed to.
    """
    from review.output import State
    from review.queue import list_all

    for row in list_all(desk.manager, page=5, **wanted):
        output = desk.output(row.output_id)
        if output is None or output.state is not State.PENDING:
            continue  # decided since
        lease = output.lease_at(desk.now())
        others = lease is not None and lease.holder != actor
        if not others and all(vote.actor != actor for vote in output.votes):
            yield output
