"""Whatever values an agent holds, a call that holds them can be stored."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from capture.events.prepare import prepare
from capture.sources.any_value import as_json
from capture.vocabulary import ToolCalled

TEXTS = st.text(st.characters(codec=None, categories=None), max_size=20)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.binary(max_size=20) | st.builds(object)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS | st.integers(), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_any_value_can_be_stored(value: object) -> None:
    """No value is refused: neither surrogate, NUL, NaN, bytes nor an object of any class."""
    called = ToolCalled(tool="t", result=as_json(value, 1_000))
    assert ToolCalled.model_validate_json(prepare(called, agent_id="a").payload) == called
