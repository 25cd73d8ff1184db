"""The page on frameworks is followed to the letter, with the frameworks themselves."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from capture import DatabaseManager, EventLog
from tests.documentation.checkout import ROOT, Block, blocks, inline_code, read

PAGE = "docs/sources.md"

TOLD = [
    ["memory.learned", "model.called"],
    ["model.called", "model.called", "tool.called"],
    ["model.called", "model.called", "tool.called"],
]


@pytest.mark.parametrize(
    ("block", "told"), list(zip(blocks(PAGE), TOLD, strict=True)), ids=["langchain", "openai", "otel"]
)
def test_every_program_runs(block: Block, told: list[str], tmp_path: Path) -> None:
    """Each program of the page runs without a complaint in an empty folder, and its calls are in the log."""
    assert block.language == "python"
    keep = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR") if name in os.environ}
    done = subprocess.run(
        [sys.executable, "-c", block.text],
        cwd=tmp_path,
        env=keep | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    with DatabaseManager(f"sqlite:///{tmp_path / 'foundup.db'}") as manager:
        found = list(EventLog(manager).read())
    assert sorted(event.event_type for event in found) == told
    assert {event.agent_id for event in found} == {"researcher"}


def test_every_extra_and_source_is_there() -> None:
    """Each module, class and extra that the page names exists, and each extra of a framework is named."""
    named = inline_code(PAGE)
    for code in named:
        if code.startswith("capture.sources."):
            module, _, name = code.rpartition(".")
            assert hasattr(importlib.import_module(module), name), code
    extras = tomllib.loads(read("pyproject.toml"))["project"]["optional-dependencies"]
    for extra in set(extras) - {"postgres", "publishers"}:
        assert f"pip install 'copydesk[{extra}]'" in named
