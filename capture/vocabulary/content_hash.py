"""The hash of what the world would see. An approval names it; nothing else is ever published.

Everything that changes what the world sees is in it and nothing else: no metadata, note, tone or schedule. Absent and
None are equal, and differ from the empty text. Each part is length-prefixed, so that no two contents share their bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from capture.events.event import JsonObject
    from capture.vocabulary.drafts import Draft, Media

_DOMAIN = b"copydesk-content-1"


def content_hash(draft: Draft) -> str:
    """The content hash of a draft: 64 lower-case hexadecimal digits.

    Args:
        draft: An instance of one of the Draft classes.
    """
    return hash_parts(
        kind=kind_of(draft.event_type),
        post_type=getattr(draft, "post_type", None),
        channel=draft.channel,
        identity=draft.identity,
        target_url=draft.target_url,
        target_author=draft.target_author,
        reply_to=getattr(draft, "reply_to", None),
        recipient=getattr(draft, "recipient", None),
        body=draft.body,
        media=draft.media,
        action=getattr(draft, "action", None),
        arguments=getattr(draft, "arguments", None),
    )


def kind_of(event_type: str) -> str:
    """The kind of an output: the type of its draft without `.drafted` or `.proposed`."""
    return event_type.removesuffix(".drafted").removesuffix(".proposed")


def hash_parts(
    *,
    kind: str,
    post_type: str | None,
    channel: str,
    identity: str,
    target_url: str | None,
    target_author: str | None,
    reply_to: str | None,
    recipient: str | None,
    body: str,
    media: Iterable[Media],
    action: str | None,
    arguments: JsonObject | None,
) -> str:
    """The content hash of the parts that the world would see, in the order of the design.

    A text is its length in bytes (8 bytes, big-endian) and its UTF-8; None is eight bytes of 0xFF, a length that no
    text has. Media are their count and then, each, sha256 and alt. Arguments are their canonical JSON bytes: UTF-8, no
    blanks, keys as given.
    """
    media = tuple(media)

    def texts() -> Iterator[str | None]:
        yield from (kind, post_type, channel, identity, target_url, target_author, reply_to, recipient, body)
        yield str(len(media))
        for item in media:
            yield from (item.sha256, item.alt)
        yield action
        yield None if arguments is None else canonical_json(arguments)

    digest = hashlib.sha256(_DOMAIN)
    for text in texts():
        if text is None:
            digest.update(b"\xff" * 8)
        else:
            data = text.encode()
            digest.update(len(data).to_bytes(8, "big"))
            digest.update(data)
    return digest.hexdigest()


def canonical_json(value: JsonObject) -> str:
    """A JSON object as text: no blanks, keys as given, no escapes but those that JSON needs."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
