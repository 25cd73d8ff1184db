"""`copydesk run --listen`, as a monitor and an operator see it."""

from __future__ import annotations

import re
import signal
import subprocess
import urllib.request

from tests.acceptance.conftest import Copydesk, draft


def test_run_answers_a_monitor_and_ends_well(copydesk: Copydesk) -> None:
    """It says where it listens, answers, and at SIGTERM ends with 0 after the work at hand."""
    copydesk.import_events(draft())
    running = copydesk.start("run", "--listen", "127.0.0.1:0", stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        assert running.stderr is not None
        told = b""
        while (found := re.search(rb"(http://127\.0\.0\.1:\d+)/metrics", told)) is None:
            line = running.stderr.readline()
            assert line, told
            told += line
        with urllib.request.urlopen(f"{found[1].decode()}/healthz", timeout=10) as answer:
            assert answer.status == 200
        with urllib.request.urlopen(f"{found[1].decode()}/metrics", timeout=10) as answer:
            assert b"copydesk_events_total" in answer.read()
        running.send_signal(signal.SIGTERM)
        assert running.wait(30) == 0
    finally:
        running.kill()
        running.communicate()


def test_run_refuses_an_address_before_it_works(copydesk: Copydesk) -> None:
    """What is no address, and one beside `--once`, is a mistake in the call."""
    assert copydesk("run", "--listen", "nowhere").code == 2
    assert copydesk("run", "--once", "--listen", "9464").code == 2
