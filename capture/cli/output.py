"""What a command shows: JSON for programs, tables and colour for people, stable columns for pipes.

Everything that is shown goes through `hostile`: a command hands over plain values and never escapes by itself. rich
draws on terminals only, and gets finished text, never markup.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import IntEnum
from typing import IO, NamedTuple

from pydantic import JsonValue

from capture.cli import hostile
from capture.errors import CopydeskError

Object = Mapping[str, JsonValue]
Advance = Callable[[int], None]

_REDRAWN = 0.1
"""Seconds between two drawings of a progress bar."""


class ExitCode(IntEnum):
    """What a command's exit code says."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    CONFLICT = 3
    REFUSED = 4
    NOT_FOUND = 5
    NOTHING_TO_DO = 6
    UNCERTAIN = 7
    TIMED_OUT = 8
    INTERRUPTED = 130


class ClosedPipe(Exception):
    """Whoever read our output went away (`| head`)."""


class Column(NamedTuple):
    """A column of a table.

    Attributes:
        key: The key of the value in each row.
        title: Its heading on a terminal.
        styles: The style for a value (`{"approved": "green"}`); a value that is not named has none.
        right: Numbers stand to the right.
        elastic: It takes the room that the others leave, and is cut where there is not enough. On terminals only.
    """

    key: str
    title: str
    styles: Mapping[str, str] = {}
    right: bool = False
    elastic: bool = False


class Part(NamedTuple):
    """A part of a line.

    Attributes:
        text: What to show.
        style: How, on a terminal.
        columns: Cut or fill it to so many columns; as it is when left out.
    """

    text: str
    style: str = ""
    columns: int | None = None


