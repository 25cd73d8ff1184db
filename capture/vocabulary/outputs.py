"""What an agent says about its own outputs after the draft."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from capture.events.event import Event, JsonObject, OutputId
from capture.vocabulary.drafts import Body, Channel, Media

Note = Annotated[str, Field(max_length=4_000)]
"""A remark for people. In characters."""


class OutputRevised(Event, type="output.revised", version=1, stream="output_id"):
    """An agent replaced the content of an output that is still under review."""

    output_id: OutputId
    body: Body
    media: tuple[Media, ...] = ()
    arguments: JsonObject | None = None
    note: Note | None = None


class OutputWithdrawn(Event, type="output.withdrawn", version=1, stream="output_id"):
    """An agent took back an output that was not published yet."""

    output_id: OutputId
    reason: Note | None = None


class OutputSkipped(Event, type="output.skipped", version=1):
    """An agent chose silence where it could have answered."""

    channel: Channel
    reason: Note
