"""The environment is read in one file, and every variable is documented."""

from __future__ import annotations

import ast
import re

from tests.documentation.checkout import read, sources, table

SETTINGS = "capture/settings.py"

READS = {"environ", "environb", "getenv"}

VARIABLE = re.compile(r"(?:COPYDESK|DATABASE)_[A-Z_]+|FOUNDUP")


def _variables() -> set[str]:
    """The variables that settings.py reads: whole string constants of their form."""
    constants = [node.value for node in ast.walk(ast.parse(read(SETTINGS))) if isinstance(node, ast.Constant)]
    return {text for text in constants if isinstance(text, str) and VARIABLE.fullmatch(text)}


def test_every_variable_is_documented() -> None:
    """README's table of settings names exactly the variables that settings.py reads."""
    documented = {name for row in table("README.md", "## Settings") for name in re.findall(r"`([A-Z_]+)`", row[0])}
    assert documented == _variables()


def test_every_variable_stands_in_the_docstring() -> None:
    """Each variable stands beside the attribute of `Settings` that holds it."""
    tree = ast.parse(read(SETTINGS))
    settings = next(node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Settings")
    assert set(VARIABLE.findall(ast.get_docstring(settings) or "")) == _variables()


def test_the_environment_is_read_in_one_file() -> None:
    """No other module of the packages asks for an environment variable."""
    readers = []
    for path in sources():
        for node in ast.walk(ast.parse(read(path))):
            names = [node.attr] if isinstance(node, ast.Attribute) else []
            if isinstance(node, ast.ImportFrom):
                names = [name.name for name in node.names]
            if READS.intersection(names) and str(path) != SETTINGS:
                readers.append(f"{path}:{node.lineno}")
    assert readers == []
