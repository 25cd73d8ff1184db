"""What the agents of the demo work on: copydesk's own pages and files, of the checkout or of the installed packages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

PAGES = ("README.md", "ARCHITECTURE.md", "CHANGELOG.md")

_SHIPPED = Path(__file__).parent / "pages"
_ROOT = Path(__file__).parents[3]
_PACKAGES = ("capture", "projections", "review")
_OF_THE_CHECKOUT = (*_PACKAGES, "scripts", "tests", "pyproject.toml", "LICENSE")
_PASSED_BY = frozenset({"__pycache__", "fixtures"})


def page(name: str) -> str:
    """The text of one of `PAGES`."""
    return _path(name).read_text(encoding="utf-8")


def documentation() -> Iterator[tuple[str, str]]:
    """The pages that explain copydesk, each with its text; the changelog explains nothing."""
    for name in PAGES:
        if name != "CHANGELOG.md" and _path(name).is_file():
            yield name, page(name)


def _path(name: str) -> Path:
    shipped = _SHIPPED / name
    return shipped if shipped.is_file() else _ROOT / name


def files() -> Iterator[tuple[str, Path]]:
    """Every file that is copydesk's own: its name in the project, and where it lies."""
    for name in PAGES:
        yield name, _path(name)
    for name in _PACKAGES if _SHIPPED.is_dir() else _OF_THE_CHECKOUT:
        root = _ROOT / name
        for path in [root] if root.is_file() else sorted(root.rglob("*")):
            parts = path.relative_to(_ROOT).parts
            if path.is_file() and not _PASSED_BY.intersection(parts) and not path.is_relative_to(_SHIPPED):
                yield "/".join(parts), path
