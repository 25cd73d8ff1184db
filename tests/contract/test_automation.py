"""What happens without a person: drafts are taken up, rules decide, what is over is closed, and people are told."""

from __future__ import annotations

import http.server
import json
import logging
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from capture import DatabaseManager, EventLog, Settings
from capture.vocabulary import OutputRevised, SocialPostDrafted, content_hash
from review import Policy, ReviewDesk
from review.automation import applier
from review.automation.automation import Automation
from review.automation.notifier import PAUSE
from review.automation.sweeper import LOST_AFTER
from review.policy.rules import Match, Rule
from tests.fixtures.platform import Clock, drafted, state
from tests.fixtures.review import accepted, types

RULES = Policy(
    "house",
    (
        Rule(expires_after=timedelta(hours=24)),
        Rule(Match(channel="x"), mode="auto", auto_reject=("I'm sorry, I can't assist",)),
        Rule(Match(identity="@acme"), banned_phrases=("@Unknown",), mode="auto"),
        Rule(Match(agent="p*r", target="https://*"), approvals=2),
    ),
    text="t",
)


@pytest.fixture
def desk(manager: DatabaseManager, clock: Clock) -> ReviewDesk:
    """A desk under rules that decide some things by themselves."""
    return ReviewDesk(manager, RULES, clock=clock)


def test_new_drafts_are_taken_up_and_decided(desk: ReviewDesk) -> None:
    """Each new draft gets its `review.opened`; a rule's approval or rejection follows, the rest waits for people."""
    made = {
        "approved": drafted(desk, "Ahoy."),
        "rejected": drafted(desk, "I\u2019M SORRY, I can\u2019t\u200b assist with that"),
        "pending": drafted(desk, "Yo @unknown"),
    }
    two = drafted(desk, "Ahoy, ana.", target_url="https://x.example/1")
    assert Automation(desk).run_once() == 4
    assert {name: state(desk, draft) for name, draft in made.items()} == {name: name for name in made}
    output = desk.output(two.output_id)
    assert output is not None
    assert (output.state, output.needed, output.opened) == ("pending", 2, True)
    assert types(EventLog(desk.manager)).count("review.opened") == 4
    assert Automation(desk).run_once() == 0


def test_a_revision_is_taken_up_again(desk: ReviewDesk) -> None:
    """A new revision is judged as a new content, with an opening of its own."""
    post = drafted(desk, "Yo @Unknown")
    automation = Automation(desk)
    automation.run_once()
    EventLog(desk.manager, clock=desk.now).append(
        [OutputRevised(output_id=post.output_id, body="I'm sorry, I can't assist")], agent_id="poster"
    )
    automation.run_once()
    assert state(desk, post) == "rejected"


