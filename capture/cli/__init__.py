"""The command line's own surface: how commands are declared, and how they show what they found."""

from __future__ import annotations

from capture.check.finding import Finding, Severity, error, note, warning
from capture.check.installation import check_packages
from capture.cli.actor import Actor
from capture.cli.actor import current as current_actor
from capture.cli.command import command, group
from capture.cli.entry import run
from capture.cli.hostile import content_lines, marked_lines, mixed_scripts, shorten, visible
from capture.cli.options import As, Database
from capture.cli.output import Advance, ClosedPipe, Column, ExitCode, Screen
from capture.cli.until import stopping, until_stopped

__all__ = [
    "Actor",
    "Advance",
    "As",
    "ClosedPipe",
    "Column",
    "Database",
    "ExitCode",
    "Finding",
    "Screen",
    "Severity",
    "check_packages",
    "command",
    "content_lines",
    "current_actor",
    "error",
    "group",
    "marked_lines",
    "mixed_scripts",
    "note",
    "run",
    "shorten",
    "stopping",
    "until_stopped",
    "visible",
    "warning",
]
