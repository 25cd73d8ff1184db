"""One request over HTTPS and its answer, with a bound on everything, and the knowledge whether a byte went out.

Nothing of the environment is used (no proxy, no netrc), no redirect is followed, no answer is unpacked, no connection
is used twice, and nothing is tried again. Imported when something is sent: it needs the extra `publishers`.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpcore2
import httpx2

from review.errors import NotSent, Unanswered
from review.publishers.address import Network, Resolve, host_of, judged, system_resolve

MOST_BYTES = 64 * 1024
"""How long an answer may be, headers and all, where no other bound is given."""

_SLICE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back.

    Attributes:
        status: The status code.
        headers: By name in lower case.
        body: As it came, never unpacked.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Exchange:
    """How to reach a host.

    Attributes:
        seconds: How long one request may take in all, from connecting to the last byte of the answer.
        private: Networks that may be reached although they are not public.
        ca_file: The certificates that are trusted; the system's when left out.
        resolve: Resolves names.
    """

    seconds: float = 30.0
    private: Sequence[Network] = ()
    ca_file: Path | None = None
    resolve: Resolve = system_resolve

    def ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        *,
        content: bytes | None = None,
        files: Any = None,
        data: Mapping[str, str] | None = None,
        most_bytes: int = MOST_BYTES,
    ) -> Answer:
        """Send one request, once.

        Args:
            method: As `POST`.
            url: An https address.
            headers: Go as they are.
            content: The body.
            files: Instead of a body, the files of a form.
            data: The form's other fields.
            most_bytes: How long the answer may be, headers and all.

        Raises:
            NotSent: No byte of the request was written.
            Unanswered: One was, and no whole answer came.
        """
        watch = _Watch(host_of(url, "the address"), time.monotonic() + self.seconds, most_bytes)
        try:
            transport = _Transport(self._trusted(), _Backend(self, watch))
            with httpx2.Client(transport=transport, trust_env=False, follow_redirects=False, timeout=None) as client:
                client.headers.clear()
                request = client.build_request(
                    method, url, headers=_plain(headers), content=content, files=files, data=data
                )
                answer = client.send(request, stream=True)
                body = b"".join(answer.iter_raw())
                return Answer(answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, body)
        except NotSent:
            raise
        except Exception as error:
            # Whatever broke, and in whichever library: what counts is whether a byte had been written.
            words = f"{method} to {httpx2.URL(url).host}: {watch.broken or str(error) or type(error).__name__}"
            raise (Unanswered if watch.begun else NotSent)(words) from error

    def _trusted(self) -> ssl.SSLContext:
        if self.ca_file is None:
            return httpx2.create_ssl_context(trust_env=False)
        return ssl.create_default_context(cafile=self.ca_file)


def _plain(headers: Mapping[str, str]) -> dict[str, str]:
    return {"User-Agent": "copydesk", "Accept-Encoding": "identity", "Connection": "close", **headers}


@dataclass(slots=True)
class _Watch:
    target: tuple[str, int]
    until: float
    room: int
    begun: bool = False
    connected: bool = False
    broken: str = ""

    def left(self) -> float:
        left = self.until - time.monotonic()
        if left <= 0:
            self.broken = "it took too long"
            raise httpcore2.ReadTimeout(self.broken)
        return left

    def took(self, count: int) -> None:
        self.room -= count
        if self.room < 0:
            self.broken = "the answer is too long"
            raise httpcore2.RemoteProtocolError(self.broken)


class _Backend(httpcore2.NetworkBackend):
    """Connects to the address that was judged, once."""

    def __init__(self, exchange: Exchange, watch: _Watch) -> None:
        self._exchange = exchange
        self._watch = watch
        self._inner = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - the watch knows it
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        if self._watch.connected or (host, port) != self._watch.target:
            raise httpcore2.ConnectError("one request is one connection, to the host of its address")
        self._watch.connected = True
        address = judged(host, port, self._exchange.private, self._exchange.resolve)
        stream = self._inner.connect_tcp(address, port, self._watch.left(), local_address, socket_options)
        return _Stream(stream, self._watch)


class _Stream(httpcore2.NetworkStream):
    """Counts what comes and notes that something goes. The certificate is checked against the host of the URL."""

    def __init__(self, inner: httpcore2.NetworkStream, watch: _Watch) -> None:
        self._inner = inner
        self._watch = watch

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002 - the watch knows it
        data = self._inner.read(max_bytes, self._watch.left())
        self._watch.took(len(data))
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002 - the watch knows it
        self._watch.begun = True
        for start in range(0, len(buffer), _SLICE):
            self._inner.write(buffer[start : start + _SLICE], self._watch.left())

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002 - the watch knows it
    ) -> httpcore2.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, self._watch.left()), self._watch)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Transport(httpx2.BaseTransport):
    """httpx2's own, over a backend of ours."""

    def __init__(self, context: ssl.SSLContext, backend: httpcore2.NetworkBackend) -> None:
        self._pool = httpcore2.ConnectionPool(
            ssl_context=context, network_backend=backend, retries=0, max_keepalive_connections=0
        )

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        url = httpcore2.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        answer = self._pool.handle_request(
            httpcore2.Request(request.method, url, headers=request.headers.raw, content=request.stream)
        )
        return httpx2.Response(answer.status, headers=answer.headers, stream=_Body(answer))

    def close(self) -> None:
        self._pool.close()


class _Body(httpx2.SyncByteStream):
    def __init__(self, answer: httpcore2.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        return self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()
