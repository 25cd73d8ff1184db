"""README is followed to the letter by somebody who has the checkout, a Python, and nothing else."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.documentation.checkout import ROOT, blocks, read, tracked
from tests.documentation.wheelhouse import fill

APPROVED = b"Acme 2.0 is out!"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a package index would give, as wheels in a folder."""
    folder = tmp_path_factory.mktemp("wheels")
    project = tomllib.loads(read("pyproject.toml"))["project"]
    fill(folder, "hatchling", *project["dependencies"], *project["optional-dependencies"]["postgres"])
    return folder


@pytest.fixture
def newcomer(tmp_path: Path, wheels: Path) -> tuple[Path, dict[str, str]]:
    """A copy of the checkout, and the variables of a shell in a fresh virtual environment."""
    copy = tmp_path / "checkout"
    for path in tracked():
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, copy / path)
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "env"], check=True)
    keep = {name: os.environ[name] for name in ("LANG", "LC_ALL", "HOME", "TMPDIR") if name in os.environ}
    return copy, keep | {
        "PATH": f"{tmp_path / 'env' / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_FIND_LINKS": str(wheels),
        "PIP_NO_INDEX": "1",
    }


def test_every_block_runs(newcomer: tuple[Path, dict[str, str]]) -> None:
    """Each command and program of README runs without a complaint, and the folder holds exactly the approved bytes."""
    folder, environment = newcomer
    for block in blocks("README.md"):
        if block.language in ("python", "toml") and block.name:
            (folder / block.name).write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            _run(folder, environment, ["python", "-c", block.text])
        elif block.language == "bash" and block.name != "checkout":
            told = _run(folder, environment, ["bash", "-euo", "pipefail", "-c", block.text])
            assert told == "" or "pip" in block.text, f"{block.text}\n{told}"
    published = [path.read_bytes() for path in (folder / "published").rglob("*") if path.is_file()]
    assert any(APPROVED in content for content in published), published


def test_the_commands_of_the_checkout_exist() -> None:
    """The commands that README shows first are scripts of the checkout, and CI runs both of them."""
    shown = [
        shlex.split(line, comments=True)
        for block in blocks("README.md")
        if block.name == "checkout"
        for line in block.text.splitlines()
    ]
    assert [words for words in shown if not os.access(ROOT / words[0], os.X_OK)] == []
    ci = read(".ci/run")
    assert [words for words in shown if words[0] not in ci] == []


def test_every_block_is_of_a_known_kind() -> None:
    """A block is a program, a command or plain text: none is passed over because of a typing error."""
    assert {block.language for block in blocks("README.md")} <= {"bash", "python", "text", "toml"}


def _run(folder: Path, environment: dict[str, str], command: list[str]) -> str:
    """Run a command that must succeed; what it wrote to standard error."""
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command[-1]}\n{done.stdout}\n{done.stderr}"
    return done.stderr