def test_two_automations_at_once_do_everything_once(desk: ReviewDesk, database_url: str, clock: Clock) -> None:
    """However many run, each draft is opened once and decided once."""
    posts = [drafted(desk, f"Ahoy {number}.") for number in range(6)]
    managers = [DatabaseManager(database_url) for _ in range(3)]
    gate = threading.Barrier(3)

    def work(manager: DatabaseManager) -> None:
        automation = Automation(ReviewDesk(manager, RULES, clock=clock))
        gate.wait()
        automation.run_once()

    threads = [threading.Thread(target=work, args=(manager,)) for manager in managers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for manager in managers:
        manager.close()
    assert {state(desk, post) for post in posts} == {"approved"}
    assert types(EventLog(desk.manager)).count("review.opened") == len(posts)
    assert types(EventLog(desk.manager)).count("review.approved") == len(posts)


def test_silence_expires_and_never_approves(desk: ReviewDesk, clock: Clock) -> None:
    """At the rule's deadline, or at the draft's own, an output expires, whatever it waited for."""
    waits = drafted(desk, "Yo @Unknown")
    own = drafted(desk, "Yo, @Unknown", not_after=clock.now + timedelta(hours=1))
    automation = Automation(desk)
    automation.run_once()
    clock.now += timedelta(hours=1)
    assert automation.run_once() == 1
    assert (state(desk, own), state(desk, waits)) == ("expired", "pending")
    clock.now += timedelta(hours=23)
    automation.run_once()
    assert state(desk, waits) == "expired"


def test_a_lost_send_is_told(desk: ReviewDesk, clock: Clock) -> None:
    """A worker that was not heard of again leaves an uncertain output, also where no other worker runs."""
    post = drafted(desk)
    automation = Automation(desk)
    automation.run_once()
    accepted(desk.start(post.output_id, content_hash(post), worker="dead"))
    automation.run_once()
    assert state(desk, post) == "publishing"
    clock.now += LOST_AFTER
    assert automation.run_once() == 1
    assert state(desk, post) == "uncertain"


def test_a_rule_is_asked_again_when_the_claim_has_ended(desk: ReviewDesk, clock: Clock) -> None:
    """What somebody worked on and gave back unseen is decided by the rule after a while."""
    post = drafted(desk)
    accepted(desk.claim(post.output_id, actor="ana"))
    automation = Automation(desk)
    assert automation.run_once() == 0
    clock.now += timedelta(minutes=16)
    automation.run_once()
    assert state(desk, post) == "approved"


class Told:
    """Keeps what was delivered."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []

    def __call__(self, target: str, data: bytes) -> None:
        self.messages.append(json.loads(data))


def settings(target: str) -> Settings:
    """Settings with somebody to tell."""
    return Settings.from_environment({"COPYDESK_NOTIFY": target})


def test_one_message_tells_of_many_outputs(desk: ReviewDesk, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits is told once and together, without a word of its content; more is told after a pause."""
    monkeypatch.setattr(desk.manager, "settings", settings("https://hook.example/secret"))
    told = Told()
    automation = Automation(desk, deliver=told)

    def round_() -> None:
        automation.run_once()
        automation.close()

    for number in range(5):
        drafted(desk, f"secret @Unknown {number}")
    drafted(desk, "approved by rule")
    round_()
    round_()
    assert [message["waiting"] for message in told.messages] == [5]
    assert "5 wait for a verdict" in told.messages[0]["text"]
    assert "secret" not in json.dumps(told.messages)
    drafted(desk, "secret @Unknown 6", not_after=clock.now + timedelta(minutes=30))
    round_()
    assert len(told.messages) == 1
    clock.now += PAUSE
    round_()
    round_()
    assert [(message["waiting"], message["near_deadline"]) for message in told.messages[1:]] == [(6, 1)]


def test_a_message_that_fails_holds_nothing_up(
    desk: ReviewDesk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """A command that fails and a platform that is not there are logged without their address, and the work goes on."""
    for target in ("exit 3", "http://127.0.0.1:9/secret-token"):
        monkeypatch.setattr(desk.manager, "settings", settings(target))
        drafted(desk, f"Yo @Unknown {target}")
        caplog.clear()
        automation = Automation(desk)
        with caplog.at_level(logging.WARNING, "copydesk"):
            assert automation.run_once() == 1
            automation.close()
        assert "COPYDESK_NOTIFY was not told" in caplog.text
        assert "secret-token" not in caplog.text
    told = tmp_path / "told.json"
    monkeypatch.setattr(desk.manager, "settings", settings(f"cat > '{told}'"))
    automation = Automation(desk)
    automation.run_once()
    automation.close()
    assert json.loads(told.read_text())["waiting"] == 2


def test_an_address_gets_a_post(desk: ReviewDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL is told by a POST of JSON."""
    got: list[tuple[str, dict[str, Any]]] = []

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            got.append((self.headers["Content-Type"], json.loads(self.rfile.read(length))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        monkeypatch.setattr(desk.manager, "settings", settings(f"http://127.0.0.1:{server.server_port}/hook"))
        drafted(desk, "Yo @Unknown")
        automation = Automation(desk)
        automation.run_once()
        automation.close()
        server.shutdown()
    assert [(kind, body["waiting"]) for kind, body in got] == [("application/json", 1)]


def test_nothing_is_taken_up_while_the_table_waits_for_a_replay(
    desk: ReviewDesk, caplog: pytest.LogCaptureFixture
) -> None:
    """Other code made the table of outputs: automation waits for its replay, says so once, and verdicts still work."""
    post = SocialPostDrafted(channel="x", identity="@acme", body="Ahoy.")
    EventLog(desk.manager, clock=desk.now).append([post], agent_id="poster")
    desk.refresh()
    desk.manager.execute_write("UPDATE agents_checkpoints SET fingerprint = 'old' WHERE projection = 'agents_outputs'")
    automation = Automation(desk)
    with caplog.at_level(logging.WARNING, "copydesk.automation"):
        assert (automation.run_once(), automation.run_once()) == (0, 0)
    assert len([record for record in caplog.records if "replayed" in record.getMessage()]) == 1
    accepted(desk.approve(post.output_id, content_hash(post), actor="ana"))


def test_a_round_is_bounded_and_the_next_goes_on(desk: ReviewDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long queue is worked off in rounds, so that a process has time for everything else between them."""
    monkeypatch.setattr(applier, "AT_ONCE", 3)
    posts = [drafted(desk, f"Yo @Unknown {number}") for number in range(7)]
    automation = Automation(desk)
    assert [automation.run_once() for _ in range(4)] == [3, 3, 1, 0]
    assert types(EventLog(desk.manager)).count("review.opened") == len(posts)
