"""The webhook publisher: exactly the approved content, signed, to the receiver and to nobody else."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook

from capture import BadSetting
from capture.vocabulary import ActionProposed, CommentDrafted, Draft, Media, SocialPostDrafted
from review import Output, Publisher
from review.effects import idempotency_key
from review.errors import Answered, NotSent, Unanswered
from review.publishers.address import may_be_reached
from review.publishers.publishers_toml import PublishersToml
from review.publishers.webhook import WebhookPublisher, message
from review.testing import PublisherContract, Story
from tests.fixtures.https_server import Certificate, Server, answer, says
from tests.fixtures.receiver import SECRET, Receiver, webhook

HOSTILE = json.loads((Path(__file__).parents[2] / "hostile.json").read_text(encoding="utf-8"))


def an_output(body: str = "Ahoy.", draft: Draft | None = None) -> tuple[Output, str]:
    output = Story(draft or SocialPostDrafted(output_id="o1", channel="x", identity="@acme", body=body)).output
    return output, idempotency_key(output.output_id, 1, output.content_hash)


class TestWebhook(PublisherContract):
    """The webhook publisher holds what every publisher holds."""

    @pytest.fixture(autouse=True)
    def servers(self, tmp_path: Path, certificate: Certificate) -> Iterator[None]:
        self.folder, self.certificate = tmp_path, certificate
        self.made: list[tuple[Server, Receiver]] = []
        yield
        for server, _ in self.made:
            server.close()

    def make(self) -> WebhookPublisher:
        server = Server(self.certificate)
        self.made.append((server, Receiver(server)))
        return webhook(self.folder / str(len(self.made)), server, self.certificate)

    def arrived(self, publisher: Publisher) -> list[bytes]:
        assert isinstance(publisher, Publisher)
        return [json.loads(body)["data"]["body"].encode() for body in self.made[-1][1].kept.values()]


@pytest.fixture
def publisher(tmp_path: Path, server: Server, certificate: Certificate) -> WebhookPublisher:
    return webhook(tmp_path, server, certificate)


def test_the_request_is_the_documented_one(server: Server, publisher: WebhookPublisher) -> None:
    """Everything that was approved stands in the body, and nothing that was not; the headers name the key."""
    picture = Media(sha256="ab" * 32, media_type="image/png", alt="A ship", url="https://elsewhere.example/a.png")
    draft = CommentDrafted(
        output_id="o1",
        channel="youtube",
        identity="@acme",
        body="Ahoy.\r\n",
        target_url="https://youtube.com/1",
        reply_to="https://youtube.com/2",
        media=(picture,),
        metadata={"secret": "of the agent"},
        tone="gay",
    )
    output, key = an_output(draft=draft)
    publisher.publish(output, key)
    (request,) = server.requests
    assert (request.method, request.path) == ("POST", "/in")
    assert request.headers["idempotency-key"] == request.headers["webhook-id"] == key
    assert request.headers["host"] == f"hooks.example:{server.port}"
    assert json.loads(request.body) == {
        "type": "output.approved",
        "data": {
            "output_id": "o1",
            "revision": 1,
            "content_hash": output.content_hash,
            "agent_id": "agent",
            "kind": "comment",
            "channel": "youtube",
            "identity": "@acme",
            "target_url": "https://youtube.com/1",
            "reply_to": "https://youtube.com/2",
            "body": "Ahoy.\r\n",
            "media": [{"sha256": "ab" * 32, "media_type": "image/png", "alt": "A ship"}],
        },
    }


def test_the_signature_is_the_one_of_the_specification(server: Server, publisher: WebhookPublisher) -> None:
    """The specification's own library accepts the headers for these bytes, and for no others."""
    publisher.publish(*an_output("✓ \U0001f600"))
    (request,) = server.requests
    Webhook(SECRET).verify(request.body, request.headers)
    with pytest.raises(Exception, match="No matching signature"):
        Webhook(SECRET).verify(request.body + b" ", request.headers)


def test_a_second_send_has_the_same_bytes(server: Server, tmp_path: Path, certificate: Certificate) -> None:
    """Whenever an output is sent, its body and its key are the same; the time stands in a header alone."""
    for hour in (1, 2):
        late = webhook(tmp_path, server, certificate, now=lambda hour=hour: datetime(2026, 11, 24, hour, tzinfo=UTC))
        late.publish(*an_output())
    first, second = server.requests
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.headers["webhook-timestamp"] != second.headers["webhook-timestamp"]


