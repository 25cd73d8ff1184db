"""Runs `copydesk` many times for the price of starting it once.

A command takes over a second to import and a few milliseconds to work; tests run hundreds. This process imports it and
then forks a child for each command: a process of its own, with its own folder, environment, streams and exit code.
Where the start itself is the point, tests start Python instead.
"""

from __future__ import annotations

import gc
import importlib
import io
import json
import os
import socket
import sys

IMPORTED = (
    "alembic.command",
    "capture.vocabulary",
    "capture.sources.structlog",
    "projections.agents",
    "projections.modules",
    "projections.replaying",
    "psycopg",
    "review.cli.app",
    "review.desk",
    "review.outputs_table",
    "review.publication.worker",
    "review.waiting",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite.pysqlite",
)
"""What the commands import when they need it; most of their time."""


def serve(orders: socket.socket) -> int:
    """Carry out orders until there are no more; in a child, the exit code of its command."""
    for name in IMPORTED:
        importlib.import_module(name)
    gc.freeze()
    while True:
        data, streams, _, _ = socket.recv_fds(orders, 1 << 20, 3)
        if not data:
            return 0
        order = json.loads(data)
        child = os.fork()
        if child == 0:
            orders.close()
            return _run(order, streams)
        for stream in streams:
            os.close(stream)
        _, status = os.waitpid(child, 0)
        orders.send(json.dumps(os.waitstatus_to_exitcode(status)).encode())


def _run(order: dict[str, object], streams: list[int]) -> int:
    from review.cli import app

    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.chdir(str(order["folder"]))
    os.environ.clear()
    os.environ.update(order["environment"])  # type: ignore[call-overload]
    sys.stdin = sys.__stdin__ = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), "utf-8")
    sys.stdout = sys.__stdout__ = _writing(1)
    sys.stderr = sys.__stderr__ = _writing(2)
    return app.main([str(argument) for argument in order["arguments"]])  # type: ignore[attr-defined]


def _writing(number: int) -> io.TextIOWrapper:
    stream = io.BufferedWriter(io.FileIO(number, "w", closefd=False))
    return io.TextIOWrapper(stream, "utf-8", line_buffering=number == 2)


if __name__ == "__main__":
    sys.exit(serve(socket.socket(fileno=int(sys.argv[1]))))
