"""What must not stand in the checkout: a machine's own paths, a registry's address, work left for later."""

from __future__ import annotations

import re

from tests.documentation.checkout import read, sources, tracked

# Written in two halves, so that this file does not contain what it looks for.
MACHINES = ("/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/", "/Us" + "ers/", "/o" + "pt/", "/tm" + "p/")
REGISTRIES = ("pypi" + ".org", "python" + "hosted.org", "npm" + "js.org", "deb.debian" + ".org")
LATER = re.compile("TO" + "DO|FIX" + "ME|XX" + "X|NotImplemented" + "Error")

DATA = {"tests/hostile.json"}


def _lines() -> list[tuple[str, str]]:
    return [
        (f"{path}:{number}", line)
        for path in tracked()
        if str(path) not in DATA
        for number, line in enumerate(read(path).splitlines(), 1)
    ]


def test_no_path_of_a_machine() -> None:
    """No file names a folder that exists on one machine only."""
    assert [f"{place}: {line}" for place, line in _lines() if any(path in line for path in MACHINES)] == []


def test_no_address_of_a_registry() -> None:
    """No file, a lock least of all, names the host that packages come from."""
    assert [f"{place}: {line}" for place, line in _lines() if any(host in line for host in REGISTRIES)] == []


def test_nothing_is_left_for_later() -> None:
    """No module of the packages holds a note of work that was not done."""
    assert [str(path) for path in sources() if LATER.search(read(path))] == []
