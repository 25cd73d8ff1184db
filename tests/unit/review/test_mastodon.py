"""The Mastodon publisher: exactly the approved text, under the approved account, or nothing."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from capture import Settings, attach
from capture.vocabulary import ActionProposed, CommentDrafted, Draft, MessageDrafted, SocialPostDrafted
from review import Output, Publisher
from review.effects import idempotency_key
from review.errors import Answered, NotSent, Unanswered
from review.publishers.mastodon import MastodonPublisher
from review.publishers.mastodon_text import shortest_count, would_change
from review.testing import PublisherContract, Story
from tests.fixtures.https_server import Certificate, Server, answer
from tests.fixtures.mastodon import TOKEN, FakeMastodon, account_of

HOSTILE = json.loads((Path(__file__).parents[2] / "hostile.json").read_text(encoding="utf-8"))


def an_output(body: str = "Ahoy.", draft: Draft | None = None) -> tuple[Output, str]:
    output = Story(draft or SocialPostDrafted(output_id="o1", channel="mastodon", identity="@acme", body=body)).output
    return output, idempotency_key(output.output_id, 1, output.content_hash)


class TestMastodon(PublisherContract):
    """The Mastodon publisher holds what every publisher holds, of the texts that the platform keeps as they are."""

    bodies: ClassVar[tuple[str, ...]] = (
        "Ahoy.",
        "a\r\nb",
        "\u202eevil\u2066 ✓ \U0001f600",
        "../../etc/passwd",
        "<p>&amp;",
    )

    @pytest.fixture(autouse=True)
    def servers(self, tmp_path: Path, certificate: Certificate) -> Iterator[None]:
        self.folder, self.certificate = tmp_path, certificate
        self.made: list[tuple[Server, FakeMastodon]] = []
        yield
        for server, _ in self.made:
            server.close()

    def make(self) -> MastodonPublisher:
        server = Server(self.certificate)
        self.made.append((server, FakeMastodon(server)))
        return account_of(self.folder / str(len(self.made)), self.made[-1][1], self.certificate)

    def arrived(self, publisher: Publisher) -> list[bytes]:
        fake = self.made[-1][1]
        return [fake.texts[status["id"]].encode() for status in fake.statuses]


@pytest.fixture
def fake(server: Server) -> FakeMastodon:
    return FakeMastodon(server)


@pytest.fixture
def publisher(tmp_path: Path, fake: FakeMastodon, certificate: Certificate) -> MastodonPublisher:
    return account_of(tmp_path, fake, certificate)


def test_a_post_is_asked_for_once_with_its_key(
    server: Server, fake: FakeMastodon, publisher: MastodonPublisher
) -> None:
    """One POST carries the text, the visibility and the key; nothing is scheduled; the receipt is the platform's."""
    output, key = an_output()
    receipt = publisher.publish(output, key)
    posts = [request for request in server.requests if request.method == "POST"]
    assert [post.path for post in posts] == ["/api/v1/statuses"]
    assert posts[0].headers["idempotency-key"] == key
    assert fake.arrived == [{"status": "Ahoy.", "visibility": "public", "media_ids": []}]
    assert (receipt.external_id, receipt.url) == ("101", f"{fake.instance}/@acme/101")


def test_every_hostile_text_arrives_as_it_is_or_not_at_all(fake: FakeMastodon, publisher: MastodonPublisher) -> None:
    """Each hostile value is kept byte for byte, or refused before it is sent where the platform would change it."""
    fake.max_characters = 100_000
    kept, refused = [], 0
    for entry in HOSTILE:
        value = entry.get("prefix", "") + entry["value"] * entry.get("repeat", 1) + entry.get("suffix", "")
        if "\0" in value or len(value) > 100_000 or any("\ud800" <= character <= "\udfff" for character in value):
            continue
        before = len(fake.arrived)
        try:
            publisher.publish(*an_output(value))
        except NotSent:
            refused += 1
            assert len(fake.arrived) == before
        else:
            kept.append(value.encode())
    assert len(kept) > 280
    assert 0 < refused < 40
    assert [fake.texts[status["id"]].encode() for status in reversed(fake.statuses)] == kept


