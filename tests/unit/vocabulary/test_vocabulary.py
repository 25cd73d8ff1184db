"""The vocabulary: every fact that an agent can state, by type, with its fields."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

import capture.vocabulary
from capture.events import registry
from capture.events.decoding import decode_payload
from capture.events.event import Event
from capture.events.prepare import prepare
from capture.identifiers import new_id
from capture.vocabulary import (
    AgentHeartbeat,
    ContractOpened,
    ErrorLearned,
    MemoryLearned,
    OutputWithdrawn,
    TaskDiscovered,
    TransactionRecorded,
)

# What the design says of each type: the fields that must be given, and those that may be left out.
FIELDS = {
    "action.performed": ("action success", "description duration_ms confidence error metadata"),
    "memory.learned": ("key value kind", "confidence source"),
    "memory.forgotten": ("key", "reason"),
    "pattern.learned": ("pattern_type", "pattern confidence"),
    "error.learned": ("error_type error_hash", "message solution occurrences"),
    "skill.performed": (
        "execution_id skill",
        "decision expected_decision correct confidence duration_ms exception_type",
    ),
    "agent.awakened": ("consciousness_level", "koan"),
    "agent.heartbeat": ("status", "uptime_s health restart_count error_message"),
    "agent.detached": ("reason", ""),
    "agent.reenabled": ("reason", ""),
    "task.discovered": (
        "task_id",
        "description required_skills priority complexity discovered_by context assigned_to outcome",
    ),
    "contract.opened": (
        "contract_id",
        "description assigned_to estimated_minutes priority dependencies deliverables deadline outcome",
    ),
    "signal.broadcast": ("mode", "skills_offered focus capacity available_until autonomy_level"),
    "coordination.requested": ("coordination_id kind", "targets payload"),
    "coordination.resolved": ("coordination_id outcome", ""),
    "breadcrumb.left": ("session_id action", "query results related_docs task_id contract_id data"),
    "transaction.recorded": ("transaction_id amount currency purpose status", "chain_tx_hash metadata"),
    "model.called": ("provider model", "messages usage finish_reasons error duration_ms"),
    "tool.called": ("tool", "arguments result error duration_ms"),
    "log.recorded": ("level message", "logger fields"),
    "output.revised": ("output_id body", "media arguments note"),
    "output.withdrawn": ("output_id", "reason"),
    "output.skipped": ("channel reason", ""),
    "capture.gapped": ("count types first last", ""),
}

SAME = {
    "task.discovered": ("task.assigned", "task.completed"),
    "contract.opened": ("contract.assigned", "contract.amended", "contract.completed"),
}

DRAFT = (
    "output_id target_url target_author tone trigger_context confidence risk_flags media publish_after not_after "
    "dedupe_key supersedes metadata"
)
FIELDS |= {
    "social_post.drafted": ("channel identity body", f"{DRAFT} post_type"),
    "comment.drafted": ("channel identity body", f"{DRAFT} reply_to"),
    "message.drafted": ("channel identity body recipient", DRAFT),
    "action.proposed": ("channel identity action", f"{DRAFT} body arguments"),
}
FIELDS |= {other: FIELDS[event_type] for event_type, others in SAME.items() for other in others}


@pytest.mark.parametrize("event_type", sorted(FIELDS))
def test_an_event_has_the_fields_of_the_design(event_type: str) -> None:
    """Each type has exactly the fields that are documented: some must be given, the others may be left out."""
    event_class = registry.known()[event_type]
    required = {name for name, field in event_class.model_fields.items() if field.is_required()}
    must, may = (set(names.split()) for names in FIELDS[event_type])
    assert (required, set(event_class.model_fields) - required) == (must, may)


def test_every_type_is_documented_or_written_by_copydesk_alone() -> None:
    """No type exists beside the documented ones but the desk's own."""
    own = {name for name, c in registry.known().items() if c.__module__.startswith("capture.vocabulary.")}
    others = own - set(FIELDS)
    assert {event_type.split(".")[0] for event_type in others} == {"review", "publication"}


