"""`CaptureProcessor`: log lines whose event name is a registered type become events. Goes before the renderer."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from pydantic import ValidationError

from capture import clock
from capture.errors import InvalidEvent, ReservedEventType
from capture.events import registry
from capture.events.decoding import explain
from capture.events.event import Event
from capture.events.prepare import check_id, prepare
from capture.identifiers import new_id_text
from capture.sources.quick import Quick, quick_way
from capture.writer import emit
from capture.writer.identity import IDS, UNNAMED, as_id, bound_context, bound_ids
from capture.writer.quarantine import as_json, as_line, json_ready, quarantined

OWN_KEYS = frozenset(
    {
        *("event", "level", "log_level", "level_number", "timestamp", "logger", "logger_name", "positional_args"),
        *("exc_info", "exception", "stack_info", "stack", "_record", "_from_structlog", "_logger", "_name"),
        # structlog.processors.CallsiteParameter
        *("pathname", "filename", "module", "qual_module", "func_name", "qual_name", "lineno"),
        *("thread", "thread_name", "process", "process_name"),
    }
)
"""The keys that structlog's own processors add: no part of an event, unless its class declares a field of that name."""

EventDict = TypeVar("EventDict", bound=Mapping[str, Any])

_NO_IDS: dict[str, Any] = {}
_OTHER_LINE = "log.recorded"
_SHORT = 500
_log = logging.getLogger("copydesk.sources")


class _Plan(NamedTuple):
    """How the keys of a line are sorted for one class."""

    fields: frozenset[str]
    ids_among_fields: tuple[str, ...]
    known: frozenset[str]


