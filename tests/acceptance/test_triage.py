"""`review triage`, in a real terminal: pexpect is the person, pyte the screen."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import pyte
import pytest

from capture import DatabaseManager, EventLog
from capture.cli import content_lines
from capture.vocabulary import CommentDrafted, OutputRevised
from tests.acceptance.conftest import Copydesk, draft
from tests.unit.cli.test_hostile import CASES, text_of

WIDTH, HEIGHT = 100, 30
PROMPT = re.compile(r"^\[\d+/\d+\] a r c e s", re.MULTILINE)
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Person:
    """Somebody at a terminal in which triage runs.

    Args:
        copydesk: Where it runs.
        options: The options of triage.
        environment: What the environment has beside.
    """

    def __init__(self, copydesk: Copydesk, *options: str, **environment: str) -> None:
        self.raw = ""
        self.screen = pyte.Screen(WIDTH, HEIGHT)
        self._stream = pyte.Stream(self.screen)
        self.process = pexpect.spawn(
            sys.executable,
            ["-m", "review.cli.app", "review", "triage", *options],
            cwd=str(copydesk.folder),
            # Said here too: pexpect sets the size of the terminal when the program may be at work already.
            env={**copydesk.environment, "TERM": "xterm-256color", "COLUMNS": str(WIDTH), "LINES": str(HEIGHT)}
            | environment,
            dimensions=(HEIGHT, WIDTH),
            encoding="utf-8",
            timeout=60,
            echo=False,
        )

    @property
    def told(self) -> str:
        """All that was written so far, without colours."""
        return COLOUR.sub("", self.raw).replace("\r\n", "\n")

    def sees(self, text: str) -> str:
        """Wait until a text comes; what came up to its end, without colours."""
        self.process.expect_exact(text)
        return self._saw(self.process.before + self.process.after)

    def asked(self) -> str:
        """Wait until a key is asked for."""
        return self.sees("d ? q > ")

    def press(self, key: str) -> str:
        """Press a key of the main prompt and wait for the next one."""
        self.process.send(key)
        return self.asked()

    def ends(self) -> int:
        """Wait for the end; the exit code."""
        self.process.expect(pexpect.EOF)
        self._saw(self.process.before)
        self.process.close()
        return self.process.exitstatus if self.process.exitstatus is not None else -self.process.signalstatus

    def _saw(self, raw: str) -> str:
        self.raw += raw
        self._stream.feed(raw)
        return COLOUR.sub("", raw).replace("\r\n", "\n")


def state(copydesk: Copydesk, output_id: str) -> dict[str, Any]:
    """An output as `show --json` has it."""
    return copydesk("review", "show", output_id, "--json").object


def test_a_queue_is_cleared_by_single_keys(copydesk: Copydesk) -> None:
    """A key a verdict, with reasons; each output is claimed, recorded as shown, and given back; the end sums up."""
    copydesk.import_events(*(draft(f"o{n}", risk_flags=["tone"], target_url="https://youtube.com/1") for n in range(4)))
    ana = Person(copydesk, "--as", "ana")
    first = ana.asked()
    assert "1/4  o0  pending  waits " in first
    seen = state(copydesk, "o0")
    assert seen["content_hash"][:12] in first
    assert re.search(r"risk +│ tone\n", first)
    assert re.search(r"identity +│ @us\n", first)
    assert re.search(r"target +│ https://youtube.com/1\n", first)
    assert (seen["lease"]["holder"], seen["shown_to"]) == ("ana", ["ana"])
    assert "2/4  o1" in ana.press("a")
    ana.process.send("r")
    assert "1 off_brand" in ana.sees("reason (q: none) > ")
    ana.process.send("1")
    assert "3/4  o2" in ana.asked()
    ana.process.send("c")
    ana.sees("reason (q: none) > ")
    ana.process.send("2")
    ana.sees("note for its agent: ")
    ana.process.send("Friendlier, please\n")
    assert "4/4  o3" in ana.asked()
    ana.process.send("q")
    assert ana.ends() == 0
    assert "1 approved, 1 rejected, 1 changes_requested, 1 left undecided" in ana.told
    assert [state(copydesk, f"o{n}")["state"] for n in range(4)] == [
        "approved", "rejected", "changes_requested", "pending",
    ]  # fmt: skip
    assert state(copydesk, "o1")["decided"]["reason_code"] == "off_brand"
    assert state(copydesk, "o2")["decided"]["note"] == "Friendlier, please"
    assert state(copydesk, "o3")["lease"] is None


def test_nobody_approves_before_the_end_was_on_screen(alone: Copydesk) -> None:
    """A content that is longer than the screen can't be approved before its last page was shown."""
    alone.import_events(draft("o1", body="\n".join(f"line {n}" for n in range(60))), draft("o2"))
    ana = Person(alone)
    assert "-- 2 more pages: space --" in ana.asked()
    assert "its end was not on screen yet" in ana.press("a")
    assert "-- 1 more page: space --" in ana.press(" ")
    assert "its end was not on screen yet" in ana.press("a")
    assert "│ line 59" in ana.press(" ")
    assert "o1 is approved" in ana.press("a")
    ana.process.send("q")
    assert ana.ends() == 0


