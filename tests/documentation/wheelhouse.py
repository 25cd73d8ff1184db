"""A folder of wheels made from what is installed: `pip install` runs as a user runs it, and needs no package index."""

from __future__ import annotations

import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def fill(folder: Path, *requirements: str) -> None:
    """Write a wheel into the folder for each requirement and for all that these need, as they are installed here.

    Args:
        folder: An existing folder.
        requirements: As `rich>=14` or `psycopg[binary]`.
    """
    todo, done = [Requirement(text) for text in requirements], set[tuple[str, frozenset[str]]]()
    while todo:
        requirement = todo.pop()
        asked = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if asked in done:
            continue
        done.add(asked)
        found = distribution(requirement.name)
        _write(folder, found)
        for needed in map(Requirement, found.requires or []):
            extras = [{"extra": extra} for extra in requirement.extras] or [{"extra": ""}]
            if needed.marker is None or any(needed.marker.evaluate(extra) for extra in extras):
                todo.append(needed)


def _write(folder: Path, installed: Distribution) -> None:
    lines = (installed.read_text("WHEEL") or "").splitlines()
    tags = [line.removeprefix("Tag: ").split("-") for line in lines if line.startswith("Tag: ")]
    tag = "-".join(".".join(dict.fromkeys(part)) for part in zip(*tags, strict=True))
    name = canonicalize_name(installed.name).replace("-", "_")
    # What pip put outside of the packages' folder, `RECORD` names as `../../bin/…`: commands, which pip makes anew.
    files = [file for file in installed.files or [] if ".." not in file.parts and file.suffix != ".pyc"]
    with zipfile.ZipFile(folder / f"{name}-{installed.version}-{tag}.whl", "w") as wheel:
        for file in files:
            if file.name == "RECORD" and file.parent.suffix == ".dist-info":
                wheel.writestr(str(file), "".join(f"{other},,\n" for other in files))
            elif file.name not in ("INSTALLER", "REQUESTED", "direct_url.json"):
                wheel.write(installed.locate_file(file), str(file))
