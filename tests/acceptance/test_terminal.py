"""Terminals, pipes and signals."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.conftest import Copydesk, draft


class Terminal:
    """A command with a terminal around it."""

    def __init__(self, copydesk: Copydesk, *arguments: str, **environment: str) -> None:
        self._near, far = pty.openpty()
        copydesk.environment.update(TERM="xterm-256color", COLUMNS="100", **environment)
        self.process = copydesk.start(*arguments, stdin=far, stdout=far, stderr=far, start_new_session=True)
        os.close(far)
        self.shown = ""

    def until(self, text: str) -> str:
        """Read until a text was shown; everything that was shown so far."""
        end = time.monotonic() + 60
        while text not in self.shown:
            assert time.monotonic() < end, self.shown
            if not self._read():
                raise AssertionError(f"{text!r} was never shown: {self.shown!r}")
        return self.shown

    def types(self, text: str) -> None:
        """Type a text."""
        os.write(self._near, text.encode())

    def ends(self) -> int:
        """Read to the end; the exit code."""
        while self._read():
            pass
        os.close(self._near)
        return self.process.wait(60)

    def _read(self) -> bool:
        if not select.select([self._near], [], [], 60)[0]:
            return False
        try:
            data = os.read(self._near, 65536)
        except OSError:  # Linux: the other end is closed
            return False
        self.shown += data.decode()
        return bool(data)


def test_a_terminal_gets_headings_and_colour(alone: Copydesk) -> None:
    """On a terminal a list has headings and colours, and a text no way to change either."""
    alone.import_events(draft(body="[bold]\x1b[31mred"))
    terminal = Terminal(alone, "review", "list")
    assert terminal.ends() == 0
    assert "OUTPUT" in terminal.shown
    assert "\x1b[33mpending" in terminal.shown
    assert r"[bold]\u{1b}[31mred" in terminal.shown


def test_no_color_is_honoured(alone: Copydesk) -> None:
    """With NO_COLOR the same list comes without a colour."""
    alone.import_events(draft())
    terminal = Terminal(alone, "review", "list", NO_COLOR="1")
    assert terminal.ends() == 0
    assert "pending" in terminal.shown
    assert "\x1b[3" not in terminal.shown


def test_a_pipe_gets_lines_and_no_colour(alone: Copydesk) -> None:
    """In a pipe there are no headings, colours or cut texts, whatever TERM says."""
    alone.import_events(draft(body="x" * 500))
    ran = alone("review", "list", env={"TERM": "xterm-256color", "FORCE_COLOR": "1", "COLUMNS": "40"})
    assert ran.out == f"o1\tpending\tcomment\tyoutube\t@us\tscribe\t{'x' * 500}\n"


def test_a_person_sees_all_of_it_before_the_question(alone: Copydesk) -> None:
    """Without --hash, on a terminal, the whole content is shown and asked about; yes approves just that."""
    alone.import_events(draft(body="first line\n" + "and so on\n" * 50 + "the end"))
    no = Terminal(alone, "review", "approve", "o1")
    assert "│ the end" in no.until("approve exactly this?").replace("\x1b[2m", "").replace("\x1b[0m", "")
    no.types("n\n")
    assert no.ends() != 0
    assert alone("review", "show", "o1", "--json").object["state"] == "pending"
    yes = Terminal(alone, "review", "approve", "o1")
    yes.until("approve exactly this?")
    yes.types("y\n")
    assert yes.ends() == 0
    assert alone("review", "show", "o1", "--json").object["state"] == "approved"


@pytest.mark.parametrize(
    ("body", "added", "result"),
    [("Thank you", " all", "Thank you all"), ("two\nlines\n", "three\n", "two\nlines\nthree\n"), ("", "x", "x")],
)
def test_an_edit_opens_the_editor(alone: Copydesk, tmp_path: Path, body: str, added: str, result: str) -> None:
    """On a terminal `edit` opens $EDITOR; a line end that the editor adds is not part of the text."""
    alone.import_events(draft(body=body))
    editor = tmp_path / "editor with a blank"
    editor.write_text(f'#!/bin/sh\nprintf %s \'{added}\' >> "$2"\ntail -c1 "$2" | grep -q . && echo >> "$2"\nexit 0\n')
    editor.chmod(0o755)
    terminal = Terminal(alone, "review", "edit", "o1", EDITOR=f"'{editor}' --wait")
    assert terminal.ends() == 0, terminal.shown
    assert alone("review", "show", "o1", "--json").object["body"] == result


def test_a_closed_pipe_ends_the_command_quietly(alone: Copydesk) -> None:
    """Whoever has seen enough of an export ends it, without a word on standard error."""
    lines = [
        {"type": "memory.learned", "data": {"key": str(n), "value": "x" * 200, "kind": "fact"}} for n in range(2000)
    ]
    alone.import_events(*({"id": f"m{n}", **line} for n, line in enumerate(lines)))
    for arguments in (
        ("events", "export"),
        ("events", "tail", "--after", "0"),
        ("events", "tail", "--after", "0", "--json"),
    ):
        process = alone.start(*arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0


def test_a_full_disk_is_told(alone: Copydesk) -> None:
    """Output that can't be written is a failure of one line, not a success."""
    alone.import_events(draft())
    with Path("/dev/full").open("wb") as full:
        process = alone.start("events", "export", stdout=full, stderr=subprocess.PIPE)
        assert process.stderr is not None
        assert process.stderr.read() == b"copydesk: the output can't be written: No space left on device\n"
        assert process.wait(60) == 1


@pytest.mark.parametrize(
    ("asked", "code"), [pytest.param(signal.SIGINT, 130, id="Ctrl-C"), pytest.param(signal.SIGTERM, 0, id="SIGTERM")]
)
def test_what_runs_on_ends_when_it_is_asked_to(alone: Copydesk, asked: signal.Signals, code: int) -> None:
    """`run` does its work as it comes, and ends at Ctrl-C with 130 and at SIGTERM with 0, without a traceback."""
    alone.import_events(draft())
    seen = alone("review", "show", "o1", "--json").object["content_hash"]
    process = alone.start("run", "--every", "0.1", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert alone("review", "approve", "o1", "--hash", seen).code == 0
        assert _soon(lambda: list((alone.folder / "published").glob("o1-*.txt")))
        process.send_signal(asked)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == code
    assert b"Traceback" not in err
    assert alone("review", "show", "o1", "--json").object["state"] == "published"


def test_a_tail_follows(alone: Copydesk) -> None:
    """`tail --follow` shows what comes, as it comes, until Ctrl-C."""
    alone.import_events(draft("o1"))
    process = alone.start("events", "tail", "--follow", "--json", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["position"] == 1
        alone.import_events(draft("o2"))
        assert json.loads(process.stdout.readline())["data"]["output_id"] == "o2"
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, err) == (130, b"")


def _soon(holds: Callable[[], object]) -> bool:
    end = time.monotonic() + 60
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True
