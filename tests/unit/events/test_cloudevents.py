"""CloudEvents lines: what a file may claim, and what it may not."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.errors import InvalidEvent, ReservedEventType
from capture.events.cloudevents import read_line, read_trusted, source_of, to_line
from capture.events.content import Prepared, digest, encode
from capture.events.prepare import prepare
from capture.events.recorded import Stored
from capture.identifiers import derived_id
from capture.vocabulary import CommentDrafted, MemoryLearned, SocialPostDrafted

CASES = json.loads(Path(__file__).parents[2].joinpath("hostile.json").read_text(encoding="utf-8"))
TIME = datetime(2026, 11, 24, 10, 0, 0, 123456, tzinfo=UTC)
EVENT_ID = UUID("01933a8e-7f5c-7c3a-9d54-0f6a3c1e2b90")


def bytes_of(case: dict[str, Any]) -> bytes:
    """The bytes of a line of hostile.json, its repetition bounded to what a test needs."""
    if case.get("encoding") == "hex":
        return bytes.fromhex(case["value"])
    repeat = min(int(case.get("repeat", 1)), 2_000_000)
    return (case.get("prefix", "") + case["value"] * repeat + case.get("suffix", "")).encode("utf-8", "surrogatepass")


def of_categories(*names: str) -> list[Any]:
    """The lines of hostile.json that belong to these categories, each under its id."""
    return [pytest.param(bytes_of(case), id=case["id"]) for case in CASES if case["category"] in names]


def line(**changes: Any) -> bytes:
    """A good line with some attributes changed, or left out where the change is None."""
    attributes = {
        "specversion": "1.0",
        "id": str(EVENT_ID),
        "source": "/agents/scribe",
        "type": "memory.learned",
        "time": "2026-11-24T10:00:00.123456Z",
        "data": {"key": "k", "value": 1, "kind": "fact"},
    }
    attributes.update(changes)
    return json.dumps({name: value for name, value in attributes.items() if value is not None}).encode()


def stored(prepared: Prepared, position: int = 1, **changes: Any) -> Stored:
    """The row that the log would make of a prepared event."""
    row = Stored(
        position,
        *prepared[:9],
        occurred_at=datetime.fromisoformat(prepared.occurred_at),
        recorded_at=TIME,
        payload=prepared.payload.decode(),
        digest=digest(prepared),
    )
    return row._replace(**changes)


@pytest.mark.parametrize(
    "raw",
    of_categories("json-number", "json-structure", "json-large", "cloudevents", "time", "surrogate", "nul", "bad-utf8"),
)
def test_a_hostile_line_is_refused_with_one_sentence(raw: bytes) -> None:
    """Whatever stands in a line, the answer is InvalidEvent with a message of one line: never another exception."""
    for part in raw.split(b"\n"):
        with pytest.raises(InvalidEvent) as refused:
            read_line(part)
        assert refused.value.message.isprintable()
        assert len(refused.value.message) < 700


@pytest.mark.parametrize("raw", of_categories("json-number"))
def test_a_number_is_kept_exactly_or_refused(raw: bytes) -> None:
    """A number inside a payload comes out as the number that came in, digit for digit, or the line is refused."""
    number = raw[len(b'{"n":') : -1]
    source = line(data={"key": "k", "value": "HERE", "kind": "fact"}).replace(b'"HERE"', number)
    exact = number in (b"9007199254740993", b"1.0")
    if exact:
        assert b'"value":' + number in read_line(source).payload
    else:
        with pytest.raises(InvalidEvent, match=r"number"):
            read_line(source)


def test_a_number_that_a_field_would_round_is_refused() -> None:
    """A whole number that a field of real numbers can't hold is refused, not rounded."""
    data = {"task_id": "t", "priority": 9007199254740993}
    with pytest.raises(InvalidEvent, match=r"task.discovered.priority: .* 9007199254740993 would become"):
        read_line(line(type="task.discovered", data=data))


@pytest.mark.parametrize("raw", of_categories("surrogate", "nul"))
def test_text_that_a_database_would_not_keep_is_refused(raw: bytes) -> None:
    """NUL characters and lone surrogates are refused here, so that both backends give one answer."""
    text = raw.decode("utf-8", "surrogatepass")
    source = line(data={"key": "k", "value": text, "kind": "fact"})
    if text.startswith("\\u0000 as text"):
        assert json.loads(read_line(source).payload)["value"] == text
    else:
        with pytest.raises(InvalidEvent, match=r"surrogate|NUL"):
            read_line(source)


