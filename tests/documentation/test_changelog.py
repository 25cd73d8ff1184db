"""The changelog tells what a user saw, what happens now, and what to do; newest first."""

from __future__ import annotations

import re
import tomllib

from packaging.version import Version

from tests.documentation.checkout import read

KINDS = ("Added: ", "Changed: ", "Fixed: ", "Removed: ")


def test_the_newest_entry_is_this_version() -> None:
    """The first section is the version of pyproject.toml, and the sections fall from there."""
    versions = [Version(text) for text in re.findall(r"^## (\S+)", read("CHANGELOG.md"), re.MULTILINE)]
    assert versions[0] == Version(tomllib.loads(read("pyproject.toml"))["project"]["version"])
    assert versions == sorted(versions, reverse=True)


def test_an_entry_says_what_it_is() -> None:
    """Each entry begins with its kind, is made of whole sentences, and is no list of inner changes."""
    entries = re.findall(r"^- (.*(?:\n  .*)*)", read("CHANGELOG.md"), re.MULTILINE)
    assert entries
    for entry in entries:
        assert entry.startswith(KINDS), entry
        assert entry.rstrip().endswith("."), entry
        assert not re.search(r"refactor|additionally|various", entry, re.IGNORECASE), entry
