"""What `copydesk run` shows to a monitor, in the text format of Prometheus.

https://prometheus.io/docs/instrumenting/exposition_formats/ (version 0.0.4). It is a dozen lines to write, and one more
package to read: so nothing is installed for it. No content of any output stands in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import sqlalchemy as sa

from capture import DatabaseManager, EventLog, tables
from projections import status
from review.output import State
from review.outputs_table import Outputs
from review.publication.mark import Marks
from review.queue import count_by_state, list_outputs

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Sample = tuple[Mapping[str, str], float]


class Metric(NamedTuple):
    """One metric.

    Attributes:
        name: Its name; a counter's ends in `_total`.
        kind: `counter` or `gauge`.
        says: What it counts.
        samples: Labels and value of each.
    """

    name: str
    kind: str
    says: str
    samples: list[Sample]


def metrics(manager: DatabaseManager) -> Iterator[Metric]:
    """Ask the database and the journal folder.

    Raises:
        CopydeskError: The database is away.
    """
    nothing: Mapping[str, str] = {}
    log, projections = EventLog(manager), status(manager)
    yield Metric("copydesk_events_total", "counter", "Events in the log.", [(nothing, log.head())])
    with manager.connect() as connection:
        aside = connection.execute(sa.select(sa.func.count()).select_from(tables.quarantine)).scalar_one()
        attempts = sa.select(tables.publications.c.state, sa.func.count()).group_by(tables.publications.c.state)
        sends = {row[0]: row[1] for row in connection.execute(attempts)}
    yield Metric("copydesk_quarantined", "gauge", "Records kept aside that are no events.", [(nothing, aside)])
    files, size = _journal(manager)
    yield Metric(
        "copydesk_journal_files", "gauge", "Files of journals in the folder of this machine.", [(nothing, files)]
    )
    yield Metric("copydesk_journal_bytes", "gauge", "Bytes of those files.", [(nothing, size)])
    for name, kind, says, of in (
        ("copydesk_projection_lag_events", "gauge", "Events that a projection has yet to pass.", "lag"),
        ("copydesk_projection_lag_seconds", "gauge", "From the event it stands at to the newest.", "lag_seconds"),
        ("copydesk_projection_handled_total", "counter", "Events that a projection took in.", "handled"),
        ("copydesk_projection_skipped_total", "counter", "Events that a replay passed as dead letters.", "skipped"),
        ("copydesk_projection_dead", "gauge", "Events that this version of the code can't handle.", "dead_letters"),
    ):
        yield Metric(name, kind, says, [({"projection": one.projection}, getattr(one, of)) for one in projections])
    # There is no table before the first event.
    made = any(one.version for one in projections if one.projection == Outputs.name)
    states = count_by_state(manager) if made else dict.fromkeys(State, 0)
    outputs: list[Sample] = [
        ({"state": state.value}, count) for state, count in states.items() if state != State.AWAITED
    ]
    yield Metric("copydesk_outputs", "gauge", "Outputs in each state.", outputs)
    results: list[Sample] = [({"result": result}, sends.get(result, 0)) for result in _RESULTS]
    yield Metric("copydesk_sends", "gauge", "Attempts to send, by what became of them so far.", results)
    oldest: list[Sample] = [({"state": state.value}, _oldest(manager, state) if made else 0) for state in _WAITING]
    yield Metric("copydesk_oldest_waiting_seconds", "gauge", "How long the oldest has waited; 0 for none.", oldest)
    held = Marks(manager).held() is not None
    yield Metric("copydesk_publication_held", "gauge", "1 while publication holds on this machine.", [(nothing, held)])


def exposition(found: Iterable[Metric]) -> str:
    """Metrics as text."""
    lines: list[str] = []
    for metric in found:
        lines += [f"# HELP {metric.name} {_escaped(metric.says)}", f"# TYPE {metric.name} {metric.kind}"]
        for labels, value in metric.samples:
            named = ",".join(f'{name}="{_escaped(text, quotes=True)}"' for name, text in labels.items())
            lines.append(f"{metric.name}{{{named}}} {float(value)!r}" if named else f"{metric.name} {float(value)!r}")
    return "\n".join(lines) + "\n"


_RESULTS = ("publishing", "published", "failed", "uncertain")
_WAITING = (State.PENDING, State.APPROVED, State.UNCERTAIN)


def _escaped(text: str, *, quotes: bool = False) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quotes else text


def _journal(manager: DatabaseManager) -> tuple[int, int]:
    sizes = []
    try:
        for path in manager.settings.journal.glob("*.journal"):
            try:
                sizes.append(path.stat().st_size)
            except FileNotFoundError:
                continue  # its events are in the log by now
    except OSError:
        return 0, 0  # there is no folder until the first event
    return len(sizes), sum(sizes)


def _oldest(manager: DatabaseManager, state: State) -> float:
    rows = list_outputs(manager, states=(state,), limit=1).rows
    since = rows[0].submitted_at if rows else None
    return 0.0 if since is None else max((datetime.now(UTC) - since).total_seconds(), 0.0)
