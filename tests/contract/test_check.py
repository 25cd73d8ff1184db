"""What `db check` finds beside the log: triggers, tables, the desk's own tables, projections, media, the journal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from capture import DatabaseManager, EventLog, Settings, attach, prepare
from capture.check import schema, server
from capture.check.finding import Finding, Severity
from capture.check.installation import check_packages, check_plugins
from capture.check.journal import check_journal
from capture.check.media import check_media
from capture.check.schema import check_tables, check_triggers
from capture.check.server import check_quarantine, check_server
from capture.vocabulary import MemoryLearned, OutputRevised, content_hash
from capture.writer.owner import Owner
from projections import ProjectionRunner
from review import PublishingWorker, ReviewDesk
from review.cli.examiners import PACKAGES, examine_projections
from review.examination import check_desk, check_policy
from tests.fixtures.chat_rules import ChatRules
from tests.fixtures.platform import Platform, approved, drafted
from tests.fixtures.review import draft
from tests.fixtures.tampering import owner_session, tampering


@pytest.fixture
def desk(clocked_desk: ReviewDesk) -> ReviewDesk:
    return clocked_desk


def only(findings: list[Finding], severity: Severity = Severity.ERROR) -> Finding:
    """The one finding, which says what was expected and what to do."""
    [found] = [finding for finding in findings if finding.severity is not Severity.NOTE]
    assert found.severity is severity, found
    assert found.expected, found
    assert found.hint, found
    return found


def test_a_missing_trigger_is_named(manager: DatabaseManager, database_url: str) -> None:
    """Every trigger that guards the log is there after the migrations, and is named when it is gone."""
    assert list(check_triggers(manager)) == []
    wanted = {trigger.name for trigger in schema.wanted_triggers(manager.backend.name)}
    assert len(wanted) == 4
    with tampering(database_url):
        found = list(check_triggers(manager))
    assert {finding.expected.split()[2] for finding in found} == wanted


def test_a_trigger_that_guards_nothing_is_named(manager: DatabaseManager, database_url: str) -> None:
    """A trigger that is switched off, or was put back without its effect, is not taken for the one that guards."""
    hollow = "CREATE TRIGGER agents_events_no_delete BEFORE DELETE ON agents_events BEGIN SELECT 1; END"
    with owner_session(database_url) as run:
        if manager.backend.name == "sqlite":
            run("DROP TRIGGER agents_events_no_delete")
            run(hollow)
            assert "something else" in only(list(check_triggers(manager))).found
            return
        for how, told in (("DISABLE", "switched off"), ("ENABLE", "passed by")):
            run(f"ALTER TABLE agents_events {how} TRIGGER agents_events_no_delete")
            assert told in only(list(check_triggers(manager))).found
        run("ALTER TABLE agents_events ENABLE ALWAYS TRIGGER agents_events_no_delete")
        run(
            "CREATE OR REPLACE FUNCTION agents_require_approval() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN RETURN NEW; END'"
        )
        assert "refuses nothing" in only(list(check_triggers(manager))).found


def test_tables_and_owners_are_compared(manager: DatabaseManager, database_url: str) -> None:
    """A table outside the prefixes is an error; one without an owner, and an owner without its table, are warnings."""
    ChatRules(manager)
    ProjectionRunner(manager).run_once()
    assert list(check_tables(manager)) == []
    with owner_session(database_url) as run:
        run("CREATE TABLE notes (id INTEGER)")
        assert "notes" in only(list(check_tables(manager))).found
        run("DROP TABLE notes")
        run("CREATE TABLE agents_memory_shadow (id INTEGER)")
        assert list(check_tables(manager)) == [], "a replay under way"
        run("DROP TABLE agents_memory_shadow")
        run("CREATE TABLE modules_chat_notes (id INTEGER)")
        assert "modules_chat_notes" in only(list(check_tables(manager)), Severity.WARNING).found
        run("DROP TABLE modules_chat_notes")
        run("DROP TABLE modules_chat_rules_timeouts")
        assert "modules_chat_rules_timeouts" in only(list(check_tables(manager)), Severity.WARNING).expected


def test_a_desk_at_work_has_no_finding(
    manager: DatabaseManager, desk: ReviewDesk, worker: PublishingWorker, platform: Platform
) -> None:
    """Approvals, edits, revocations, revisions of agents and sends leave the desk's tables equal to the log."""
    log = EventLog(manager)
    approved(desk, "sent")
    worker.run_once()
    edited, revoked, revised = approved(desk, "edited"), approved(desk, "revoked"), approved(desk, "revised")
    desk.edit(edited.output_id, content_hash(edited), body="edited now", actor="bob")
    desk.revoke(revoked.output_id, actor="bob")
    log.append([OutputRevised(output_id=revised.output_id, body="revised now")], agent_id="poster")
    rejected = drafted(desk, "rejected")
    desk.reject(rejected.output_id, content_hash(rejected), actor="bob", reason_code="tone")
    assert list(check_desk(manager)) == []
    desk.withdraw(revised.output_id, actor="bob", note="late")
    assert list(check_desk(manager)) == []


