"""What hangs on a read table besides its rows: after a swap it is there as before, or a replay was refused by name."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from capture import DatabaseManager, Recorded
from capture.vocabulary import ErrorLearned, MemoryLearned
from projections import (
    Integer,
    Key,
    ObjectInTheWay,
    ProjectionRunner,
    Projector,
    Rows,
    Text,
    agents_table,
    handles,
    replay,
    status,
    verify,
)
from tests.conftest import MakeDatabase
from tests.fixtures.projectors import append


class Kept(Projector, version=1):
    """A table on which people hang things."""

    table = agents_table("tested_kept", Key("key"), Text("kind"), Integer("times"))

    @handles(MemoryLearned)
    def learned(self, fact: Recorded[MemoryLearned], rows: Rows) -> None:
        rows.at(key=fact.payload.key).set(kind=fact.payload.kind).add(times=1)


class WithoutKind(Projector, version=2):
    """The same without a column."""

    table = agents_table("tested_kept", Key("key"), Integer("times"))

    @handles(MemoryLearned)
    def learned(self, fact: Recorded[MemoryLearned], rows: Rows) -> None:
        rows.at(key=fact.payload.key).add(times=1)


class Apart(Projector, version=1):
    """Another table."""

    table = agents_table("tested_apart", Key("key"))

    @handles(ErrorLearned)
    def learned(self, fact: Recorded[ErrorLearned], rows: Rows) -> None:
        rows.upsert(key=fact.payload.error_hash)


def _execute(manager: DatabaseManager, *statements: str) -> None:
    with manager.transaction() as transaction:
        for statement in statements:
            transaction.connection.exec_driver_sql(statement, execution_options={"no_parameters": True})


def _learn(manager: DatabaseManager, *keys: str) -> None:
    append(manager, [MemoryLearned(key=key, value=1, kind="fact") for key in keys])
    ProjectionRunner(manager, [Kept, Apart]).run_once()


@pytest.fixture
def kept(manager: DatabaseManager) -> DatabaseManager:
    """A table with a row, on each backend in turn."""
    _learn(manager, "a")
    return manager


@pytest.fixture
def postgresql(make_database: MakeDatabase) -> Iterator[DatabaseManager]:
    """The same on PostgreSQL alone, whose objects SQLite does not have."""
    with DatabaseManager(make_database("postgresql")) as manager:
        _learn(manager, "a")
        yield manager


_TRIGGER = {
    "sqlite": (
        """CREATE TRIGGER "agents tested; noted" AFTER UPDATE OF kind ON agents_tested_kept WHEN NEW.kind = 'noted'
        BEGIN INSERT INTO agents_tested_seen VALUES (NEW.key); END""",
    ),
    "postgresql": (
        """CREATE FUNCTION agents_tested_note() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN INSERT INTO agents_tested_seen VALUES (NEW.key); RETURN NEW; END'""",
        """CREATE TRIGGER "agents tested; noted" AFTER INSERT OR UPDATE OF kind ON agents_tested_kept FOR EACH ROW
        WHEN (NEW.kind = 'noted') EXECUTE FUNCTION agents_tested_note()""",
    ),
}


def _with_trigger(manager: DatabaseManager) -> None:
    _execute(manager, "CREATE TABLE agents_tested_seen (key TEXT)", *_TRIGGER[manager.backend.name])


def _seen(manager: DatabaseManager) -> list[str]:
    manager.execute_write("UPDATE agents_tested_kept SET kind = 'noted'")
    rows = [row["key"] for row in manager.execute_query("SELECT key FROM agents_tested_seen ORDER BY key")]
    manager.execute_write("DELETE FROM agents_tested_seen")
    return rows


def test_triggers_stand(kept: DatabaseManager) -> None:
    """A trigger that somebody made on a read table works after a swap as before it, and did not fire for the swap."""
    _with_trigger(kept)
    assert _seen(kept) == ["a"]
    for key in ("b", "c"):
        _learn(kept, key)
        replay(kept, "all", projectors=[Kept])
        assert kept.execute_query("SELECT key FROM agents_tested_seen") == []
        assert verify(kept, projectors=[Kept])[0].ok
    assert _seen(kept) == ["a", "b", "c"]


def test_a_trigger_that_would_break_is_named_first(kept: DatabaseManager) -> None:
    """A trigger that needs a removed column is named before the replay; the table and the trigger are as they were."""
    _with_trigger(kept)
    with pytest.raises(ObjectInTheWay, match="the trigger agents tested; noted does not work") as refused:
        replay(kept, projectors=[WithoutKind])
    assert refused.value.exit_code == 3
    assert status(kept, [Kept])[0].generation == 1
    assert _seen(kept) == ["a"]
    on = " ON agents_tested_kept" if kept.backend.name == "postgresql" else ""
    _execute(kept, f'DROP TRIGGER "agents tested; noted"{on}')
    assert [one.generation for one in replay(kept, projectors=[WithoutKind])] == [2]


