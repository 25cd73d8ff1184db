"""A policy file: TOML, read whole or not at all. What is wrong is told with its line and its key.

A key that is not known is refused, since a misspelt limit would look kept; and so is a value that can't be meant.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn, TypeVar, cast
from zoneinfo import ZoneInfo

from review.actors import check_person
from review.errors import BadPolicy
from review.policy import locator
from review.policy.rules import MODES, ROLES, UNITS, Match, MaxLength, Mode, Policy, Role, Rule, Unit
from review.policy.wording import plain

MAX = 200_000
"""The longest policy, in characters."""

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"([0-9]{1,8})([smhdw])")
_LONGEST = timedelta(days=3_650)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_CODE = re.compile(r"[a-z][a-z0-9_]{0,47}")
_AT_LINE = re.compile(r"at line (\d+)")

Value = TypeVar("Value")


def parse(text: str, source: str = "the policy") -> Policy:
    """Read a policy from its text.

    Args:
        text: TOML.
        source: What messages call it.

    Raises:
        BadPolicy: An unknown key or an impossible value; the message names line and key.
    """
    return _Reader(text, source).policy()


def read(path: Path) -> Policy:
    """Read a policy file.

    Raises:
        BadPolicy: It can't be read, is no UTF-8, or has an unknown key or an impossible value.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadPolicy(f"the policy file {path} can't be read: {error.strerror}", line=None, key="") from None
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        message = f"{path}, line {line}: UTF-8 was expected, byte {error.start + 1} of the file is none"
        raise BadPolicy(message, line=line, key="") from None
    return parse(text, str(path))