@pytest.mark.parametrize(
    ("forgery", "told"),
    [
        ("DELETE FROM agents_approvals", "agents_approvals has none"),
        ("UPDATE agents_approvals SET revoked_position = 1", "is live by the log"),
        ("UPDATE agents_approvals SET content_hash = 'forged'", "the log has none"),
        ("UPDATE agents_approvals SET position = 1", "stands at position 1"),
        ("DELETE FROM agents_publications", "in the log, and not agents_publications"),
        ("UPDATE agents_publications SET state = 'failed'", "failed, is in agents_publications, and not the log"),
        ("UPDATE agents_publications SET external_id = 'forged'", "is in agents_publications, and not the log"),
    ],
)
def test_a_forged_row_of_the_desk_is_named(
    manager: DatabaseManager, database_url: str, desk: ReviewDesk, worker: PublishingWorker, forgery: str, told: str
) -> None:
    """An approval or a publication that is not what the log says is an error that names the output."""
    post = approved(desk, "sent")
    worker.run_once()
    with owner_session(database_url) as run:
        run(forgery)
    found = list(check_desk(manager))
    assert any(told in finding.found for finding in found), found
    assert all(post.output_id in finding.found and finding.severity is Severity.ERROR for finding in found)


def test_the_policy_in_force_is_told(manager: DatabaseManager, desk: ReviewDesk) -> None:
    """The page names the policy in force, and where publication is stopped."""
    desk.stop(actor="ana", reason="wrong prices")
    assert [finding.found for finding in check_policy(manager)] == [
        f"in force is {desk.policy.label}: every output waits",
        "publication is stopped everywhere, by ana: wrong prices",
    ]


def test_projections_that_lack_events_are_named(manager: DatabaseManager, database_url: str) -> None:
    """A dead letter and a table of other code are warnings, a table that is gone is an error."""
    newer = prepare(MemoryLearned(key="k", value=1, kind="fact"), agent_id="a")._replace(schema_version=9)
    EventLog(manager).append_prepared([newer])
    ProjectionRunner(manager).run_once()
    dead = list(examine_projections(manager))
    assert {finding.expected.split()[0] for finding in dead} == {"agents_memory", "modules_activity_runs"}
    assert {(finding.severity, finding.found) for finding in dead} == {(Severity.WARNING, "1 dead letters")}
    with owner_session(database_url) as run:
        run("DELETE FROM agents_dead_letters")
        assert list(examine_projections(manager)) == []
        run("UPDATE agents_checkpoints SET version = 99, fingerprint = 'other' WHERE projection = 'agents_tasks'")
        assert "version 99" in only(list(examine_projections(manager)), Severity.WARNING).found
        run("DROP TABLE agents_skills")
        stopped = [one for one in examine_projections(manager) if one.severity is Severity.ERROR]
    assert "agents_skills is gone" in only(stopped).found


