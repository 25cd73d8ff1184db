"""Which publishers there are: those that are set up, with a plain word where something is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from capture import BadSetting, MissingDriver
from review.publication.installed import installed

WEBHOOK = '[webhook]\nurl = "https://hooks.example/in"\nsecret_file = "s"\n'
MASTODON = '[mastodon."@acme"]\ninstance = "https://mastodon.example"\ntoken_file = "t"\n'


@pytest.mark.parametrize(
    ("text", "names"),
    [(None, {"folder"}), (WEBHOOK, {"folder", "webhook"}), (WEBHOOK + MASTODON, {"folder", "webhook", "mastodon"})],
)
def test_what_is_set_up_is_there(
    text: str | None, names: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without `publishers.toml` there is the folder alone; a section brings its publisher."""
    monkeypatch.chdir(tmp_path)
    if text is not None:
        Path("publishers.toml").write_text(text)
    assert installed().keys() == names


@pytest.mark.parametrize(("text", "section"), [(WEBHOOK, "webhook"), (MASTODON, "mastodon")])
@pytest.mark.parametrize("library", ["httpx2", "standardwebhooks"])
def test_a_missing_extra_is_named(
    text: str, section: str, library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A publisher that is set up and whose libraries are not installed is one line with its section and the extra."""
    monkeypatch.chdir(tmp_path)
    Path("publishers.toml").write_text(text)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingDriver, match=section) as missing:
        installed()
    assert "\n" not in missing.value.message
    assert missing.value.hint == "pip install 'copydesk[publishers]'"


@pytest.mark.parametrize(
    "text", ["[webhook", "[web]", "[mastodon]\na = 1", WEBHOOK + 'extra = "x"', MASTODON.replace("https", "http")]
)
def test_a_file_that_can_not_be_used_is_told(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is no TOML, or has a key that is unknown or impossible, is refused by its name, in one line."""
    monkeypatch.setenv("COPYDESK_PUBLISHERS", str(tmp_path / "mine.toml"))
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(BadSetting, match=r"mine\.toml|mastodon") as refused:
        installed()
    assert "\n" not in refused.value.message


def test_nothing_is_imported_before_it_is_set_up() -> None:
    """The libraries of the extra are imported by the publishers that are set up, and by nothing else."""
    code = "import sys, review.publication.installed as i; i.installed(); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "review.publishers.webhook" in done.stdout
    assert not {"httpx2", "httpcore2", "standardwebhooks"} & set(done.stdout.replace("'", "").split(", "))
