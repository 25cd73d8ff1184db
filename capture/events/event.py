"""`Event`: the base of every typed fact. A class declares its type, version and stream once, in its header."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, JsonValue

from capture import clock
from capture.events import registry

_TYPE = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")

JsonObject = dict[str, JsonValue]
"""A JSON object as Python values."""


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, UUID) else value


OutputId = Annotated[
    str, Field(min_length=1, max_length=200, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]*$"), BeforeValidator(_as_text)
]
"""What names an output: a UUIDv7 as `capture.new_id()` makes it, or any id of letters, digits and `._:-`."""


def _exact_time(value: object) -> object:
    if isinstance(value, str):
        clock.from_text(value)
    elif not isinstance(value, datetime):
        raise ValueError("a time with a zone was expected, as 2026-11-24T10:00:00Z")  # noqa: TRY004 - pydantic takes these
    return value


Time = Annotated[AwareDatetime, BeforeValidator(_exact_time)]
"""A time in a payload: aware, and as text in RFC 3339, to the microsecond at most. pydantic alone takes numbers, of
which nobody knows whether they are seconds, and cut off what is more precise."""


class Value(BaseModel):
    """A part of an event: frozen, without unknown fields, without numbers that JSON does not have."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, ser_json_inf_nan="constants")


class Event(Value):
    """A fact that an agent, a person or copydesk itself put out. Frozen; unknown fields are refused.

    A subclass names its type (`noun.past_participle`), its version and its stream in its header:

        class OutputRevised(Event, type="output.revised", version=1, stream="output_id"): ...

    `stream` names the field whose value makes the stream id: `output_id` makes `output-{output_id}`. Without it
    the event belongs to its agent's stream, `agent-{agent_id}`. A class without `type` is a base of others.
    """

    event_type: ClassVar[str] = ""
    schema_version: ClassVar[int] = 1
    stream_field: ClassVar[str | None] = None

    def __init_subclass__(cls, **header: Any) -> None:
        # pydantic hands the header on to both hooks; the fields are known only in the second.
        super().__init_subclass__()

    @classmethod
    def __pydantic_init_subclass__(
        cls,
        *,
        type: str | None = None,  # noqa: A002 - the word of the header, as in the documentation
        version: int = 1,
        stream: str | None = None,
        **_: Any,
    ) -> None:
        if stream is not None:
            if stream not in cls.model_fields:
                raise TypeError(f"{cls.__name__}: stream names a field of the event, there is no field {stream!r}")
            cls.stream_field = stream
        if type is None:
            cls.event_type = ""
            return
        if not _TYPE.fullmatch(type) or len(type) > 100:
            raise TypeError(f"{cls.__name__}: an event type is noun.past_participle in lower case, found {type!r}")
        if version < 1:
            raise TypeError(f"{cls.__name__}: an event's version is 1 or more, found {version}")
        cls.event_type = type
        cls.schema_version = version
        registry.register(cls)

    def stream_id(self, agent_id: str) -> str:
        """The stream that this event belongs to, when `agent_id` puts it out."""
        if self.stream_field is None:
            return f"agent-{agent_id}"
        noun = self.stream_field.removesuffix("_id")
        return f"{noun}-{getattr(self, self.stream_field)}"
