"""An output as rows for a screen: everything that an approval would stand for, to its end. Pure: values in, rows out.

A row is one line of the screen, in parts that are safe to show, each with its style. No row is wider than the screen,
and everything that an agent wrote stands behind the gutter: it can't forge a prompt, a frame or a verdict.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from capture import to_text
from capture.cli import content_lines, marked_lines, mixed_scripts, shorten
from review.cli.filters import age
from review.cli.shown import arguments_text, missing_media

if TYPE_CHECKING:
    from review import Output
    from review.diff import Change
    from review.output import Revision

Row = tuple[tuple[str, str], ...]
"""A line of the screen: parts, each with its style."""

_LABEL = 16
_NAMES = ("identity", "target_url", "target_author", "reply_to", "recipient")
_MARKS = {"equal": ("  ", ""), "delete": ("- ", "red"), "insert": ("+ ", "green")}


def sheet(output: Output, place: str, now: datetime, width: int) -> list[Row]:
    """Everything that a reviewer has to see of an output before deciding.

    Args:
        output: The output.
        place: Where it stands among those that are gone through, as `3/200`.
        now: The time.
        width: The width of the screen, in columns.
    """
    waited = "" if output.submitted_at is None else f"waits {age(output.submitted_at, now)}  "
    head = f"{place}  {output.output_id}  {output.state.value}  {waited}hash {output.content_hash[:12]}"
    rows: list[Row] = [((shorten(head, width), "bold reverse"),)]
    content = output.content
    facts = {
        "channel": output.channel,
        "identity": output.identity,
        "kind": output.kind,
        "post type": content.post_type,
        "agent": output.agent_id,
        "target": content.target_url,
        "its author": content.target_author,
        "reply to": content.reply_to,
        "recipient": content.recipient,
        "action": content.action,
        "risk": ", ".join(output.risk_flags) or None,
        "confidence": None if output.confidence is None else f"{output.confidence:g}",
        "tone": output.tone,
        "context": output.trigger_context,
        "publish after": None if output.publish_after is None else to_text(output.publish_after),
        "not after": None if output.not_after is None else to_text(output.not_after),
        "decide until": None if output.deadline is None else to_text(output.deadline),
    }
    for label, value in facts.items():
        if value is not None:
            rows += _labelled(label, value, width, "bold red" if label == "risk" else "")
    if output.needed > 1:
        given = ", ".join(vote.actor for vote in output.votes) or "nobody"
        rows += _labelled("approvals", f"{len(output.votes)} of {output.needed}, by {given}", width)
    for media in output.content.media:
        rows += _labelled("media", f"{media.media_type} {media.sha256} {media.alt or ''}".rstrip(), width)
    for warning in _warnings(output):
        rows += _labelled("!", warning, width, "yellow")
    if output.revision > 1:
        last = output.current
        rows += _labelled("revision", f"{output.revision}, by {last.made_by}; d shows what changed", width, "cyan")
        if last.note:
            rows += _labelled("its note", last.note, width)
    rows.append((("", ""),))
    rows += [((line[:2], "dim"), (line[2:], "")) for line in content_lines(output.body, width)]
    if content.arguments is not None:
        rows += _labelled("arguments", arguments_text(content.arguments), width)
    return rows


def compared(old: str, new: str, width: int) -> list[Row]:
    """What changed between two texts: lines that went and came, and in them the words that did.

    Args:
        old: The text before.
        new: The text after.
        width: The width of the screen, in columns.
    """
    from review.diff import lines

    rows: list[Row] = []
    gone: list[str] = []
    come: list[str] = []
    for change in (*lines(old, new), None):
        if change is not None and change.what == "delete" and not come:
            gone.append(change.text)
        elif change is not None and change.what == "insert":
            come.append(change.text)
        else:
            rows += _replaced(gone, come, width)
            gone, come = [], []
            if change is not None and change.what == "delete":
                gone.append(change.text)
            elif change is not None:
                rows += _marked(change.text, (), "equal", width)
    return rows


def whole_text(revision: Revision) -> str:
    """All that a revision may change, as one text for a comparison."""
    parts = [revision.body]
    parts += [f"media {media.sha256} {media.alt or ''}".rstrip() for media in revision.media]
    if revision.arguments is not None:
        parts.append(arguments_text(revision.arguments))
    return "\n".join(parts)


def _replaced(gone: list[str], come: list[str], width: int) -> list[Row]:
    if not gone or not come:
        what = "delete" if gone else "insert"
        return [row for text in (gone or come) for row in _marked(text, (), what, width)]
    from review.diff import words

    old, new = "\n".join(gone), "\n".join(come)
    changes = words(old, new)
    rows = _marked(old, list(_changed(changes, "delete")), "delete", width)
    return rows + _marked(new, list(_changed(changes, "insert")), "insert", width)


def _changed(changes: tuple[Change, ...], what: str) -> Iterator[bool]:
    """For each character of one of the two texts: whether it is in that one only."""
    for change in changes:
        if change.what in ("equal", what):
            yield from [change.what == what] * len(change.text)


def _marked(text: str, marked: list[bool] | tuple[()], what: str, width: int) -> list[Row]:
    mark, style = _MARKS[what]
    return [
        ((mark, style), (row[0][0], "dim"), *((run, f"{style} reverse" if on else style) for run, on in row[1:]))
        for row in marked_lines(text, marked, width - len(mark))
    ]


def _labelled(label: str, value: str, width: int, style: str = "") -> list[Row]:
    lines = content_lines(value, max(width - _LABEL, 20))
    return [
        ((f"{name:<{_LABEL}}", "dim"), (line[:2], "dim"), (line[2:], style))
        for name, line in zip([label, *[""] * (len(lines) - 1)], lines, strict=True)
    ]


def _warnings(output: Output) -> Iterator[str]:
    for digest in missing_media(output):
        yield f"MEDIA: the bytes of {digest[:12]} are missing or altered; it is not sent without them"
    for name in _NAMES:
        value = getattr(output.content, name)
        if value is not None and (scripts := mixed_scripts(value)):
            yield f"{name.replace('_', ' ')} mixes letters of {' and '.join(scripts)} that look alike"
    for finding in output.findings:
        yield f"{finding.code}: {finding.message}"
    for ignored in output.ignored:
        yield f"the event at position {ignored.position} changed nothing ({ignored.code})"