class Screen:
    """Where a command shows its outcome.

    Args:
        json: Write JSON: one object, or one a line.
        out: Where results go; standard output when left out.
        err: Where errors and progress go; standard error when left out.
    """

    def __init__(self, *, json: bool = False, out: IO[str] | None = None, err: IO[str] | None = None) -> None:
        self.json = json
        self._out = sys.stdout if out is None else out
        self._err = sys.stderr if err is None else err
        self.terminal = not json and self._out.isatty()
        """True when a person looks at it: colour, tables, cut lines."""

    @property
    def person(self) -> bool:
        """True when a person looks at it and can type an answer."""
        return self.terminal and sys.stdin.isatty()

    @property
    def width(self) -> int:
        """The width of the screen, in columns; 100 where there is none."""
        return max(shutil.get_terminal_size((100, 24)).columns, 40) if self.terminal else 100

    def value(self, value: Object) -> None:
        """Write one JSON object as one line, whether `--json` was given or not."""
        self._write(json_line(value))

    def raw_line(self, line: str) -> None:
        """Write a line of JSON as it is. On a terminal what hides in it is escaped; a file or a pipe gets its bytes."""
        self._write(hostile.json_safe(line) if self._out.isatty() else line)

    def say(self, text: str = "", style: str = "") -> None:
        """Write one line of text."""
        self._styled([(hostile.visible(text), style)])

    def say_parts(self, *parts: Part | tuple[str, str]) -> None:
        """Write one line of parts."""
        shown = []
        for number, part in enumerate(parts, start=1):
            text, style, columns = part if isinstance(part, Part) else Part(*part)
            visible = hostile.visible(text, goes_on=number < len(parts))
            shown.append((visible if columns is None else hostile.fit(text, columns), style))
        self._styled(shown)

    def ready(self, *parts: tuple[str, str]) -> None:
        """Write one line of parts that `hostile` made, each with its style: nothing is escaped a second time."""
        self._styled(parts)

    def ask(self, question: str) -> None:
        """Write a question, with nothing after it on its line; everything before it is on the screen then."""
        self._out.write(hostile.visible(question, goes_on=True))
        self.flush()

    def columns(self, *values: JsonValue) -> None:
        """Write one line of values with a tab between them: for pipes."""
        self._write("\t".join(hostile.visible(cell(value)) for value in values))

    def content(self, text: str, *, mark: str = "", style: str = "") -> None:
        """Write an agent's text, each line behind the gutter.

        Args:
            text: The text.
            mark: Stands before the gutter, where no text can reach.
            style: The style of the mark and of the text.
        """
        gutter = len(hostile.GUTTER)
        for line in hostile.content_lines(text, self.width - len(mark)):
            self._styled([(mark, style), (line[:gutter], "dim"), (line[gutter:], style)])

    def json_content(self, value: JsonValue) -> None:
        """Write an agent's JSON, a part a line, each behind the gutter. Its escapes are JSON's own."""
        for line in hostile.json_safe(json.dumps(value, indent=2, ensure_ascii=False)).split("\n"):
            self._styled([(hostile.GUTTER, "dim"), (hostile.harmless(line), "")])

    def object(self, value: Object, labels: Mapping[str, str]) -> None:
        """Write one object: JSON, or a line for each label whose value is there.

        Args:
            value: The object.
            labels: What to call each key, in the order to show them.
        """
        if self.json:
            self.value(value)
            return
        room = max((len(label) for label in labels.values()), default=0)
        for key, label in labels.items():
            if value.get(key) is not None:
                self.say_parts((f"{label:<{room}}  ", "dim"), (cell(value[key]), ""))

    def table(self, rows: Iterable[Object], columns: Sequence[Column], empty: str = "") -> None:
        """Write rows: JSON lines, a table on a terminal, or columns with a tab between them in a pipe.

        Args:
            rows: The rows; keys that no column names are for `--json` alone.
            columns: The columns, in order.
            empty: What to say to a person when there is no row.
        """
        if self.json:
            for row in rows:
                self.value(row)
        elif self.terminal:
            self._drawn(list(rows), columns, empty)
        else:
            for row in rows:
                self.columns(*(row.get(column.key) for column in columns))

    @contextmanager
    def progress(self, what: str, total: int | None) -> Iterator[Advance]:
        """Show a bar with rate and time left while a terminal looks on; else nothing.

        Args:
            what: What is being done, in a word or two.
            total: How many steps there are; None when nobody knows.

        Yields:
            A function that is called with the number of steps done since the last call.
        """
        if self.json or not self._err.isatty():
            yield lambda _: None
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}", markup=False),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=Console(file=self._err, highlight=False), transient=True) as bar:
            task = bar.add_task(hostile.visible(what), total=total, rate="")

            waiting, shown_at = 0, 0.0

            def show() -> None:
                nonlocal waiting, shown_at
                bar.update(task, advance=waiting)
                speed = bar.tasks[0].speed
                bar.update(task, rate=f"{speed:,.0f}/s" if speed else "")
                waiting, shown_at = 0, time.monotonic()

            def advance(steps: int) -> None:
                nonlocal waiting
                waiting += steps
                # A bar that is drawn at every line of a file costs more than the line.
                if time.monotonic() - shown_at > _REDRAWN:
                    show()

            yield advance
            show()

    def error(self, error: CopydeskError) -> None:
        """Say what went wrong: the `error` object on standard output with `--json`, else one or two lines."""
        self.failure(error.code, error.message, error.hint)

    def failure(self, code: str, message: str, hint: str = "", beside: Object | None = None) -> None:
        """Say what went wrong, with a code of its own.

        Args:
            code: For programs.
            message: What was expected and what was found.
            hint: What to do next.
            beside: What stands beside `error` with `--json`.
        """
        if self.json:
            self.value({**(beside or {}), "error": {"code": code, "message": message, "hint": hint}})
            return
        self._styled([("copydesk: ", "bold red"), (hostile.harmless(message), "")], self._err)
        if hint:
            self._styled([(f"  {hostile.harmless(hint)}", "dim")], self._err)

    def note(self, text: str) -> None:
        """Say something beside the result, on standard error; never with `--json`."""
        if not self.json:
            self._styled([(hostile.harmless(text), "dim")], self._err)

    def flush(self) -> None:
        """Hand on what was written so far.

        Raises:
            ClosedPipe: Nobody reads any more.
        """
        try:
            self._out.flush()
        except BrokenPipeError:
            raise ClosedPipe from None

    def _write(self, line: str) -> None:
        try:
            self._out.write(f"{line}\n")
        except BrokenPipeError:
            raise ClosedPipe from None

    def _styled(self, parts: Sequence[tuple[str, str]], file: IO[str] | None = None) -> None:
        file = file or self._out
        if not file.isatty():
            try:
                file.write("".join(text for text, _ in parts) + "\n")
            except BrokenPipeError:
                raise ClosedPipe from None
            return
        from rich.console import Console
        from rich.text import Text

        console = Console(file=file, highlight=False, markup=False, emoji=False)
        console.print(Text.assemble(*parts), soft_wrap=True)

    def _drawn(self, rows: list[Object], columns: Sequence[Column], empty: str) -> None:
        if not rows:
            self.say(empty, "dim")
            return
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="bold", expand=any(column.elastic for column in columns))
        for column in columns:
            table.add_column(
                Text(column.title),
                justify="right" if column.right else "left",
                no_wrap=True,
                overflow="ellipsis",
                ratio=1 if column.elastic else None,
            )
        for row in rows:
            cells = []
            for column in columns:
                text = cell(row.get(column.key))
                shown = hostile.shorten(text, self.width) if column.elastic else hostile.visible(text)
                cells.append(Text(shown, style=column.styles.get(text, "")))
            table.add_row(*cells)
        Console(file=self._out, highlight=False, markup=False, emoji=False).print(table)


def cell(value: JsonValue) -> str:
    """A value as text: nothing for None, yes and no, and JSON for what has parts."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def json_line(value: Object) -> str:
    """A JSON object as one line in which nothing hides, and which a page may embed."""
    return hostile.json_embedded(json.dumps(value, ensure_ascii=False, allow_nan=False))
