"""The Mastodon publisher: a status of exactly the approved text, under the account that was approved.

What is looked up or uploaded first (the account, the limits, the status that is answered, media) is seen by nobody:
when it fails, nothing was sent. The one mutation is `POST /api/v1/statuses`, without a time to post it at, for which
the platform would ignore the key. https://docs.joinmastodon.org/methods/statuses/
"""

from __future__ import annotations

import hashlib
import json
import mimetypes
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from capture import Settings, stored_media
from capture.vocabulary import Media
from review.errors import Answered, NotSent, Unanswered
from review.output import Output
from review.publication.publisher import Receipt
from review.publishers.address import Resolve, system_resolve
from review.publishers.extra import check_installed
from review.publishers.mastodon_api import Api, plain_id
from review.publishers.mastodon_text import shortest_count, would_change
from review.publishers.publishers_toml import Account, PublishersToml

REFUSED = frozenset({401, 403, 422, 429})
"""The answers by which Mastodon declares that it made no status: no right to, not valid, too many requests."""

MEDIA_PATIENCE = 120
"""How often to look, a second apart, whether an upload has been processed."""

EARLIER = timedelta(minutes=5)
"""How much the platform's clock may be behind ours, when it is asked what it got."""

PAGES = 5
"""How many pages of 40 statuses a look-up reads at most."""

REMEMBERED = 1_000
"""How many sends a publisher keeps in mind, to look them up by their key alone."""


