"""Upcasters run on every path by which a projector gets its events."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from capture import DatabaseManager, Event, EventLog, Prepared, Recorded, prepare, upcasts
from capture.events.event import JsonObject
from projections import (
    Integer,
    Key,
    ProjectionRunner,
    Projector,
    Rows,
    agents_table,
    as_of,
    dead_letters_of,
    diff,
    handles,
    replay,
    verify,
)
from projections.testing import fold
from tests.fixtures.projectors import rows_of


class CargoWeighed(Event, type="cargo.weighed", version=3):
    """Version 1 had pounds, version 2 kilograms as text."""

    cargo: str
    grams: int


@upcasts("cargo.weighed", from_version=1)
def _pounds_became_kilograms(old: JsonObject) -> JsonObject:
    return {"cargo": old["cargo"], "kilograms": str(int(str(old["pounds"])) // 2)}


@upcasts("cargo.weighed", from_version=2)
def _kilograms_became_grams(old: JsonObject) -> JsonObject:
    return {"cargo": old["cargo"], "grams": int(str(old["kilograms"])) * 1_000}


class Cargo(Projector, version=1):
    """What the newest version says."""

    table = agents_table("tested_cargo", Key("cargo"), Integer("grams"))

    @handles(CargoWeighed)
    def weighed(self, fact: Recorded[CargoWeighed], rows: Rows) -> None:
        rows.at(cargo=fact.payload.cargo).add(grams=fact.payload.grams)


def _by_runner(manager: DatabaseManager) -> object:
    ProjectionRunner(manager, [Cargo]).run_once()
    return rows_of(manager, Cargo.tables[0])["tea",]["grams"]


def _by_replay(manager: DatabaseManager) -> object:
    replay(manager, "all", projectors=[Cargo])
    return rows_of(manager, Cargo.tables[0])["tea",]["grams"]


def _by_diff(manager: DatabaseManager) -> object:
    ProjectionRunner(manager, [Cargo]).run_once()
    manager.execute_write("DELETE FROM agents_tested_cargo")
    (found,) = diff(manager, projectors=[Cargo])
    assert found.sample[0].after is not None
    return found.sample[0].after["grams"]


def _by_verify(manager: DatabaseManager) -> object:
    ProjectionRunner(manager, [Cargo]).run_once()
    manager.execute_write("UPDATE agents_tested_cargo SET grams = 6000")
    return 6_000 if verify(manager, projectors=[Cargo])[0].ok else "another sum"


def _by_as_of(manager: DatabaseManager) -> object:
    return as_of(manager, "agents_tested_cargo", 3, projectors=[Cargo]).rows["agents_tested_cargo"][0]["grams"]


def _by_the_test_kit(manager: DatabaseManager) -> object:
    return fold(Cargo, EventLog(manager).read_stored())[0]["grams"]


@pytest.mark.parametrize(
    "path", [_by_runner, _by_replay, _by_diff, _by_verify, _by_as_of, _by_the_test_kit], ids=lambda path: path.__name__
)
def test_upcasters_run_on_every_path(manager: DatabaseManager, path: Callable[[DatabaseManager], object]) -> None:
    """Events of every stored version reach the projector in the newest one, whichever path asks for them."""
    newest = prepare(CargoWeighed(cargo="tea", grams=3_000), agent_id="a")
    EventLog(manager).append_prepared(
        [
            _of_version(1, b'{"cargo":"tea","pounds":2}'),
            _of_version(2, b'{"cargo":"tea","kilograms":"2"}'),
            newest,
        ]
    )
    assert path(manager) == 6_000


def _of_version(version: int, payload: bytes) -> Prepared:
    ready = prepare(CargoWeighed(cargo="tea", grams=1), agent_id="a")
    return ready._replace(schema_version=version, payload=payload)


def test_a_gap_among_the_upcasters_is_a_dead_letter(manager: DatabaseManager) -> None:
    """An event that no upcaster brings up to date stops nobody; its letter names the missing step."""
    EventLog(manager).append_prepared([_of_version(9, b'{"cargo":"tea"}'), _of_version(2, b'{"cargo":"tea"}')])
    ProjectionRunner(manager, [Cargo]).run_once()
    assert ["newer than this code" in one.error or "KeyError" in one.error for one in dead_letters_of(manager)] == [
        True,
        True,
    ]