def test_every_hostile_text_arrives_as_it_is(server: Server, publisher: WebhookPublisher) -> None:
    """Each value of the hostile list that can be content arrives as it is, as a body and inside arguments."""
    sent = []
    for entry in HOSTILE:
        value = entry.get("prefix", "") + entry["value"] * entry.get("repeat", 1) + entry.get("suffix", "")
        if "\0" in value or len(value) > 100_000 or any("\ud800" <= character <= "\udfff" for character in value):
            continue
        action = ActionProposed(channel="x", identity="@acme", body=value, action="say", arguments={"text": [value]})
        publisher.publish(*an_output(draft=action))
        sent.append(value.encode())
    assert len(sent) > 300
    arrived = [json.loads(request.body)["data"] for request in server.requests]
    assert [data["body"].encode() for data in arrived] == sent
    assert [data["arguments"]["text"][0].encode() for data in arrived] == sent


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What was connected to; nothing is."""
    reached: list[object] = []

    def connect(address: object, *_: object, **__: object) -> None:
        reached.append(address)
        raise OSError("nobody goes anywhere here")

    monkeypatch.setattr(socket, "create_connection", connect)
    return reached


def _leads(host: str, port: int) -> list[str]:
    """What the lines' hosts lead to, as the system's resolver would say; names of the network are known here."""
    known = {"good.example": "10.0.0.7", "evil.example": "169.254.169.254", "10.0.0.1.nip.io": "10.0.0.1"}
    if host in known or host == "rebind.example":
        return ["203.0.113.1" if host == "rebind.example" else known[host]]
    return list({str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)})


@pytest.mark.parametrize("scheme", ["as it is", "https"])
@pytest.mark.parametrize("line", [line for line in HOSTILE if line["category"] == "ssrf"], ids=lambda line: line["id"])
def test_no_address_leads_inside(
    line: dict[str, Any], scheme: str, tmp_path: Path, server: Server, certificate: Certificate, reached: list[object]
) -> None:
    """Each of the `ssrf` lines, as it is and with https in front, is refused before anything is connected to."""
    url = line["value"].partition(" (")[0]
    url = url if scheme == "as it is" else "https://" + url.partition("://")[2]
    hosts = ["good.example", "evil.example", "rebind.example", "10.0.0.1.nip.io", "[::1]", "[::]", "127.0.0.1"]
    hosts += [
        "169.254.169.254",
        "[64:ff9b::7f00:1]",
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "[fd00:ec2::254]",
    ]
    keys = {"find_url": None, "retract_url": None, "private_networks": [], "resolve": _leads, "hosts": hosts}
    with pytest.raises((BadSetting, NotSent)):
        webhook(tmp_path, server, certificate, url=url, **keys).publish(*an_output())
    assert reached == []
    assert server.connections == 0


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.170",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.9",
        "224.0.0.1",
        "239.255.255.250",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:8.8.8.8",
        "::ffff:127.0.0.1",
        "64:ff9b::808:808",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "127.1",
        "localhost",
    ],
)
def test_an_address_that_is_not_public_is_not_reached(address: str) -> None:
    """Of the special addresses none may be reached unless its network is named."""
    assert not may_be_reached(address, ())


@pytest.mark.parametrize("address", ["1.1.1.1", "8.8.8.8", "172.32.0.1", "192.0.1.1", "2606:4700::1111", "2a00::1"])
def test_a_public_address_may_be_reached(address: str) -> None:
    """An address that is given out to somebody may be reached."""
    assert may_be_reached(address, ())


def test_one_private_address_among_others_is_enough(
    tmp_path: Path, server: Server, certificate: Certificate, reached: list[object]
) -> None:
    """A name that leads to a public and a private address is not connected to at all."""
    both = webhook(tmp_path, server, certificate, resolve=lambda host, port: ["1.1.1.1", "10.0.0.1"])
    with pytest.raises(NotSent, match=r"10\.0\.0\.1"):
        both.publish(*an_output())
    assert reached == []


def test_a_name_that_leads_elsewhere_a_moment_later_is_not_followed(
    tmp_path: Path, server: Server, certificate: Certificate
) -> None:
    """The name is resolved once for a request, and the connection goes to the address that was judged."""
    other = Server(certificate, "127.0.0.2", server.port)
    answers = iter([["127.0.0.1"], ["127.0.0.2"]])
    networks = ["127.0.0.1/32"]
    rebinding = webhook(
        tmp_path, server, certificate, resolve=lambda host, port: next(answers), private_networks=networks
    )
    rebinding.publish(*an_output())
    assert len(server.requests) == 1
    assert list(answers) == [["127.0.0.2"]]
    other.close()
    assert other.connections == 0


def test_another_certificate_gets_nothing(tmp_path: Path, server: Server, certificate: Certificate) -> None:
    """A server whose certificate is for other names, or signed by nobody we trust, gets no byte of the request."""
    elsewhere = webhook(
        tmp_path / "a",
        server,
        certificate,
        url=f"https://other.example:{server.port}/in",
        hosts=[f"other.example:{server.port}", f"hooks.example:{server.port}"],
    )
    untrusted = webhook(tmp_path / "b", server, certificate, ca_file=None)
    for publisher in (elsewhere, untrusted):
        with pytest.raises(NotSent, match="certificate"):
            publisher.publish(*an_output())
    assert server.connections == 2
    assert server.requests == []


def test_nobody_there_is_not_sent(tmp_path: Path, server: Server, certificate: Certificate) -> None:
    """A receiver that refuses the connection, or whose name is unknown, got nothing for certain."""
    server.close()

    def unknown(host: str, port: int) -> list[str]:
        raise OSError("Name or service not known")

    for more in ({}, {"resolve": unknown}):
        with pytest.raises(NotSent):
            webhook(tmp_path, server, certificate, **more).publish(*an_output())


def test_only_a_listed_answer_is_a_no(tmp_path: Path, server: Server, certificate: Certificate) -> None:
    """A status that `not_accepted` lists means that nothing was taken; any other 4xx or 5xx proves nothing."""
    publisher = webhook(tmp_path, server, certificate, not_accepted=[401, 503])
    for status, declared in ((401, True), (503, True), (400, False), (403, False), (409, False), (500, False)):
        server.talk = says(answer(status, b"\x1b]0;x\x07"))
        with pytest.raises(Answered) as raised:
            publisher.publish(*an_output())
        assert publisher.not_accepted(raised.value) is declared
        assert "\x1b" not in raised.value.message
    assert not publisher.not_accepted(Unanswered("nothing came"))


@pytest.mark.parametrize(
    "said", [b'{"external_id": "\\u001b]0;x", "url": "javascript:alert(1)"}', b"[1]", b"", b"[" * 9999]
)
def test_what_a_receiver_says_is_kept_only_where_it_is_plain(
    said: bytes, server: Server, publisher: WebhookPublisher
) -> None:
    """An id with escapes, an address that runs code, or no JSON at all: the key is the id, and there is no address."""
    server.talk = says(answer(200, said))
    output, key = an_output()
    receipt = publisher.publish(output, key)
    assert (receipt.external_id, receipt.url) == (key, None)


def test_a_look_up_believes_only_its_own_key(server: Server, publisher: WebhookPublisher) -> None:
    """A look-up that is answered for another key, or with a page for everything, finds nothing."""
    for body in (b'{"idempotency_key": "other", "external_id": "1"}', b"<html>", b"{}"):
        server.talk = says(answer(200, body))
        assert publisher.find("key") is None


def test_the_environment_is_not_used(
    monkeypatch: pytest.MonkeyPatch, server: Server, publisher: WebhookPublisher
) -> None:
    """No proxy and no certificates of the environment change where a request goes."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    publisher.publish(*an_output())
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ({"url": "http://hooks.example/"}, "webhook.url"),
        ({"url": "https://hooks.example:8443/"}, "8443"),
        ({"url": "https://u:p@hooks.example/"}, "webhook.url"),
        ({"find_url": "https://other.example/{key}"}, "webhook.find_url"),
        ({"not_accepted": [200]}, "not_accepted"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": 100000}, "timeout"),
        ({"secret": SECRET}, "secret"),
        ({"private_networks": ["10.0.0.1/8"]}, "private_networks"),
    ],
)
def test_a_setting_that_can_not_be_is_named(
    keys: dict[str, Any], found: str, tmp_path: Path, server: Server, certificate: Certificate
) -> None:
    """An unknown key, another scheme, a host that is not allowed: the file is refused with the key, at the start."""
    base = {"url": "https://hooks.example/in", "find_url": None, "retract_url": None, "hosts": ["hooks.example"]}
    with pytest.raises(BadSetting, match=found) as refused:
        webhook(tmp_path, server, certificate, **base | keys)
    assert SECRET not in refused.value.message


