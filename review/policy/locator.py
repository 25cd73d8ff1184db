"""Where in a TOML text each key stands: `tomllib` reads the values and forgets the lines.

It goes once over a text that tomllib has accepted, so it need not judge, only find its way past strings, comments,
arrays and inline tables: a bracket, a hash or an equals sign in a string is none.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right

Path = tuple[str | int, ...]
"""Keys and places in arrays, from the outermost: `("rule", 1, "match", "channel")`."""

_KEY = re.compile(r"""[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'""")
_STRING = re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'', re.DOTALL)
_BARE = re.compile(r"[^,\]}#\n]*")
_BETWEEN = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BLANKS = re.compile(r"[ \t]*")


def lines_of(text: str) -> dict[Path, int]:
    """The line of each key and of each element of an array, from 1.

    Args:
        text: TOML that tomllib reads.
    """
    return _Finder(text).find()


class _Finder:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._ends = [match.start() for match in re.finditer("\n", text)]
        self._lines: dict[Path, int] = {}
        self._last: dict[Path, int] = {}  # of an array of tables, the place of its last table

    def find(self) -> dict[Path, int]:
        table: Path = ()
        self._skip(_BETWEEN)
        while self._at < len(self._text):
            table = self._header() if self._text[self._at] == "[" else self._pair(table)
            self._skip(_BETWEEN)
        return self._lines

    def _header(self) -> Path:
        several = self._text.startswith("[[", self._at)
        line = self._line()
        self._at += 2 if several else 1
        path: Path = ()
        keys = self._keys()
        for number, key in enumerate(keys, 1):
            path = (*path, key)
            if several and number == len(keys):
                self._last[path] = self._last.get(path, -1) + 1
            if path in self._last:
                self._lines.setdefault(path, line)
                path = (*path, self._last[path])
            self._lines.setdefault(path, line)
        self._at += 2 if several else 1
        return path

    def _pair(self, table: Path) -> Path:
        line = self._line()
        path = table
        for key in self._keys():
            path = (*path, key)
            self._lines.setdefault(path, line)
        self._at += 1  # the equals sign
        self._skip(_BLANKS)
        self._value(path)
        return table

    def _keys(self) -> list[str]:
        keys = []
        while True:
            self._skip(_BLANKS)
            keys.append(_plain(self._skip(_KEY)))
            self._skip(_BLANKS)
            if self._text[self._at] != ".":
                return keys
            self._at += 1

    def _value(self, path: Path) -> None:
        opening = self._text[self._at]
        if opening in "\"'":
            self._skip(_STRING)
        elif opening in "[{":
            closing = "]" if opening == "[" else "}"
            self._at += 1
            self._skip(_BETWEEN)
            place = 0
            while self._text[self._at] != closing:
                if opening == "[":
                    self._lines.setdefault((*path, place), self._line())
                    self._value((*path, place))
                    place += 1
                else:
                    self._pair(path)
                self._skip(_BETWEEN)
                if self._text[self._at] == ",":
                    self._at += 1
                    self._skip(_BETWEEN)
            self._at += 1
        else:
            self._skip(_BARE)

    def _skip(self, what: re.Pattern[str]) -> str:
        found = what.match(self._text, self._at)
        if found is None:
            raise ValueError(f"no TOML at character {self._at}")
        self._at = found.end()
        return found[0]

    def _line(self) -> int:
        return bisect_right(self._ends, self._at - 1) + 1


def _plain(key: str) -> str:
    return next(iter(tomllib.loads(f"{key} = 0"))) if key[0] in "\"'" else key