class MastodonPublisher:
    """Publishes under the accounts of `publishers.toml`.

    Args:
        settings: `publishers.toml`, with a section `[mastodon."IDENTITY"]` for each identity.
        media: Names the media folder; read from the environment when left out.
        resolve: Resolves names.
        pause: Waits so many seconds while the platform processes an upload.

    Raises:
        MissingDriver: The extra `publishers` is not installed.
    """

    key_lifetime: timedelta | None = timedelta(hours=1)
    verifies: timedelta | None = None

    def __init__(
        self,
        settings: PublishersToml,
        *,
        media: Settings | None = None,
        resolve: Resolve = system_resolve,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        check_installed(settings.path, "mastodon")
        self._settings = settings
        self._media = media
        self._resolve = resolve
        self._pause = pause
        self._own: dict[str, str] = {}  # by identity, the id of its account
        self._sent: OrderedDict[str, Output] = OrderedDict()

    def publish(self, output: Output, key: str) -> Receipt:
        """Post a status, once.

        Args:
            output: A post, a comment on a status, or a message in whose body its recipient is named.
            key: Its idempotency key.

        Raises:
            NotSent: The status was not asked for: there is no such account, the platform would change or refuse the
                text, a file is missing, or what has to be looked up or uploaded first failed.
            Unanswered: No whole answer came.
            Answered: The answer is no yes.
        """
        self._check(output)
        try:
            api = self._api(output.identity)
            self._account_id(api, output.identity)
            self._check_limits(api, output)
            wanted = self._wanted(api, output)
            wanted["media_ids"] = [self._uploaded(api, item) for item in output.content.media]
        except (Answered, Unanswered) as error:
            raise NotSent(f"before the status was posted, {error.message}") from error
        self._sent[key] = output
        while len(self._sent) > REMEMBERED:
            self._sent.popitem(last=False)
        status = api.one("POST", "/api/v1/statuses", wanted, {"Idempotency-Key": key})
        return _receipt(status)

    def find(self, key: str) -> Receipt | None:
        """Look for what this publisher sent under a key; None for what another process sent: see `find_output`."""
        output = self._sent.get(key)
        return None if output is None else self.find_output(output, key)

    def find_output(self, output: Output, key: str) -> Receipt | None:
        """Look among the account's own statuses since the send began for the one that is exactly this output.

        The platform keeps no key that could be asked for. Where two are equal nobody can tell which is which: None.

        Args:
            output: What was sent.
            key: Under which key.

        Raises:
            NotSent: It could not be asked.
            Unanswered: No whole answer came.
            Answered: The answer is no yes.
        """
        api = self._api(output.identity)
        started = [attempt.started_at for attempt in output.attempts if attempt.idempotency_key == key]
        since = min(started, default=output.submitted_at)
        wanted = self._wanted(api, output)
        found = [
            status
            for status in self._statuses(api, self._account_id(api, output.identity), since)
            if _looks_like(status, output, wanted) and self._text(api, status) == output.body
        ]
        return _receipt(found[0]) if len(found) == 1 else None

    def retract(self, receipt: Receipt) -> None:
        """Delete a status of one of the accounts; one that is gone already is gone.

        Raises:
            NotSent: None of the accounts has it, or no byte of the request was written.
            Unanswered: No whole answer came.
            Answered: The answer is no yes.
        """
        path = f"/api/v1/statuses/{quote(receipt.external_id, safe='')}"
        host = urlsplit(receipt.url or "").hostname
        gone = False
        for identity, account in self._settings.mastodon.items():
            if receipt.url is not None and urlsplit(account.instance).hostname != host:
                continue
            api = self._api(identity)
            try:
                status = api.one("GET", path)
                if status.get("account", {}).get("id") == self._account_id(api, identity):
                    api.one("DELETE", path)
                    return
            except Answered as error:
                if error.status not in (404, 410):
                    raise
                gone = True
        if not gone:
            raise NotSent(f"no account of {self._settings.path} has the status {receipt.external_id[:100]!a}")

    def not_accepted(self, answer: BaseException) -> bool:
        """True for the platform's own 401, 403, 422 and 429. A bare 4xx, as a proxy gives it, is no declaration."""
        return isinstance(answer, Answered) and answer.declared is True and answer.status in REFUSED

    def _check(self, output: Output) -> None:
        content = output.content
        if output.identity not in self._settings.mastodon:
            raise NotSent(f"{self._settings.path} has no section [mastodon.{json.dumps(output.identity[:100])}]")
        if content.kind not in ("social_post", "comment", "message") or content.post_type == "repost":
            raise NotSent(f"the Mastodon publisher posts statuses, and no {content.post_type or content.kind}")
        if content.kind == "comment" and not (content.reply_to or content.target_url):
            raise NotSent("a comment names the status that it answers in reply_to or target_url")
        if content.kind == "message" and not _names(output.body, content.recipient or ""):
            raise NotSent("a message on Mastodon reaches those whom its body names: it has to name its recipient")
        if would_change(output.body):
            raise NotSent(
                "Mastodon takes blanks at the ends of a text away: what is approved would not be what is posted"
            )
        if not output.body and not content.media:
            raise NotSent("Mastodon takes no status without a text and without media")

    def _check_limits(self, api: Api, output: Output) -> None:
        statuses = api.one("GET", "/api/v2/instance").get("configuration", {}).get("statuses", {})
        longest, most = statuses.get("max_characters"), statuses.get("max_media_attachments")
        count = shortest_count(output.body)
        if isinstance(longest, int) and count > longest:
            raise NotSent(f"LIMIT: the text has at least {count} characters, and the server takes {longest}")
        if isinstance(most, int) and len(output.content.media) > most:
            raise NotSent(f"LIMIT: there are {len(output.content.media)} files, and the server takes {most}")

    def _wanted(self, api: Api, output: Output) -> dict[str, Any]:
        account = self._settings.mastodon[output.identity]
        content = output.content
        wanted: dict[str, Any] = {
            "status": output.body,
            "visibility": "direct" if content.kind == "message" else account.visibility,
        }
        target = content.reply_to or (content.target_url if content.kind == "comment" else None)
        if target is not None:
            wanted["in_reply_to_id"] = self._status_at(api, target)
        return wanted

    def _status_at(self, api: Api, url: str) -> str:
        # On its own server a status's address ends with its id; of another server's the own one knows the id.
        match = re.fullmatch(re.escape(api.instance) + r"/(?:@[^/?#]+|users/[^/?#]+/statuses)/([0-9]{1,30})", url)
        if match is not None:
            return match[1]
        found = api.one("GET", f"/api/v2/search?type=statuses&resolve=true&limit=1&q={quote(url, safe='')}")
        for status in found.get("statuses") or []:
            if isinstance(status, dict) and url in (status.get("url"), status.get("uri")):
                return plain_id(status)
        raise NotSent(f"the server finds no status at {url[:200]!a}")

    def _uploaded(self, api: Api, item: Media) -> str:
        path = stored_media(item.sha256, settings=self._media or Settings.from_environment())
        data = b"" if path is None else path.read_bytes()
        if path is None or hashlib.sha256(data).hexdigest() != item.sha256:
            raise NotSent(f"MEDIA: the file {item.sha256} is not in the media folder, or has other bytes")
        name = item.sha256 + (mimetypes.guess_extension(item.media_type) or "")
        upload = api.upload("/api/v2/media", name, data, item.media_type, item.alt)
        upload_id = plain_id(upload)
        for _ in range(MEDIA_PATIENCE):
            if upload.get("url"):
                return upload_id
            self._pause(1)
            upload = api.one("GET", f"/api/v1/media/{upload_id}")
        raise NotSent(f"MEDIA: the server has not processed {item.sha256} within {MEDIA_PATIENCE} s")

    def _account_id(self, api: Api, identity: str) -> str:
        if identity not in self._own:
            account = self._settings.mastodon[identity]
            expected = account.username or identity.lstrip("@").split("@")[0]
            who = api.one("GET", "/api/v1/accounts/verify_credentials")
            name = str(who.get("username"))
            if name.lower() != expected.lower():
                raise NotSent(f"the token for {identity[:100]!a} belongs to {name[:100]!a}, not to {expected!a}")
            self._own[identity] = plain_id(who)
        return self._own[identity]

    def _statuses(self, api: Api, account_id: str, since: datetime | None) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        path = f"/api/v1/accounts/{account_id}/statuses?limit=40&exclude_reblogs=true"
        after = ""
        for _ in range(PAGES):
            page = api.many(path + after)
            new = [status for status in page if since is None or _made_at(status) >= since - EARLIER]
            found += new
            if not page or len(new) < len(page):
                return found
            after = f"&max_id={plain_id(page[-1])}"
        return found

    def _text(self, api: Api, status: Mapping[str, Any]) -> object:
        return api.one("GET", f"/api/v1/statuses/{plain_id(status)}/source").get("text")

    def _api(self, identity: str) -> Api:
        account: Account = self._settings.mastodon[identity]
        return Api(account, self._settings, self._resolve)


def from_settings(path: Path | None = None) -> MastodonPublisher | None:
    """The publisher that `publishers.toml` asks for; None when it has no section `[mastodon."…"]`."""
    settings = PublishersToml(path)
    return MastodonPublisher(settings) if settings.mastodon else None


def _receipt(status: Mapping[str, Any]) -> Receipt:
    url = status.get("url")
    return Receipt(
        plain_id(status), url if isinstance(url, str) and re.fullmatch(r"https://[!-~]{1,2000}", url) else None
    )


def _looks_like(status: Mapping[str, Any], output: Output, wanted: Mapping[str, Any]) -> bool:
    attached = [item.get("description") for item in status.get("media_attachments") or []]
    return (
        status.get("visibility") == wanted["visibility"]
        and status.get("in_reply_to_id") == wanted.get("in_reply_to_id")
        and attached == [item.alt for item in output.content.media]
    )


def _made_at(status: Mapping[str, Any]) -> datetime:
    made = datetime.fromisoformat(str(status.get("created_at")))
    return made if made.tzinfo is not None else made.astimezone()


def _names(body: str, recipient: str) -> bool:
    name = re.escape(recipient.lstrip("@"))
    return re.search(rf"(?<![\w/])@{name}(?![\w@])", body, re.IGNORECASE) is not None
