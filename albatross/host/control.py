"""The control socket: how the control plane configures the host and invokes functions.

PUT /view          the configuration to work by; answered when it is in force
PATCH /view        what has changed in it since the last one, likewise; 503 before the first view
POST /invoke       invoke the function named by X-Function; the body is the event; 503 before the
                   first view. With X-Stream the result comes as it is made, in frames: a length in
                   4 bytes, a letter, content
GET /events        a stream of JSON lines (see hub.py); /events?verbose with events and responses
GET /statistics    one record a pool
"""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TypeVar

import orjson

from albatross.host import trace, view
from albatross.host.holding import Holder
from albatross.host.host import Host
from albatross.host.http import HttpConnection
from albatross.host.invocation import Invocation, Outcome
from albatross.host.observe import logs
from albatross.host.view import Change, View

T = TypeVar("T")

BODY_BYTES_MAX = 512 * 1024 * 1024  # a whole configuration
_UNSENT_LOGS_BYTES_MAX = 16 * 1024 * 1024  # beyond that a slower watcher loses log events
_UNSENT_BYTES_MAX = 64 * 1024 * 1024  # and beyond that it is dropped


class ControlConnection(HttpConnection):
    """A connection to the control socket. `opened` is awaited after each view."""

    body_bytes_max = BODY_BYTES_MAX

    def __init__(self, host: Host, opened: Callable[[], Awaitable[None]]) -> None:
        super().__init__()
        self.verbose = False
        self._loses = False  # since the last event sent
        self._host = host
        self._opened = opened
        self._task: asyncio.Task[None] | None = None
        self._streamed: Invocation | None = None  # whose result goes out in frames
        self._has_begun = False
        self._holder = Holder()

    def received(self) -> None:
        path, _, query = self.target.decode("latin-1").partition("?")
        match self.method, path:
            case "PUT", "/view":
                self._apply(View, self._host.apply)
            case "PATCH", "/view" if self._host.revision < 0:  # meant for the host before
                self._reply(503, b"no configuration yet")
            case "PATCH", "/view":
                self._apply(Change, self._host.change)
            case "POST", "/invoke" if self._host.revision < 0:  # it knows no function yet
                self._reply(503, b"no configuration yet")
            case "POST", "/invoke":
                self._invoke()
            case "GET", "/events":
                self.verbose = query == "verbose"
                self.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                self._host.hub.add(self)
            case "GET", "/statistics":
                pools = [asdict(pool.statistics()) for pool in self._host.pools.values()]
                self._reply(200, orjson.dumps({"revision": self._host.revision, "pools": pools}))
            case _:
                self._reply(404, b"no such path")

    def watch(self, line: bytes, *, may_be_lost: bool) -> None:
        if self.transport is None:
            return
        unsent_bytes = self.transport.get_write_buffer_size()
        if unsent_bytes > _UNSENT_BYTES_MAX:
            self.transport.abort()
            return
        if may_be_lost and unsent_bytes > _UNSENT_LOGS_BYTES_MAX:
            self._loses = True
            return
        if self._loses:
            self._loses = False
            line = b'{"type":"lost"}\n' + line
        self.send(f"{len(line):x}\r\n".encode() + line + b"\r\n")

    def lost(self) -> None:
        self._host.hub.remove(self)
        self._holder.release()

    # asyncio.Protocol

    def pause_writing(self) -> None:
        self._holder.hold(self._streamed)

    def resume_writing(self) -> None:
        self._holder.release()

    # Sink

    def begin(self, invocation: Invocation, content_type: str) -> None:
        """Say what runs, ahead of its result."""
        if not self._has_begun:
            self._has_begun = True
            self.send(b"HTTP/1.1 200 -\r\nTransfer-Encoding: chunked\r\n\r\n")
            begun = {"version": invocation.version, "trace_id": invocation.trace_id}
            self._frame(b"B", orjson.dumps(begun))

    def part(self, invocation: Invocation, data: bytes) -> None:
        if data:
            self._frame(b"P", data)

    def _frame(self, kind: bytes, data: bytes) -> None:
        size = len(data) + 5
        length = len(data).to_bytes(4, "big")
        self.send(f"{size:x}\r\n".encode() + length + kind + data + b"\r\n")

    def _apply(self, cls: type[T], work_by: Callable[[T], None]) -> None:
        try:
            received = view.decode(self.body(), cls)
        except ValueError as error:
            self._reply(400, str(error).encode())
            return
        work_by(received)
        self._task = asyncio.get_running_loop().create_task(self._open())

    async def _open(self) -> None:
        await self._opened()
        self._reply(200, b"")

    def _invoke(self) -> None:
        arn = (self.header(b"x-function") or b"").decode()
        pool = self._host.find(arn)
        context = self.header(b"x-client-context")
        invocation = Invocation(
            self.body(),
            self._invoked,
            invoked_arn=arn,
            client_context=base64.b64decode(context).decode() if context else None,
        )
        invocation.id = (self.header(b"x-request-id") or b"").decode() or invocation.id
        given = (self.header(b"x-trace-id") or b"").decode("latin-1")
        invocation.trace_id = trace.handed_on(given, invocation.id)
        invocation.background = self.header(b"x-background") is not None
        kind = (self.header(b"x-invocation-type") or b"RequestResponse").decode()
        invocation.invocation_type = kind
        invocation.wants_log = kind == "RequestResponse"
        if self.header(b"x-stream") is not None:
            self._streamed, invocation.sink, self._has_begun = invocation, self, False
        if pool is None:
            self._invoked(invocation, Outcome(b"", api_error="ResourceNotFoundException"))
        else:
            pool.submit(invocation)

    def _invoked(self, invocation: Invocation, outcome: Outcome) -> None:
        about = {
            "X-Request-Id": invocation.id,
            "X-Executed-Version": invocation.version,
            "X-Trace-Id": invocation.trace_id or "",
            "X-Function-Error": outcome.function_error or "",
            "X-Api-Error": outcome.api_error or "",
            "X-Log-Tail": base64.b64encode(logs.tail(invocation.log)).decode(),
        }
        if invocation.sink is None or outcome.api_error is not None:
            self._reply(200, outcome.payload, about)
            return
        self._holder.release()
        self.begin(invocation, "")
        if outcome.function_error is None:
            self.part(invocation, outcome.payload)
            self._frame(b"E", orjson.dumps(about))
        else:
            self._frame(b"E", orjson.dumps({**about, "payload": _text(outcome.payload)}))
        self.send(b"0\r\n\r\n")

    def _reply(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        head = f"HTTP/1.1 {status} -\r\n{lines}Content-Length: {len(body)}\r\n\r\n"
        self.send(head.encode() + body)


def _text(document: bytes) -> str:
    return document.decode(errors="replace")
