"""A small proxy on loopback that cuts connections after a given byte, or falls silent, as a load balancer may."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

UP, DOWN = 0, 1
"""From the client to the server, and back."""


class Proxy:
    """Forwards connections to a unix socket; both ends of one are closed once the armed byte was forwarded.

    Args:
        server: The path of the server's unix socket.

    Attributes:
        port: Where it listens on 127.0.0.1.
        cuts: How many connections were cut.
        deaf: The ends of connections that pass nothing on.
        passed: Bytes forwarded since the last `arm`, up and down.
    """

    def __init__(self, server: str) -> None:
        self.cuts = 0
        self.deaf: set[socket.socket] = set()
        self.passed = [0, 0]
        self._server = server
        self._left: list[int | None] = [None, None]
        self._lock = threading.Lock()
        self._ends: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, direction: int | None = None, after: int = 0) -> None:
        """Cut at this byte of this direction, counted from now, once; without a direction never."""
        with self._lock:
            self.passed = [0, 0]
            self._left = [None, None]
            if direction is not None:
                self._left[direction] = after

    def fall_silent(self) -> None:
        """Keep the connections that are open now, and pass nothing on in them any more."""
        with self._lock:
            self.deaf |= self._ends

    def close(self) -> None:
        """Stop listening, and cut everything."""
        _shut(self._listener)
        self._listener.close()
        with self._lock:
            ends = list(self._ends)
        for end in ends:
            _shut(end)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(self._server)
            except OSError:
                client.close()
                server.close()
                continue
            with self._lock:
                self._ends |= {client, server}
            for direction, one, other in ((UP, client, server), (DOWN, server, client)):
                threading.Thread(target=self._forward, args=(direction, one, other), daemon=True).start()

    def _forward(self, direction: int, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                if one in self.deaf:
                    continue
                data, ends = self._counted(direction, data)
                other.sendall(data)
                if ends:
                    break
        # Both ends: what is under way in the other direction is lost too.
        _shut(one)
        _shut(other)
        with self._lock:
            # Each thread takes out the end that it reads from; who finds the other gone closes both.
            self._ends.discard(one)
            if other not in self._ends:
                one.close()
                other.close()

    def _counted(self, direction: int, data: bytes) -> tuple[bytes, bool]:
        with self._lock:
            left = self._left[direction]
            ends = left is not None and len(data) >= left
            if left is not None:
                data = data[:left]
                self._left[direction] = None if ends else left - len(data)
            self.passed[direction] += len(data)
            self.cuts += ends
            return data, ends


def _shut(end: socket.socket) -> None:
    with suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
