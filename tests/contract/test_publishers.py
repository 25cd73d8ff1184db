"""The worker with publishers that leave the machine: whatever the other side does, an output goes out at most once."""

from __future__ import annotations

import gzip
import json
import ssl
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from capture import DatabaseManager
from capture.vocabulary import Draft
from review import PublishingWorker, ReviewDesk
from review.publishers.webhook import message
from tests.fixtures.https_server import Certificate, Request, Server, Talk, answer, says
from tests.fixtures.mastodon import FakeMastodon, account_of
from tests.fixtures.platform import Clock, approved, state
from tests.fixtures.receiver import webhook

HOSTILE = json.loads((Path(__file__).parents[1] / "hostile.json").read_text(encoding="utf-8"))

MOST_MEMORY = 8 * 1024 * 1024
"""What an answer may take of memory, in bytes: a hundred times its bound would still be seen."""


@pytest.fixture
def desk(clocked_desk: ReviewDesk) -> ReviewDesk:
    return clocked_desk


@pytest.fixture
def small_desk(tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[ReviewDesk]:
    """A desk on SQLite, which is made in no time."""
    monkeypatch.chdir(tmp_path)
    with DatabaseManager("sqlite:///small.db") as manager:
        yield ReviewDesk(manager, clock=clock)


def for_ever(first: bytes, more: bytes, pause: float = 0.0) -> Talk:
    """Begins with some bytes and goes on with others until nobody reads them."""

    def talk(connection: ssl.SSLSocket, request: Request) -> None:
        connection.sendall(first)
        while True:
            connection.sendall(more)
            time.sleep(pause)

    return talk


def _mb(name: bytes) -> bytes:
    return name + b": " + b"x" * (1024 * 1024) + b"\r\n"


REDIRECTED = 42871
"""The port of a server that nobody should reach."""

BOMB = gzip.compress(bytes(10_000_000)) * 1_000

TRICKS: dict[str, tuple[Talk, str]] = {
    "webhook-receiver-01": (says(answer(302, b"", f"Location: https://127.0.0.3:{REDIRECTED}/")), "uncertain"),
    "webhook-receiver-02": (for_ever(b"", b"H", 0.05), "uncertain"),
    "webhook-receiver-03": (for_ever(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 16384), "uncertain"),
    "webhook-receiver-04": (says(answer(200, BOMB, "Content-Encoding: gzip")), "uncertain"),
    "webhook-receiver-05": (says(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"), "uncertain"),
    "webhook-receiver-06": (says(b""), "uncertain"),
    "webhook-receiver-07": (for_ever(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "uncertain"),
    "webhook-receiver-08": (says(answer(200, b'{"external_id": "\\u001b]0;x\\u0007"}')), "published"),
    "webhook-receiver-09": (says(answer(500)), "uncertain"),
    "webhook-receiver-10": (says(answer(429, b"", "Retry-After: 99999999999")), "uncertain"),
    "webhook-receiver-11": (says(answer(201, b"", "Location: javascript:alert(1)")), "published"),
    "webhook-receiver-12": (says(answer(409)), "uncertain"),
    "webhook-receiver-13": (says(b"HTTP/1.1 200 OK\r\n" + _mb(b"Set-Cookie") + _mb(b"Server") + b"\r\n"), "uncertain"),
}
"""What each receiver does, and where the output stands then."""


def test_every_trick_of_the_list_is_played() -> None:
    """Each `webhook-receiver` line of the hostile list has its receiver here."""
    assert set(TRICKS) == {line["id"] for line in HOSTILE if line["category"] == "webhook-receiver"}


@pytest.mark.parametrize("trick", TRICKS)
def test_a_receiver_that_plays_tricks_gets_one_post(
    trick: str, small_desk: ReviewDesk, clock: Clock, tmp_path: Path, server: Server, certificate: Certificate
) -> None:
    """Time, bytes and memory are bounded, the state is what the answer proves, and nothing is sent a second time.

    On SQLite alone: it is the receiver that differs from one to the next.
    """
    desk = small_desk
    server.talk, expected = TRICKS[trick]
    elsewhere = Server(certificate, "127.0.0.3", REDIRECTED)
    publisher = webhook(tmp_path, server, certificate, timeout=0.4)
    worker = PublishingWorker(desk, {"folder": publisher}, name="w1")
    post = approved(desk)
    tracemalloc.start()
    started = time.monotonic()
    worker.run_once()
    assert time.monotonic() - started < 5
    assert tracemalloc.get_traced_memory()[1] < MOST_MEMORY
    tracemalloc.stop()
    assert state(desk, post) == expected
    for _ in range(2):
        clock.now += timedelta(hours=3)
        worker.run_once()
    assert state(desk, post) == expected
    assert [request.body for request in server.requests if request.method == "POST"] == [sent(desk, post)]
    elsewhere.close()
    assert elsewhere.connections == 0
    output = desk.output(post.output_id)
    assert output is not None
    assert "\x1b" not in output.model_dump_json() + repr(output)


def sent(desk: ReviewDesk, post: Draft) -> bytes:
    """The body that a receiver should get."""
    output = desk.output(post.output_id)
    assert output is not None
    return message(output)


def test_an_answer_that_is_declared_a_no_is_tried_again(
    desk: ReviewDesk, clock: Clock, tmp_path: Path, server: Server, certificate: Certificate
) -> None:
    """By an answer that `not_accepted` lists the output failed for certain; it goes out later, with the same bytes."""
    worker = PublishingWorker(desk, {"folder": webhook(tmp_path, server, certificate, not_accepted=[503])}, name="w1")
    server.talk = says(answer(503))
    post = approved(desk)
    worker.run_once()
    assert state(desk, post) == "publish_failed"
    server.talk = says(answer(200))
    clock.now += timedelta(hours=3)
    worker.run_once()
    assert state(desk, post) == "published"
    assert [request.body for request in server.requests] == [sent(desk, post)] * 2


Posted = Callable[[], tuple[int, Any]]


def after_posting(status: int) -> Callable[[ssl.SSLSocket, Posted], None]:
    """A status is made, and the answer says otherwise."""

    def fault(connection: ssl.SSLSocket, post: Posted) -> None:
        post()
        connection.sendall(answer(status, b'{"error": "no"}'))

    return fault


def lost(connection: ssl.SSLSocket, post: Posted) -> None:
    """A status is made, and nothing is answered."""
    post()


@pytest.mark.parametrize("fault", [after_posting(500), after_posting(400), lost], ids=["500", "400", "lost"])
def test_a_status_that_was_made_behind_a_fault_is_found(
    fault: Any, desk: ReviewDesk, clock: Clock, tmp_path: Path, server: Server, certificate: Certificate
) -> None:
    """The output is uncertain, is found by the look-up of a worker that did not send it, and stands there once."""
    fake = FakeMastodon(server)
    fake.now, fake.fault = clock, fault
    post = approved(desk)
    PublishingWorker(desk, {"folder": account_of(tmp_path, fake, certificate)}, name="w1").run_once()
    assert state(desk, post) == "uncertain"
    clock.now += timedelta(hours=3)
    PublishingWorker(desk, {"folder": account_of(tmp_path, fake, certificate)}, name="w2").run_once()
    assert state(desk, post) == "published"
    assert list(fake.texts.values()) == ["Ahoy."]
    assert len(fake.arrived) == 1


def test_a_status_that_comes_late_is_found(
    desk: ReviewDesk, clock: Clock, tmp_path: Path, server: Server, certificate: Certificate
) -> None:
    """A server that makes the status long after its client gave up makes one, and nobody asks for another."""
    fake = FakeMastodon(server)
    fake.now = clock
    go, made = threading.Event(), threading.Event()

    def late(connection: ssl.SSLSocket, post: Posted) -> None:
        go.wait(10)
        said = post()
        made.set()
        with suppress(OSError):
            connection.sendall(answer(said[0], json.dumps(said[1]).encode()))

    fake.fault = late
    post = approved(desk)
    worker = PublishingWorker(desk, {"folder": account_of(tmp_path, fake, certificate, timeout=1)}, name="w1")
    worker.run_once()
    clock.now += timedelta(hours=3)
    worker.run_once()
    assert state(desk, post) == "uncertain"
    go.set()
    assert made.wait(10)
    clock.now += timedelta(hours=3)
    worker.run_once()
    assert state(desk, post) == "published"
    assert len(fake.arrived) == len(fake.statuses) == 1


def test_too_many_requests_is_tried_again(
    desk: ReviewDesk, clock: Clock, tmp_path: Path, server: Server, certificate: Certificate
) -> None:
    """A rate limit is a declared no: the output failed for certain, and is posted once, later, under the same key."""
    fake = FakeMastodon(server)
    fake.now = clock
    fake.fault = lambda connection, post: connection.sendall(answer(429, b'{"error": "Too many requests"}'))
    post = approved(desk)
    worker = PublishingWorker(desk, {"folder": account_of(tmp_path, fake, certificate)}, name="w1")
    worker.run_once()
    assert (state(desk, post), fake.statuses) == ("publish_failed", [])
    clock.now += timedelta(hours=3)
    worker.run_once()
    assert state(desk, post) == "published"
    keys = {each.headers["idempotency-key"] for each in server.requests if each.path == "/api/v1/statuses"}
    assert (len(fake.statuses), len(keys)) == (1, 1)
