"""The leaner way to a runtime: events and answers as frames on a socket that it inherits.

What AWS's runtime client for Python does over HTTP costs it two requests an invocation, each with
headers to write and to parse. Here an invocation is one frame each way, all numbers little-endian:

    event:   head length (u32), body length (u32), head, body; the head is five lines: request id,
             deadline in epoch milliseconds, ARN as invoked, trace id, client context
    answer:  kind (one letter), request id (36 bytes), body length (u32), body

Kinds are N (ready for the first event), R (result), E (error), L (either is too large; no body
follows), F (an error after which the runtime ends). After R and E the runtime waits for its next
event without saying so. A result that is streamed begins with B, whose body is its content type,
comes as the bodies of P, and ends with an empty R. The Runtime API is there beside it, for
extensions and for whatever else a function does with it.
"""

import asyncio
import struct
from collections.abc import Callable
from typing import cast

from albatross.host.environment import Environment
from albatross.host.failures import too_large
from albatross.host.invocation import RESULT_BYTES_MAX, Invocation, Outcome
from albatross.host.states import InvalidTransition

_EVENT = struct.Struct("<II")
_ANSWER = struct.Struct("<c36sI")


class Channel(asyncio.Protocol):
    """The host's end. What does not keep to the frames above ends its environment."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._transport: asyncio.Transport | None = None
        self._received = b""

    def send_event(self, invocation: Invocation, function_arn: str, deadline_ms: int) -> None:
        """Hand the runtime its event."""
        head = (
            f"{invocation.id}\n{deadline_ms}\n{function_arn}\n"
            f"{invocation.trace_id or ''}\n{invocation.client_context or ''}"
        ).encode()
        event = invocation.event
        if self._transport is not None:
            self._transport.write(_EVENT.pack(len(head), len(event)) + head + event)

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        received = self._received + data if self._received else data
        self._received = b""
        while len(received) >= _ANSWER.size:
            kind, id_, length = _ANSWER.unpack_from(received)
            end = _ANSWER.size + length
            if length > RESULT_BYTES_MAX:
                self._break()
                return
            if len(received) < end:
                break
            self._answered(kind, id_, received[_ANSWER.size : end])
            received = received[end:]
        self._received = received

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._environment.disconnected(self)

    # Within

    def _answered(self, kind: bytes, id_: bytes, body: bytes) -> None:
        environment = self._environment
        try:
            if kind == b"P":
                environment.stream(id_.decode("latin-1"), body)
                return
            if kind == b"B":
                known = environment.begin_stream(
                    id_.decode("latin-1"), body.decode("latin-1"), self._transport
                )
                if not known:
                    self._break()
                return
            if kind != b"N":
                to_outcome = _OUTCOMES.get(kind)
                known = to_outcome is not None and environment.answer(
                    id_.decode("latin-1"), to_outcome(body)
                )
                if not known:
                    self._break()
                    return
            if kind not in _LAST:
                environment.park(self)
        except InvalidTransition:
            self._break()

    def _break(self) -> None:
        if self._transport is not None:
            self._transport.abort()
        self._environment.stop()


_LAST = (b"L", b"F")  # no event is to follow them

_OUTCOMES: dict[bytes, Callable[[bytes], Outcome]] = {
    b"R": Outcome,
    b"E": lambda body: Outcome(body, function_error="Unhandled"),
    b"F": lambda body: Outcome(body, function_error="Unhandled"),
    b"L": lambda _: too_large(),
}
