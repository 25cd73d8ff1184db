"""Settings: what the environment asks for, or which variable can't be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from capture.errors import BadSetting
from capture.settings import Settings


def test_nothing_set_is_a_file_in_the_working_directory() -> None:
    """Without any variable all is named by `foundup`, here."""
    settings = Settings.from_environment({})
    assert settings.database_url == "sqlite:///foundup.db"
    assert (settings.journal, settings.media) == (Path("foundup.journal"), Path("foundup.media"))
    assert (settings.journal_bytes, settings.synchronous) == (256 * 1024 * 1024, "normal")
    assert (settings.agent_id, settings.actor, settings.plugins) == (None, None, ())


def test_the_foundup_names_everything() -> None:
    """`FOUNDUP` names the database and the folders beside it; a variable of its own wins."""
    settings = Settings.from_environment({"FOUNDUP": "acme", "COPYDESK_MEDIA": "pictures"})
    assert settings.database_url == "sqlite:///acme.db"
    assert (settings.journal, settings.media) == (Path("acme.journal"), Path("pictures"))


def test_an_empty_variable_is_none() -> None:
    """A variable that is set to nothing, or to blanks, is as if it were not there."""
    assert Settings.from_environment({"DATABASE_URL": " ", "FOUNDUP": ""}) == Settings.from_environment({})


def test_plugins_are_a_list() -> None:
    """Distributions are named one after another, with commas and any blanks."""
    assert Settings.from_environment({"COPYDESK_PLUGINS": "a, b-c ,,d"}).plugins == ("a", "b-c", "d")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("FOUNDUP", "../other"),
        ("FOUNDUP", "/etc/passwd"),
        ("FOUNDUP", ".hidden"),
        ("FOUNDUP", "a\0b"),
        ("COPYDESK_JOURNAL_BYTES", "much"),
        ("COPYDESK_JOURNAL_BYTES", "-1"),
        ("COPYDESK_JOURNAL_BYTES", "1"),
        ("COPYDESK_JOURNAL_BYTES", "9" * 5000),
        ("COPYDESK_JOURNAL_BYTES", "\u0661\u0662"),
        ("COPYDESK_SYNCHRONOUS", "off"),
    ],
)
def test_a_value_that_can_not_be_used_names_its_variable(variable: str, value: str) -> None:
    """A variable with an impossible value is named, with what was expected and what was found, in one short line."""
    with pytest.raises(BadSetting, match=variable) as refused:
        Settings.from_environment({variable: value})
    assert "found" in refused.value.message
    assert len(refused.value.message) < 200
    assert refused.value.exit_code == 2
