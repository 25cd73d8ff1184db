"""The canonical bytes: made once, and never of a kind that one of the databases would change or refuse."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.errors import InvalidEvent
from capture.events.content import MAX_DEPTH, MAX_PAYLOAD, Prepared, decode, digest, encode, payload_bytes
from capture.events.decoding import decode_payload
from capture.events.event import Event
from capture.events.prepare import prepare
from capture.vocabulary import (
    CommentDrafted,
    LogRecorded,
    MemoryLearned,
    OutputSkipped,
    PatternLearned,
    SocialPostDrafted,
    ToolCalled,
)

TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=40)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=20,
)


def nested(levels: int) -> Any:
    """A value of so many lists within each other."""
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def holding(value: Any) -> list[Event]:
    """Events that hold a JSON value, each in another kind of field."""
    return [
        MemoryLearned(key="k", value=value, kind="fact"),
        PatternLearned(pattern_type="p", pattern={"a": value}),
        ToolCalled(tool="t", result=value),
        LogRecorded(level="info", message="m", fields={"a": value}),
        SocialPostDrafted(channel="x", identity="i", body="b", metadata={"a": value}),
    ]


def saying(text: str) -> list[Event]:
    """Events that say a text, each in another kind of field."""
    return [
        OutputSkipped(channel="x", reason=text),
        CommentDrafted(channel="x", identity="i", body=text),
        CommentDrafted(channel="x", identity="i", body="b", tone=f"a{text}"),
        SocialPostDrafted(channel="x", identity="i", body="b", risk_flags=("a", f"a{text}")),
        MemoryLearned(key=f"a{text}", value=1, kind="fact"),
        *holding(text),
        *holding({f"a{text}": 1}),
    ]


def test_the_bytes_are_the_documented_ones() -> None:
    """UTF-8, fields in declared order, object keys as given, no blanks, no escapes that JSON does not need."""
    event = MemoryLearned(key="Größe 🜁", value={"b": 1, "a": [1.0, True, None, 'q"\\\n\u2028']}, kind="fact")
    expected = (
        '{"key":"Größe 🜁","value":{"b":1,"a":[1.0,true,null,"q\\"\\\\\\n\u2028"]},'
        '"kind":"fact","confidence":null,"source":null}'
    )
    assert payload_bytes(event).decode() == expected


@given(JSON)
def test_any_json_comes_back_equal(value: Any) -> None:
    """A JSON value of any form is stored and read back as it was, numbers with their type."""
    for event in holding(value):
        stored = prepare(event, agent_id="a")
        again = decode_payload(stored.event_type, stored.schema_version, stored.payload)
        assert again == event
        assert payload_bytes(event) == stored.payload
        assert json.dumps(json.loads(stored.payload)) == json.dumps(event.model_dump(mode="json"))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_json_lacks_is_refused(number: float) -> None:
    """NaN and the infinities are refused wherever they stand: a serializer would silently write null."""
    for value in (number, [number], {"a": number}, {"a": [{"b": number}]}):
        for event in _made(value):
            with pytest.raises(InvalidEvent, match="NaN and infinities"):
                payload_bytes(event)


def test_a_number_that_no_validation_saw_is_refused() -> None:
    """A copy of an event is not validated by pydantic: its bytes are looked at all the same."""
    post = SocialPostDrafted(channel="x", identity="i", body="b")
    with pytest.raises(InvalidEvent, match="NaN and infinities"):
        payload_bytes(post.model_copy(update={"confidence": float("nan")}))
    with pytest.raises(InvalidEvent, match="NaN and infinities"):
        payload_bytes(post.model_copy(update={"confidence": float("-inf")}))


def test_the_words_for_such_numbers_are_text() -> None:
    """A text that says NaN or Infinity is an ordinary text."""
    for event in saying('NaN, Infinity, -Infinity, "NaN" \\" NaN'):
        assert payload_bytes(event)


def test_nul_is_refused() -> None:
    """U+0000 in any text, list or key is refused: PostgreSQL can't store it."""
    for event in saying("a\0b"):
        with pytest.raises(InvalidEvent, match="NUL"):
            payload_bytes(event)


def test_what_only_looks_like_nul_is_kept() -> None:
    """A backslash before u0000 is six ordinary characters."""
    for text in ("\\u0000", "\\\\u0000", 'a"\\u0000'):
        for event in saying(text):
            assert payload_bytes(event)