def test_a_foreign_key_is_named_first(kept: DatabaseManager) -> None:
    """A table of somebody else that refers to a read table would lose its rows or its rule: the replay is refused."""
    _execute(
        kept,
        "CREATE TABLE agents_tested_refers (key TEXT REFERENCES agents_tested_kept (key) ON DELETE CASCADE)",
        "INSERT INTO agents_tested_refers VALUES ('a')",
    )
    with pytest.raises(ObjectInTheWay, match="agents_tested_refers"):
        replay(kept, "all", projectors=[Kept])
    assert kept.execute_query("SELECT key FROM agents_tested_refers") == [{"key": "a"}]
    assert [one.generation for one in replay(kept, "all", projectors=[Apart])] == [2]


def test_settings_and_comments_stand(postgresql: DatabaseManager) -> None:
    """PostgreSQL: comments, storage options and how a trigger is set are as before; SQLite has none of them."""
    _with_trigger(postgresql)
    _execute(
        postgresql,
        "ALTER TABLE agents_tested_kept SET (fillfactor = 70, autovacuum_enabled = false)",
        "COMMENT ON TABLE agents_tested_kept IS 'it''s 100 % read'",
        "COMMENT ON COLUMN agents_tested_kept.kind IS 'fact, habit …'",
        "COMMENT ON TRIGGER \"agents tested; noted\" ON agents_tested_kept IS 'by hand'",
        'ALTER TABLE agents_tested_kept ENABLE ALWAYS TRIGGER "agents tested; noted"',
        "CREATE VIEW agents_tested_over AS SELECT key, kind FROM agents_tested_kept",
        "COMMENT ON COLUMN agents_tested_over.key IS 'of the view'",
        "CREATE FUNCTION agents_tested_none() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "CREATE TRIGGER instead INSTEAD OF INSERT ON agents_tested_over FOR EACH ROW "
        "EXECUTE FUNCTION agents_tested_none()",
    )
    facts = (
        """SELECT c.relname, c.reloptions, obj_description(c.oid, 'pg_class') AS said, a.attname,
        col_description(c.oid, a.attnum) AS about FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relname IN ('agents_tested_kept', 'agents_tested_over') AND a.attnum > 0 ORDER BY 1, 4""",
        """SELECT pg_get_triggerdef(oid) AS made, tgenabled, obj_description(oid, 'pg_trigger') AS said FROM pg_trigger
        WHERE NOT tgisinternal AND tgname NOT LIKE 'agents_events%' ORDER BY 1""",
    )
    before = [postgresql.execute_query(sql) for sql in facts]
    for _ in range(2):
        replay(postgresql, "all", projectors=[Kept])
        assert [postgresql.execute_query(sql) for sql in facts] == before
    assert len(before[1]) == 2
    assert postgresql.execute_write("INSERT INTO agents_tested_over VALUES ('z', 'z')") == 0


@pytest.mark.parametrize(
    ("made", "named"),
    [
        ("ALTER TABLE agents_tested_kept ADD CONSTRAINT brief CHECK (length(key) < 9)", "brief"),
        ("ALTER TABLE agents_tested_kept ADD CONSTRAINT once UNIQUE (times)", "once"),
        ("ALTER TABLE agents_tested_kept ALTER COLUMN kind SET DEFAULT 'x'", "default value"),
        ("ALTER TABLE agents_tested_kept ENABLE ROW LEVEL SECURITY", "row level security"),
        ("CREATE POLICY mine ON agents_tested_kept USING (true)", "policy mine"),
        ("CREATE RULE quiet AS ON DELETE TO agents_tested_kept DO INSTEAD NOTHING", "rule quiet"),
        ("CREATE STATISTICS both_of ON key, kind FROM agents_tested_kept", "both_of"),
        ("CREATE PUBLICATION copydesk_tested FOR TABLE agents_tested_kept", "publication"),
        (
            """CREATE FUNCTION agents_tested_f() RETURNS SETOF agents_tested_kept LANGUAGE sql AS
            'SELECT * FROM agents_tested_kept'""",
            "function agents_tested_f",
        ),
        (
            """CREATE VIEW agents_tested_over AS SELECT key FROM agents_tested_kept;
            CREATE FUNCTION agents_tested_g(agents_tested_over) RETURNS integer LANGUAGE sql AS 'SELECT 1'""",
            "function agents_tested_g",
        ),
    ],
)
def test_what_would_be_lost_is_named_first(postgresql: DatabaseManager, made: str, named: str) -> None:
    """PostgreSQL: what a swap can't keep is named before the replay, which changes nothing; SQLite has none of it."""
    _execute(postgresql, made)
    with pytest.raises(ObjectInTheWay, match=named) as refused:
        replay(postgresql, "all", projectors=[Kept])
    assert refused.value.exit_code == 3
    assert status(postgresql, [Kept])[0].generation == 1
