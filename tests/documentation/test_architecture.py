"""ARCHITECTURE.md can be believed: what it names exists, and each promise names what holds it and what proves it."""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
from typing import Any

import pytest
import typer

from review.cli import app
from tests.documentation.checkout import ROOT, inline_code, read, tracked

PAGES = ("ARCHITECTURE.md", "README.md", "CHANGELOG.md", "docs/review.md", "tests/README.md")

PARTS = ("**Promise.** ", "**Held by** ", "**Proved by** ", "**Costs.** ", "**Rejected.** ")


def _promises() -> list[tuple[str, str]]:
    """Each promise: its title and its text."""
    below = read("ARCHITECTURE.md").split("\n# Promises\n", 1)[1].split("\n# ", 1)[0]
    sections = re.split(r"^## ", below, flags=re.MULTILINE)[1:]
    return [(title, text) for title, _, text in (section.partition("\n") for section in sections)]


@pytest.mark.parametrize("page", PAGES)
def test_a_path_resolves(page: str) -> None:
    """Each file and folder that a page names is there."""
    tops = {path.parts[0] for path in tracked()}
    named = {code.split("::")[0] for code in inline_code(page)}
    paths = {name for name in named if name.split("/")[0] in tops and re.fullmatch(r"[\w./-]+", name)}
    assert sorted(path for path in paths if "/" in path or "." in path if not (ROOT / path).exists()) == []


@pytest.mark.parametrize("page", PAGES)
def test_a_test_resolves(page: str) -> None:
    """Each test that a page names is there, under that name, in that file."""
    missing = []
    for path, name in (code.split("::") for code in inline_code(page) if "::" in code):
        functions = {node.name for node in ast.walk(ast.parse(read(path))) if isinstance(node, ast.FunctionDef)}
        if name not in functions:
            missing.append(f"{path}::{name}")
    assert missing == []


@pytest.mark.parametrize("page", PAGES)
def test_a_command_resolves(page: str) -> None:
    """Each `copydesk` command that a page names in its text exists."""
    program = typer.main.get_command(app.program)
    missing = []
    for code in inline_code(page):
        words = code.split()
        if words[:1] != ["copydesk"]:
            continue
        command: Any = program
        for word in words[1:]:
            if not hasattr(command, "commands"):
                break
            command = command.commands.get(word)
            if command is None:
                missing.append(code)
                break
    assert missing == []


def test_each_promise_is_whole() -> None:
    """A promise says what, held by which file, proved by which test, what it costs and what was rejected."""
    promises = _promises()
    assert promises
    for title, text in promises:
        starts = [text.find(part) for part in PARTS]
        assert starts == sorted(starts), f"{title}: {dict(zip(PARTS, starts, strict=True))}"
        assert -1 not in starts, f"{title}: {dict(zip(PARTS, starts, strict=True))}"
        held, proved = (re.split(r"\*\*\w+", text.split(part, 1)[1])[0] for part in PARTS[1:3])
        assert re.search(r"`(?:capture|projections|review|scripts|tests|pyproject)[\w./]*`", held), title
        assert re.search(r"`[\w./]+::test_\w+`|`\.ci/run`|`scripts/bench/\w+`", proved), title


def test_each_entry_point_resolves() -> None:
    """Each entry point of pyproject.toml can be loaded from the checkout."""
    project = tomllib.loads(read("pyproject.toml"))["project"]
    points = [*project["scripts"].values(), *(v for group in project["entry-points"].values() for v in group.values())]
    for point in points:
        module, _, name = point.partition(":")
        loaded = importlib.import_module(module)
        assert not name or hasattr(loaded, name), point
