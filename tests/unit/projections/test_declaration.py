"""What a projector may declare and say; a mistake is told where it is made."""

from __future__ import annotations

from typing import Any

import pytest

from capture import InvalidName, Recorded
from capture.vocabulary import Draft, ErrorLearned, MemoryLearned
from projections import (
    Integer,
    Json,
    Key,
    Projector,
    Real,
    Rows,
    Text,
    agents_table,
    folds,
    foundup_table,
    handles,
    module_table,
)
from projections.folding import Plan
from projections.registry import plans, projectors_of
from tests.fixtures.projectors import Balance, Balances, Errors, Notes

TABLE = agents_table("tested_rows", Key("key"), Text("said"), Integer("times"), Real("share"), Json("list"))


def _rows() -> Rows:
    return Rows((TABLE,))


def test_names_carry_their_prefix() -> None:
    """Each kind of table has the prefix of its namespace, and a projection is named as its first table."""
    assert agents_table("notes", Key("a")).full_name == "agents_notes"
    assert module_table("engagement", "daily", Key("a")).full_name == "modules_engagement_daily"
    assert foundup_table("acme", "orders", Key("a")).full_name == "foundups_acme_orders"
    assert Notes.name == "agents_tested_notes"


@pytest.mark.parametrize("name", ["Notes", "a b", 'x"; DROP', "shadow", "x_shadow", "", "a" * 60, "é"])
def test_a_name_outside_the_grammar_is_refused(name: str) -> None:
    """Table and column names that are not plain names are `InvalidName`, before there is any SQL."""
    with pytest.raises(InvalidName):
        agents_table(name, Key("a"))
    with pytest.raises(InvalidName):
        agents_table("fine", Key("a"), Text(name))


def test_a_table_without_a_key_is_refused() -> None:
    """A table has a key, no column twice, no key of a kind without one form, and indexes over its own columns."""
    with pytest.raises(TypeError, match="at least one Key"):
        agents_table("fine", Text("a"))
    with pytest.raises(TypeError, match="two columns have one name"):
        agents_table("fine", Key("a"), Text("a"))
    with pytest.raises(TypeError, match="can't be of kind real"):
        agents_table("fine", Key("a", of=Real))
    with pytest.raises(TypeError, match="an index over"):
        agents_table("fine", Key("a"), indexes=[("b",)])


def test_a_float_is_not_added() -> None:
    """`.add` refuses a float and says why, and a column that can't be added to."""
    with pytest.raises(TypeError, match="sums of floats depend on how events are batched"):
        _rows().at(key="a").add(times=0.1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="needs an Integer or Exact column, this is real"):
        _rows().at(key="a").add(share=1)
    with pytest.raises(TypeError, match="needs a Json column"):
        _rows().at(key="a").append(said="x")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: rows.at(kye="a"), "the key is"),
        (lambda rows: rows.at(key="a", times=1), "the key is"),
        (lambda rows: rows.at(key=None), "in the key"),
        (lambda rows: rows.at(key=7), "a text was expected, found int"),
        (lambda rows: rows.at(key="é" * 1_301), "at most 2,600 bytes"),
        (lambda rows: rows.at(key="a").set(siad="x"), "has no column siad, it has key, said"),
        (lambda rows: rows.at(key="a").set(key="b"), "is a column of the key"),
        (
            lambda rows: rows.at(key="a").set(times="x"),
            r"_rows\.times: an integer was expected, found str",
        ),
        (lambda rows: rows.upsert(said="x"), "the key is"),
        (lambda rows: rows.delete(), "the key is"),
        (lambda rows: rows[agents_table("other", Key("a"))], "the projector has the tables"),
    ],
)
def test_a_mistake_in_a_handler_is_told(change: Any, said: str) -> None:
    """A wrong column, key or value in a handler is an error that names the table and what was expected."""
    with pytest.raises((TypeError, ValueError), match=said):
        change(_rows())


def test_a_projector_declares_its_version() -> None:
    """A projector without a version, or with one below 1, is refused when its class is made."""
    with pytest.raises(TypeError, match="declares its version"):

        class Unversioned(Projector):
            table = TABLE

            @handles(ErrorLearned)
            def learned(self, fact: Recorded[ErrorLearned], rows: Rows) -> None: ...

    with pytest.raises(TypeError, match="1 or more, found 0"):

        class Zero(Projector, version=0):
            table = TABLE

            @handles(ErrorLearned)
            def learned(self, fact: Recorded[ErrorLearned], rows: Rows) -> None: ...


def test_handles_takes_event_classes() -> None:
    """`@handles` refuses what is no event class, and a keyed fold that names no events or no such key."""
    with pytest.raises(TypeError, match="names event classes"):
        handles()
    with pytest.raises(TypeError, match="names event classes"):
        handles("error.learned")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="names its events"):

        class Eventless(Projector, version=1):
            table = TABLE

            @folds(key="key", value=Balance)
            def follow(self, before: Balance | None, fact: Recorded[Any]) -> Balance | None: ...

    with pytest.raises(TypeError, match="needs as many fields"):

        class Keyless(Projector, version=1):
            table = TABLE

            @folds(MemoryLearned, key=("key", "kind"), value=Balance)
            def follow(self, before: Balance | None, fact: Recorded[Any]) -> Balance | None: ...


def test_a_base_stands_for_its_events() -> None:
    """`@handles(Draft)` handles every kind of draft that is known."""

    class Drafts(Projector, version=1):
        table = TABLE

        @handles(Draft)
        def drafted(self, fact: Recorded[Any], rows: Rows) -> None: ...

    assert {"social_post.drafted", "comment.drafted", "message.drafted", "action.proposed"} <= Plan(Drafts).types


def test_the_fingerprint_is_of_columns_and_version() -> None:
    """Another version, column, kind, key or index is another fingerprint; the same declaration is the same."""

    def made(version: int, *columns: Any, indexes: Any = ()) -> str:
        class Made(Projector, version=version):
            table = agents_table("tested_made", *columns, indexes=indexes)

            @handles(ErrorLearned)
            def learned(self, fact: Recorded[ErrorLearned], rows: Rows) -> None: ...

        return Made.fingerprint()

    declared = made(1, Key("a"), Text("b"))
    assert made(1, Key("a"), Text("b")) == declared
    others = [
        made(2, Key("a"), Text("b")),
        made(1, Key("a"), Text("c")),
        made(1, Key("a"), Integer("b")),
        made(1, Key("a"), Key("b")),
        made(1, Key("a"), Text("b"), indexes=[("b",)]),
    ]
    assert len({declared, *others}) == 6


def test_a_table_has_one_writer() -> None:
    """Two projectors that write one table are refused together."""

    class Other(Projector, version=1):
        table = agents_table("tested_kinds", Key("kind"))

        @handles(ErrorLearned)
        def learned(self, fact: Recorded[ErrorLearned], rows: Rows) -> None: ...

    with pytest.raises(TypeError, match="agents_tested_kinds is written by"):
        plans([Notes, Other])


def test_a_module_gives_its_projectors() -> None:
    """An entry point names a class or a module, of which every concrete projector is taken, and nothing else."""
    import tests.fixtures.projectors as module

    assert projectors_of(module) == [Errors, Notes, Balances]
    assert projectors_of(Notes) == [Notes]
    with pytest.raises(TypeError, match="names modules and Projector classes"):
        projectors_of(7)
