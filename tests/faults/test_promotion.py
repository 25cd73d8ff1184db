"""A replica that is promoted without what its server sent."""

from __future__ import annotations

from capture import DatabaseManager, Settings
from review import PublishingWorker, ReviewDesk
from review.ordering import Ordered
from review.publication.holding import resume_after_restore
from tests.faults.replica import replica_of
from tests.faults.stopping import own_server
from tests.fixtures.platform import Platform, approved, state


def test_a_promoted_replica_that_lacks_a_send_sends_nothing(settings: Settings) -> None:
    """PostgreSQL only, a file has no replica: one that lacks the send holds publication until an admin has looked."""
    platform = Platform()
    with own_server() as server:
        url = server.get_uri()
        with DatabaseManager(url, settings=settings) as manager, replica_of(server) as replica:
            desk = ReviewDesk(manager)
            first = approved(desk, "First.")
            assert PublishingWorker(desk, {"folder": platform}).run_once().published == 1
            post = approved(desk)
            replica.has(url)
            replica.cut_off()
            assert PublishingWorker(desk, {"folder": platform}).run_once().published == 1
            replica.promote()
            with DatabaseManager(replica.url, settings=settings) as promoted:
                desk = ReviewDesk(promoted)
                worker = PublishingWorker(desk, {"folder": platform})
                summary = worker.run_once()
                assert summary.held is not None
                assert "timeline" in summary.held
                assert (state(desk, first), state(desk, post)) == ("published", "approved")
                assert len(platform.arrived) == 2
                desk.withdraw(post.output_id, actor="ana", note="it is out")
                assert isinstance(resume_after_restore(desk, actor="ana", reason="one was out"), Ordered)
                approved(desk, "After.")
                assert worker.run_once().published == 1
    assert [body for _, _, body in platform.arrived] == ["First.", "Ahoy.", "After."]
