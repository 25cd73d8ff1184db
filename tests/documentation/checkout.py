"""The checkout's own files, as a clone would have them, and the parts of its pages."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]

PACKAGES = ("capture", "projections", "review")

BLOCK = re.compile(r"^```(\w*)[ ]?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """A fenced block of a page.

    Attributes:
        language: The first word after the fence, as `bash`.
        name: The second word: a file that the block is, or where it is to be run; empty when there is none.
        text: What stands in the block.
    """

    language: str
    name: str
    text: str


def tracked(*under: str) -> list[Path]:
    """The files that belong to the checkout, relative to its root: those that git knows or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", *under]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    return [Path(name) for name in sorted(filter(None, names)) if (ROOT / name).is_file()]


def sources() -> list[Path]:
    """The Python files of the three packages."""
    return [path for path in tracked(*PACKAGES) if path.suffix == ".py"]


def read(path: str | Path) -> str:
    """The text of a file of the checkout."""
    return (ROOT / path).read_text(encoding="utf-8")


def blocks(page: str) -> list[Block]:
    """The fenced blocks of a page, in order."""
    return [
        Block(*match) for match in re.findall(r"^```(\w*)[ ]?(\S*)\n(.*?)^```$", read(page), re.MULTILINE | re.DOTALL)
    ]


def inline_code(page: str) -> list[str]:
    """What stands between single backticks, outside the fenced blocks."""
    prose = BLOCK.sub("", read(page))
    return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", prose)


def table(page: str, heading: str) -> list[list[str]]:
    """The rows of the first table below a heading, without its head, each a list of cells."""
    below = read(page).split(f"\n{heading}\n", 1)[1]
    rows = re.search(r"^\|.*\n\|[-| ]+\|\n((?:\|.*\n?)+)", below, re.MULTILINE)
    assert rows is not None, f"{page}: no table below {heading}"
    return [[cell.strip() for cell in line.strip().strip("|").split(" | ")] for line in rows[1].splitlines()]
