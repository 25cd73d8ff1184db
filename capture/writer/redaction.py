"""Redaction, before an event becomes bytes: a secret that never reaches the journal need not be erased from the log.

What is replaced are the values of keys that name a secret, in fields that can hold any JSON (`metadata`, `arguments`
…), and text fields that are named so themselves. The text of a draft is what a person will judge: it is never touched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar, cast

from pydantic import BaseModel

from capture.events.content import MAX_DEPTH
from capture.events.event import Event, JsonObject
from capture.events.shape import open_fields

REDACTED: Final = "[redacted]"
"""What stands in a secret's place."""

TOO_DEEP: Final = "[too deep]"
"""What stands in the place of what is nested so deep that no event can have it."""

SECRET_KEYS: Final[frozenset[str]] = frozenset(
    {
        "password",
        "passwd",
        "pwd",
        "passphrase",
        "token",
        "secret",
        "authorization",
        "api_key",
        "private_key",
        "secret_key",
        "access_key",
        "credential",
        "credentials",
        "cookie",
    }
)
"""The keys whose values are replaced by default. A key matches when it ends with one of them, whatever its case and the
signs between its words: `OPENAI_API_KEY`, `x-access-token`, `clientSecret`; not `total_tokens`."""

Redact = Iterable[str] | Callable[[JsonObject], JsonObject]
"""The keys to replace instead of `SECRET_KEYS`; or a function that gets an event's payload and returns what to keep."""

E = TypeVar("E", bound=Event)
_PLAIN = frozenset({str, int, float, bool, type(None)})
_SIGNS = re.compile(r"[^a-z0-9]+")
_MAX_KEYS = 10_000
_MAX_DEPTH = MAX_DEPTH + 10
"""Beyond what an event may have, so that the event is refused and not changed."""


class Redaction:
    """Replaces secrets in events and in other mappings.

    Args:
        redact: See `Redact`. A function runs after the default keys were replaced.
    """

    def __init__(self, redact: Redact = SECRET_KEYS) -> None:
        self._function = redact if callable(redact) else None
        keys: Iterable[str] = SECRET_KEYS if callable(redact) else (redact,) if isinstance(redact, str) else redact
        self._endings = tuple(_plain(key) for key in keys)
        self._known: dict[str, bool] = {}
        self._plans: dict[type[Event], tuple[tuple[str, ...], tuple[str, ...]]] = {}

    def event(self, event: E) -> E:
        """The event without secrets: the same object when there are none."""
        plan = self._plans.get(event.__class__)
        texts, opens = self._plan(event.__class__) if plan is None else plan
        changed: dict[str, object] | None = None
        for name in opens:
            value = getattr(event, name)
            if value and value.__class__ not in _PLAIN:
                clean = self._mapping(value) if value.__class__ is dict else self.value(value)
                if clean is not value:
                    changed = {} if changed is None else changed
                    changed[name] = clean
        if texts:
            changed = {name: REDACTED for name in texts if getattr(event, name) is not None} | (changed or {})
        if changed:
            event = event.model_copy(update=changed)
        if self._function is not None:
            payload = self._function(cast("JsonObject", event.model_dump(mode="json")))
            return type(event).model_validate(payload)
        return event

    def opens(self, kind: type[Event]) -> tuple[str, ...] | None:
        """The fields to be looked at in events of a class; None when the event as a whole has to be."""
        plan = self._plans.get(kind)
        texts, opens = self._plan(kind) if plan is None else plan
        return None if texts or self._function is not None else opens

    def _plan(self, kind: type[Event]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        texts = tuple(
            name
            for name, field in kind.model_fields.items()
            if self._is_secret(name) and field.annotation in (str, str | None)
        )
        plan = self._plans[kind] = texts, open_fields(kind)
        return plan

    def value(self, value: object, depth: int = 0) -> object:
        """The value without secrets: the same object when there are none.

        What lies deeper than any event may is replaced as a whole: it can't be looked through without end, nor be let
        pass unseen.
        """
        if depth > _MAX_DEPTH and isinstance(value, Mapping | list | tuple | BaseModel):
            return TOO_DEEP
        if isinstance(value, Mapping):
            return self._mapping(value, depth)
        if isinstance(value, list | tuple):
            items = [self.value(item, depth + 1) for item in value]
            if all(clean is item for clean, item in zip(items, value, strict=True)):
                return value
            return items if isinstance(value, list) else tuple(items)
        if isinstance(value, BaseModel):
            fields = {name: getattr(value, name) for name in type(value).model_fields}
            clean = self._mapping(fields, depth)
            return value if clean is fields else value.model_copy(update=dict(clean))
        return value

    def _mapping(self, value: Mapping[str, object], depth: int = 0) -> Mapping[str, object]:
        changed: dict[str, object] | None = None
        known = self._known
        for key, item in value.items():
            secret = known.get(key)
            if secret is None:
                secret = self._is_secret(key)
            if secret:
                if item is not None:
                    changed = {} if changed is None else changed
                    changed[key] = REDACTED
            elif item.__class__ not in _PLAIN:
                clean = self.value(item, depth + 1)
                if clean is not item:
                    changed = {} if changed is None else changed
                    changed[key] = clean
        return {**value, **changed} if changed else value

    def _is_secret(self, key: object) -> bool:
        if not isinstance(key, str):
            return False
        if len(self._known) >= _MAX_KEYS:
            self._known.clear()
        secret = self._known[key] = _plain(key).endswith(self._endings) if self._endings else False
        return secret


def _plain(key: str) -> str:
    return _SIGNS.sub("", key.lower())