@pytest.mark.parametrize("body", ["", " a", "a\n", "\ta", "a\r\n", "a" * 501, "✓" * 501, "👩‍👩‍👧" * 501])
def test_what_the_platform_would_change_or_refuse_is_not_sent(
    body: str, fake: FakeMastodon, publisher: MastodonPublisher
) -> None:
    """An empty text, blanks at its ends, more characters than the server takes: refused before, never cut."""
    with pytest.raises(NotSent):
        publisher.publish(*an_output(body))
    assert fake.arrived == []


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("abc", 3),
        ("👩‍👩‍👧", 1),
        ("👍🏽", 1),
        ("🇯🇵🇩🇪", 2),
        ("e\u0301", 1),
        ("क्षि", 1),
        ("https://example.com/" + "a" * 200, 23),
        ("@you@elsewhere.example ahoy", 9),
        ("a\r\nb", 3),
    ],
)
def test_a_text_is_never_counted_longer_than_the_platform_does(text: str, count: int) -> None:
    """What a reader sees as one counts one, a link 23, and a name elsewhere its first half."""
    assert shortest_count(text) == count


@pytest.mark.parametrize(("text", "changed"), [("a b", False), (" a", True), ("a\0", True), ("\u3000a\u00a0", False)])
def test_blanks_are_those_of_the_platform(text: str, changed: bool) -> None:
    """ASCII blanks and NUL at the ends are taken away; other blanks stay."""
    assert would_change(text) is changed


def test_a_comment_answers_the_status_at_its_address(fake: FakeMastodon, publisher: MastodonPublisher) -> None:
    """An address on the own server names the id; of another the server is asked; one that it lacks sends nothing."""

    def comment(url: str) -> tuple[Output, str]:
        return an_output(draft=CommentDrafted(channel="mastodon", identity="@acme", body="Aye.", reply_to=url))

    publisher.publish(*comment(f"{fake.instance}/@someone/1234"))
    publisher.publish(*comment("https://elsewhere.example/@known/1"))
    assert [wanted["in_reply_to_id"] for wanted in fake.arrived] == ["1234", "55"]
    with pytest.raises(NotSent, match="no status"):
        publisher.publish(*comment("https://elsewhere.example/@stranger/1"))
    with pytest.raises(NotSent, match="reply_to"):
        publisher.publish(*an_output(draft=CommentDrafted(channel="mastodon", identity="@acme", body="Aye.")))
    assert len(fake.arrived) == 2


def test_a_message_reaches_the_one_whom_it_names(fake: FakeMastodon, publisher: MastodonPublisher) -> None:
    """A message is direct, and is refused unless its body names its recipient; what is no status is refused."""

    def message(body: str) -> tuple[Output, str]:
        return an_output(draft=MessageDrafted(channel="mastodon", identity="@acme", recipient="@bob", body=body))

    publisher.publish(*message("@bob ahoy"))
    assert fake.arrived[0]["visibility"] == "direct"
    action = ActionProposed(channel="mastodon", identity="@acme", action="follow")
    repost = SocialPostDrafted(channel="mastodon", identity="@acme", body="x", post_type="repost")
    for output, key in (message("ahoy"), message("@bobby ahoy"), an_output(draft=action), an_output(draft=repost)):
        with pytest.raises(NotSent):
            publisher.publish(output, key)
    assert len(fake.arrived) == 1