def test_every_class_is_public() -> None:
    """Each event class of the vocabulary can be imported from `capture.vocabulary`."""
    own = {c.__name__: c for c in registry.known().values() if c.__module__.startswith("capture.vocabulary.")}
    assert {name: getattr(capture.vocabulary, name, None) for name in own} == own
    assert own.keys() <= set(capture.vocabulary.__all__)


def test_a_field_that_no_class_has_is_refused() -> None:
    """A misspelt field is an error, not a fact that is lost in silence."""
    with pytest.raises(ValidationError, match="confidense"):
        MemoryLearned(key="k", value=1, kind="fact", confidense=0.5)  # type: ignore[call-arg]


def test_an_output_id_may_be_given_as_a_uuid() -> None:
    """What `new_id()` returns names an output as it is; a text that no file name or column could hold does not."""
    own = new_id()
    assert OutputWithdrawn(output_id=own).output_id == str(own)  # type: ignore[arg-type]
    for text in ("a b", "a\n", "", "-x"):
        with pytest.raises(ValidationError, match="output_id"):
            OutputWithdrawn(output_id=text)


def test_an_event_does_not_change() -> None:
    """An event is frozen, its lists included."""
    task = TaskDiscovered(task_id="t", required_skills=("read",))
    with pytest.raises(ValidationError, match="frozen"):
        task.task_id = "u"  # type: ignore[misc]
    assert isinstance(
        TaskDiscovered.model_validate({"task_id": "t", "required_skills": ["read"]}).required_skills, tuple
    )


@pytest.mark.parametrize("amount", ["0.10", "-12.5", "3", "100000000000000000000.000000000000000001"])
def test_an_amount_is_kept_as_it_was_written(amount: str) -> None:
    """An amount of money goes through the log digit for digit."""
    event = _transaction(amount)
    stored = prepare(event, agent_id="a")
    again = decode_payload(stored.event_type, stored.schema_version, stored.payload)
    assert isinstance(again, TransactionRecorded)
    assert again.amount == amount


@pytest.mark.parametrize("amount", [0.1, "1e3", "1,5", "", " 1", "1.", ".5", "NaN", "\u0661", "1\n"])
def test_an_amount_is_decimal_text(amount: object) -> None:
    """A float, an exponent, a comma, other scripts' digits and blanks are no amount."""
    with pytest.raises(ValidationError, match="amount"):
        _transaction(amount)


def test_a_value_may_be_any_json() -> None:
    """What an agent remembers may be null, a number, a text, a list or an object, and comes back equal."""
    for value in (None, True, 1, 1.5, "é", [1, [None]], {"b": 1, "a": {"c": []}}):
        stored = prepare(MemoryLearned(key="k", value=value, kind="fact"), agent_id="a")
        again = decode_payload(stored.event_type, stored.schema_version, stored.payload)
        assert isinstance(again, MemoryLearned)
        assert again.value == value
        assert type(again.value) is type(value)


@pytest.mark.parametrize(
    ("event", "stream"),
    [
        (TaskDiscovered(task_id="t1"), "task-t1"),
        (ContractOpened(contract_id="c1"), "contract-c1"),
        (ErrorLearned(error_type="E", error_hash="h"), "agent-a"),
        (AgentHeartbeat(status="ok"), "agent-a"),
    ],
)
def test_an_event_belongs_to_the_stream_of_what_it_is_about(event: Event, stream: str) -> None:
    """A task's and a contract's events are one stream each; what an agent says of itself is the agent's."""
    assert prepare(event, agent_id="a").stream_id == stream


def test_a_confidence_lies_between_0_and_1() -> None:
    """A confidence outside 0 to 1, or one that is no number, is refused."""
    for confidence in (-0.1, 1.1, float("nan"), float("inf")):
        with pytest.raises(ValidationError, match="confidence"):
            MemoryLearned(key="k", value=1, kind="fact", confidence=confidence)


def _transaction(amount: object) -> TransactionRecorded:
    return TransactionRecorded.model_validate(
        {"transaction_id": "x", "amount": amount, "currency": "EUR", "purpose": "hosting", "status": "paid"}
    )
