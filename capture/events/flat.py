"""A class's own rules, run on plain dicts: what an event's payload is, without the event.

Validating makes an object whose only use, in a captured log line, is to be encoded. Its class's rules are a schema of
pydantic-core; the same fields as a schema of a dict take half the time, and the bytes are the same. Classes whose rules
are more than rules of fields (a validator of the whole model, an alias, a computed field) have no such schema here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

from pydantic_core import CoreConfig, CoreSchema, SchemaSerializer, SchemaValidator

from capture.events.event import Event

_FIELD_KEYS = frozenset({"type", "schema", "metadata", "frozen"})
_MODEL_KEYS = frozenset({"type", "fields", "model_name", "metadata"})


class Flat(NamedTuple):
    """The two halves of it.

    Attributes:
        validate: From the fields of a line, among others, to a dict of exactly the declared ones, in declared order.
            Raises what the class itself raises.
        to_json: From that dict to the canonical bytes.
    """

    validate: Callable[[Mapping[str, Any]], dict[str, Any]]
    to_json: Callable[[dict[str, Any]], bytes]


def flat(event_class: type[Event]) -> Flat | None:
    """The rules of a class for dicts; None when it has rules that are not of its fields alone."""
    whole = cast("dict[str, Any]", event_class.__pydantic_core_schema__)
    definitions = whole["definitions"] if whole["type"] == "definitions" else None
    model = whole["schema"] if definitions is not None else whole
    if model["type"] != "model" or model.get("custom_init") or model.get("post_init") or model.get("root_model"):
        return None
    fields = model["schema"]
    if fields["type"] != "model-fields" or not _MODEL_KEYS.issuperset(_given(fields)):
        return None
    if not all(_FIELD_KEYS.issuperset(_given(field)) for field in fields["fields"].values()):
        return None
    # Given to both: what is defined apart, as any JSON is, takes it from the validator, the fields from their dict.
    config = {key: value for key, value in model.get("config", {}).items() if key != "extra_fields_behavior"}
    rules: dict[str, Any] = {
        "type": "typed-dict",
        "fields": {
            name: {
                "type": "typed-dict-field",
                "schema": field["schema"],
                "required": field["schema"]["type"] != "default",
            }
            for name, field in fields["fields"].items()
        },
        "extra_behavior": "ignore",
        "config": config,
    }
    if definitions is not None:
        rules = {"type": "definitions", "schema": rules, "definitions": definitions}
    schema, settings = cast("CoreSchema", rules), cast("CoreConfig", config)
    return Flat(SchemaValidator(schema, settings).validate_python, SchemaSerializer(schema, settings).to_json)


def _given(part: Mapping[str, Any]) -> set[str]:
    """The keys that say something: `computed_fields` is there, and empty, in every schema of a model."""
    return {key for key, value in part.items() if value}
