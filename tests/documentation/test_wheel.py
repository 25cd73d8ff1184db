"""The wheel holds the three packages and nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from review.cli.demo_agents.pages import PAGES
from tests.documentation.checkout import PACKAGES, ROOT, tracked


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from the checkout."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return zipfile.ZipFile(built)


def test_the_wheel_holds_what_the_checkout_has(wheel: zipfile.ZipFile) -> None:
    """Each file of the three packages is in the wheel, and the pages that the demo's agents read; nothing else is."""
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert names == {str(path) for path in tracked(*PACKAGES)} | {
        f"review/cli/demo_agents/pages/{page}" for page in PAGES
    }


def test_the_wheel_is_typed_and_licensed(wheel: zipfile.ZipFile) -> None:
    """Type checkers use the annotations of each package, and the licence goes along."""
    names = wheel.namelist()
    assert [name for name in PACKAGES if f"{name}/py.typed" not in names] == []
    (licence,) = [name for name in names if Path(name).name == "LICENSE"]
    assert wheel.read(licence) == (ROOT / "LICENSE").read_bytes()
