"""The keys that `--json` promises, command by command."""

from __future__ import annotations

import json
from typing import Any

from tests.acceptance.conftest import Copydesk, draft

CLOUDEVENT = {
    "specversion",
    "id",
    "source",
    "type",
    "subject",
    "time",
    "data",
    "schemaversion",
    "recordedat",
    "position",
}
LISTED = {
    "output_id",
    "state",
    "kind",
    "channel",
    "identity",
    "agent_id",
    "body",
    "content_hash",
    "revision",
    "votes",
    "needed",
    "submitted_at",
}


def has(value: dict[str, Any], keys: set[str]) -> bool:
    """True when all keys are there; more may stand beside them."""
    return keys <= value.keys()


def test_events_speak_cloudevents(copydesk: Copydesk) -> None:
    """`emit`, `tail`, `show` and `export` give the CloudEvents form, `stats` counts, `import` reports."""
    copydesk.import_events(draft())
    emitted = copydesk(
        "events",
        "emit",
        "memory.learned",
        "--agent",
        "a/b",
        "--run",
        "r1",
        "key=k",
        "value:=[1]",
        "kind=fact",
        "--json",
    )
    assert has(emitted.object, CLOUDEVENT | {"runid"})
    assert (emitted.object["source"], emitted.object["data"]["value"]) == ("/agents/a%2Fb", [1])
    for arguments in (("tail",), ("export",), ("tail", "--after", "0"), ("tail", "--type", "comment.drafted")):
        lines = copydesk("events", *arguments, "--json").lines
        assert lines
        assert all(has(line, CLOUDEVENT) for line in lines)
    first = copydesk("events", "show", "1", "--json").object
    assert has(first, CLOUDEVENT)
    assert first["externalid"] == "draft-o1"
    assert copydesk("events", "show", first["id"], "--json").object == first
    stats = copydesk("events", "stats", "--json").object
    assert stats == {"count": 2, "head": 2, "by_type": {"comment.drafted": 1, "memory.learned": 1}, "quarantined": 0}
    report = copydesk("events", "import", "-", "--json", stdin=b"nonsense\n").object
    assert has(report, {"read", "imported", "duplicates", "refused", "errors"})
    assert has(report["errors"][0], {"line", "error"})
    assert has(copydesk("events", "check", "--json").lines[0], {"type", "version", "count", "ok"})
    catalogue = {"type", "version", "fields", "handled_by", "upcasters", "schema"}
    assert has(copydesk("events", "catalogue", "comment.drafted", "--json").object, catalogue)
    assert all(has(line, catalogue) for line in copydesk("events", "catalogue", "--json").lines)


def test_projections_say_where_they_stand(copydesk: Copydesk) -> None:
    """`status` names position, head, lag, state and holder of every projection; the others say what they did."""
    copydesk.import_events(draft())
    before = copydesk("projections", "status", "--json").lines
    assert {line["state"] for line in before} == {"behind"}
    handled = copydesk("projections", "run", "--once", "--json").object
    assert handled["handled"] > 0
    after = copydesk("projections", "status", "--json").lines
    keys = {"projection", "position", "head", "lag", "state", "holder"}
    assert all(has(line, keys) for line in [*before, *after])
    assert {(line["state"], line["lag"], line["position"]) for line in after} == {("current", 0, 1)}
    assert {"agents_memory", "agents_outputs", "agents_social_posts"} <= {line["projection"] for line in after}
    replayed = copydesk("projections", "replay", "--all", "--json").lines
    assert {line["projection"] for line in replayed} == {line["projection"] for line in after}
    assert all(line["ok"] for line in copydesk("projections", "verify", "--json").lines)
    assert copydesk("projections", "diff", "--json").code == 0
    past = copydesk("projections", "as-of", "agents_outputs", "1", "--json").object
    assert past["tables"]["agents_outputs"][0]["output_id"] == "o1"
    assert copydesk("projections", "dead-letters", "--json").lines == []


def test_outputs_have_their_keys(copydesk: Copydesk) -> None:
    """`list`, `next` and `show` have the same keys; `show` also history, revisions, media and risk flags."""
    copydesk.import_events(draft(risk_flags=["tone"], media=[{"sha256": "0" * 64, "media_type": "image/png"}]))
    (row,) = copydesk("review", "list", "--json").lines
    shown = copydesk("review", "show", "o1", "--json").object
    assert has(row, LISTED)
    assert has(shown, LISTED | {"history", "revisions", "media", "risk_flags"})
    assert {key: shown[key] for key in LISTED} == {key: row[key] for key in LISTED}
    assert copydesk("review", "next", "--json").object == shown
    assert (shown["risk_flags"], shown["media"][0]["sha256"]) == (["tone"], "0" * 64)
    assert (row["votes"], row["needed"], row["revision"], row["agent_id"]) == (0, 1, 1, "scribe")
    assert row["submitted_at"].endswith("Z")
    assert copydesk("review", "reject", "o1", "--hash", shown["content_hash"], "--reason", "spam").code == 0
    empty = copydesk("review", "next", "--json")
    assert (empty.code, empty.object["error"]["code"]) == (6, "NOTHING_TO_DO")


def test_verdicts_and_publication_have_their_keys(copydesk: Copydesk) -> None:
    """A verdict names output, state, hash and position; a refusal its code and the hash now; a run its outputs."""
    copydesk.import_events(draft())
    refused = copydesk("review", "approve", "o1", "--hash", "0" * 64, "--json").object
    assert has(refused, {"output_id", "state", "code", "message", "content_hash", "error"})
    assert has(refused["error"], {"code", "message", "hint"})
    approved = copydesk("review", "approve", "o1", "--hash", refused["content_hash"], "--json").object
    assert has(approved, {"output_id", "state", "content_hash", "position"})
    assert approved["position"] == copydesk("events", "stats", "--json").object["head"]
    status = copydesk("publish", "status", "--json").object
    assert (status["counts"]["approved"], status["outputs"][0]["output_id"]) == (1, "o1")
    once = copydesk("publish", "once", "--json").object
    assert has(once, {"published", "failed", "uncertain", "skipped", "outputs"})
    assert has(once["outputs"][0], {"output_id", "state", "receipt"})
    assert once["outputs"][0]["receipt"]["external_id"].startswith("o1-")
    run = copydesk("run", "--once", "--json").object
    assert has(run, {"adopted", "projected", "published", "failed", "uncertain", "skipped", "outputs"})


def test_the_database_says_how_it_is(copydesk: Copydesk) -> None:
    """`db init`, `upgrade` and `status` are one object each; a password is in none of them."""
    for name in ("init", "upgrade"):
        done = copydesk("db", name, "--json").object
        assert (done["before"], done["after"], done["changed"]) == (done["after"], done["after"], False)
    status = copydesk("db", "status", "--json").object
    assert has(status, {"database", "backend", "revision", "head", "log_id", "warnings"})
    assert status["revision"] == done["after"]


def test_a_database_is_made_when_it_is_asked_for(alone: Copydesk) -> None:
    """`db status` looks and makes nothing; `db init` makes the tables, and every first command would."""
    looked = alone("db", "status", "--json")
    assert (looked.code, looked.object["revision"], looked.object["head"]) == (0, None, None)
    made = alone("db", "init", "--json").object
    assert (made["before"], made["changed"]) == (None, True)
    assert json.loads(alone("events", "stats", "--json").out)["count"] == 0