def test_a_lone_surrogate_is_refused() -> None:
    """Half of a surrogate pair is no character: it is refused when the event is made or when its bytes are."""
    for make in (saying, holding):
        with pytest.raises((InvalidEvent, ValueError)):
            for event in make("a\ud800b"):
                payload_bytes(event)


def test_a_payload_has_a_largest_size() -> None:
    """A payload of one byte more than 1 MiB is refused, one of exactly 1 MiB is not."""
    frame = len(payload_bytes(LogRecorded(level="info", message="")))
    assert len(payload_bytes(LogRecorded(level="info", message="a" * (MAX_PAYLOAD - frame)))) == MAX_PAYLOAD
    with pytest.raises(InvalidEvent, match="more than"):
        payload_bytes(LogRecorded(level="info", message="a" * (MAX_PAYLOAD - frame + 1)))
    with pytest.raises(InvalidEvent, match="more than"):
        payload_bytes(LogRecorded(level="info", message="ü" * (MAX_PAYLOAD // 2)))


def test_a_payload_has_a_deepest_level() -> None:
    """A value nested 65 levels deep is refused, one of 64 is not; brackets in a text are no levels."""
    assert payload_bytes(MemoryLearned(key="k", value=nested(MAX_DEPTH - 1), kind="fact"))
    with pytest.raises(InvalidEvent, match="64 levels"):
        payload_bytes(MemoryLearned(key="k", value=nested(MAX_DEPTH), kind="fact"))
    assert payload_bytes(MemoryLearned(key="k", value="[" * 1000, kind="fact"))
    assert payload_bytes(MemoryLearned(key="k", value=[[1]] * 1000, kind="fact"))


PREPARED = prepare(MemoryLearned(key="k", value=1, kind="fact"), agent_id="a", run_id="r", trace_id="t")


def test_an_event_is_encoded_and_read_back() -> None:
    """The journal's bytes give the same event, whatever is absent in it."""
    for event in (PREPARED, PREPARED._replace(run_id=None), PREPARED._replace(correlation_id="", causation_id="c")):
        assert decode(encode(event)) == event


@pytest.mark.parametrize("field", Prepared._fields)
def test_the_digest_covers_every_field(field: str) -> None:
    """Another value in any field is another digest, and so is text that moves from one field to the next."""
    value = getattr(PREPARED, field)
    other = value + b" " if isinstance(value, bytes) else 2 if isinstance(value, int) else f"{value or ''}x"
    assert digest(PREPARED._replace(**{field: other})) != digest(PREPARED)
    moved = PREPARED._replace(stream_id="s", agent_id="ab"), PREPARED._replace(stream_id="sa", agent_id="b")
    assert digest(moved[0]) != digest(moved[1])
    assert digest(PREPARED._replace(run_id=None)) != digest(PREPARED._replace(run_id=""))


@given(st.binary(max_size=200))
def test_no_bytes_are_mistaken_for_an_event(data: bytes) -> None:
    """Bytes that are no encoded event are refused with a ValueError, and with nothing else."""
    try:
        event = decode(data)
    except ValueError:
        return
    assert encode(event) == data


def test_a_cut_event_is_no_event() -> None:
    """An encoded event without its last byte, or with one more, is refused."""
    data = encode(PREPARED)
    for wrong in (data[:-1], data + b"x", data[1:], b""):
        with pytest.raises(ValueError, match=r"lengths|missing|negative"):
            decode(wrong)


def _made(value: Any) -> list[Event]:
    return [event.model_copy(update={name: value}) for event, name in ((_REMEMBERED, "value"), (_CALLED, "result"))]


_REMEMBERED = MemoryLearned(key="k", value=1, kind="fact")
_CALLED = ToolCalled(tool="t")


@given(st.text(max_size=40), st.text(max_size=30), st.text(max_size=5) | st.none())
def test_what_is_kept_of_one_event_changes_no_other(event_id: str, at: str, run_id: str | None) -> None:
    """The encoding of an event is the same whether or not one of the same agent and run was encoded before."""
    usual = prepare(MemoryLearned(key="k", value="v", kind="fact"), agent_id="añe", run_id="r")
    encode(usual)
    for event in (
        usual._replace(event_id=event_id, occurred_at=at, run_id=run_id),
        usual._replace(event_id=usual.event_id[:-1] + "é", occurred_at=at, run_id=run_id),
        usual._replace(agent_id="a", stream_id="agent-a", run_id=run_id, payload=at.encode()),
    ):
        assert decode(encode(event)) == event
        assert decode(encode(event)) == event
