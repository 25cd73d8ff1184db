"""Arrows between modules point down, and only public surfaces are imported from another package."""

from __future__ import annotations

import subprocess
import sys

from tests.documentation.checkout import ROOT


def test_arrows_point_down() -> None:
    """The contracts of pyproject.toml hold: capture < projections < review, and the order inside capture."""
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    command = [sys.executable, "-c", code, "--no-logo", "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
