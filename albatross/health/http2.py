"""One request over HTTP/2, GET or gRPC, on a connection of its own. Source: ALB user guide, "Health
checks"; RFC 9113; gRPC over HTTP2 (frames, trailers).
"""

import asyncio
from collections.abc import Mapping
from typing import cast

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

from albatross.health.http1 import RESPONSE_BYTES_MAX, Malformed

Headers = list[tuple[str, str]]

_CONFIG = h2.config.H2Configuration(
    client_side=True,
    validate_outbound_headers=False,
    normalize_outbound_headers=False,
)
_DIGITS_MAX = 9
EMPTY_MESSAGE = bytes(5)  # gRPC: not compressed, 0 bytes long


def get(path: str, authority: str, scheme: str, user_agent: str) -> Headers:
    """Return the headers of a GET."""
    return [*_pseudo_headers("GET", path, authority, scheme), ("user-agent", user_agent)]


def grpc_call(path: str, authority: str, scheme: str, user_agent: str) -> Headers:
    """Return the headers of a unary gRPC call."""
    return [
        *_pseudo_headers("POST", path, authority, scheme),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("user-agent", user_agent),
    ]


def _pseudo_headers(method: str, path: str, authority: str, scheme: str) -> Headers:
    return [(":method", method), (":scheme", scheme), (":authority", authority), (":path", path)]


def number(headers: Mapping[bytes, bytes], name: bytes) -> int | None:
    """Return the number in the header `name`; None where there is none."""
    text = headers.get(name, b"")
    return int(text) if text.isdigit() and len(text) <= _DIGITS_MAX else None


class Http2Check(asyncio.Protocol):
    """Sends a request and puts the response's headers and trailers into `answer` when it ends.

    It speaks HTTP/2 at once, without an upgrade. `answer` raises Malformed, ConnectionResetError.
    """

    def __init__(self, headers: Headers, body: bytes = b"") -> None:
        loop = asyncio.get_running_loop()
        self.answer: asyncio.Future[Mapping[bytes, bytes]] = loop.create_future()
        self._connection = h2.connection.H2Connection(_CONFIG)
        self._request, self._body = headers, body
        self._found: dict[bytes, bytes] = {}
        self._received = 0
        self._is_first = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)
        self._connection.initiate_connection()
        self._connection.send_headers(1, self._request, end_stream=not self._body)
        if self._body:
            self._connection.send_data(1, self._body, end_stream=True)
        self._transport.write(self._connection.data_to_send())

    def data_received(self, data: bytes) -> None:
        if self.answer.done():
            return
        if self._is_first and data.startswith(b"HTTP/1."):
            # h2 takes it for the head of a large frame, and would wait for the rest.
            self._fail(Malformed("the target speaks HTTP/1"))
            return
        self._is_first = False
        try:
            for event in self._connection.receive_data(data):
                self._take(event)
        except h2.exceptions.ProtocolError as error:
            self._fail(Malformed(str(error)))
        self._transport.write(self._connection.data_to_send())

    def connection_lost(self, _: Exception | None) -> None:
        self._fail(ConnectionResetError("the target closed the connection"))

    def _take(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.ResponseReceived() | h2.events.TrailersReceived():
                self._found.update(event.headers)
            case h2.events.DataReceived():
                self._receive(event)
            case h2.events.StreamEnded():
                self._end()
            case h2.events.StreamReset(error_code=h2.errors.ErrorCodes.NO_ERROR):
                self._end()
            case h2.events.StreamReset() | h2.events.ConnectionTerminated():
                self._fail(ConnectionResetError("the target reset the request"))

    def _receive(self, event: h2.events.DataReceived) -> None:
        self._received += event.flow_controlled_length
        if self._received > RESPONSE_BYTES_MAX:
            self._end()
        else:
            self._connection.acknowledge_received_data(event.flow_controlled_length, 1)

    def _end(self) -> None:
        if number(self._found, b":status") is None:
            self._fail(Malformed("the response has no status"))
        elif not self.answer.done():
            self.answer.set_result(self._found)

    def _fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)
