"""The tests are promises too: each says its own, and none is passed over."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.documentation.checkout import read, tracked

PASSED_OVER = re.compile(r"pytest\.(?:mark\.)?(?:skip|xfail|importorskip|exit)|unittest\.skip|SkipTest")


def _tests() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path in tracked("tests"):
        if path.name.startswith("test_") and path.suffix == ".py":
            for node in ast.walk(ast.parse(read(path))):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                    yield f"{path}::{node.name}", node


def test_a_test_states_its_promise() -> None:
    """The docstring of a test begins with its promise, a whole sentence; what else there is to say stands below."""
    unsaid = []
    for name, node in _tests():
        promise = (ast.get_docstring(node) or "").split("\n\n")[0]
        if not promise.endswith("."):
            unsaid.append(name)
    assert unsaid == []


def test_no_test_is_passed_over() -> None:
    """No test skips or is expected to fail: what did not run proves nothing."""
    here = "tests/documentation/test_tests.py"
    files = [path for path in tracked("tests") if path.suffix == ".py" and str(path) != here]
    assert [str(path) for path in files if PASSED_OVER.search(read(path))] == []


def test_no_two_tests_of_a_file_share_a_name() -> None:
    """A test that is defined twice in one scope would silently replace the first."""
    twice = []
    for path in tracked("tests"):
        if path.suffix != ".py":
            continue
        for scope in ast.walk(ast.parse(read(path))):
            if isinstance(scope, ast.Module | ast.ClassDef):
                names = [node.name for node in scope.body if isinstance(node, ast.FunctionDef)]
                twice += [
                    f"{path}::{name}" for name in set(names) if name.startswith("test_") and names.count(name) > 1
                ]
    assert twice == []
