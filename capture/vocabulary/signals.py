"""What an agent tells all others about its own availability."""

from __future__ import annotations

from capture.events.event import Event, Time
from capture.vocabulary.actions import Text
from capture.vocabulary.drafts import Line
from capture.vocabulary.tasks import Grade


class SignalBroadcast(Event, type="signal.broadcast", version=1):
    """An agent said how it can be worked with: its mode, its skills, how much it can take on and until when."""

    mode: Line
    skills_offered: tuple[Line, ...] = ()
    focus: Text | None = None
    capacity: float | None = None
    available_until: Time | None = None
    autonomy_level: Grade | None = None
