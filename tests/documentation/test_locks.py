"""The locks hold what pyproject.toml asks for, in the versions that are tested."""

from __future__ import annotations

import re
import tomllib

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.documentation.checkout import read


def _pins(lock: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+)", read(lock), re.MULTILINE))


def test_what_runs_is_what_was_tested() -> None:
    """Each package that copydesk runs with has one version: the one that the tests run with."""
    running, tested = _pins("requirements.lock"), _pins("requirements-test.lock")
    assert running
    assert running.items() <= tested.items()


def test_a_lock_satisfies_the_project() -> None:
    """Each dependency of pyproject.toml is locked in a version that it allows; `bench` alone pins its one itself.

    What runs has the extras `postgres` and `publishers`: the frameworks of the others are an agent's own, and are
    tested only.
    """
    project = tomllib.loads(read("pyproject.toml"))
    extras = project["project"]["optional-dependencies"]
    run = [*project["project"]["dependencies"], *extras["postgres"], *extras["publishers"]]
    tested = [requirement for extra in extras.values() for requirement in extra]
    groups = {name: group for name, group in project["dependency-groups"].items() if name != "bench"}
    tools = [tool for group in groups.values() for tool in group if isinstance(tool, str)]
    assert all("==" in pinned for pinned in project["dependency-groups"]["bench"])
    for lock, wanted in (("requirements.lock", run), ("requirements-test.lock", run + tested + tools)):
        pins = _pins(lock)
        for requirement in map(Requirement, wanted):
            assert pins[canonicalize_name(requirement.name)] in requirement.specifier, f"{lock}: {requirement}"


def test_a_lock_pins_by_hash_and_names_no_address() -> None:
    """Each locked package has its hashes, and no line says where to fetch it."""
    for lock in ("requirements.lock", "requirements-test.lock"):
        text = read(lock)
        for entry in re.split(r"\n(?=[a-z])", text.split("\n", 2)[2]):
            assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry
        assert re.findall(r"://|^-", text, re.MULTILINE) == []
