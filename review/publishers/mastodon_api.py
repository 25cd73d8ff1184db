"""Mastodon's API as one account uses it: a request, and a JSON answer or an error that says what came instead."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from review.errors import Answered, Unanswered
from review.publishers.address import Resolve
from review.publishers.publishers_toml import Account, PublishersToml

MOST_BYTES = 4 * 1024 * 1024
"""How long an answer may be: a page of 40 statuses is the longest."""


class Api:
    """One account's way to its server.

    Args:
        account: The account.
        settings: Where its token is.
        resolve: Resolves names.

    Attributes:
        instance: The server's address, without a slash at its end.
    """

    def __init__(self, account: Account, settings: PublishersToml, resolve: Resolve) -> None:
        self.instance = account.instance.rstrip("/")
        self._account = account
        self._settings = settings
        self._resolve = resolve

    def one(
        self, method: str, path: str, wanted: Mapping[str, Any] | None = None, headers: Mapping[str, str] = {}
    ) -> dict[str, Any]:
        """What a request is answered with, as an object.

        Args:
            method: As `POST`.
            path: From the server's address.
            wanted: Goes as a JSON object.
            headers: Go beside the token.

        Raises:
            NotSent: No byte of the request was written.
            Unanswered: No whole answer came, or a yes that has no JSON object.
            Answered: The answer is no yes.
        """
        content = None if wanted is None else json.dumps(wanted, ensure_ascii=False).encode()
        more = headers if content is None else {"Content-Type": "application/json; charset=utf-8", **headers}
        return _an_object(self._asked(method, path, more, content=content))

    def upload(self, path: str, name: str, data: bytes, media_type: str, alt: str | None) -> dict[str, Any]:
        """Send a file, as a form.

        Raises:
            NotSent: No byte of the request was written.
            Unanswered: No whole answer came.
            Answered: The answer is no yes.
        """
        described = None if alt is None else {"description": alt}
        return _an_object(self._asked("POST", path, {}, files={"file": (name, data, media_type)}, data=described))

    def many(self, path: str) -> list[dict[str, Any]]:
        """What a GET is answered with, as the objects of an array.

        Raises:
            NotSent: It could not be asked.
            Unanswered: No whole answer came, or one that has no JSON array.
            Answered: The answer is no yes.
        """
        found = self._asked("GET", path, {})
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise Unanswered("the server answered with another JSON than an array of objects")
        return found

    def _asked(self, method: str, path: str, headers: Mapping[str, str], **more: Any) -> object:
        from review.publishers.exchange import Exchange

        account, where = self._account, f"{method} {path.partition('?')[0]}"
        token = self._settings.secret(account.token_file)
        ca_file = None if account.ca_file is None else self._settings.path.parent / account.ca_file
        exchange = Exchange(account.timeout, account.private_networks, ca_file, self._resolve)
        answer = exchange.ask(
            method,
            self.instance + path,
            {"Authorization": f"Bearer {token}", "Accept": "application/json", **headers},
            most_bytes=MOST_BYTES,
            **more,
        )
        try:
            said = json.loads(answer.body) if answer.body.strip() else {}
        except (ValueError, RecursionError):
            said = None
        if answer.status not in (200, 202, 206):
            error = said.get("error") if isinstance(said, dict) else None
            words = error if isinstance(error, str) else answer.body.decode("utf-8", "replace")
            again = answer.headers.get("x-ratelimit-reset") or answer.headers.get("retry-after") or ""
            raise Answered(
                # A server that shows a request in its answer would bring the token into the log.
                f"the server answered {answer.status} to {where}: "
                + ascii(words.replace(token, "[redacted]")[:200])
                + (f", again from {again[:40]!a}" if again else ""),
                status=answer.status,
                declared=isinstance(error, str),
            )
        if said is None:
            raise Unanswered(f"the server answered {answer.status} to {where}, but no JSON")
        return said


def plain_id(thing: Mapping[str, Any]) -> str:
    """The id of what the server answered with.

    Raises:
        Unanswered: It has none of letters, digits, `-` and `_`.
    """
    found = thing.get("id")
    if isinstance(found, str) and re.fullmatch(r"[A-Za-z0-9_-]{1,100}", found):
        return found
    raise Unanswered("the server answered without an id")


def _an_object(said: object) -> dict[str, Any]:
    if not isinstance(said, dict):
        raise Unanswered("the server answered with another JSON than an object")
    return said
