"""The tables of the pages are drawn from the code: every event, every state and refusal of an output, every table."""

from __future__ import annotations

from collections.abc import Iterable

from capture.database.tables import metadata
from capture.events import registry
from projections.registry import installed
from review.evolution import OPEN_TO_ITS_AGENT
from review.output import State
from review.refusals import EXIT_CODES
from review.states import MOVES, Guard, Move
from tests.documentation.checkout import blocks, read, table

PAGE = "ARCHITECTURE.md"

REVIEW = "docs/review.md"


def _events() -> list[str]:
    return [
        f"| `{name}` | `{event.__name__}` | `{event.__module__.replace('.', '/')}.py` |"
        for name, event in registry.known().items()
        if event.__module__.startswith("capture.vocabulary.")  # other tests declare events of their own
    ]


def _moves() -> list[str]:
    """A line for each command and move: from which states, to which, who may, and what must hold."""
    lines: dict[tuple[type, Move], list[State]] = {}
    for (state, command), move in MOVES.items():
        lines.setdefault((command, move), []).append(state)
    rows = []
    for (command, move), states in lines.items():
        guards = ", ".join(_spoken(guard) for guard in move.guards) or "always"
        rows.append(f"| `{command.__name__}` | {_names(states)} | {_names(move.to)} | {move.who} | {guards} |")
    return rows


def _guards() -> list[str]:
    """A line for each guard: its name, and the sentence that must hold."""
    guards = {guard: None for move in MOVES.values() for guard in move.guards}
    return [f"| {_spoken(guard)} | {(guard.__doc__ or '').strip()} |" for guard in guards]


def _spoken(guard: Guard) -> str:
    return guard.__name__.replace("_", " ")


def _agents_moves() -> list[str]:
    """What an output's own agent does by its events."""
    states = _names(state for state in State if state in OPEN_TO_ITS_AGENT)
    return [
        "| `output.revised` | " + states + " | pending | its agent | always |",
        "| `output.withdrawn` | " + states + " | withdrawn | its agent | always |",
    ]


def _names(states: Iterable[State]) -> str:
    return ", ".join(state.value for state in states)


def _diagram() -> str:
    arrows: dict[tuple[State, State], list[str]] = {}
    for (state, command), move in MOVES.items():
        for to in move.to:
            if to is not state:
                arrows.setdefault((state, to), []).append(command.__name__)
    lines = [f"    {source} --> {to}: {', '.join(names)}" for (source, to), names in arrows.items()]
    return "\n".join(["stateDiagram-v2", "    [*] --> pending: a draft", *lines]) + "\n"


def test_each_event_stands_in_the_table() -> None:
    """The table of events names exactly the types that the code knows, each with its class and its file."""
    assert "\n".join(_events()) in read(PAGE), "\n" + "\n".join(_events())
    assert len(table(PAGE, "## Events")) == len(_events())


def test_each_move_stands_in_the_table() -> None:
    """The table of moves says what the state machine's table says, guard for guard."""
    rows = [*_agents_moves(), *_moves()]
    assert "\n".join(rows) in read(REVIEW), "\n" + "\n".join(rows)
    assert len(table(REVIEW, "## The states of an output")) == len(rows)


def test_each_guard_stands_in_its_table() -> None:
    """The table of guards says of each what must hold, in the words of the code."""
    assert "\n".join(_guards()) in read(REVIEW), "\n" + "\n".join(_guards())


def test_the_diagram_is_drawn_from_the_moves() -> None:
    """The diagram has an arrow where the state machine has a move, and nowhere else."""
    (diagram,) = [block.text for block in blocks(REVIEW) if block.language == "mermaid"]
    assert diagram == _diagram(), "\n" + _diagram()


def test_each_refusal_stands_in_its_table() -> None:
    """The table of refusals has each code with its exit code, and no other."""
    rows = {row[0].strip("`"): int(row[1]) for row in table(REVIEW, "## Refusals")}
    assert rows == dict(EXIT_CODES)


def test_each_table_has_its_line() -> None:
    """The table of tables names exactly the tables that the migrations and the projectors make."""
    made = set(metadata.tables) | {"agents_schema_version"}
    made |= {each.full_name for plan in installed() for each in plan.tables}
    assert {row[0].strip("`") for row in table(PAGE, "## Tables")} == made
