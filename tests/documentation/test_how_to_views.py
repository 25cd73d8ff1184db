"""The how-tos for views of modules are followed to the letter, in an environment of their own, from wheels."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.documentation.following import follow, fresh_environment


@pytest.mark.timeout(600)
def test_a_module_brings_its_own_view_and_changes_it(tmp_path: Path) -> None:
    """A module's distribution is built, installed, loaded by consent alone, run, changed, compared and replayed."""
    environment, folder = fresh_environment(tmp_path), tmp_path / "reader"
    folder.mkdir()

    def asked(*command: str) -> list[dict[str, Any]]:
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    follow("docs/how-to/module-view.md", folder, environment)
    assert environment["COPYDESK_PLUGINS"] == "harbour"
    follow("docs/how-to/change-a-read-table.md", folder, environment)
    (past,) = asked("copydesk", "projections", "as-of", "modules_harbour_berths", "1", "--json")
    assert past["tables"]["modules_harbour_berths"] == [{"berth": 7, "ship": "Vasa", "last_ship": "Vasa", "visits": 1}]
    known = {line["projection"]: line for line in asked("copydesk", "projections", "status", "--json")}
    assert (known["modules_harbour_berths"]["state"], known["modules_harbour_berths"]["generation"]) == ("current", 2)