def test_what_was_typed_ahead_decides_nothing(alone: Copydesk) -> None:
    """Keys that were pasted, or typed before the question, are no answer to it."""
    alone.import_events(*(draft(f"o{n}") for n in range(3)))
    ana = Person(alone)
    ana.asked()
    ana.press("aaaaaaaa")
    ana.process.send("q")
    assert ana.ends() == 0
    assert [state(alone, f"o{n}")["state"] for n in range(3)] == ["approved", "pending", "pending"]


def test_an_edit_is_looked_at_and_approved_and_undone(alone: Copydesk, tmp_path: Path) -> None:
    """`e` opens the editor and shows what changed; the edit is approved on its own; `u` takes both back."""
    alone.import_events(draft("o1", body="Thank you so much!"))
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nsed -i "s/so much/all/" "$1"\n')
    editor.chmod(0o755)
    ana = Person(alone, "--as", "ana", EDITOR=str(editor))
    ana.asked()
    changed = ana.press("e")
    assert "- │ Thank you so much!\n+ │ Thank you all!\n" in changed
    assert "revision" in changed
    assert "- │ Thank you so much!" in ana.press("d")
    ana.process.send("a")
    assert ana.ends() == 0
    assert (state(alone, "o1")["state"], state(alone, "o1")["body"]) == ("approved", "Thank you all!")
    assert alone("review", "revoke", "o1", "--as", "ana").code == 0

    alone.import_events(draft("o2"))
    again = Person(alone, "--as", "ana", EDITOR=str(editor))
    again.asked()
    again.press("a")
    assert state(alone, "o1")["state"] == "approved"
    assert "approve undone" in again.press("u")
    assert state(alone, "o1")["state"] == "pending"
    again.process.send("q")
    assert again.ends() == 0


def test_what_another_works_on_is_passed_by(alone: Copydesk) -> None:
    """A claimed output is named and passed by; what nobody may decide any more is told."""
    alone.import_events(draft("o1"), draft("o2"))
    assert alone("review", "claim", "o1", "--as", "bob").code == 0
    ana = Person(alone, "--as", "ana")
    first = ana.asked()
    assert "o1: bob works on it until" in first
    assert "2/2  o2" in first
    hash_ = state(alone, "o2")["content_hash"]
    assert alone("review", "withdraw", "o2", "--note", "late").code == 0
    ana.process.send("a")
    assert ana.ends() == 0
    assert "withdrawn" in ana.told
    assert (state(alone, "o2")["state"], state(alone, "o2")["content_hash"]) == ("withdrawn", hash_)


@pytest.mark.parametrize("lost", ["hangup", "Ctrl-C", "SIGTERM"])
def test_a_lost_terminal_gives_back_what_it_held(alone: Copydesk, lost: str) -> None:
    """When the terminal goes away, or at Ctrl-C, the claim is given back, and the next sitting goes on there."""
    alone.import_events(draft("o1"), draft("o2"))
    ana = Person(alone, "--as", "ana")
    ana.asked()
    ana.press("a")
    if lost == "hangup":
        os.close(ana.process.child_fd)  # as a lost connection does; pexpect's own way sends signals of its own
    elif lost == "Ctrl-C":
        ana.process.sendintr()
        assert ana.ends() == 130
    else:
        ana.process.kill(signal.SIGTERM)
        assert ana.ends() == 130
    end = time.monotonic() + 30
    while state(alone, "o2")["lease"] is not None:
        assert time.monotonic() < end
        time.sleep(0.2)
    bob = Person(alone, "--as", "bob")
    assert "1/1  o2" in bob.asked()
    bob.process.send("q")
    assert bob.ends() == 0


