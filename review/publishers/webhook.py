"""The webhook publisher: an HTTPS POST of exactly what was approved, signed by the Standard Webhooks specification.

The body is JSON, and the same bytes however often one output is sent (so there is no time in it):

{"type": "output.approved", "data": {
    "output_id": …, "revision": …, "content_hash": …, "agent_id": …, "kind": …, "post_type": …, "channel": …,
    "identity": …, "target_url": …, "target_author": …, "reply_to": …, "recipient": …, "body": …,
    "media": [{"sha256": …, "media_type": …, "alt": …}], "action": …, "arguments": {…}}}

What an output does not have is left out. The headers are `Idempotency-Key`, and `webhook-id` (the same key),
`webhook-timestamp` and `webhook-signature` (https://www.standardwebhooks.com). A yes is 200, 201, 202 or 204; from its
JSON object `external_id` and `url` are kept if they are plain. Every other answer is no yes, and proves nothing unless
`not_accepted` of `publishers.toml` lists its status.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from review.errors import Answered, NotSent
from review.output import Output
from review.publication.publisher import Receipt
from review.publishers.address import Resolve, system_resolve
from review.publishers.extra import check_installed
from review.publishers.publishers_toml import PublishersToml

if TYPE_CHECKING:
    from review.publishers.exchange import Answer

YES = frozenset({200, 201, 202, 204})
"""The answers that say that the receiver has it."""

_ID = re.compile(r"[!-~]{1,200}")
_LINK = re.compile(r"https://[!-~]{1,2000}")


class WebhookPublisher:
    """Publishes to one receiver.

    Args:
        settings: `publishers.toml`, with a section `[webhook]`.
        now: Tells the time that the signature names.
        resolve: Resolves names.

    Raises:
        MissingDriver: The extra `publishers` is not installed.
    """

    verifies: timedelta | None = None

    def __init__(
        self,
        settings: PublishersToml,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        resolve: Resolve = system_resolve,
    ) -> None:
        if settings.webhook is None:
            raise NotSent(f"{settings.path} has no section [webhook]")
        check_installed(settings.path, "webhook")
        self._settings = settings
        self._hook = settings.webhook
        self._now = now
        self._resolve = resolve
        self.key_lifetime = self._hook.key_lifetime

    def publish(self, output: Output, key: str) -> Receipt:
        """POST the output, once.

        Args:
            output: What to send.
            key: Its idempotency key.

        Raises:
            NotSent: No byte of the request was written.
            Unanswered: No whole answer came.
            Answered: The answer is no yes.
        """
        answer = self._ask("POST", self._hook.url, key, message(output), {"Idempotency-Key": key})
        if answer.status not in YES:
            raise Answered(_words(answer), status=answer.status, declared=True)
        return _receipt(_object(answer), key)

    def find(self, key: str) -> Receipt | None:
        """What the receiver says that it has under a key: an object in which `idempotency_key` is this key.

        Raises:
            NotSent: It could not be asked.
            Unanswered: No whole answer came.
            Answered: It says neither yes nor 404.
        """
        if self._hook.find_url is None:
            return None
        answer = self._ask("GET", self._hook.find_url.replace("{key}", quote(key, safe="")), key, b"")
        if answer.status in (404, 410):
            return None
        if answer.status != 200:
            raise Answered(_words(answer), status=answer.status, declared=False)
        said = _object(answer)
        return _receipt(said, key) if said.get("idempotency_key") == key else None

    def retract(self, receipt: Receipt) -> None:
        """DELETE what the receiver has under its id; what is gone already is gone.

        Raises:
            NotSent: There is no `retract_url`, or no byte of the request was written.
            Unanswered: No whole answer came.
            Answered: The answer is no yes.
        """
        if self._hook.retract_url is None:
            raise NotSent(f"{self._settings.path} has no webhook.retract_url: take it back at the receiver")
        url = self._hook.retract_url.replace("{id}", quote(receipt.external_id, safe=""))
        answer = self._ask("DELETE", url, f"retract-{quote(receipt.external_id)}", b"")
        if answer.status not in YES | {404, 410}:
            raise Answered(_words(answer), status=answer.status, declared=True)

    def not_accepted(self, answer: BaseException) -> bool:
        """True for the statuses that `not_accepted` lists, and nothing else."""
        return isinstance(answer, Answered) and answer.declared is True and answer.status in self._hook.not_accepted

    def _ask(self, method: str, url: str, message_id: str, body: bytes, more: Mapping[str, str] = {}) -> Answer:
        from review.publishers.exchange import Exchange

        hook = self._hook
        ca_file = None if hook.ca_file is None else self._settings.path.parent / hook.ca_file
        exchange = Exchange(hook.timeout, hook.private_networks, ca_file, self._resolve)
        headers = {**_signed(self._settings.secret(hook.secret_file), message_id, self._now(), body), **more}
        if body:
            headers["Content-Type"] = "application/json"
        return exchange.ask(method, url, headers, content=body)


def from_settings(path: Path | None = None) -> WebhookPublisher | None:
    """The publisher that `publishers.toml` asks for; None when it has no section `[webhook]`."""
    settings = PublishersToml(path)
    return None if settings.webhook is None else WebhookPublisher(settings)


def message(output: Output) -> bytes:
    """The body of the request: everything that was approved, in UTF-8.

    Args:
        output: As it was approved.
    """
    # Where media came from is no part of what was approved; their digests are.
    content = output.content.model_dump(mode="json", exclude_none=True, exclude={"media": {"__all__": {"url"}}})
    data = {
        "output_id": output.output_id,
        "revision": output.revision,
        "content_hash": output.content_hash,
        "agent_id": output.agent_id,
        **content,
    }
    return json.dumps({"type": "output.approved", "data": data}, ensure_ascii=False, separators=(",", ":")).encode()


def _signed(secret: str, message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    from standardwebhooks.webhooks import Webhook

    if re.fullmatch(r"whsec_[A-Za-z0-9+/]{32,88}={0,2}", secret) is None:
        raise NotSent("the secret of the webhook is whsec_ and 24 to 64 bytes in base64, as Standard Webhooks has it")
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, at, body.decode()),
    }


def _receipt(said: Mapping[str, Any], key: str) -> Receipt:
    # The receiver's words are hostile: what is not a plain id or link is left aside, and the key is the id.
    external_id, url = said.get("external_id"), said.get("url")
    return Receipt(
        external_id if isinstance(external_id, str) and _ID.fullmatch(external_id) else key,
        url if isinstance(url, str) and _LINK.fullmatch(url) else None,
    )


def _object(answer: Answer) -> Mapping[str, Any]:
    try:
        said = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _words(answer: Answer) -> str:
    return f"the receiver answered {answer.status}: {answer.body[:200]!r}"
