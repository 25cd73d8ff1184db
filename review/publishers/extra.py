"""The extra `publishers`: what the publishers that go over HTTPS need, and what is said where it is not installed."""

from __future__ import annotations

from pathlib import Path

from capture import MissingDriver


def check_installed(path: Path, section: str) -> None:
    """Whether the libraries can be imported.

    Args:
        path: The file that asks for the publisher.
        section: Its section.

    Raises:
        MissingDriver: They can't; the message names the extra.
    """
    try:
        import httpx2  # noqa: F401 - whether it is there is the question
        import standardwebhooks  # noqa: F401 - as above
    except ImportError as error:
        raise MissingDriver(
            f"[{section}] of {path} needs the extra publishers, which is not installed ({error})",
            hint="pip install 'copydesk[publishers]'",
        ) from None