class _Reader:
    def __init__(self, text: str, source: str) -> None:
        self.text = text
        self.source = source
        self.lines: dict[locator.Path, int] = {}

    def policy(self) -> Policy:
        value = self._toml()
        readers: dict[str, Callable[[Any, locator.Path], Any]] = {
            "name": self._name,
            "reasons": self._reasons,
            "actors": self._actors,
            "rule": self._rules,
        }
        found = self._table(value, (), readers)
        return Policy(
            name=found.get("name", "policy"),
            rules=found.get("rule", ()),
            reasons=found.get("reasons", ()),
            actors=found.get("actors"),
            text=self.text,
        )

    def _toml(self) -> dict[str, Any]:
        if len(self.text) > MAX:
            self._refuse((), f"at most {MAX:,} characters were expected, found {len(self.text):,}")
        try:
            value = tomllib.loads(self.text)
            self.lines = locator.lines_of(self.text)
        except RecursionError:
            self._refuse((), "it is nested too deeply")
        except ValueError as error:  # what tomllib says, and int() of more digits than it takes
            at = _AT_LINE.search(str(error))
            line = int(at[1]) if at else self.text.count("\n") + 1
            written = self.text.split("\n")[line - 1 : line]
            key = re.match(r"[\s\[]*([\w.\-]+)", written[0]) if written else None
            self._refuse((), f"it is no TOML: {str(error)!a:.150}", line=line, key="" if key is None else key[1][:60])
        return value

    def _table(
        self, value: Any, path: locator.Path, readers: Mapping[str, Callable[[Any, locator.Path], Value]]
    ) -> dict[str, Value]:
        if not isinstance(value, dict):
            self._refuse(path, f"a table was expected, found {value!a:.60}")
        for key in value:
            if key not in readers:
                self._refuse((*path, key), f"no such key; known are {', '.join(readers)}")
        return {key: readers[key](found, (*path, key)) for key, found in value.items()}

    def _rules(self, value: Any, path: locator.Path) -> tuple[Rule, ...]:
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            self._refuse(path, "rules were expected, each under [[rule]]")
        return tuple(self._rule(one, (*path, place)) for place, one in enumerate(value))

    def _rule(self, value: Any, path: locator.Path) -> Rule:
        readers: dict[str, Callable[[Any, locator.Path], Any]] = {
            "match": self._match,
            "mode": self._mode,
            "approvals": lambda found, at: self._count(found, at, 100),
            "max_length": self._max_length,
            "daily_limit": lambda found, at: self._count(found, at, 1_000_000),
            "timezone": self._timezone,
            "min_interval": self._duration,
            "expires_after": self._duration,
            "auto_reject": self._phrases,
            "banned_phrases": self._phrases,
            "unique_within": self._duration,
            "deny": self._flag,
            "publisher": self._name,
        }
        found = self._table(value, path, readers)
        if "timezone" in found and "daily_limit" not in found:
            self._refuse((*path, "timezone"), "a daily_limit beside it was expected: nothing else looks at the day")
        return Rule(**found)

    def _match(self, value: Any, path: locator.Path) -> Match:
        readers = dict.fromkeys(("channel", "kind", "identity", "target", "agent"), self._glob)
        return Match(**self._table(value, path, readers))

    def _max_length(self, value: Any, path: locator.Path) -> MaxLength:
        readers: dict[str, Callable[[Any, locator.Path], Any]] = {
            "value": lambda found, at: self._count(found, at, 1_000_000),
            "unit": lambda found, at: self._one_of(found, at, UNITS),
        }
        found = self._table(value, path, readers)
        if "value" not in found:
            self._refuse(path, 'a value was expected, as { value = 200, unit = "characters" }')
        return MaxLength(found["value"], cast("Unit", found.get("unit", "characters")))

    def _actors(self, value: Any, path: locator.Path) -> tuple[tuple[str, tuple[Role, ...]], ...]:
        if not isinstance(value, dict):
            self._refuse(path, f"a table was expected, found {value!a:.60}")
        actors = []
        for name, roles in value.items():
            refusal = check_person(name)
            if refusal is not None:
                self._refuse((*path, name), refusal.message)
            given = tuple(self._one_of(one, (*path, name), ROLES) for one in self._list(roles, (*path, name)))
            actors.append((name, given))
        if not any("admin" in roles for _, roles in actors):
            self._refuse(path, "at least one admin was expected: nobody else could adopt another policy")
        return tuple(actors)

    def _reasons(self, value: Any, path: locator.Path) -> tuple[str, ...]:
        for place, one in enumerate(self._list(value, path)):
            if not isinstance(one, str) or not _CODE.fullmatch(one):
                self._refuse((*path, place), f"a code of a-z, 0-9 and _ was expected, found {one!a:.60}")
        return tuple(value)

    def _phrases(self, value: Any, path: locator.Path) -> tuple[str, ...]:
        for place, one in enumerate(self._list(value, path)):
            if not isinstance(one, str) or not plain(one).strip() or len(one) > 1_000:
                self._refuse((*path, place), f"a phrase that can be seen was expected, found {one!a:.60}")
        return tuple(value)

    def _list(self, value: Any, path: locator.Path) -> list[Any]:
        if not isinstance(value, list) or len(value) > 1_000:
            self._refuse(path, f"a list was expected, found {value!a:.60}")
        return value

    def _mode(self, value: Any, path: locator.Path) -> Mode:
        return cast("Mode", self._one_of(value, path, MODES))

    def _one_of(self, value: Any, path: locator.Path, known: tuple[Any, ...]) -> Any:
        if not isinstance(value, str) or value not in known:
            self._refuse(path, f"one of {', '.join(known)} was expected, found {value!a:.60}")
        return value

    def _count(self, value: Any, path: locator.Path, most: int) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
            self._refuse(path, f"a count from 1 to {most:,} was expected, found {value!a:.60}")
        return value

    def _flag(self, value: Any, path: locator.Path) -> bool:
        if not isinstance(value, bool):
            self._refuse(path, f"true or false was expected, found {value!a:.60}")
        return value

    def _name(self, value: Any, path: locator.Path) -> str:
        if not isinstance(value, str) or not _NAME.fullmatch(value):
            self._refuse(path, f"a name of letters, digits and . _ - was expected, found {value!a:.60}")
        return value

    def _glob(self, value: Any, path: locator.Path) -> str:
        if not isinstance(value, str) or not value or len(value) > 4_000:
            self._refuse(path, f'a pattern, as "*", was expected, found {value!a:.60}')
        return value

    def _duration(self, value: Any, path: locator.Path) -> timedelta:
        found = _DURATION.fullmatch(value) if isinstance(value, str) else None
        length = timedelta(seconds=int(found[1]) * _UNITS[found[2]]) if found else timedelta()
        if not timedelta() < length <= _LONGEST:
            self._refuse(path, f'a time as "90s", "15m", "4h" or "7d" was expected, found {value!a:.60}')
        return length

    def _timezone(self, value: Any, path: locator.Path) -> str:
        try:
            return ZoneInfo(value).key if isinstance(value, str) and value else self._no_timezone(value, path)
        except (OSError, ValueError, KeyError):  # the last is what zoneinfo says of a zone that it does not have
            self._no_timezone(value, path)

    def _no_timezone(self, value: Any, path: locator.Path) -> NoReturn:
        self._refuse(path, f'a time zone as "Asia/Tokyo" was expected, found {value!a:.60}')

    def _refuse(self, path: locator.Path, message: str, *, line: int | None = None, key: str | None = None) -> NoReturn:
        known = next((at for n in range(len(path), 0, -1) if (at := self.lines.get(path[:n])) is not None), None)
        line = line or known or 1
        named = _written(path) if key is None else key
        where = f"{self.source}, line {line}" + (f", {named}" if named else "")
        hint = "mend the file and try again; until then the running policy stays"
        raise BadPolicy(f"{where}: {message}", hint=hint, line=line, key=named)


def _written(path: locator.Path) -> str:
    """A path as a person writes it, rules counted from 1: `rule[2].match.channel`."""
    named = ""
    for part in path:
        if isinstance(part, int):
            named += f"[{part + 1}]"
        else:
            shown = part if re.fullmatch(r"[\w-]{1,60}", part, re.ASCII) else f"{part!a:.60}"
            named += f".{shown}" if named else shown
    return named
