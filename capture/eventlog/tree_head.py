"""The head of a log's tree: which log, how many events, and one hash over all of them.

Written as the body of a C2SP checkpoint (https://c2sp.org/tlog-checkpoint): three lines, the origin, the size and the
root in base64. The leaves are digest and time of recording: 32 bytes, then the 27 of `capture.clock.to_text`.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import NamedTuple

from capture.errors import NotACheckpoint

ORIGIN = "copydesk/"
"""What the origin begins with; the log's id follows."""

_SIGNATURE = "\N{EM DASH} "
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_HINT = "give a file that `copydesk db checkpoint` wrote: three lines, the origin, the size and the root"


class TreeHead(NamedTuple):
    """What `copydesk db checkpoint` prints.

    Attributes:
        origin: Names the log, through copies and restores.
        size: How many events it covers: the positions 1 to this one.
        root: The root of their tree, 32 bytes.
    """

    origin: str
    size: int
    root: bytes

    @property
    def root_text(self) -> str:
        """The root in base64."""
        return base64.b64encode(self.root).decode()

    def body(self) -> str:
        """The three lines."""
        return f"{self.origin}\n{self.size}\n{self.root_text}\n"


def origin_of(log_id: str) -> str:
    """The origin of a log."""
    return ORIGIN + log_id


def read_tree_head(text: str, name: str) -> TreeHead:
    """Read a checkpoint; further lines of its body, and signatures behind an empty line, are passed over.

    Args:
        text: What the file holds.
        name: What to call it in an error.

    Raises:
        NotACheckpoint: It holds something else.
    """
    body, blank, signatures = text.partition("\n\n")
    lines = (body if blank else text.removesuffix("\n")).split("\n")
    signed = signatures.splitlines()
    if len(lines) < 3 or not lines[0] or not _SIZE.fullmatch(lines[1]) or "" in lines:
        raise NotACheckpoint(f"a checkpoint was expected in {name}, found {text[:80]!a}", hint=_HINT)
    if blank and not (signed and all(line.startswith(_SIGNATURE) for line in signed)):
        raise NotACheckpoint(f"signatures were expected behind the empty line of {name}", hint=_HINT)
    try:
        root = base64.b64decode(lines[2], validate=True)
    except (binascii.Error, ValueError):
        root = b""
    if len(root) != 32 or base64.b64encode(root).decode() != lines[2]:
        raise NotACheckpoint(
            f"32 bytes in base64 were expected in the third line of {name}, found {lines[2][:80]!a}", hint=_HINT
        )
    return TreeHead(lines[0], int(lines[1]), root)
