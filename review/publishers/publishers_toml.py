"""`publishers.toml`: where the publishers that leave the machine send to, and how.

[webhook]
url = "https://hooks.example.com/copydesk"
secret_file = "webhook.secret"

[mastodon."@acme"]
instance = "https://mastodon.example"
token_file = "acme.token"

Secrets stand in files of their own, which are read at each send. Paths are from the folder of `publishers.toml`.
"""

from __future__ import annotations

import re
import tomllib
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from capture import BadSetting, Settings
from review.errors import NotSent
from review.publishers.address import check_allowed, host_of

MOST_SECONDS = 300
"""The longest that one request may be allowed to take. Well below the time after which a sender counts as lost."""

Status = Annotated[int, Field(ge=400, le=599)]
"""A status code of HTTP that can mean no."""

_Seconds = Annotated[float, Field(gt=0, le=MOST_SECONDS)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    timeout: _Seconds = 30.0
    private_networks: tuple[IPv4Network | IPv6Network, ...] = ()
    ca_file: Path | None = None


class Webhook(_Section):
    """Where the webhook publisher sends to.

    Attributes:
        url: The receiver.
        secret_file: Holds the secret of Standard Webhooks, `whsec_…`.
        hosts: The hosts that may be reached, with the port where it is not 443; the one of `url` when left out.
        find_url: Where it can be looked up what the receiver has; `{key}` stands for the idempotency key.
        retract_url: What a DELETE takes back; `{id}` stands for the receiver's id.
        not_accepted: The answers by which the receiver promises that it took nothing.
        key_lifetime_hours: For how long the same idempotency key means the same output to it; never when left out.
        timeout: How long a request may take in all, in seconds.
        private_networks: Networks that may be reached although they are not public.
        ca_file: Certificates to trust instead of the system's.
    """

    url: str
    secret_file: Path
    hosts: tuple[str, ...] = ()
    find_url: str | None = None
    retract_url: str | None = None
    not_accepted: tuple[Status, ...] = ()
    key_lifetime_hours: Annotated[float, Field(gt=0, le=24 * 365)] | None = None

    @property
    def key_lifetime(self) -> timedelta | None:
        """For how long the receiver knows a key."""
        return None if self.key_lifetime_hours is None else timedelta(hours=self.key_lifetime_hours)


class Account(_Section):
    """An account of Mastodon, by the identity of the drafts that go out under it.

    Attributes:
        instance: Its server, as `https://mastodon.example`.
        token_file: Holds its access token, with the scopes `read` and `write:statuses write:media`.
        username: Its name there, when that is not the identity without `@`.
        visibility: Who sees what it posts; a message is always `direct`.
        timeout: How long a request may take in all, in seconds.
        private_networks: Networks that may be reached although they are not public.
        ca_file: Certificates to trust instead of the system's.
    """

    instance: str
    token_file: Path
    username: str | None = None
    visibility: Literal["public", "unlisted", "private"] = "public"


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    webhook: Webhook | None = None
    mastodon: dict[str, Account] = {}


class PublishersToml:
    """The file, read and checked.

    Args:
        path: Where; `COPYDESK_PUBLISHERS` when left out. A file that is not there has no sections.

    Attributes:
        path: Where.
        webhook: The section `[webhook]`; None without it.
        mastodon: The sections `[mastodon."IDENTITY"]`.

    Raises:
        BadSetting: It is no TOML, or a key is unknown, missing or has an impossible value: the message names it.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = Settings.from_environment().publishers if path is None else path
        try:
            read = _File.model_validate(tomllib.loads(self.path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            read = _File()
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise BadSetting(f"{self.path} can't be read: {error}") from None
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            raise BadSetting(
                f"{self.path}: {key[:200]!a}: {first['msg']}", hint="docs/how-to/publishers.md lists the keys"
            ) from None
        self.webhook = read.webhook
        self.mastodon = read.mastodon
        self._check()

    def secret(self, file: Path) -> str:
        """What a file of a secret holds, without blanks around it. It is read anew each time.

        Raises:
            NotSent: It can't be read, or is no single line of ASCII.
        """
        path = self.path.parent / file
        try:
            text = path.read_bytes()[:10_000].decode("ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            # Not the error's own words: those of a decoder have a piece of the secret.
            raise NotSent(f"the secret in {path} can't be read ({type(error).__name__})") from None
        if re.fullmatch(r"[!-~]{8,4096}", text) is None:
            raise NotSent(f"the secret in {path} is one line of 8 to 4096 characters without blanks")
        return text

    def _check(self) -> None:
        if self.webhook is not None:
            hook = self.webhook
            allowed = hook.hosts or (_bracketed(host_of(hook.url, "webhook.url")[0]),)
            for name, url in (("url", hook.url), ("find_url", hook.find_url), ("retract_url", hook.retract_url)):
                if url is not None:
                    check_allowed(
                        *host_of(url.replace("{key}", "").replace("{id}", ""), f"webhook.{name}"),
                        allowed,
                        f"webhook.{name}",
                    )
        for identity, account in self.mastodon.items():
            setting = f"mastodon.{identity}.instance"
            host_of(account.instance, setting)
            if not re.fullmatch(r"https://[^/?]+/?", account.instance):
                raise BadSetting(
                    f"{setting} is the address of a server without a path, found {account.instance[:100]!a}"
                )


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
