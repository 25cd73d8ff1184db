"""What an operator does with read tables: compare, check, look back, and work on while one of them is stale."""

from __future__ import annotations

from capture import DatabaseManager
from tests.acceptance.conftest import Copydesk, draft


def _execute(copydesk: Copydesk, sql: str) -> None:
    with DatabaseManager(copydesk.environment["DATABASE_URL"]) as manager, manager.transaction() as transaction:
        transaction.connection.exec_driver_sql(sql)


def test_a_difference_has_an_exit_code(copydesk: Copydesk) -> None:
    """`diff` ends with 3 and `verify` with 1 when a row differs, both with 0 when none does; a replay mends it."""
    copydesk.import_events(draft())
    assert copydesk("projections", "run", "--once").code == 0
    _execute(copydesk, "INSERT INTO agents_memory (agent_id, key) VALUES ('x', 'forged')")
    found = copydesk("projections", "diff", "agents_memory", "--json")
    assert (found.code, found.object["gone"], found.object["added"]) == (3, 1, 0)
    assert found.object["sample"][0]["key"] == {"agent_id": "x", "key": "forged"}
    assert "0 added, 0 changed, 1 gone" in copydesk("projections", "diff").out
    failed = copydesk("projections", "verify", "--json")
    assert failed.code == 1
    assert [line["projection"] for line in failed.lines if not line["ok"]] == ["agents_memory"]
    assert copydesk("projections", "replay", "agents_memory").code == 0
    assert (copydesk("projections", "diff").code, copydesk("projections", "verify").code) == (0, 0)
    assert copydesk("projections", "replay", "agents_nothing", "--json").object["error"]["code"] == "UNKNOWN_PROJECTION"


def test_the_past_is_printed_or_built_beside(copydesk: Copydesk) -> None:
    """`as-of` shows a table as it was at a position or a time, and with --build writes it beside the live one."""
    copydesk.import_events(draft(), draft("o2"))
    (recorded,) = [line["recordedat"] for line in copydesk("events", "show", "2", "--json").lines]
    first = copydesk("projections", "as-of", "agents_outputs", "1", "--json").object
    assert [row["output_id"] for row in first["tables"]["agents_outputs"]] == ["o1"]
    both = copydesk("projections", "as-of", "agents_outputs", recorded, "--build", "--json").object
    assert (both["position"], "agents_outputs_shadow_as_of" in both["built"]) == (2, True)
    with DatabaseManager(copydesk.environment["DATABASE_URL"]) as manager:
        rows = manager.execute_query("SELECT output_id FROM agents_outputs_shadow_as_of ORDER BY output_id")
    assert [row["output_id"] for row in rows] == ["o1", "o2"]
    assert copydesk("projections", "as-of", "agents_outputs", "3").code == 5
    assert copydesk("projections", "as-of", "agents_outputs", "yesterday").code == 2


def test_what_a_replay_would_break_is_named_first(copydesk: Copydesk) -> None:
    """What hangs on a table and could not be kept ends a replay with 3 before it begins, and the table is as it was."""
    copydesk.import_events(draft())
    assert copydesk("projections", "run", "--once").code == 0
    _execute(
        copydesk,
        "CREATE TABLE modules_other_refers (agent_id TEXT, key TEXT, "
        "FOREIGN KEY (agent_id, key) REFERENCES agents_memory (agent_id, key))",
    )
    refused = copydesk("projections", "replay", "agents_memory", "--json")
    assert (refused.code, refused.object["error"]["code"]) == (3, "OBJECT_IN_THE_WAY")
    assert "modules_other_refers" in refused.object["error"]["message"]


def test_verdicts_are_taken_while_the_table_is_stale(copydesk: Copydesk) -> None:
    """A verdict reads the log, so it is given and kept although `agents_outputs` was made by other code."""
    copydesk.import_events(draft())
    seen = copydesk("review", "show", "o1", "--json").object["content_hash"]
    _execute(
        copydesk, "UPDATE agents_checkpoints SET fingerprint = 'other', version = 0 WHERE projection = 'agents_outputs'"
    )
    assert copydesk("review", "approve", "o1", "--hash", seen, "--json").object["state"] == "approved"
    (status,) = [
        line for line in copydesk("projections", "status", "--json").lines if line["projection"] == "agents_outputs"
    ]
    assert (status["state"], status["lag"] > 0) == ("stale", True)
    assert copydesk("projections", "replay", "--json").object["projection"] == "agents_outputs"
    (row,) = copydesk("review", "list", "--state", "approved", "--json").lines
    assert row["output_id"] == "o1"
