"""One sitting of `review triage`, apart from any terminal and any desk: where it is, and what a key means there.

session = Session(["o1", "o2"])
session.show(Shown("o1", "3f5a…", pages=2))
session.press("a")          # Step(TELL, "the end … was not on screen yet")
session.press(" ")          # Step(PAGE): the second page, and with it the end
session.press("a")          # Step(APPROVE)
session.decided("approved")  # goes on to o2
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import NamedTuple

KEYS = {
    "a": "approve exactly what is shown",
    "r": "reject it, with a reason",
    "c": "ask its agent for changes, with a reason and a note",
    "e": "edit it in $EDITOR; look at it again, then approve it",
    "s": "skip it; it stays undecided",
    "j": "the next one that is undecided",
    "k": "the one before that is undecided",
    "J": "the next one, decided or not",
    "K": "the one before, decided or not",
    "u": "undo your last approval or edit, while nothing has started",
    "d": "what changed since the revision before",
    " ": "the next page of a long one (or Enter)",
    "?": "this help",
    "q": "quit",
}
"""Every key, and what it does."""


class Do(Enum):
    """What the terminal has to do after a key."""

    APPROVE = auto()
    REJECT = auto()
    CHANGES = auto()
    EDIT = auto()
    UNDO = auto()
    DIFF = auto()
    HELP = auto()
    PAGE = auto()
    GO = auto()
    TELL = auto()
    END = auto()
    QUIT = auto()


class Step(NamedTuple):
    """What a key means.

    Attributes:
        do: What to do.
        text: What to tell, for `TELL`.
    """

    do: Do
    text: str = ""


class Shown(NamedTuple):
    """What is on the screen.

    Attributes:
        output_id: The output.
        content_hash: Of exactly this content.
        pages: How many pages it takes.
        undecided: Whether it waits for a verdict.
        changed: Whether there is a revision before.
    """

    output_id: str
    content_hash: str
    pages: int = 1
    undecided: bool = True
    changed: bool = False


NOTHING = Shown("", "", undecided=False)
"""Before anything was shown."""


class Undoable(NamedTuple):
    """A verdict of this sitting.

    Attributes:
        at: Which of the outputs.
        verb: `approve`, `edit`, `reject` or `changes`.
        content_hash: The hash that it left.
        body: The body before an edit.
    """

    at: int
    verb: str
    content_hash: str
    body: str = ""


@dataclass
class Session:
    """Where a sitting stands.

    Attributes:
        outputs: The ids, in order.
        at: Which of them is looked at.
        page: Which page of it is on screen, from 0.
        outcomes: The state of each that is decided, by its place.
        skipped: The places of those that were skipped.
        done: What was decided in this sitting, in order.
    """

    outputs: list[str]
    at: int = 0
    page: int = 0
    outcomes: dict[int, str] = field(default_factory=dict)
    skipped: set[int] = field(default_factory=set)
    done: list[Undoable] = field(default_factory=list)
    _shown: Shown = NOTHING
    _read: set[tuple[str, str]] = field(default_factory=set)

    @property
    def current(self) -> str:
        """The output that is looked at."""
        return self.outputs[self.at]

    @property
    def place(self) -> str:
        """`3/200`."""
        return f"{self.at + 1}/{len(self.outputs)}"

    @property
    def read(self) -> bool:
        """True once the end of exactly this content was on screen."""
        return (self._shown.output_id, self._shown.content_hash) in self._read

    @property
    def more(self) -> bool:
        """True while there is a page after the one on screen."""
        return self.page < self._shown.pages - 1

    def show(self, shown: Shown) -> None:
        """The first page of an output is on screen."""
        self._shown = shown
        self.page = 0
        self._note_end()

    def press(self, key: str) -> Step:  # noqa: PLR0911 - a table of keys
        """What a key means here. Moves and pages are made by it, verdicts are not: they are the desk's."""
        if key in ("a", "r", "c", "e"):
            return self._verdict(key)
        if key in ("j", "k", "J", "K", "s"):
            return self._move(key)
        if key in (" ", "\r", "\n"):
            if not self.more:
                return Step(Do.TELL, "that was its end")
            self.page += 1
            self._note_end()
            return Step(Do.PAGE)
        if key == "d":
            return Step(Do.DIFF) if self._shown.changed else Step(Do.TELL, "it has one revision only")
        if key == "u":
            return Step(Do.UNDO) if self.done else Step(Do.TELL, "nothing was decided in this sitting")
        if key == "?":
            return Step(Do.HELP)
        if key == "q":
            return Step(Do.QUIT)
        return Step(Do.TELL, "? shows the keys")

    def decided(self, state: str, undoable: Undoable | None = None) -> Step:
        """The output has its verdict, or had one already; go on to the next that has none.

        Args:
            state: Its state now.
            undoable: What was done, if it was done here.
        """
        self.outcomes[self.at] = state
        if undoable is not None:
            self.done.append(undoable)
        return self._on()

    def passed_by(self) -> Step:
        """It can't be decided now: go on, and leave it undecided."""
        self.skipped.add(self.at)
        return self._on()

    def undone(self, at: int) -> None:
        """The last verdict was taken back: its output is looked at again."""
        self.done.pop()
        self.outcomes.pop(at, None)
        self.skipped.discard(at)
        self.at = at

    def add(self, outputs: Iterable[str]) -> int:
        """More outputs, at the end; those that are there already are not added. How many were."""
        new = [output for output in outputs if output not in set(self.outputs)]
        self.outputs += new
        return len(new)

    def _verdict(self, key: str) -> Step:
        if not self._shown.undecided:
            return Step(Do.TELL, "it is decided already")
        if key == "a" and not self.read:
            return Step(Do.TELL, "its end was not on screen yet: space shows more")
        return Step({"a": Do.APPROVE, "r": Do.REJECT, "c": Do.CHANGES, "e": Do.EDIT}[key])

    def _move(self, key: str) -> Step:
        if key == "s":
            return self.passed_by()
        ahead, behind = range(self.at + 1, len(self.outputs)), range(self.at - 1, -1, -1)
        places = ahead if key in ("j", "J") else behind
        to = next((place for place in places if key in ("J", "K") or place not in self.outcomes), None)
        if to is None:
            where = "after" if key in ("j", "J") else "before"
            return Step(Do.TELL, f"there is no {'' if key in ('J', 'K') else 'undecided '}one {where} this one")
        self.at = to
        return Step(Do.GO)

    def _on(self) -> Step:
        order = [*range(self.at + 1, len(self.outputs)), *range(self.at)]
        to = next((place for place in order if place not in self.outcomes and place not in self.skipped), None)
        if to is None:
            return Step(Do.END)
        self.at = to
        return Step(Do.GO)

    def _note_end(self) -> None:
        if not self.more:
            self._read.add((self._shown.output_id, self._shown.content_hash))
