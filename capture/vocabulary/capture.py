"""What the writer itself records."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, Field

from capture.events.event import Event


class CaptureGapped(Event, type="capture.gapped", version=1):
    """Events had to be dropped: a gap is itself an event. Written by the writer alone."""

    count: Annotated[int, Field(ge=1)]
    types: dict[str, int]
    first: AwareDatetime
    last: AwareDatetime
