"""An HTTP/1.1 connection for the host's three servers: the proxy's side, the Runtime API, the
control socket.

Framing is httptools' work. There is no task and no future on the way of a request: a whole request
calls `received()`, and whoever answers it calls `send()`, now or later.
"""

import asyncio
import logging
from typing import cast

import httptools

# AWS's runtime clients put up to 1 MB of a failed function's trace into one header. Beyond that we
# do as the server of AWS's runtime interface emulator: Go's `DefaultMaxHeaderBytes` and its slop.
HEAD_BYTES_MAX = 1024 * 1024 + 4096
LINGER_S = 5.0  # for a peer that is refused, to read why

_REASONS = {400: "Bad Request", 431: "Request Header Fields Too Large", 500: "-"}

log = logging.getLogger(__name__)


class HttpConnection(asyncio.Protocol):
    """One connection. Subclasses implement `received()`, which reads the request's parts."""

    body_bytes_max = 1024 * 1024
    outlives_too_large = False  # the rest of a body that is too large is read, and dropped

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.headers: list[tuple[bytes, bytes]] = []
        self.target = b""
        self._chunks: list[bytes] = []
        self._body_bytes = 0
        self._refused = False
        self._has_ended = False  # whatever still comes is dropped
        self.head_bytes = 0  # since the last bytes of a body: of a head, of trailers
        self.is_within = False  # a request has begun and is not complete
        self._parser = httptools.HttpRequestParser(self)

    # For subclasses

    def received(self) -> None:
        """A request is complete."""
        raise AssertionError

    def too_large(self) -> None:
        """The body is over `body_bytes_max`: answer. The connection is closed afterwards,
        unless it `outlives_too_large`.
        """
        self.send(
            b"HTTP/1.1 413 Request Entity Too Large\r\n"
            b"Content-Length: 0\r\nConnection: close\r\n\r\n"
        )

    def lost(self) -> None:
        """The peer is gone."""

    @property
    def method(self) -> str:
        method: bytes = self._parser.get_method()
        return method.decode("latin-1")

    def body(self) -> bytes:
        chunks = self._chunks
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def header(self, name: bytes) -> bytes | None:
        """Return the first value of the header `name` (lower case), or None."""
        for key, value in self.headers:
            if key.lower() == name:
                return value
        return None

    def send(self, data: bytes) -> None:
        if self.transport is not None and not self._has_ended:
            self.transport.write(data)

    def close(self) -> None:
        self._has_ended = True
        if self.transport is not None:
            self.transport.close()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._has_ended:
            return
        self.head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.close()  # the proxy refuses upgrades for functions: none comes from it
        except httptools.HttpParserCallbackError:
            log.exception("a request cannot be handled")
            self._reject(500, "a fault of ours")
        except httptools.HttpParserError as error:
            self._reject(400, f"no HTTP/1.1: {error}")
        if self.head_bytes > HEAD_BYTES_MAX:
            self._reject(431, f"a head of more than {HEAD_BYTES_MAX} bytes")

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self.lost()

    def _reject(self, status: int, why: str) -> None:
        """Answer, and close the connection once the peer can have read that."""
        if self.transport is None or self._has_ended:
            return
        log.info("refusing a request with %d: %s", status, why)
        head = f"HTTP/1.1 {status} {_REASONS[status]}\r\n"
        self.send(f"{head}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
        self._has_ended, self.is_within = True, False
        # Closed at once, what the peer still sends would take the answer away from it.
        self.transport.write_eof()
        asyncio.get_running_loop().call_later(LINGER_S, self.transport.abort)

    # httptools

    def on_message_begin(self) -> None:
        self.is_within = True
        self.headers = []
        self.target = b""
        self._chunks = []
        self._body_bytes = 0
        self._refused = self._refused and not self.outlives_too_large

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_body(self, chunk: bytes) -> None:
        self.head_bytes = 0
        self._body_bytes += len(chunk)
        if self._body_bytes <= self.body_bytes_max:
            self._chunks.append(chunk)
        elif not self._refused:
            self._refused = True
            self._chunks = []
            self.too_large()
            if not self.outlives_too_large:
                self.close()

    def on_message_complete(self) -> None:
        self.is_within = False
        self.head_bytes = 0
        if not self._refused:
            self.received()
