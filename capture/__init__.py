"""The public names of capture, each imported when it is first asked for: `from capture import emit` stays fast.

The names of `__all__` are what users are promised. The others are what projections and review stand on.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from capture import plugins as _plugins
    from capture.clock import Clock as Clock
    from capture.clock import from_text as from_text
    from capture.clock import to_text as to_text
    from capture.clock import utc_now as utc_now
    from capture.database import retry as _retry
    from capture.database import tables as tables
    from capture.database.manager import DatabaseManager as DatabaseManager
    from capture.database.transaction import Transaction as Transaction
    from capture.database.types import JsonText as JsonText
    from capture.database.types import UtcTime as UtcTime
    from capture.database.types import UuidText as UuidText
    from capture.errors import BadSetting as BadSetting
    from capture.errors import ConcurrentAppend as ConcurrentAppend
    from capture.errors import CopydeskError as CopydeskError
    from capture.errors import CrossNamespace as CrossNamespace
    from capture.errors import DatabaseUnavailable as DatabaseUnavailable
    from capture.errors import EventConflict as EventConflict
    from capture.errors import InvalidEvent as InvalidEvent
    from capture.errors import InvalidName as InvalidName
    from capture.errors import JournalFull as JournalFull
    from capture.errors import JournalUnavailable as JournalUnavailable
    from capture.errors import LogMoved as LogMoved
    from capture.errors import LogRewound as LogRewound
    from capture.errors import MissingDriver as MissingDriver
    from capture.errors import NamespaceCollision as NamespaceCollision
    from capture.errors import NotFound as NotFound
    from capture.errors import ReadOnlyViolation as ReadOnlyViolation
    from capture.errors import ReservedEventType as ReservedEventType
    from capture.errors import WouldDeadlock as WouldDeadlock
    from capture.eventlog.condition import AppendCondition as AppendCondition
    from capture.eventlog.decision import Decision as Decision
    from capture.eventlog.event_log import EventLog as EventLog
    from capture.eventlog.follower import Follower as Follower
    from capture.eventlog.reading import stored_rows as stored_rows
    from capture.events import registry as _registry
    from capture.events.content import Prepared as Prepared
    from capture.events.decoding import decode as decode
    from capture.events.decoding import decode_payload as decode_payload
    from capture.events.event import Event as Event
    from capture.events.prepare import prepare as prepare
    from capture.events.recorded import AnyRecorded as AnyRecorded
    from capture.events.recorded import Recorded as Recorded
    from capture.events.recorded import Stored as Stored
    from capture.events.recorded import UnknownEvent as UnknownEvent
    from capture.events.upcasting import upcasts as upcasts
    from capture.identifiers import derived_id as derived_id
    from capture.identifiers import new_id as new_id
    from capture.invisible import HIDDEN_CLASS as HIDDEN_CLASS
    from capture.invisible import is_hidden as is_hidden
    from capture.media import attach as attach
    from capture.media import stored as _stored
    from capture.names.declaration import table as table
    from capture.names.foundup_db import FoundupDB as FoundupDB
    from capture.names.grammar import check_name as check_name
    from capture.names.grammar import full_name as full_name
    from capture.names.module_db import ModuleDB as ModuleDB
    from capture.names.owners import claim as claim
    from capture.settings import Settings as Settings
    from capture.sources.structlog import CaptureProcessor as CaptureProcessor
    from capture.writer.adoption import recover_journals as recover_journals
    from capture.writer.batching import BatchingWriter as BatchingWriter
    from capture.writer.emit import configure as configure
    from capture.writer.emit import emit as emit
    from capture.writer.emit import emit_async as emit_async
    from capture.writer.emit import flush as flush
    from capture.writer.emit import flush_async as flush_async

    find_event, known_events, load_plugins = _registry.find, _registry.known, _plugins.load
    stored_media = _stored
    is_refused, is_transient = _retry.refused, _retry.transient

_INNER = {
    "AnyRecorded": ("events.recorded", "AnyRecorded"),
    "BadSetting": ("errors", "BadSetting"),
    "Clock": ("clock", "Clock"),
    "DatabaseUnavailable": ("errors", "DatabaseUnavailable"),
    "Decision": ("eventlog.decision", "Decision"),
    "Follower": ("eventlog.follower", "Follower"),
    "HIDDEN_CLASS": ("invisible", "HIDDEN_CLASS"),
    "JournalUnavailable": ("errors", "JournalUnavailable"),
    "JsonText": ("database.types", "JsonText"),
    "MissingDriver": ("errors", "MissingDriver"),
    "NotFound": ("errors", "NotFound"),
    "Prepared": ("events.content", "Prepared"),
    "Settings": ("settings", "Settings"),
    "Stored": ("events.recorded", "Stored"),
    "Transaction": ("database.transaction", "Transaction"),
    "UnknownEvent": ("events.recorded", "UnknownEvent"),
    "UtcTime": ("database.types", "UtcTime"),
    "UuidText": ("database.types", "UuidText"),
    "check_name": ("names.grammar", "check_name"),
    "claim": ("names.owners", "claim"),
    "decode": ("events.decoding", "decode"),
    "decode_payload": ("events.decoding", "decode_payload"),
    "stored_rows": ("eventlog.reading", "stored_rows"),
    "derived_id": ("identifiers", "derived_id"),
    "find_event": ("events.registry", "find"),
    "from_text": ("clock", "from_text"),
    "full_name": ("names.grammar", "full_name"),
    "is_hidden": ("invisible", "is_hidden"),
    "is_refused": ("database.retry", "refused"),
    "is_transient": ("database.retry", "transient"),
    "known_events": ("events.registry", "known"),
    "load_plugins": ("plugins", "load"),
    "prepare": ("events.prepare", "prepare"),
    "recover_journals": ("writer.adoption", "recover_journals"),
    "stored_media": ("media", "stored"),
    "tables": ("database.tables", ""),
    "to_text": ("clock", "to_text"),
    "utc_now": ("clock", "utc_now"),
}
_PUBLIC = {
    "AppendCondition": ("eventlog.condition", "AppendCondition"),
    "BatchingWriter": ("writer.batching", "BatchingWriter"),
    "CaptureProcessor": ("sources.structlog", "CaptureProcessor"),
    "ConcurrentAppend": ("errors", "ConcurrentAppend"),
    "CopydeskError": ("errors", "CopydeskError"),
    "CrossNamespace": ("errors", "CrossNamespace"),
    "DatabaseManager": ("database.manager", "DatabaseManager"),
    "Event": ("events.event", "Event"),
    "EventConflict": ("errors", "EventConflict"),
    "EventLog": ("eventlog.event_log", "EventLog"),
    "FoundupDB": ("names.foundup_db", "FoundupDB"),
    "InvalidEvent": ("errors", "InvalidEvent"),
    "InvalidName": ("errors", "InvalidName"),
    "JournalFull": ("errors", "JournalFull"),
    "LogMoved": ("errors", "LogMoved"),
    "LogRewound": ("errors", "LogRewound"),
    "ModuleDB": ("names.module_db", "ModuleDB"),
    "NamespaceCollision": ("errors", "NamespaceCollision"),
    "ReadOnlyViolation": ("errors", "ReadOnlyViolation"),
    "Recorded": ("events.recorded", "Recorded"),
    "ReservedEventType": ("errors", "ReservedEventType"),
    "WouldDeadlock": ("errors", "WouldDeadlock"),
    "attach": ("media", "attach"),
    "configure": ("writer.emit", "configure"),
    "emit": ("writer.emit", "emit"),
    "emit_async": ("writer.emit", "emit_async"),
    "flush": ("writer.emit", "flush"),
    "flush_async": ("writer.emit", "flush_async"),
    "new_id": ("identifiers", "new_id"),
    "table": ("names.declaration", "table"),
    "upcasts": ("events.upcasting", "upcasts"),
}

__all__ = [
    "AppendCondition",
    "BatchingWriter",
    "CaptureProcessor",
    "ConcurrentAppend",
    "CopydeskError",
    "CrossNamespace",
    "DatabaseManager",
    "Event",
    "EventConflict",
    "EventLog",
    "FoundupDB",
    "InvalidEvent",
    "InvalidName",
    "JournalFull",
    "LogMoved",
    "LogRewound",
    "ModuleDB",
    "NamespaceCollision",
    "ReadOnlyViolation",
    "Recorded",
    "ReservedEventType",
    "WouldDeadlock",
    "attach",
    "configure",
    "emit",
    "emit_async",
    "flush",
    "flush_async",
    "new_id",
    "table",
    "upcasts",
]


def __getattr__(name: str) -> object:
    where = _PUBLIC.get(name) or _INNER.get(name)
    if where is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = where
    found = import_module(f"capture.{module}")
    value: object = getattr(found, attribute) if attribute else found
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