@pytest.mark.parametrize("raw", of_categories("time"))
def test_a_time_is_exact_or_refused(raw: bytes) -> None:
    """A time without a zone, with more digits than a microsecond has, or that no calendar knows, is refused."""
    text = raw.decode()
    if text.startswith("9999-12-31"):
        assert read_line(line(time=text)).occurred_at == "9999-12-31T09:59:59.999999Z"
    else:
        with pytest.raises(InvalidEvent, match=r"^time: "):
            read_line(line(time=text))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"time": None}, "time is missing"),
        ({"time": 5}, "time is a text"),
        ({"type": "no.such_event"}, "a known event type was expected, found 'no.such_event'"),
        ({"type": "Review.Approved "}, "a known event type was expected"),
        ({"source": "/agents/../desk"}, "source is /agents/"),
        ({"source": "/agents/.."}, "source is /agents/"),
        ({"source": "https://example.org"}, "source is /agents/"),
        ({"source": "/agents/a%00b"}, "printable"),
        ({"source": "/agents/%ff"}, "percent-encoded UTF-8"),
        ({"id": ""}, "id is a text"),
        ({"id": "a" * 201}, "id is a text"),
        ({"specversion": "0.3"}, "specversion 1.0 was expected, found '0.3'"),
        ({"data": None}, "data is a JSON object, found nothing"),
        ({"data": [1]}, "data is a JSON object"),
        ({"data": {"key": "k", "kind": "fact"}}, "value: field required"),
        ({"data": {"key": "k", "value": 1, "kind": "fact", "extra": 1}}, "extra: extra inputs are not permitted"),
        ({"datacontenttype": "text/html"}, "datacontenttype is application/json"),
        ({"subject": "output-1"}, "subject is the event's stream, agent-scribe"),
        ({"schemaversion": 2}, "version 2 is newer than this code"),
        ({"schemaversion": 0}, "schemaversion is a whole number"),
        ({"traceparent": "00"}, "memory.learned has no metadata to keep the attribute traceparent in"),
        ({"Upper": 1}, "an attribute's name"),
        ({"id": "order-1", "correlationid": "c"}, "no metadata to keep the attribute externalid in"),
    ],
)
def test_a_wrong_line_says_what_was_expected_and_found(changes: dict[str, Any], message: str) -> None:
    """Each way in which a line can be wrong has its own sentence."""
    with pytest.raises(InvalidEvent) as refused:
        read_line(line(**changes))
    assert message in refused.value.message


@pytest.mark.parametrize(
    "event_type", ["review.approved", "publication.confirmed", "capture.gapped", "review.nonsense"]
)
def test_a_file_can_not_approve_itself(event_type: str) -> None:
    """Events that copydesk alone writes are refused by name, whether they exist or not."""
    with pytest.raises(ReservedEventType):
        read_line(line(type=event_type))
    with pytest.raises(ReservedEventType):
        read_line(line(type="HERE").replace(b"HERE", event_type.replace(".", "\\u002e").encode()))


def test_nesting_and_size_are_bounded_in_linear_time() -> None:
    """A deep, a long and an unterminated line are refused at once, without a RecursionError."""
    for raw in (
        b'{"data":' + b"[" * 1_000_000,
        b'{"data":' + b'{"a":' * 100_000,
        b'"' + b'\\"' * 1_000_000,
        b'{"n":' + b"9" * 1_000_000 + b"}",
        line(data={"key": "k", "value": "x" * 1_100_000, "kind": "fact"}),
    ):
        with pytest.raises(InvalidEvent):
            read_line(raw)


def test_what_another_log_gave_out_is_left_out() -> None:
    """Position and recorded time of a line are claims about another log: the event gets its own."""
    prepared = read_line(line(position=7, recordedat="2020-01-01T00:00:00Z"))
    assert prepared == read_line(line())
    assert prepared.occurred_at == "2026-11-24T10:00:00.123456Z"


