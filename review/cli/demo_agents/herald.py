"""The herald: reads the changelog and drafts posts about a release."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import NamedTuple

from review.cli.demo_agents.pages import page
from review.cli.demo_agents.start import end, logger

LONGEST = 500
"""The most characters that a Mastodon post has."""

_RELEASE = re.compile(r"^## +(?P<version>\S+)(?: +\S +(?P<date>.+))?$", re.MULTILINE)
_ENTRY = re.compile(r"^- (?P<kind>\w+): (?P<text>(?:.|\n(?!- |\n|#))+)", re.MULTILINE)


class Release(NamedTuple):
    """A section of the changelog.

    Attributes:
        version: As `0.1.0`.
        date: When it came out, in the changelog's own words.
        entries: What changed, a sentence or more each; the word before it (`Added`, `Fixed`) left out.
    """

    version: str
    date: str
    entries: tuple[str, ...]


def releases(changelog: str) -> Iterator[Release]:
    """The sections of a changelog, newest first."""
    heads = list(_RELEASE.finditer(changelog))
    for head, following in zip(heads, [*heads[1:], None], strict=True):
        text = changelog[head.end() : following.start() if following else None]
        entries = tuple(plain(entry["text"]) for entry in _ENTRY.finditer(text))
        if entries:
            yield Release(head["version"], head["date"] or "", entries)


def plain(text: str) -> str:
    """A piece of Markdown as plain text on one line."""
    linked = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return re.sub(r"\s+", " ", re.sub(r"[`*]", "", linked)).strip()


def summary(release: Release) -> str:
    """A post about the release: as many of its entries, first sentence each, as there is room for."""
    post = f"What copydesk {release.version} brings:"
    for entry in release.entries:
        first = re.split(r"(?<=[.!?]) ", entry)[0]
        line = f"\n\n• {first[:1].upper()}{first[1:]}"
        if len(post) + len(line) <= LONGEST:
            post += line
    return post


def main() -> int:
    """Draft a summary of the newest release, and a post about each of its changes."""
    log = logger("herald")
    release = next(releases(page("CHANGELOG.md")))
    flags = ["unreleased"] if "unreleased" in release.date.lower() else []
    log.info("reading", page="CHANGELOG.md", version=release.version, entries=len(release.entries))
    log.info(
        "social_post.drafted",
        channel="mastodon",
        identity="@copydesk",
        body=summary(release),
        tone="plain",
        trigger_context=f"CHANGELOG.md, {release.version}",
        risk_flags=flags,
        dedupe_key=f"release-{release.version}",
    )
    for number, entry in enumerate(release.entries, start=1):
        log.info(
            "social_post.drafted",
            channel="linkedin",
            identity="copydesk",
            body=f"New in copydesk {release.version}: {entry}",
            tone="plain",
            trigger_context=f"CHANGELOG.md, {release.version}, entry {number}",
            risk_flags=flags,
            dedupe_key=f"release-{release.version}-{number}",
        )
    return end()


if __name__ == "__main__":
    sys.exit(main())
