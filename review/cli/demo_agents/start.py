"""How each of the three begins: `CaptureProcessor` before the renderer, and who it is in the bound context.

An agent of your own needs no more than what stands here in `logger`.
"""

from __future__ import annotations

import json
import sys

import structlog

from capture import CaptureProcessor, configure, flush

FLUSH_SECONDS = 60.0


def logger(agent_id: str) -> structlog.typing.FilteringBoundLogger:
    """Set structlog up for an agent of the demo.

    Args:
        agent_id: Who it is.

    Returns:
        A logger whose lines go to standard output; those that are events are captured, too.
    """
    # By standard input, not by arguments: an address may have a password in it, and arguments are for all to see.
    orders = json.loads(sys.stdin.readline())
    configure(agent_id=agent_id, database_url=orders["database_url"], journal=orders["journal"])
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            CaptureProcessor(),
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
        ],
    )
    structlog.contextvars.bind_contextvars(agent_id=agent_id, run_id=orders["run_id"])
    made: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return made


def end() -> int:
    """Wait until the log has everything; the exit code of the agent."""
    return 0 if flush(FLUSH_SECONDS) else 1
