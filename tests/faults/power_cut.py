"""Power cuts of a recorded run: the disk at any moment, opened by real recovery, judged by what was promised.

What must hold after a cut, for every image of the disk:

- the database opens and is whole, and recovery never refuses to start;
- an event whose `submit(durable=True)` had returned is there;
- an event that the journal was synced with is there (the writer syncs it while the database is away);
- where the kernel had written the journal back as it was, every event is there whose `submit` had returned, whatever
  became of the database's unsynced writes: the journal is given up only behind a commit that survives;
- what is there is what was submitted, once, at positions without gaps.
"""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from capture import DatabaseManager, Settings, recover_journals
from capture.events import content
from capture.writer import journal
from tests.faults import disk, recorder
from tests.faults.disk import Choice, Disk, File, Folder

AGENT = Path(__file__).with_name("power_cut_agent.py")
STYLES = ("lost", "kept", "cut", "pages", "sectors")


class Run(NamedTuple):
    """A recorded run."""

    folder: Path
    before: dict[str, dict[str, bytes]]
    operations: list[recorder.Operation]


@dataclass
class Promised:
    """What the program had been told up to a moment; ids, and the digest of what was submitted under each."""

    submitted: dict[str, str] = field(default_factory=dict)
    returned: set[str] = field(default_factory=set)
    durable: set[str] = field(default_factory=set)
    in_synced_journal: set[str] = field(default_factory=set)

    def note(self, lines: bytes) -> None:
        """Take the agent's own notes."""
        for line in lines.decode().splitlines():
            kind, event_id, *rest = line.split()
            if kind == "I":
                self.submitted[event_id] = rest[0]
            else:
                self.returned.add(event_id)
                if kind == "D":
                    self.durable.add(event_id)


class Image(NamedTuple):
    """A disk after a power cut.

    Attributes:
        moment: After so many operations.
        styles: What became of unsynced writes of the database and of the journal.
        database: The files of the database, by name.
        journal: The files of the journal.
        must: Ids of the events that must be there.
        synced: How many of them are owed to a sync of the journal alone.
        submitted: Every id that may be there, with its digest.
    """

    moment: int
    styles: tuple[str, str]
    database: dict[str, bytes]
    journal: dict[str, bytes]
    must: frozenset[str]
    synced: int
    submitted: dict[str, str]


def identity(image: Image) -> int:
    """Equal for equal disks."""
    return hash((tuple(sorted(image.database.items())), tuple(sorted(image.journal.items()))))


class Found(NamedTuple):
    """What recovery made of an image."""

    refused: str
    integrity: str
    rows: list[tuple[int, str, str]]
    head: int
    journals_left: list[str]


def record(folder: Path, template: Path, seed: int, variant: str = "sound") -> Run:
    """Run the agent behind the recorder.

    Args:
        folder: An empty folder.
        template: A migrated SQLite file.
        seed: What the agent does follows from it, but for the moments of its threads.
        variant: `sound`, `early` (the mutant) or `off` (the control).
    """
    home = folder / "home"
    (home / "journal").mkdir(parents=True, mode=0o700)
    shutil.copyfile(template, home / "log.db")
    before = {str(home): {"log.db": template.read_bytes()}, str(home / "journal"): {}}
    done = recorder.start(AGENT, home, seed, variant)
    assert done.returncode == 0, done.stderr
    return Run(home, before, list(recorder.operations(folder / "operations")))


def model_is_true(run: Run) -> bool:
    """Whether the recorded operations, all of them kept, give the files that the run left: nothing went unseen."""
    model = Disk(run.before)
    for operation in run.operations:
        model.apply(operation)
    for path, folder in model.folders.items():
        seen = disk.whole(folder.names.items())
        there = {file.name: file.read_bytes() for file in Path(path).iterdir() if file.is_file()}
        if {name: data for name, data in there.items() if not name.endswith("-shm")} != seen:
            return False
    return True


def images(run: Run, count: int, seed: int) -> Iterator[Image]:
    """About `count` images of a run's disk, spread over all its moments; at each the hardest ones first."""
    rng = random.Random(seed)
    each, over = divmod(count, len(run.operations))
    extra = set(rng.sample(range(len(run.operations)), over))
    model, promised = Disk(run.before), Promised()
    for moment, operation in enumerate(run.operations):
        _follow(model, promised, operation, run)
        styles = _styles(rng)
        for _ in range(each + (moment in extra)):
            yield _image(model, promised, moment, next(styles), rng, run)