def test_triage_is_for_a_person(alone: Copydesk) -> None:
    """Without a terminal, or with --json, triage is a usage error; with nothing to decide it ends with 6."""
    ran = alone("review", "triage")
    assert (ran.code, ran.out) == (2, "")
    assert "a terminal was expected" in ran.err
    assert alone("review", "triage", "--json").object["error"]["code"] == "BAD_SETTING"
    assert Person(alone).ends() == 6


def test_no_content_reaches_the_terminal_as_it_is(alone: Copydesk) -> None:
    """Of every hostile value a screen shows exactly its visible form: no escape arrives, no prompt is forged."""
    batches = list(_hostile_drafts())
    assert sum(len(values) for _, values in batches) > 100
    with DatabaseManager(f"sqlite:///{alone.folder}/foundup.db") as manager:
        EventLog(manager).append([event for event, _ in batches], agent_id="scribe")
    ana = Person(alone)
    pressed = 0
    for number, (event, values) in enumerate(batches):
        shown = ana.asked()
        while " more page" in shown.rsplit("│ ", 1)[-1]:
            pressed += 1
            shown += ana.press(" ")
        assert f"{number + 1}/{len(batches)}  {event.output_id}" in shown
        rows = shown.split("\n")
        for line in content_lines(event.body, WIDTH):
            assert line in rows, (values, line)
        _on_screen(ana.screen, content_lines(event.body, WIDTH)[-1])
        pressed += 1
        ana.process.send("s")
    assert ana.ends() == 0
    assert len(PROMPT.findall(ana.told)) == pressed
    for line in ana.told.split("\n"):
        assert all(character.isprintable() for character in line), ascii(line)


def _on_screen(screen: Any, line: str) -> None:
    """The line is on the screen, as a person sees it."""
    plain = [unicodedata.normalize("NFC", row).rstrip() for row in screen.display]
    assert unicodedata.normalize("NFC", line).rstrip() in plain, (ascii(line), plain)


def _hostile_drafts() -> Iterator[tuple[CommentDrafted, list[str]]]:
    """Drafts that hold every hostile value that an event can hold, many in each."""
    values = []
    for case in CASES:
        text = text_of(case)[:400]
        if "terminal" in case["surfaces"] and not re.search("[\0\ud800-\udfff]", text):
            values.append(text)
    for start in range(0, len(values), 12):
        some = values[start : start + 12]
        name = (some[0] or "x")[:300]
        yield (
            CommentDrafted(
                output_id=f"h{start:04}",
                channel="youtube",
                identity=name,
                target_author=name,
                risk_flags=(name,),
                body="\n".join(some),
                trigger_context="\n".join(some[:3]),
            ),
            some,
        )


def test_a_diff_shows_what_nobody_sees(alone: Copydesk) -> None:
    """Two contents that differ in an invisible character are shown as different, in triage and by `review diff`."""
    with DatabaseManager(f"sqlite:///{alone.folder}/foundup.db") as manager:
        first = CommentDrafted(output_id="o1", channel="x", identity="@us", body="pay\u200bpal")
        EventLog(manager).append([first, OutputRevised(output_id="o1", body="paypal")], agent_id="a")
    ana = Person(alone)
    ana.asked()
    assert "- │ pay\\u{200b}pal\n+ │ paypal\n" in ana.press("d")
    ana.process.send("q")
    assert ana.ends() == 0
    assert alone("review", "diff", "o1").out.endswith("- │ pay\\u{200b}pal\n+ │ paypal\n")
    changes = json.loads(alone("review", "diff", "o1", "--json").out)["words"]
    assert {"what": "insert", "text": "paypal"} in changes
    assert "".join(change["text"] for change in changes if change["what"] != "insert") == "pay\u200bpal"
