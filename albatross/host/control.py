"""The control socket: how the control plane configures the host and invokes functions.

PUT /view          the configuration to work by; answered when it is in force
PATCH /view        what has changed in it since the last one, likewise
POST /invoke       invoke the function named by X-Function; the body is the event; 503 before the
                   first view
GET /events        a stream of JSON lines (see hub.py); /events?verbose with events and responses
GET /statistics    one record a pool
"""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import TypeVar

import orjson

from albatross.host import logs, trace, view
from albatross.host.host import Host
from albatross.host.http import HttpConnection
from albatross.host.invocation import Invocation, Outcome
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

    def received(self) -> None:
        path, _, query = self.target.decode("latin-1").partition("?")
        match self.method, path:
            case "PUT", "/view":
                self._apply(View, self._host.apply)
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
        if pool is None:
            self._invoked(invocation, Outcome(b"", api_error="ResourceNotFoundException"))
        else:
            pool.submit(invocation)

    def _invoked(self, invocation: Invocation, outcome: Outcome) -> None:
        tail = base64.b64encode(logs.tail(invocation.log)).decode()
        self._reply(
            200,
            outcome.payload,
            {
                "X-Request-Id": invocation.id,
                "X-Executed-Version": invocation.version,
                "X-Trace-Id": invocation.trace_id or "",
                "X-Function-Error": outcome.function_error or "",
                "X-Api-Error": outcome.api_error or "",
                "X-Log-Tail": tail,
            },
        )

    def _reply(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        lines = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        head = f"HTTP/1.1 {status} -\r\n{lines}Content-Length: {len(body)}\r\n\r\n"
        self.send(head.encode() + body)
