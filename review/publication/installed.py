"""Which publishers there are: copydesk's own and those of named plug-ins, by the name that a policy uses."""

from __future__ import annotations

from capture import BadSetting, load_plugins
from review.publication.publisher import Publisher
from review.publishers.folder import FolderPublisher


def installed() -> dict[str, Publisher]:
    """One publisher of each kind, made without arguments: it reads its own settings.

    Raises:
        BadSetting: A plug-in names something that is no publisher.
    """
    found: dict[str, Publisher] = {"folder": FolderPublisher()}
    for name, made in load_plugins("copydesk.publishers").items():
        publisher = made() if callable(made) else made
        if not isinstance(publisher, Publisher):
            raise BadSetting(
                f"the plug-in {name} of copydesk.publishers makes no Publisher but a {type(publisher).__name__}",
                hint="a publisher has publish, find, retract, not_accepted, key_lifetime and verifies",
            )
        found[name] = publisher
    return found
