"""Which publishers there are: copydesk's own and those of named plug-ins, by the name that a policy uses."""

from __future__ import annotations

from collections.abc import Callable

from capture import BadSetting, load_plugins
from review.publication.publisher import Publisher
from review.publishers import mastodon, webhook
from review.publishers.folder import FolderPublisher

OWN: dict[str, Callable[[], Publisher | None]] = {
    "folder": FolderPublisher,
    "mastodon": mastodon.from_settings,
    "webhook": webhook.from_settings,
}
"""Copydesk's own, also where it runs from a checkout that is not installed."""


def installed() -> dict[str, Publisher]:
    """One publisher of each kind, made without arguments: it reads its own settings.

    One that makes None is not set up here, and is left out.

    Raises:
        BadSetting: A plug-in names something that is no publisher, or a publisher's settings can't be used.
        MissingDriver: A publisher is set up whose extra is not installed.
    """
    found: dict[str, Publisher] = {}
    for name, made in {**OWN, **load_plugins("copydesk.publishers")}.items():
        publisher = made() if callable(made) else made
        if publisher is None:
            continue
        if not isinstance(publisher, Publisher):
            raise BadSetting(
                f"the plug-in {name} of copydesk.publishers makes no Publisher but a {type(publisher).__name__}",
                hint="a publisher has publish, find, retract, not_accepted, key_lifetime and verifies",
            )
        found[name] = publisher
    return found
