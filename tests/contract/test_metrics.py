"""What a monitor reads, on every backend."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from dataclasses import replace

import pytest

from capture import BadSetting
from review import PublishingWorker, ReviewDesk
from review.cli.listening import SILENCE, Pulse, address, listening
from review.metrics import Metric, exposition, metrics
from tests.fixtures.platform import Platform, approved, drafted, raises

LINE = re.compile(r'([a-z_]+)(?:\{([a-z_]+)="((?:[^"\\\n]|\\.)*)"\})? (\S+)')


def read(text: str) -> dict[tuple[str, str | None], float]:
    """The samples of an exposition, each line held to its form."""
    samples = {}
    for line in text.splitlines():
        if line.startswith("# "):
            assert re.fullmatch(r"# (HELP [a-z_]+ \S.*|TYPE [a-z_]+ (counter|gauge))", line), line
            continue
        found = LINE.fullmatch(line)
        assert found is not None, line
        samples[found[1], found[3]] = float(found[4])
    return samples


def test_a_monitor_sees_what_waits_and_what_was_sent(desk: ReviewDesk, platform: Platform) -> None:
    """Events, projections, outputs in each state, sends by result, the oldest that waits, and whether it holds."""
    drafted(desk, "secret words")
    approved(desk, "goes out")
    worker = PublishingWorker(desk, {"folder": platform})
    worker.run_once()
    approved(desk, "is lost")
    platform.after = raises(TimeoutError())
    worker.run_once()
    text = exposition(metrics(desk.manager))
    assert "secret" not in text
    found = read(text)
    assert found["copydesk_events_total", None] == desk._decider.log.head()
    assert [found["copydesk_outputs", state] for state in ("pending", "published", "uncertain")] == [1, 1, 1]
    assert [found["copydesk_sends", state] for state in ("published", "uncertain", "failed")] == [1, 1, 0]
    assert found["copydesk_oldest_waiting_seconds", "pending"] > 0
    assert found["copydesk_oldest_waiting_seconds", "approved"] == 0
    assert found["copydesk_projection_lag_events", "agents_outputs"] == 0
    assert found["copydesk_publication_held", None] == 0
    kept, _ = worker.marks._kept(worker.marks._ask().now)
    assert kept is not None
    worker.marks._write(replace(kept, epoch=9))
    assert read(exposition(metrics(desk.manager)))["copydesk_publication_held", None] == 1


def test_a_label_can_not_break_its_line() -> None:
    r"""A `"`, a `\` and the end of a line are written as the format says."""
    hostile = Metric("m", "gauge", "a\nb\\", [({"l": 'x"\n\\'}, 1)])
    assert exposition([hostile]) == '# HELP m a\\nb\\\\\n# TYPE m gauge\nm{l="x\\"\\n\\\\"} 1.0\n'


def test_it_answers_while_the_work_goes_on(desk: ReviewDesk) -> None:
    """`/healthz` is 200 until no turn ended for too long, `/metrics` has its content type, all else is 404."""
    now = [0.0]
    with listening("127.0.0.1:0", desk.manager, Pulse(lambda: now[0])) as url:
        with urllib.request.urlopen(f"{url}/healthz", timeout=10) as answer:
            assert (answer.status, answer.read()) == (200, b"ok\n")
        with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            assert ("copydesk_events_total", None) in read(answer.read().decode())
        now[0] = SILENCE
        for path, status in (("/healthz", 503), ("/", 404)):
            with pytest.raises(urllib.error.HTTPError) as error:
                urllib.request.urlopen(url + path, timeout=10)
            assert error.value.code == status
            error.value.close()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("9464", ("127.0.0.1", 9464)),
        (":9464", ("127.0.0.1", 9464)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),
        ("[::1]:9464", ("::1", 9464)),
    ],
)
def test_without_a_host_it_listens_to_this_machine_alone(text: str, found: tuple[str, int]) -> None:
    """Other machines are answered only where somebody named an address for them."""
    assert address(text) == found


@pytest.mark.parametrize("text", ["", "host", "host:", "host:x", "host:99999", "http://host:1", "host:٣"])
def test_what_is_no_address_is_refused(text: str) -> None:
    """A mistyped address is told before any work begins."""
    with pytest.raises(BadSetting, match="HOST:PORT"):
        address(text)
