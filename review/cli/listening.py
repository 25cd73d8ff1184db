"""`/healthz` and `/metrics` of `copydesk run --listen`: read-only, by a thread beside the work."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import AF_INET6

from capture import BadSetting, CopydeskError, DatabaseManager

_logger = logging.getLogger("copydesk.run")

LOOPBACK = "127.0.0.1"

SILENCE = 120.0
"""After how many seconds without a turn the process counts as stuck."""


class Pulse:
    """When the work took its last turn.

    Args:
        clock: Seconds; for tests.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = clock()

    def beat(self) -> None:
        """A turn has ended."""
        self._last = self._clock()

    def silence(self) -> float:
        """Seconds since the last turn."""
        return self._clock() - self._last


def address(text: str) -> tuple[str, int]:
    """Read `HOST:PORT`, `[HOST]:PORT`, `:PORT` or `PORT`; without a host it is the loopback.

    Raises:
        BadSetting: It is something else.
    """
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (port.isascii() and port.isdigit() and len(port) < 6 and int(port) < 65536) or "/" in host:
        raise BadSetting(f"HOST:PORT was expected, found {text!r:.60}", hint="as in --listen 127.0.0.1:9464")
    return host or LOOPBACK, int(port)


@contextmanager
def listening(where: str, manager: DatabaseManager, pulse: Pulse) -> Iterator[str]:
    """Answer until the block ends.

    Args:
        where: See `address`.
        manager: What is measured.
        pulse: Tells whether the work goes on.

    Yields:
        The address, as a URL.

    Raises:
        BadSetting: Nobody can listen there.
    """
    host, port = address(where)
    kind = type("Server", (ThreadingHTTPServer,), {"address_family": AF_INET6} if ":" in host else {})
    try:
        server: ThreadingHTTPServer = kind((host, port), _handler(manager, pulse))
    except OSError as error:
        raise BadSetting(f"{where!r:.60} can't be listened at: {error}") from None
    thread = threading.Thread(target=server.serve_forever, name="copydesk-listening", daemon=True)
    thread.start()
    try:
        yield f"http://{f'[{host}]' if ':' in host else host}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(manager: DatabaseManager, pulse: Pulse) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 5  # nobody holds a thread by saying nothing
        server_version, sys_version = "copydesk", ""

        def do_GET(self) -> None:
            from review.metrics import CONTENT_TYPE, exposition, metrics

            match self.path.partition("?")[0]:
                case "/healthz":
                    silence = pulse.silence()
                    well = silence < SILENCE
                    self._answer(200 if well else 503, "ok\n" if well else f"no turn for {silence:.0f} s\n")
                case "/metrics":
                    try:
                        text = exposition(metrics(manager))
                    except CopydeskError as error:
                        _logger.warning("no metrics: %s", error)
                        self._answer(503, "the database is away\n")
                    else:
                        self._answer(200, text, CONTENT_TYPE)
                case _:
                    self._answer(404, "/healthz and /metrics are here\n")

        def _answer(self, status: int, text: str, kind: str = "text/plain; charset=utf-8") -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class names it so
            _logger.debug(format, *arguments)

    return Handler
