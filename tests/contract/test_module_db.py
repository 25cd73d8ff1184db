"""`ModuleDB` and `FoundupDB`: a module's tables, on every backend."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    Numeric,
    String,
    Uuid,
)

from capture.database.manager import DatabaseManager
from capture.errors import BadStatement, InvalidName, RolledBack
from capture.names.declaration import table
from capture.names.foundup_db import FoundupDB
from capture.names.module_db import ModuleDB
from tests.fixtures.chat_rules import ChatRules


@pytest.fixture
def db(manager: DatabaseManager) -> ChatRules:
    """The tables of the module `chat_rules`."""
    return ChatRules(manager)


@pytest.fixture
def filled(db: ChatRules) -> ChatRules:
    """Four moderators."""
    for number, role in enumerate(("admin", "mod", "mod", "guest")):
        db.insert("moderators", {"user_id": f"u{number}", "role": role, "score": number * 10})
    return db


def test_tables_are_made_under_their_prefix(db: ChatRules) -> None:
    """The declared tables exist as `modules_{module}_{table}`, and belong to the module."""
    assert db.full_name("moderators") == "modules_chat_rules_moderators"
    assert db.manager.execute_query("SELECT user_id, role, score FROM modules_chat_rules_moderators") == []
    owners = db.manager.execute_query("SELECT full_name, namespace, owner, table_name FROM agents_table_owners")
    assert {tuple(one.values()) for one in owners} == {
        ("modules_chat_rules_moderators", "modules", "chat_rules", "moderators"),
        ("modules_chat_rules_timeouts", "modules", "chat_rules", "timeouts"),
    }


def test_a_project_has_its_own_prefix(manager: DatabaseManager) -> None:
    """`FoundupDB` is the same under `foundups_{project}_`."""

    class GotJunk(FoundupDB):
        project = "gotjunk"
        items = table("items", Column("id", Integer, primary_key=True), Column("name", String))

    db = GotJunk(manager)
    assert db.full_name("items") == "foundups_gotjunk_items"
    assert db.insert("items", {"name": "sofa"}) == {"id": 1}


def test_insert_returns_the_key_also_a_generated_one(filled: ChatRules) -> None:
    """The new row's primary key comes back as a dict, given or generated."""
    assert filled.insert("moderators", {"user_id": "u9", "role": "mod"}) == {"user_id": "u9"}
    first = filled.insert("timeouts", {"platform": "x", "user_id": "u1"})
    second = filled.insert("timeouts", {"platform": "x", "user_id": "u2"})
    assert list(first) == ["id"]
    assert second["id"] > first["id"]
    assert filled.get("timeouts", **first) == {
        "id": first["id"],
        "platform": "x",
        "user_id": "u1",
        "minutes": 5,
        "reason": None,
    }


def test_a_composite_key_comes_back_whole(manager: DatabaseManager) -> None:
    """A primary key of two columns is a dict of both."""

    class Pairs(ModuleDB):
        module = "pairs"
        pairs = table("pairs", Column("a", String, primary_key=True), Column("b", Integer, primary_key=True))

    assert Pairs(manager).insert("pairs", {"a": "x", "b": 2}) == {"a": "x", "b": 2}


def test_get_finds_one_row_or_none(filled: ChatRules) -> None:
    """`get` names a row by its columns; several rows are an error, not a choice."""
    assert filled.get("moderators", user_id="u1") == {"user_id": "u1", "role": "mod", "score": 10}
    assert filled.get("moderators", user_id="nobody") is None
    with pytest.raises(BadStatement, match="several"):
        filled.get("moderators", role="mod")
    with pytest.raises(BadStatement):
        filled.get("moderators")


def test_select_by_mapping_expression_order_and_limit(filled: ChatRules) -> None:
    """Rows are chosen by values, by lists, by NULL or by a SQLAlchemy expression, and ordered by names."""

    def users(*args: Any, **options: Any) -> list[str]:
        return [one["user_id"] for one in filled.select("moderators", *args, **options)]

    columns = ChatRules.moderators.c
    assert sorted(users()) == ["u0", "u1", "u2", "u3"]
    assert users(order_by="-score") == ["u3", "u2", "u1", "u0"]
    assert users(order_by=["role", "-score"]) == ["u0", "u3", "u2", "u1"]
    assert users(order_by=columns.score.desc(), limit=2) == ["u3", "u2"]
    assert users({"role": "mod"}, order_by="score") == ["u1", "u2"]
    assert users(where={"role": ["admin", "guest"]}, order_by="score") == ["u0", "u3"]
    assert users(where={"role": []}) == []
    assert users(where=(columns.score > 5) & (columns.role != "guest"), order_by="score") == ["u1", "u2"]
    assert users(where="all", limit=0) == []
    filled.insert("timeouts", {"platform": "x", "user_id": "u1"})
    assert len(filled.select("timeouts", where={"reason": None})) == 1
    assert list(filled.select("moderators", limit=1)[0]) == ["user_id", "role", "score"]


def test_update_delete_and_count(filled: ChatRules) -> None:
    """Each tells how many rows it was about."""
    assert filled.count("moderators") == 4
    assert filled.count("moderators", where={"role": "mod"}) == 2
    assert filled.update("moderators", {"role": "admin"}, where={"role": "mod"}) == 2
    columns = ChatRules.moderators.c
    assert filled.update("moderators", {"score": columns.score + 1}, where="all") == 4
    assert filled.count("moderators", where=columns.score > 20) == 2
    assert filled.delete("moderators", where={"user_id": "u0"}) == 1
    assert filled.delete("moderators", where={"user_id": "u0"}) == 0
    assert filled.delete("moderators", where="all") == 3


