"""A file is named for the one thing it holds, and stays small enough to be read in one go."""

from __future__ import annotations

import ast

from tests.documentation.checkout import ROOT, read, sources, tracked

LIMIT = 400

LONGER: dict[str, str] = {
    # path: why it may have more lines
}

SAYS_NOTHING = {"base", "common", "core", "helpers", "misc", "shared", "util", "utils"}


def test_a_file_has_at_most_400_lines() -> None:
    """A file of code has at most 400 lines, or stands in the list of exceptions with its reason."""
    code = [
        path
        for path in tracked()
        if path.suffix in (".py", ".sh", ".toml", ".sql") or path.parts[0] in ("scripts", ".ci")
    ]
    lines = {str(path): len(read(path).splitlines()) for path in code}
    assert {path: count for path, count in lines.items() if count > LIMIT and path not in LONGER} == {}
    assert [path for path in LONGER if lines.get(path, 0) <= LIMIT] == []


def test_a_file_is_named_for_what_it_holds() -> None:
    """No file has a name that fits anything."""
    assert [str(path) for path in tracked() if {path.stem, *path.parts[:-1]} & SAYS_NOTHING] == []


def test_no_file_is_empty() -> None:
    """A Python file holds code; an `__init__.py` at least says what the package is."""
    hollow = []
    for path in tracked():
        if path.suffix == ".py":
            body = ast.parse(read(path)).body
            if not body or (path.name != "__init__.py" and all(isinstance(node, ast.Expr) for node in body)):
                hollow.append(str(path))
    assert hollow == []


def test_a_module_says_what_it_is() -> None:
    """Every module of the packages begins with a docstring of at least one whole sentence."""
    silent = [str(path) for path in sources() if len(ast.get_docstring(ast.parse(read(path))) or "") < 12]
    assert silent == []


def test_a_script_can_be_run() -> None:
    """What stands in `scripts/` without a suffix is executable and says which program runs it."""
    scripts = [path for path in tracked("scripts", ".ci") if not path.suffix]
    assert scripts
    assert [str(path) for path in scripts if not (ROOT / path).stat().st_mode & 0o100] == []
    assert [str(path) for path in scripts if not read(path).startswith("#!")] == []
