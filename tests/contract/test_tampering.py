"""Tampering shows: against a checkpoint every change, and without one what contradicts itself."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count, cycle, islice

import pytest

from capture import DatabaseManager, EventLog
from capture.check.finding import Finding, Severity
from capture.check.log import check_log
from capture.errors import OtherLog
from capture.eventlog.tree_head import TreeHead
from tests.fixtures.tampering import COVERED, Tamperer, filled_log, tampering

Change = Callable[[Tamperer], None]

SHOWN: dict[str, Change] = {
    **{f"edit {column}": lambda by, column=column: by.edit(column) for column in COVERED},  # type: ignore[misc]
    "edit digest": lambda by: by.edit("digest"),
    "edit recorded_at": lambda by: by.edit("recorded_at"),
    "edit position": lambda by: by.edit("position"),
    "delete": Tamperer.delete,
    "swap": Tamperer.swap,
    "cut the tail": Tamperer.cut,
}
"""What shows without a checkpoint, since the log contradicts itself."""

HIDDEN: dict[str, Change] = {
    "edit recorded_at, times in order": Tamperer.edit_time_in_order,
    "edit, with its digest": Tamperer.rewrite,
    "delete, and close the gap": Tamperer.delete_and_close,
    "swap two of one time": Tamperer.swap_of_one_time,
    "insert, and move the others": Tamperer.insert_and_shift,
    "cut the tail, and the head with it": Tamperer.cut_with_head,
}
"""What only a checkpoint shows."""

CAMPAIGN = 100
"""So many tamperings, one seed each."""


def errors(manager: DatabaseManager, *older: TreeHead) -> list[Finding]:
    findings = check_log(manager, older).findings
    assert all(finding.severity is Severity.ERROR and finding.hint for finding in findings)
    return list(findings)


def test_a_sound_log_has_no_finding(manager: DatabaseManager) -> None:
    """A log that was only appended to has no finding, alone and against every checkpoint of its past."""
    past = [check_log(manager).tree_head]
    for size in (2, 4, 30):
        filled_log(manager, size)
        past.append(check_log(manager).tree_head)
    assert [one.size for one in past] == [0, 2, 6, 36]
    assert errors(manager, *past) == []


def test_every_tampering_is_found_against_a_checkpoint(manager: DatabaseManager, database_url: str) -> None:
    """Each of 100 tamperings of the past shows against a checkpoint, and those of SHOWN by themselves too."""
    filled_log(manager)
    older = check_log(manager).tree_head
    filled_log(manager, 6)
    kinds = list(islice(cycle({**SHOWN, **HIDDEN}.items()), CAMPAIGN))
    with tampering(database_url, size=older.size) as by:
        for seed, (kind, change) in zip(count(), kinds, strict=False):
            by.random.seed(seed)
            change(by)
            against = [finding for finding in errors(manager, older) if finding.check == "against"]
            alone = errors(manager)
            if kind in SHOWN:
                assert alone, (seed, kind)
            else:
                assert not alone, (seed, kind, alone)
            # The leaves hold the digest, the time and the order; what the digest is made of shows by the digest.
            assert bool(against) is (kind.removeprefix("edit ") not in COVERED), (seed, kind)
            by.put_back()
    assert errors(manager, older) == []


def test_the_position_of_a_change_is_named(manager: DatabaseManager, database_url: str) -> None:
    """An edited event is named by its position, a missing one by where the gap begins."""
    filled_log(manager)
    with tampering(database_url) as by:
        by.edit("payload", 5)
        by.run("DELETE FROM agents_events WHERE position IN (9, 10)")
    assert {finding.expected: finding.positions for finding in errors(manager)} == {
        "the digest of each event is the one of its content": (5,),
        "the positions are 1, 2, 3 … without a gap": (9,),
    }


def test_an_event_before_the_first_is_found(manager: DatabaseManager, database_url: str) -> None:
    """An event that was put at position 0 or below, where no reader looks, is named."""
    filled_log(manager)
    older = check_log(manager).tree_head
    with tampering(database_url) as by:
        by.run("UPDATE agents_events SET position = -5 WHERE position = 24")
        by.run("UPDATE agents_head SET position = 23")
    assert {finding.expected: finding.positions for finding in errors(manager)} == {
        "the positions are 1, 2, 3 … without a gap": (-5,),
        "times of recording never fall as positions rise": (1,),
    }
    assert "against" in {finding.check for finding in errors(manager, older)}


def test_two_checkpoints_narrow_a_change_down(manager: DatabaseManager, database_url: str) -> None:
    """With two checkpoints the change lies behind the last that still holds."""
    filled_log(manager, 10)
    first = check_log(manager).tree_head
    filled_log(manager, 10)
    second = check_log(manager).tree_head
    with tampering(database_url) as by:
        by.random.randint = lambda low, high: 15  # type: ignore[method-assign]
        by.rewrite()
    [found] = errors(manager, second, first)
    assert "among the positions 11 to 20" in found.found


def test_two_checkpoints_of_one_size_can_not_both_hold(manager: DatabaseManager) -> None:
    """A checkpoint that was made of another history of the same log is told from the one that holds."""
    filled_log(manager, 4)
    held = check_log(manager).tree_head
    [found] = errors(manager, held, held._replace(root=bytes(32)))
    assert "not of this log's past" in found.found


def test_a_checkpoint_of_another_log_is_refused(manager: DatabaseManager) -> None:
    """A checkpoint of another log is an error that names both."""
    other = TreeHead("copydesk/elsewhere", 0, bytes(32))
    with pytest.raises(OtherLog, match="elsewhere") as refused:
        check_log(manager, [other])
    assert EventLog(manager).log_id() in refused.value.message


def test_what_no_reader_can_read_is_named(manager: DatabaseManager, database_url: str) -> None:
    """A value that the driver or the clock can't read is a finding, and the events around it are read."""
    filled_log(manager)
    with tampering(database_url) as by:
        if database_url.startswith("sqlite"):
            by.run("UPDATE agents_events SET stream_id = CAST(x'ff' AS TEXT) WHERE position = 3")
        else:
            by.run("UPDATE agents_events SET occurred_at = 'infinity' WHERE position = 3")
        by.edit("payload", 20)
    found = {finding.expected: finding.positions for finding in errors(manager)}
    assert found["each event can be read"] == (3,)
    assert found["the digest of each event is the one of its content"] == (20,)
