"""The how-to for publishers is followed to the letter, and its tables name every key that there is."""

from __future__ import annotations

import json
import os
import re
import runpy
import ssl
import sys
from pathlib import Path

import pytest

from capture.vocabulary import SocialPostDrafted
from review.effects import idempotency_key
from review.publishers.publishers_toml import Account, Webhook
from review.testing import Story
from tests.documentation.checkout import ROOT, blocks, read
from tests.documentation.following import follow
from tests.fixtures.https_server import Certificate, Request, Server, answer
from tests.fixtures.receiver import webhook

PAGE = "docs/how-to/publishers.md"


def test_the_page_is_followed(
    tmp_path: Path, server: Server, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its commands run in an empty folder; its receiver takes what the publisher sends, once, and says its id."""
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "copydesk").write_text(f"#!{sys.executable}\nfrom review.cli.app import main\nmain()\n")
    (commands / "copydesk").chmod(0o755)
    (commands / "python").symlink_to(sys.executable)
    folder = tmp_path / "reader"
    folder.mkdir()
    follow(PAGE, folder, {"PATH": f"{commands}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)})
    monkeypatch.chdir(folder)
    receiver = runpy.run_path("receiver.py")

    def talk(connection: ssl.SSLSocket, request: Request) -> None:
        status, said = receiver["receive"](request.headers, request.body)
        connection.sendall(answer(status, json.dumps(said).encode()))

    server.talk = talk
    publisher = webhook(tmp_path / "settings", server, certificate)
    secret = (folder / "webhook.secret").read_text()
    (tmp_path / "settings" / "webhook.secret").write_text(secret)
    output = Story(SocialPostDrafted(output_id="o1", channel="newsletter", identity="@acme", body="Ahoy.")).output
    for _ in range(2):
        receipt = publisher.publish(output, idempotency_key("o1", 1, output.content_hash))
        assert (receipt.external_id, receipt.url) == ("o1", "https://news.example.com/o1")
    assert [data["body"] for data in receiver["taken"].values()] == ["Ahoy."]


def test_every_key_is_documented() -> None:
    """The two tables name exactly the keys that `publishers.toml` takes, and the example of a body is JSON."""
    hook, account = (
        {name for row in re.findall(r"^\| (`.*?) \|", part, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
        for part in re.split(r"^\| key of .*$", read(PAGE).partition("\n## What a receiver")[0], flags=re.MULTILINE)[1:]
    )
    assert hook == set(Webhook.model_fields)
    assert account == set(Account.model_fields)
    (body,) = [block for block in blocks(PAGE) if block.language == "json"]
    assert json.loads(body.text)["type"] == "output.approved"
