"""One request over HTTP/2, GET or gRPC, on a connection of its own. Source: ALB user guide, "Health
checks"; RFC 9113; gRPC over HTTP2 (frames, trailers).
"""

import asyncio
from collections.abc import Mapping
from typing import cast

from albatross.health.check import RESPONSE_BYTES_MAX, Check, Malformed
from albatross.health.frames import Headers, ProtocolError, Response, StreamReset, request

_DIGITS_MAX = 9
EMPTY_MESSAGE = bytes(5)  # gRPC: not compressed, 0 bytes long


def get(path: str, authority: str, scheme: str, user_agent: str) -> Headers:
    """Return the headers of a GET."""
    return (*_pseudo_headers("GET", path, authority, scheme), ("user-agent", user_agent))


def grpc_call(path: str, authority: str, scheme: str, user_agent: str) -> Headers:
    """Return the headers of a unary gRPC call."""
    return (
        *_pseudo_headers("POST", path, authority, scheme),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("user-agent", user_agent),
    )


def _pseudo_headers(method: str, path: str, authority: str, scheme: str) -> Headers:
    return ((":method", method), (":scheme", scheme), (":authority", authority), (":path", path))


def number(headers: Mapping[bytes, bytes], name: bytes) -> int | None:
    """Return the number in the header `name`; None where there is none."""
    text = headers.get(name, b"")
    return int(text) if text.isdigit() and len(text) <= _DIGITS_MAX else None


class Http2Check(Check[Mapping[bytes, bytes]]):
    """Sends a request and puts the response's headers and trailers into `answer` when it ends.

    It speaks HTTP/2 at once, without an upgrade.
    """

    def __init__(self, headers: Headers, body: bytes = b"") -> None:
        super().__init__()
        self._request = request(headers, body)
        self._response = Response()
        self._is_first = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if self.answer.done():
            return
        if self._is_first and data.startswith(b"HTTP/1."):
            # Taken for the head of a large frame, it would be said to be too large.
            self.fail(Malformed("the target speaks HTTP/1"))
            return
        self._is_first = False
        response = self._response
        try:
            answers = response.receive(data)
        except ProtocolError as error:
            self.fail(Malformed(str(error)))
            return
        except StreamReset as error:
            self.fail(ConnectionResetError(str(error)))
            return
        # As in http1.py, after 1 MB the rest is not waited for.
        if response.is_complete or response.received > RESPONSE_BYTES_MAX:
            self._end()
        elif answers:
            self._transport.write(answers)

    def connection_lost(self, _: Exception | None) -> None:
        self.fail(ConnectionResetError("the target closed the connection"))
        del self._transport  # which, over TLS, refers to this object

    def _end(self) -> None:
        if number(self._response.headers, b":status") is None:
            self.fail(Malformed("the response has no status"))
        else:
            self.end(self._response.headers)
