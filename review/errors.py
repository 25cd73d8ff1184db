"""Errors of review and publication: what a caller got wrong, or a publisher could not do.

A decision that the rules do not allow is no error: it is a `review.refusals.Refusal`.
"""

from __future__ import annotations

from capture import CopydeskError, EventConflict


class CommandConflict(EventConflict):
    """A command id was used before, for another command. Give each command an id of its own."""

    code = "COMMAND_CONFLICT"


class InvalidCommand(CopydeskError):
    """A command can't be recorded as it is: a text is too long, or has characters that no database keeps."""

    code = "INVALID_COMMAND"
    exit_code = 2


class AmbiguousId(CopydeskError):
    """The first characters of an output id fit more than one output."""

    code = "AMBIGUOUS_ID"
    exit_code = 2


class NotSent(CopydeskError):
    """A publisher raises it when it is certain that nothing went out. Whatever else it raises counts as uncertain."""

    code = "NOT_SENT"
    exit_code = 1


class BadPolicy(CopydeskError):
    """A policy can't be used: a key that is not known, or a value that can't be. The running policy stays.

    Attributes:
        line: Where in the file, from 1; None when the file as a whole can't be read.
        key: What is wrong there, as `rule[2].approvals`; empty when that is not known.
    """

    code = "BAD_POLICY"
    exit_code = 2


class Answered(CopydeskError):
    """A platform answered with something else than a yes. What it says is about one request, and may be hostile.

    Attributes:
        status: The status code of HTTP.
        declared: True when the answer has the form in which the platform declares what it did not accept.
    """

    code = "ANSWERED"


class Unanswered(CopydeskError):
    """A request was begun, and no whole answer came within its bounds. It may have been taken."""

    code = "UNANSWERED"