def test_a_foreign_id_becomes_a_uuid_and_is_kept() -> None:
    """An id that is no UUID becomes one derived from source and id, and is kept as externalid: always the same."""
    draft = {"output_id": "o1", "channel": "x", "identity": "me", "body": "hello", "metadata": {"a": 1}}
    first, again = (read_line(line(id="order-1", type="comment.drafted", data=draft)) for _ in range(2))
    other = read_line(line(id="order-1", source="/agents/other", type="comment.drafted", data=draft))
    assert first == again
    assert first.event_id == str(derived_id("/agents/scribe", "order-1")) != other.event_id
    assert UUID(first.event_id).version == 5
    assert json.loads(first.payload)["metadata"] == {"a": 1, "externalid": "order-1"}
    assert json.loads(to_line(stored(first)))["externalid"] == "order-1"
    bare = read_line(line(id="order-1"))
    assert bare.correlation_id == "externalid:order-1"
    assert json.loads(to_line(stored(bare)))["externalid"] == "order-1"
    assert read_line(to_line(stored(bare)).encode()) == bare
    assert read_line(to_line(stored(first)).encode()) == first


def test_a_draft_without_an_output_id_is_the_same_draft_when_it_is_read_again() -> None:
    """A line that leaves the output id out gets the event's own: reading a file twice makes no second draft."""
    raw = line(type="comment.drafted", data={"channel": "x", "identity": "me", "body": "hello"})
    assert read_line(raw) == read_line(raw)
    assert read_line(raw).stream_id == f"output-{EVENT_ID}"


def test_an_unknown_attribute_is_kept_in_the_metadata() -> None:
    """What the log has no column for goes where the processor puts it, too; a contradiction is refused."""
    draft = {"channel": "x", "identity": "me", "body": "hello"}
    kept = read_line(line(type="comment.drafted", data=draft, traceparent="00-a-b-01"))
    assert json.loads(kept.payload)["metadata"] == {"traceparent": "00-a-b-01"}
    with pytest.raises(InvalidEvent, match=r"traceparent differs from metadata.traceparent"):
        read_line(line(type="comment.drafted", data={**draft, "metadata": {"traceparent": 1}}, traceparent="2"))


names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30).filter(
    lambda n: n.isprintable() and n == n.strip()
)
bodies = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=50)


@given(names, bodies, st.none() | names, st.none() | names)
def test_an_export_read_as_trusted_is_the_same_row(
    agent_id: str, body: str, run_id: str | None, trace_id: str | None
) -> None:
    """A line of an export gives back the whole row, its payload byte for byte and its digest."""
    draft = SocialPostDrafted(output_id="o1", channel="x", identity="me", body=body, metadata={"n": 1.0, "k": body})
    prepared = prepare(draft, agent_id=agent_id, run_id=run_id, trace_id=trace_id, occurred_at=TIME)
    row = stored(prepared, position=7)
    assert read_trusted(to_line(row).encode()) == row
    assert encode(read_line(to_line(row).encode())) == encode(prepared)


def test_a_payload_is_copied_and_not_written_anew() -> None:
    """Blanks, order, escapes and numbers of a stored payload pass an export and a trusted import as they are."""
    payload = '{"value": 1e2, "key":"\\u00e9",  "b":[1.0, -0]}'.replace("-0", "-0.0")
    prepared = prepare(MemoryLearned(key="k", value=1, kind="fact"), agent_id="a", occurred_at=TIME)._replace(
        payload=payload.encode()
    )
    text = to_line(stored(prepared, event_type="unknown.happened"))
    assert text.endswith(f'"data":{payload}}}')
    assert read_trusted(text.encode()).payload == payload


@pytest.mark.parametrize(
    "change",
    [{"position": None}, {"recordedat": None}, {"subject": None}, {"schemaversion": None}, {"id": "x"}, {"y": 1}],
)
def test_a_trusted_line_says_everything(change: dict[str, Any]) -> None:
    """A trusted line that lacks what the log needs, or has what it can't keep, is refused."""
    prepared = prepare(CommentDrafted(channel="x", identity="i", body="b"), agent_id="a", occurred_at=TIME)
    attributes = json.loads(to_line(stored(prepared)))
    attributes.update(change)
    with pytest.raises(InvalidEvent):
        read_trusted(json.dumps({name: value for name, value in attributes.items() if value is not None}).encode())


@pytest.mark.parametrize("agent_id", ["a/b", "..", ".", "50%", "ä ö", "a?b#c", "team:x@y"])
def test_any_agent_has_a_source_of_its_own(agent_id: str) -> None:
    """An agent's id survives being a part of a URI, whatever stands in it."""
    assert read_line(line(source=source_of(agent_id))).agent_id == agent_id
