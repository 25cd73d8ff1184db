"""The public names are typed: a checker knows what they give, and refuses what they refuse."""

from __future__ import annotations

import re
from pathlib import Path

from mypy import api

HERE = Path(__file__).parent


def _check(name: str) -> set[tuple[int, str]]:
    """The mistakes that mypy finds in a file of this folder, as an agent's author runs it: line and code of each."""
    # No settings and no plug-in of ours: what the author's own checker sees.
    options = ["--strict", "--no-error-summary", "--config-file=", "--follow-imports=silent"]
    output, trouble, _ = api.run([*options, str(HERE / name)])
    assert trouble == ""
    found = re.findall(rf"{re.escape(name)}:(\d+): error: .*\[([\w-]+)\]$", output, re.MULTILINE)
    assert len(found) == output.count(": error: "), output
    return {(int(line), code) for line, code in found}


def test_an_agent_is_typed() -> None:
    """The code of an agent's author passes mypy --strict, and each public name gives what it says."""
    assert _check("agent.py") == set()


def test_mistakes_are_found_before_they_run() -> None:
    """Each mistake of the list is refused by the type checker, with the code that stands beside it."""
    lines = (HERE / "mistakes.py").read_text(encoding="utf-8").splitlines()
    marked = {
        (number, match[1]) for number, line in enumerate(lines, 1) if (match := re.search(r"# E: ([\w-]+)$", line))
    }
    assert _check("mistakes.py") == marked