def test_an_account_is_the_one_that_was_approved(
    tmp_path: Path, server: Server, fake: FakeMastodon, certificate: Certificate
) -> None:
    """An identity without a section, or whose token belongs to another account, sends nothing."""
    with pytest.raises(NotSent, match="belongs to 'acme', not to 'other'"):
        account_of(tmp_path / "a", fake, certificate, username="other").publish(*an_output())
    with pytest.raises(NotSent, match="no section"):
        account_of(tmp_path / "b", fake, certificate, identity="@else").publish(*an_output())
    assert fake.arrived == []


def test_the_visibility_is_the_accounts(tmp_path: Path, fake: FakeMastodon, certificate: Certificate) -> None:
    """A status is seen by those whom the account's section says, whatever the server's own default."""
    account_of(tmp_path, fake, certificate, visibility="unlisted").publish(*an_output())
    assert fake.arrived[0]["visibility"] == "unlisted"


def with_picture(folder: Path, count: int = 1) -> tuple[Output, str]:
    media = Settings.from_environment({"COPYDESK_MEDIA": str(folder / "media")})
    pictures = tuple(attach(b"\x89PNG%d" % n, "image/png", "A ship ✓", settings=media) for n in range(count))
    return an_output(draft=SocialPostDrafted(channel="mastodon", identity="@acme", body="Look", media=pictures))


def test_media_are_uploaded_whole_and_waited_for(
    tmp_path: Path, fake: FakeMastodon, publisher: MastodonPublisher
) -> None:
    """The bytes and the description of each file arrive; the status is posted once they are processed, and is found."""
    fake.processing = 3
    output, key = with_picture(tmp_path)
    receipt = publisher.publish(output, key)
    assert list(fake.media.values()) == [(b"\x89PNG0", "A ship ✓")]
    assert fake.arrived[0]["media_ids"] == list(fake.media)
    assert publisher.find(key) == receipt


def test_media_that_changed_send_nothing(tmp_path: Path, fake: FakeMastodon, publisher: MastodonPublisher) -> None:
    """A file that is missing or has other bytes, is never processed, or is one too many: no status is asked for."""
    output, key = with_picture(tmp_path, 5)
    with pytest.raises(NotSent, match="5 files"):
        publisher.publish(output, key)
    output, key = with_picture(tmp_path)
    fake.processing = 1_000
    with pytest.raises(NotSent, match="not processed"):
        publisher.publish(output, key)
    (picture,) = (tmp_path / "media").rglob(output.content.media[0].sha256)
    picture.write_bytes(b"other")
    with pytest.raises(NotSent, match="MEDIA"):
        publisher.publish(output, key)
    assert fake.arrived == []


Posted = Callable[[], tuple[int, Any]]


def after_posting(status: int, said: Any, *headers: str) -> Callable[[ssl.SSLSocket, Posted], None]:
    """A status is made, and the answer says otherwise."""

    def fault(connection: ssl.SSLSocket, post: Posted) -> None:
        post()
        connection.sendall(answer(status, json.dumps(said).encode(), *headers))

    return fault


def lost(connection: ssl.SSLSocket, post: Posted) -> None:
    """A status is made, and the connection ends without an answer."""
    post()


def refused(status: int, said: Any, *headers: str) -> Callable[[ssl.SSLSocket, Posted], None]:
    """No status is made."""
    return lambda connection, post: connection.sendall(answer(status, json.dumps(said).encode(), *headers))


@pytest.mark.parametrize(
    "fault",
    [
        after_posting(500, {"error": "Something went wrong"}),
        after_posting(400, {"error": "Bad request"}),
        after_posting(403, "<html>from a proxy"),
        after_posting(200, {}),
        lost,
    ],
    ids=["500", "400", "a proxy's 403", "200 without an id", "answer lost"],
)
def test_what_may_have_been_posted_is_uncertain_and_found(
    fault: Any, fake: FakeMastodon, publisher: MastodonPublisher
) -> None:
    """A fault behind which a status was made is no "not accepted", and the look-up finds the status."""
    fake.fault = fault
    output, key = an_output()
    with pytest.raises((Answered, Unanswered)) as raised:
        publisher.publish(output, key)
    assert not publisher.not_accepted(raised.value)
    found = publisher.find_output(output, key)
    assert found is not None
    assert found.external_id == "101"
    assert len(fake.arrived) == 1


