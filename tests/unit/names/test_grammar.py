"""Legal and illegal names of tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer

from capture.errors import InvalidName
from capture.names.declaration import table
from capture.names.grammar import MAX_BYTES, check_name, full_name
from capture.names.module_db import ModuleDB

HOSTILE = [
    line["value"]
    for line in json.loads((Path(__file__).parents[2] / "hostile.json").read_text())
    if line["category"] == "sql-name"
]


def test_a_full_name_begins_with_its_namespace() -> None:
    """`agents_{table}`, `modules_{module}_{table}` and `foundups_{project}_{table}` are all the tables there are."""
    assert full_name("agents", None, "memory") == "agents_memory"
    assert full_name("modules", "chat_rules", "users") == "modules_chat_rules_users"
    assert full_name("foundups", "gotjunk", "items2") == "foundups_gotjunk_items2"


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name)[:30])
def test_a_hostile_name_is_refused_before_any_sql(name: str) -> None:
    """Every line of hostile.json's `sql-name` is `InvalidName`, as a table and as a module, without a database."""
    with pytest.raises(InvalidName):
        full_name("modules", "chat", name)
    with pytest.raises(InvalidName):
        full_name("modules", name, "users")
    with pytest.raises(InvalidName):
        full_name("agents", None, name)
    with pytest.raises(InvalidName):
        type("Hostile", (ModuleDB,), {"module": "chat", "users": table(name, Column("id", Integer, primary_key=True))})
    if name:  # a class without a module is refused when it is used
        with pytest.raises(InvalidName):
            type("Hostile", (ModuleDB,), {"module": name, "users": table("users", Column("id", Integer))})


@pytest.mark.parametrize("name", ["shadow", "users_shadow", "shadow_users", "a_shadow_b"])
def test_the_word_shadow_is_kept_for_tables_being_rebuilt(name: str) -> None:
    """No table can take the name of another one's shadow."""
    with pytest.raises(InvalidName, match="shadow"):
        full_name("modules", "chat", name)
    assert full_name("modules", "chat", "shadows") == "modules_chat_shadows"


def test_a_full_name_has_at_most_48_bytes() -> None:
    """The whole name is measured, and the message says what to shorten."""
    fits = "x" * (MAX_BYTES - len("modules_chat_"))
    assert len(full_name("modules", "chat", fits)) == MAX_BYTES
    with pytest.raises(InvalidName) as caught:
        full_name("modules", "chat", fits + "x")
    assert "49" in caught.value.message
    assert "chat" in caught.value.hint


@pytest.mark.parametrize(
    ("namespace", "owner"), [("modules", None), ("agents", "chat"), ("public", "chat"), ("", None)]
)
def test_there_is_no_fourth_namespace(namespace: str, owner: str | None) -> None:
    """A namespace is one of three, and only modules and projects have an owner in the name."""
    with pytest.raises(InvalidName):
        full_name(namespace, owner, "users")


@pytest.mark.parametrize("name", [None, 7, b"users", "users\n", "u" * 49])
def test_a_part_is_a_short_plain_text(name: object) -> None:
    """What is no text, or text with anything but letters, digits and underscores, names nothing."""
    with pytest.raises(InvalidName):
        check_name(name)  # type: ignore[arg-type]