@pytest.mark.parametrize("where", [None, {}])
def test_every_row_is_meant_only_when_it_is_said(filled: ChatRules, where: dict[str, Any] | None) -> None:
    """`update` and `delete` without `where`, or with an empty one, are refused and change nothing."""
    with pytest.raises(BadStatement, match="where"):
        filled.delete("moderators", where=where)
    with pytest.raises(BadStatement, match="where"):
        filled.update("moderators", {"role": "x"}, where=where)
    with pytest.raises(BadStatement, match="where"):
        filled.delete("moderators", where="everything")  # type: ignore[arg-type]
    assert filled.count("moderators", where={"role": "x"}) == 0
    assert filled.count("moderators") == 4


def test_upsert_inserts_then_updates(filled: ChatRules) -> None:
    """The second upsert on the same columns changes the row that the first made, and leaves other columns alone."""
    values = {"platform": "x", "user_id": "u1", "minutes": 7, "reason": "spam"}
    first = filled.upsert("timeouts", values, on=("platform", "user_id"))
    again = filled.upsert("timeouts", {"platform": "x", "user_id": "u1", "minutes": 9}, on=("platform", "user_id"))
    assert again == first
    assert filled.get("timeouts", **first) == {"id": first["id"], **values, "minutes": 9}
    assert filled.upsert("timeouts", {"platform": "y", "user_id": "u1"}, on=["platform", "user_id"]) != first
    assert filled.upsert("moderators", {"user_id": "u1", "role": "boss"}) == {"user_id": "u1"}
    assert filled.get("moderators", user_id="u1") == {"user_id": "u1", "role": "boss", "score": 10}
    assert filled.count("timeouts") == 2


def test_an_upsert_with_nothing_to_change_finds_the_row(manager: DatabaseManager) -> None:
    """Only the columns of the constraint are given: the row is made once, and its key comes back each time."""

    class Tags(ModuleDB):
        module = "tags"
        tags = table("tags", Column("id", Integer, primary_key=True), Column("name", String, unique=True))

    db = Tags(manager)
    assert db.upsert("tags", {"name": "x"}, on="name") == db.upsert("tags", {"name": "x"}, on="name")
    assert db.count("tags") == 1


def test_an_upsert_needs_a_constraint_over_its_columns(filled: ChatRules) -> None:
    """Columns without a unique constraint, or without a value, are told before any SQL."""
    with pytest.raises(BadStatement, match="unique"):
        filled.upsert("moderators", {"user_id": "u1", "role": "x"}, on="role")
    with pytest.raises(BadStatement, match="user_id"):
        filled.upsert("timeouts", {"platform": "x"}, on=("platform", "user_id"))


def test_names_are_checked_before_any_sql(filled: ChatRules) -> None:
    """An unknown table or column is `InvalidName`, which lists what there is."""
    hostile = 'role"; DROP TABLE agents_head; --'
    calls = [
        lambda: filled.select(hostile),
        lambda: filled.full_name("agents_events"),
        lambda: filled.insert("moderators", {hostile: 1}),
        lambda: filled.update("moderators", {hostile: 1}, where="all"),
        lambda: filled.select("moderators", where={hostile: 1}),
        lambda: filled.delete("moderators", where={hostile: 1}),
        lambda: filled.select("moderators", order_by=f"-{hostile}"),
        lambda: filled.upsert("moderators", {hostile: 1, "user_id": "u1"}),
    ]
    for call in calls:
        with pytest.raises(InvalidName, match="moderators"):
            call()


def test_values_of_every_type_come_back(manager: DatabaseManager) -> None:
    """The same declaration keeps times, decimals, JSON, bytes and UUIDs on every backend."""
    import uuid

    class Everything(ModuleDB):
        module = "everything"
        things = table(
            "things",
            Column("id", Integer, primary_key=True),
            Column("flag", Boolean),
            Column("ratio", Float),
            Column("price", Numeric(10, 2)),
            Column("at", DateTime(timezone=True)),
            Column("data", JSON),
            Column("raw", LargeBinary),
            Column("key", Uuid),
        )

    moment = datetime(2026, 11, 24, 10, 0, 0, 5, tzinfo=UTC)
    values = {
        "flag": True,
        "ratio": 0.25,
        "price": Decimal("1.10"),
        "data": {"a": [1, None, "ü"]},
        "raw": b"\0\xff",
        "key": uuid.UUID(int=7),
    }
    db = Everything(manager)
    found = db.get("things", **db.insert("things", {**values, "at": moment}))
    assert found is not None
    assert {name: found[name] for name in values} == values
    # SQLite keeps no zone with SQLAlchemy's DateTime.
    assert found["at"].replace(tzinfo=UTC) == moment if found["at"].tzinfo is None else found["at"] == moment
    Everything(manager)  # a second look finds no difference, on any type


def test_calls_inside_a_transaction_take_place_together(filled: ChatRules) -> None:
    """`transaction()` holds several calls together, and an error takes all of them back."""
    with pytest.raises(ValueError, match="no"), filled.transaction():
        filled.insert("moderators", {"user_id": "u8", "role": "mod"})
        assert filled.count("moderators") == 5
        raise ValueError("no")
    assert filled.count("moderators") == 4
    with pytest.raises(RolledBack), filled.transaction():
        filled.insert("moderators", {"user_id": "u8", "role": "mod"})
        with pytest.raises(sa.exc.IntegrityError):
            filled.insert("moderators", {"user_id": "u8", "role": "mod"})
    assert filled.count("moderators") == 4