class CaptureProcessor:
    """Captures log lines as events and passes every line on unchanged.

    Taken are the fields that the event's class declares. `agent_id`, `run_id`, `correlation_id`, `causation_id` and
    `trace_id` come from the line or its bound context. structlog's own keys and other context variables are left out;
    any other key goes to `metadata` where the class has it. A line that makes no valid event goes to quarantine.

    Args:
        strict: Raise what is wrong with a line instead of putting it into quarantine: for tests.
        other_lines: Capture every other line too, as `log.recorded`.
    """

    def __init__(self, strict: bool = False, other_lines: bool = False) -> None:
        self._strict = strict
        self._other_lines = other_lines
        self._plans: dict[type[Event], _Plan] = {}
        self._quick: dict[str, tuple[type[Event], Quick]] = {}

    def __call__(self, logger: Any, method_name: str, event_dict: EventDict) -> EventDict:
        """Capture one line.

        Args:
            logger: The wrapped logger.
            method_name: The name of the method that was called, as `info`.
            event_dict: The line; never changed.

        Raises:
            InvalidEvent: With `strict`: the line names an event type and makes no valid event.
            ReservedEventType: With `strict`: only copydesk itself writes this type.
            JournalFull: With `strict`: there was no room in the journal in time.
        """
        try:
            name = event_dict.get("event")
            event_class = registry.find(name) if type(name) is str and "." in name else None
            if event_class is not None:
                quick = self._quick.get(event_class.event_type)
                if quick is None or quick[0] is not event_class or not quick[1](event_dict):
                    self._capture(event_class, event_dict)
            elif self._other_lines:
                self._capture_other(logger, method_name, event_dict)
        except Exception as error:
            if self._strict:
                raise
            self._refuse(event_dict, error)
        return event_dict

    def _capture(self, event_class: type[Event], line: Mapping[str, Any]) -> None:
        plan = self._plans.get(event_class) or self._make_plan(event_class)
        fields = {key: value for key, value in line.items() if key in plan.fields}
        for name in plan.ids_among_fields:
            # `output_id=capture.new_id()`: the log's ids are texts.
            if fields.get(name).__class__ is UUID:
                fields[name] = str(fields[name])
        ids = _NO_IDS
        if not plan.known.issuperset(line):
            ids = _place(event_class, {key: line[key] for key in line if key not in plan.known}, fields)
        self._submit(self._event(event_class, fields), ids)

    def _make_plan(self, event_class: type[Event]) -> _Plan:
        if registry.is_reserved(event_class.event_type):
            raise ReservedEventType(
                f"{event_class.event_type} is written by copydesk alone",
                hint="decide through `copydesk review`, or log a type of your own",
            )
        fields = frozenset(event_class.model_fields)
        ids = tuple(name for name in event_class.model_fields if name.endswith("_id") or name == "supersedes")
        plan = self._plans[event_class] = _Plan(fields, ids, fields | OWN_KEYS)
        quick = None if self._strict else quick_way(event_class, plan.known, ids)
        if quick is not None:
            self._quick[event_class.event_type] = event_class, quick
        return plan

    @staticmethod
    def _event(event_class: type[Event], fields: dict[str, Any]) -> Event:
        validate = event_class.__pydantic_validator__.validate_python
        try:
            return validate(fields)  # type: ignore[no-any-return]
        except ValidationError as error:
            clean = emit.capture.redaction.value(fields)
            if clean is fields:
                raise InvalidEvent(explain(event_class.event_type, error)) from None
        # The message of the error shows what was found: it must not show a secret.
        try:
            return validate(clean)  # type: ignore[no-any-return]
        except ValidationError as error:
            raise InvalidEvent(explain(event_class.event_type, error)) from None

    def _submit(self, event: Event, ids: Mapping[str, Any]) -> None:
        capture, bound = emit.capture, bound_ids()
        identity = capture.identity
        ids = {**bound, **ids} if bound else ids
        event = capture.redaction.event(event)
        if ids:
            prepared = prepare(
                event,
                agent_id=ids.get("agent_id") or identity.agent(),
                run_id=ids.get("run_id") or identity.run_id,
                correlation_id=ids.get("correlation_id") or identity.correlation_id,
                causation_id=ids.get("causation_id"),
                trace_id=ids.get("trace_id"),
            )
        else:
            prepared = prepare(
                event,
                agent_id=identity.agent_id or identity.agent(),
                run_id=identity.run_id,
                correlation_id=identity.correlation_id,
            )
        taker = capture.taker or capture.take()
        if self._strict:
            taker.submit(prepared)
        else:
            taker.submit_or_drop(prepared)

    def _capture_other(self, logger: Any, method_name: str, line: Mapping[str, Any]) -> None:
        record = line.get("_record")
        name = line.get("logger") or getattr(record, "name", None) or getattr(logger, "name", None)
        if isinstance(name, str) and name.split(".")[0] == "copydesk":
            return  # what the writer says about a full journal must not fill it
        event_class = registry.find(_OTHER_LINE)
        if event_class is None:
            return
        bound = bound_context()
        others = {
            str(key): json_ready(value)
            for key, value in line.items()
            if key not in OWN_KEYS and key not in IDS and (key not in bound or bound[key] is not value)
        }
        fields = {
            "level": str(line.get("level") or method_name)[:_SHORT],
            "logger": str(name)[:_SHORT] if name else None,
            "message": str(line.get("event")),
            "fields": others,
        }
        ids = {key: as_id(line[key]) for key in IDS if line.get(key) is not None}
        self._submit(self._event(event_class, fields), ids)

    def _refuse(self, line: Mapping[str, Any], error: Exception) -> None:
        """Put a line into quarantine. Whatever the line is made of, the agent's code sees nothing of it."""
        try:
            agent_id = self._agent_of(line)
            data = {str(key): value for key, value in line.items() if key not in OWN_KEYS and key not in IDS}
            name = str(line.get("event"))[:_SHORT]
            raw = as_line(
                as_json(emit.capture.redaction.value(data)),
                agent_id=agent_id,
                id=new_id_text(),
                type=name,
                time=clock.now_text(),
            )
            reason = str(error) if isinstance(error, InvalidEvent) else f"{type(error).__name__}: {error}"
            emit.capture.take().submit_quarantine(
                quarantined(raw, reason, source="processor", agent_id=agent_id, event_type=name)
            )
        except Exception as second:  # noqa: BLE001 - see above: any object can stand in a log line
            _log.error("a log line was neither captured (%s) nor put into quarantine (%s)", error, second)

    @staticmethod
    def _agent_of(line: Mapping[str, Any]) -> str:
        agent_id = as_id(line.get("agent_id") or bound_context().get("agent_id") or emit.capture.identity.agent())
        try:
            check_id("agent_id", agent_id)
        except InvalidEvent:
            return UNNAMED
        return str(agent_id)


def _place(event_class: type[Event], others: dict[str, Any], fields: dict[str, Any]) -> dict[str, Any]:
    """Find a place for the keys that the class does not declare, and return the ids among them."""
    ids = {key: as_id(others.pop(key)) for key in IDS if key in others}
    if others:
        bound = bound_context()
        others = {key: value for key, value in others.items() if key not in bound or bound[key] is not value}
    if others and "metadata" not in event_class.model_fields:
        names = ", ".join(f"{key!a:.80}" for key in list(others)[:5])
        raise InvalidEvent(
            f"{event_class.event_type} has no field {names}{' …' if len(others) > 5 else ''} and no metadata",
            hint="correct the name, leave it out, or bind it as a context variable",
        )
    given = fields.get("metadata")
    if others and (given is None or isinstance(given, Mapping)):
        fields["metadata"] = {key: json_ready(value) for key, value in others.items()} | dict(given or {})
    return ids