@pytest.mark.parametrize("status", [401, 403, 422, 429])
def test_the_platforms_own_no_is_declared(status: int, fake: FakeMastodon, publisher: MastodonPublisher) -> None:
    """What Mastodon refuses by its own error is not accepted, says until when, and shows no token."""
    fake.fault = refused(status, {"error": f"no \x1b {TOKEN}"}, "X-RateLimit-Reset: 2026-11-24T12:05:00Z")
    with pytest.raises(Answered, match="2026-11-24T12:05:00Z") as raised:
        publisher.publish(*an_output())
    assert publisher.not_accepted(raised.value)
    assert "\x1b" not in raised.value.message
    assert TOKEN not in raised.value.message
    assert fake.statuses == []


def test_a_key_is_known_for_as_long_as_the_publisher_says(fake: FakeMastodon, publisher: MastodonPublisher) -> None:
    """Within `key_lifetime` the same send again makes no second status; after it the platform would make one."""
    start = datetime.now(UTC)
    output, key = an_output()
    assert publisher.key_lifetime == timedelta(hours=1)
    for passed, statuses in ((timedelta(), 1), (timedelta(minutes=59), 1), (timedelta(minutes=61), 2)):
        fake.now = lambda passed=passed: start + passed
        publisher.publish(output, key)
        assert len(fake.statuses) == statuses
    assert all("scheduled_at" not in wanted for wanted in fake.arrived)


def test_only_what_is_exactly_equal_is_found(tmp_path: Path, fake: FakeMastodon, publisher: MastodonPublisher) -> None:
    """Another text, another visibility, an older status or one of two equal ones is not taken for the output."""
    output, key = an_output()
    publisher.publish(*an_output("Ahoy"))
    publisher.publish(*an_output("Ahoy.."))
    assert publisher.find_output(output, key) is None
    fake.now = lambda: datetime(2020, 1, 1, tzinfo=UTC)
    publisher.publish(output, "old")
    assert publisher.find_output(output, key) is None
    fake.now = lambda: datetime.now(UTC)
    publisher.publish(output, "one")
    found = publisher.find_output(output, key)
    assert found is not None
    publisher.publish(output, "two")
    assert publisher.find_output(output, key) is None


def test_a_look_up_reads_on_behind_a_page(fake: FakeMastodon, publisher: MastodonPublisher) -> None:
    """A status that 60 newer ones have pushed to the second page is found."""
    output, key = an_output()
    receipt = publisher.publish(output, key)
    for number in range(60):
        fake.post({"status": f"n{number}"}, None)
    assert publisher.find_output(output, key) == receipt


def test_another_process_finds_by_the_output(
    tmp_path: Path, fake: FakeMastodon, certificate: Certificate, publisher: MastodonPublisher
) -> None:
    """A publisher that did not send it itself finds a status by what it is."""
    output, key = an_output()
    receipt = publisher.publish(output, key)
    other = account_of(tmp_path, fake, certificate)
    assert other.find(key) is None
    assert other.find_output(output, key) == receipt


def test_what_is_gone_counts_as_taken_back(fake: FakeMastodon, publisher: MastodonPublisher) -> None:
    """A retraction deletes the status; a second one finds it gone, and is done; a foreign one is refused."""
    receipt = publisher.publish(*an_output())
    publisher.retract(receipt)
    publisher.retract(receipt)
    assert fake.statuses == []
    publisher.publish(*an_output("more"))
    fake.statuses[0]["account"] = {"id": "8"}
    with pytest.raises(NotSent):
        publisher.retract(type(receipt)(fake.statuses[0]["id"], fake.statuses[0]["url"]))
    assert len(fake.statuses) == 1
