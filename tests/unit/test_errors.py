"""Errors: a small tree, in which each keeps what it is about and knows its exit code."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import pytest

import projections.errors
import review.errors
from capture import errors
from capture.errors import ConcurrentAppend, CopydeskError

MODULES = (errors, projections.errors, review.errors)


def _classes() -> Iterator[type[CopydeskError]]:
    for module in MODULES:
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, CopydeskError) and value.__module__ == module.__name__:
                yield value


def test_an_error_keeps_what_it_is_about() -> None:
    """The data of an error are its attributes, and go through pickling: a worker process can hand it on."""
    error = ConcurrentAppend("output-1", 3, 5)
    again = pickle.loads(pickle.dumps(error))
    assert (again.stream, again.expected, again.actual) == ("output-1", 3, 5)
    assert (str(again), again.hint, again.code, again.exit_code) == (str(error), error.hint, "CONCURRENT_APPEND", 3)
    with pytest.raises(AttributeError, match="missing"):
        _ = error.missing


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.__name__) for kind in _classes()])
def test_each_error_is_told_apart(kind: type[CopydeskError]) -> None:
    """Each class has a code of its own, a documented exit code, and says in its docstring when it is raised."""
    assert (kind.__doc__ or "").strip().split("\n")[0].endswith(".")
    assert kind.exit_code in (1, 2, 3, 4, 5, 7, 8)
    assert kind.code.isupper()
    others = [other for other in _classes() if other is not kind and other.code == kind.code]
    assert [other for other in others if not issubclass(kind, other) and not issubclass(other, kind)] == []