def test_media_are_compared_with_the_log(
    manager: DatabaseManager, database_url: str, settings: Settings, tmp_path: Path
) -> None:
    """What an event names and is missing or altered is an error; what no event names is a warning."""
    own = replace(settings, media=tmp_path / "media")
    media = [attach(f"picture {number}".encode(), "image/png", settings=own) for number in range(3)]
    with DatabaseManager(database_url, settings=own) as manager:
        EventLog(manager).append([draft(media=tuple(media[:2]))], agent_id="poster")
        orphan = only(list(check_media(manager)), Severity.WARNING)
        assert media[2].sha256 in orphan.found
        path = own.media / media[2].sha256[:2] / media[2].sha256
        path.unlink()
        assert list(check_media(manager)) == []
        first, second = (own.media / one.sha256[:2] / one.sha256 for one in media[:2])
        first.write_bytes(b"altered")
        second.unlink()
        missing, altered = check_media(manager)
    assert media[1].sha256[:12] in missing.found
    assert media[0].sha256[:12] in altered.found
    assert {missing.severity, altered.severity} == {Severity.ERROR}


def test_the_journal_folder_is_looked_at(settings: Settings) -> None:
    """Journals of the living are a note; orphans, damaged ones and foreign files are warnings; nothing is touched."""
    assert list(check_journal(settings)) == []
    owner = Owner(settings.journal)
    owner.segment(1).touch()
    [held] = check_journal(settings)
    assert (held.severity, "1 processes" in held.found) == (Severity.NOTE, True)
    owner.release()
    assert owner.segment(1).name in only(list(check_journal(settings)), Severity.WARNING).found
    owner.segment(1).rename(owner.segment(1).with_suffix(".damaged"))
    (settings.journal / "notes.txt").touch()
    before = sorted(settings.journal.iterdir())
    damaged, foreign = check_journal(settings)
    assert owner.segment(1).stem in damaged.found
    assert "notes.txt" in foreign.found
    assert sorted(settings.journal.iterdir()) == before


def test_the_server_is_looked_at(manager: DatabaseManager, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page names the server; on PostgreSQL also a transaction that has been open for long, and its process."""
    said = check_server(manager)
    assert next(iter(said)).found.startswith(manager.backend.name)
    if manager.backend.name == "sqlite":
        return
    monkeypatch.setattr(server, "LONG_SECONDS", -1)
    with owner_session(database_url) as run:
        run("BEGIN")
        [(pid,)] = run("SELECT pg_backend_pid()")
        assert f"process {pid} " in only(list(check_server(manager)), Severity.WARNING).found
        run("ROLLBACK")
    assert [finding.severity for finding in check_server(manager)] == [Severity.NOTE]


@pytest.mark.parametrize(
    ("version", "races"),
    [("3.40.1", True), ("3.44.5", True), ("3.44.6", False), ("3.50.7", False), ("3.51.2", True), ("3.51.3", False)],
)
def test_a_sqlite_with_the_reset_race_is_warned_of(
    manager: DatabaseManager, monkeypatch: pytest.MonkeyPatch, version: str, races: bool
) -> None:
    """On SQLite exactly the versions in which the reset of the write-ahead log races are warned of."""
    real = server.condition(manager)
    warned = ("it races",) if races and real.backend == "sqlite" else ()
    monkeypatch.setattr(server, "condition", lambda _: replace(real, server=version, warnings=warned))
    found = [finding.found for finding in check_server(manager) if finding.severity is Severity.WARNING]
    assert found == list(warned)


def test_the_quarantine_is_counted(manager: DatabaseManager) -> None:
    """What waits in the quarantine is a warning with its count."""
    assert list(check_quarantine(manager)) == []
    manager.execute_write(
        "INSERT INTO agents_quarantine (quarantine_id, received_at, source, raw, error)"
        " VALUES ('019aa000-0000-7000-8000-000000000001', '2026-11-24T10:00:00.000000Z', 'emit', :raw, 'no event')",
        {"raw": b"x"},
    )
    assert only(list(check_quarantine(manager)), Severity.WARNING).found.startswith("1 ")


def test_the_code_that_runs_is_told(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page names where each package was imported from; one that another distribution has too is an error."""
    root = str(Path(__file__).parents[2])
    assert all(root in finding.found for finding in check_packages(PACKAGES))
    other = tmp_path / "capture_cam-1.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: capture-cam\nVersion: 1\n")
    (other / "top_level.txt").write_text("capture\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "capture-cam" in only(list(check_packages(PACKAGES))).found
    named = replace(settings, plugins=("nowhere",))
    assert "nowhere" in only(list(check_plugins(named)), Severity.WARNING).expected
