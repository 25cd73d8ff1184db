"""The reader: reads copydesk's own files, remembers what each is about, and learns from those that it can't read."""

from __future__ import annotations

import ast
import hashlib
import json
import sys
import tomllib
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

from review.cli.demo_agents.pages import files
from review.cli.demo_agents.start import end, logger


def about_python(text: str) -> dict[str, Any]:
    """What a module says of itself, and what it imports."""
    tree = ast.parse(text)
    names = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    first = (ast.get_docstring(tree) or "").partition("\n")[0]
    return {"about": first, "lines": text.count("\n"), "imports": sorted(names - {"__future__"})[:20]}


def about_page(text: str) -> dict[str, Any]:
    """The headings of a page."""
    headings = [line.lstrip("# ") for line in text.splitlines() if line.startswith("#")]
    return {"about": headings[0] if headings else "", "lines": text.count("\n"), "headings": headings[:20]}


def about_json(text: str) -> dict[str, Any]:
    """How much there is in a JSON file."""
    value = json.loads(text)
    return {"about": f"a JSON {type(value).__name__} with {len(value)} parts", "lines": text.count("\n")}


def about_toml(text: str) -> dict[str, Any]:
    """The tables of a TOML file."""
    return {"about": f"the tables {', '.join(tomllib.loads(text))}", "lines": text.count("\n")}


READERS: dict[str, Callable[[str], dict[str, Any]]] = {
    ".py": about_python,
    ".md": about_page,
    ".json": about_json,
    ".toml": about_toml,
}
"""Who reads which kind of file. What is not here, the reader can't read."""


def main() -> int:
    """Read every file, remember what it is about, and report the errors."""
    log = logger("reader")
    for name, path in files():
        kind = PurePosixPath(name).suffix
        try:
            value = READERS[kind](path.read_text(encoding="utf-8"))
        except (KeyError, ValueError, SyntaxError, OSError) as error:
            kind_of_error = "NoReader" if isinstance(error, KeyError) else type(error).__name__
            where = kind or "no suffix"
            log.warning(
                "error.learned",
                error_type=kind_of_error,
                error_hash=hashlib.sha256(f"{kind_of_error} {where}".encode()).hexdigest()[:16],
                message=f"{name}: {kind_of_error} ({where})",
                solution={"next": f"teach the reader files with {where}"},
            )
            continue
        log.info("memory.learned", key=f"file:{name}", value=value, kind="fact", source=name)
    return end()


if __name__ == "__main__":
    sys.exit(main())
