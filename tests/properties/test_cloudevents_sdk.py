"""The official SDK of CloudEvents as an oracle: it reads what copydesk exports, and what it writes copydesk imports."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from capture import clock
from capture.events.cloudevents import read_line, read_trusted, source_of, to_line
from capture.events.content import Prepared, digest
from capture.events.prepare import prepare
from capture.events.recorded import Stored
from capture.identifiers import derived_id
from capture.vocabulary import CommentDrafted

SDK = JSONFormat()

# What both databases keep: no U+0000, no surrogates.
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
names = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30).filter(
    lambda name: name.isprintable() and name == name.strip()
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
times = st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30), timezones=zones)  # noqa: DTZ001 - `timezones` adds them
bodies = st.fixed_dictionaries(
    {
        "output_id": st.uuids().map(str),
        "channel": st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True),
        "identity": names,
        "body": texts,
    },
    optional={"metadata": st.dictionaries(texts, values, max_size=3), "confidence": st.floats(0, 1)},
)


@st.composite
def rows(draw: st.DrawFn) -> tuple[Prepared, Stored]:
    """An event and the row that the log makes of it."""
    prepared = prepare(
        CommentDrafted(**draw(bodies)),
        agent_id=draw(names),
        run_id=draw(st.none() | names),
        correlation_id=draw(st.none() | names.filter(lambda name: not name.startswith("externalid:"))),
        causation_id=draw(st.none() | names),
        trace_id=draw(st.none() | names),
        event_id=draw(st.uuids()),
        occurred_at=draw(times),
    )
    row = Stored(
        draw(st.integers(1, 2**31 - 1)),
        *prepared[:9],
        occurred_at=clock.from_text(prepared.occurred_at),
        recorded_at=draw(times).astimezone(UTC),
        payload=prepared.payload.decode(),
        digest=digest(prepared),
    )
    return prepared, row


@given(rows())
def test_the_sdk_reads_an_export_to_the_same_attributes_and_data(made: tuple[Prepared, Stored]) -> None:
    """Each attribute and the whole of the data are, for the SDK, what stands in the log; nothing is added."""
    _, row = made
    event = SDK.read(None, to_line(row))
    optional = {
        "runid": row.run_id,
        "correlationid": row.correlation_id,
        "causationid": row.causation_id,
        "traceid": row.trace_id,
    }
    assert event.get_attributes() == {
        "specversion": "1.0",
        "id": row.event_id,
        "source": source_of(row.agent_id),
        "type": "comment.drafted",
        "subject": row.stream_id,
        "time": row.occurred_at,
        "datacontenttype": "application/json",
        "schemaversion": 1,
        "recordedat": clock.to_text(row.recorded_at),
        "position": row.position,
        **{name: value for name, value in optional.items() if value is not None},
        **_external(row),
    }
    assert event.get_data() == json.loads(row.payload)


def _external(row: Stored) -> dict[str, str]:
    found = json.loads(row.payload)["metadata"].get("externalid")
    return {"externalid": found} if isinstance(found, str) else {}


@given(rows())
def test_an_export_that_went_through_the_sdk_is_the_same_event(made: tuple[Prepared, Stored]) -> None:
    """Read and written anew by the SDK, a line is still the same event with the same digest."""
    prepared, row = made
    through = SDK.write(SDK.read(None, to_line(row)))
    assert read_line(through) == prepared
    trusted = read_trusted(through)
    assert trusted._replace(payload="", digest=b"") == row._replace(payload="", digest=b"")


@given(
    body=bodies,
    identifier=st.uuids().map(str) | names,
    agent_id=names,
    time=times,
    # Names that are none of ours; the SDK writes these three kinds of attribute.
    extensions=st.dictionaries(
        st.from_regex(r"x[a-z0-9]{1,30}", fullmatch=True), names | st.booleans() | st.integers(), max_size=3
    ),
    content=st.sampled_from([None, "application/json", "application/vnd.acme+json; charset=utf-8", "text/json"]),
)
def test_what_the_sdk_writes_is_imported(
    body: dict[str, Any],
    identifier: str,
    agent_id: str,
    time: datetime,
    extensions: dict[str, Any],
    content: str | None,
) -> None:
    """An event that the SDK made comes in whole: id, agent, type, time, data, and its extensions in the metadata."""
    attributes = {
        "id": identifier,
        "source": source_of(agent_id),
        "type": "comment.drafted",
        "time": time,
        **extensions,
    }
    if content is not None:
        attributes["datacontenttype"] = content
    prepared = read_line(SDK.write(CloudEvent(attributes, body)))
    try:
        event_id, external = UUID(identifier), {}
        assert str(event_id) == identifier.lower()
    except (ValueError, AssertionError):
        event_id, external = derived_id(source_of(agent_id), identifier), {"externalid": identifier}
    assert prepared == prepare(
        CommentDrafted(**{**body, "metadata": {**body.get("metadata", {}), **extensions, **external}}),
        agent_id=agent_id,
        event_id=event_id,
        occurred_at=time,
    )