@pytest.mark.parametrize("secret", ["", "plain", "whsec_short", "whsec_!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!", "é" * 40])
def test_a_secret_that_is_none_sends_nothing(
    secret: str, tmp_path: Path, server: Server, publisher: WebhookPublisher
) -> None:
    """A secret's file that is empty, unreadable or of another form sends nothing, and is not shown."""
    (tmp_path / "webhook.secret").write_text(secret)
    with pytest.raises(NotSent) as refused:
        publisher.publish(*an_output())
    assert not secret or secret not in refused.value.message
    assert server.connections == 0


def test_the_body_is_the_form_that_receivers_were_told() -> None:
    """The bytes of a simple post are these, for as long as receivers rely on them."""
    output, _ = an_output("Ähoy.")
    assert message(output).decode() == (
        '{"type":"output.approved","data":{"output_id":"o1","revision":1,'
        f'"content_hash":"{output.content_hash}","agent_id":"agent","kind":"social_post","post_type":"original",'
        '"channel":"x","identity":"@acme","body":"Ähoy.","media":[]}}'
    )


def test_settings_are_needed(tmp_path: Path) -> None:
    """Without its section the publisher can't be made."""
    with pytest.raises(NotSent, match="webhook"):
        WebhookPublisher(PublishersToml(tmp_path / "missing.toml"))