def _follow(model: Disk, promised: Promised, operation: recorder.Operation, run: Run) -> None:
    about = model.apply(operation)
    folder = model.folders[str(run.folder)]
    if operation.kind == "W" and isinstance(about, File) and about is folder.names.get("promises"):
        promised.note(operation.data)
    # A file that was synced is found after a power cut once the folder with its name was synced too.
    if operation.kind == "S" and about is model.folders[str(run.folder / "journal")] and isinstance(about, Folder):
        for name, file in about.durable.items():
            if name.endswith(".journal"):
                records = journal.scan(file.durable).records
                promised.in_synced_journal |= {content.decode(record.payload).event_id for record in records}


def _styles(rng: random.Random) -> Iterator[tuple[str, str]]:
    # The journal as it was and the database without what was not synced: what the journal is for. Then anything.
    first = [("lost", "kept"), (rng.choice(STYLES[2:]), "kept"), ("lost", "lost")]
    rng.shuffle(first)
    yield from first
    while True:
        yield rng.choice(STYLES), rng.choice(STYLES)


def _image(
    model: Disk, promised: Promised, moment: int, styles: tuple[str, str], rng: random.Random, run: Run
) -> Image:
    home, notes = model.folders[str(run.folder)], model.folders[str(run.folder / "journal")]
    database = {name: data for name, data in _left(home, styles[0], rng).items() if name.startswith("log.db")}
    kept = styles[1] == "kept"
    must = promised.durable | promised.in_synced_journal | (promised.returned if kept else set())
    synced = len(promised.in_synced_journal - promised.durable)
    left = _left(notes, styles[1], rng)
    return Image(moment, styles, database, left, frozenset(must), synced, dict(promised.submitted))


def _left(folder: Folder, style: str, rng: random.Random) -> dict[str, bytes]:
    changes = len(folder.pending)
    names = folder.image({"lost": 0, "kept": changes}.get(style, rng.randint(0, changes)))
    return {name: file.image(*_choice(style, rng)) for name, file in names.items()}


def _choice(style: str, rng: random.Random) -> tuple[Choice, int]:
    if style == "lost":
        return lambda _, count: 0, disk.PAGE
    if style == "kept":
        return lambda _, count: count, disk.PAGE
    if style == "cut":
        share = rng.random()
        return lambda _, count: round(share * count), disk.PAGE
    # Most of a page's states are the first or the last: those are the hard ones.
    return (
        lambda _, count: rng.choice((0, count, rng.randint(0, count))),
        disk.PAGE if style == "pages" else disk.SECTOR,
    )


class Recovery:
    """Starts on images as the next process would; one manager for all, since making it takes longest.

    Args:
        folder: A folder of its own, emptied for each image.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._manager = DatabaseManager(f"sqlite:///{folder / 'log.db'}")
        self._settings = replace(Settings.from_environment({}), journal=folder / "journal")

    def of(self, image: Image) -> Found:
        """Write an image to the folder, recover, and look."""
        (self._folder / "journal").mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in [*self._folder.glob("log.db*"), *(self._folder / "journal").iterdir()]:
            path.unlink()
        for name, data in image.database.items():
            (self._folder / name).write_bytes(data)
        for name, data in image.journal.items():
            (self._folder / "journal" / name).write_bytes(data)
        refused = ""
        try:
            recover_journals(self._manager, settings=self._settings)
        except Exception as error:
            refused = f"{type(error).__name__}: {error}"
        self._manager.backend.close()  # its connections; the next image opens others
        return _look(self._folder, refused)


def _look(folder: Path, refused: str) -> Found:
    try:
        with closing(sqlite3.connect(folder / "log.db")) as raw:
            integrity = str(raw.execute("PRAGMA integrity_check").fetchone()[0])
            rows = raw.execute("SELECT position, event_id, digest FROM agents_events ORDER BY position").fetchall()
            head = raw.execute("SELECT position FROM agents_head").fetchone()[0]
    except sqlite3.Error as error:
        return Found(refused, str(error), [], 0, [])
    left = [path.name for path in (folder / "journal").glob("*.journal")]
    return Found(
        refused, integrity, [(position, event_id, bytes(d).hex()) for position, event_id, d in rows], head, left
    )


def broken(image: Image, found: Found) -> list[str]:
    """The promises that were broken; pure."""
    words = []
    if found.refused:
        words.append(f"recovery refused to start: {found.refused}")
    if found.integrity != "ok":
        words.append(f"the database is damaged: {found.integrity}")
    there = Counter(event_id for _, event_id, _ in found.rows)
    lost = image.must - set(there)
    if lost:
        words.append(f"{len(lost)} events are lost")
    if any(count > 1 for count in there.values()):
        words.append("an event is there twice")
    if any(image.submitted.get(event_id) != digest for _, event_id, digest in found.rows):
        words.append("an event is there that was not submitted so")
    if [position for position, *_ in found.rows] != list(range(1, found.head + 1)):
        words.append("positions have gaps")
    if found.journals_left:
        words.append(f"journals were not adopted: {found.journals_left}")
    return words
