"""The control plane's side of the host's control socket."""

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import h11
import orjson

from albatross.host import view as views

_READ_BYTES = 64 * 1024
_NOT_READY = 503
_LOOK_S = 0.02  # how often to look for a host that is away
_FRAME_HEAD = 5  # a length and a letter
# How a call ends that no host has got as a whole: nobody listens; the socket's queue is full; the
# host has ended while the connection was in that queue, or with a part of the call unread, for then
# Linux resets a unix socket's connection; or there was somewhat left to write. Where a host has
# read everything, the connection ends without an error instead: see `BrokenOff`.
_NOT_HANDED_OVER = (
    *(ConnectionRefusedError, FileNotFoundError, BlockingIOError),
    *(ConnectionResetError, BrokenPipeError),
)


class BrokenOff(OSError):
    """The host has ended after it had read a call: what that asked for may have been done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """An invocation that is wanted. `client_context` is the JSON text, not Base64.

    Without a `request_id` it gets one. `trace_id` is the caller's X-Amzn-Trace-Id.
    `background`: everyone else's requests come first. `elsewhere_as`: the InvocationType for a
    function that runs elsewhere, where it is queued, say; here, RequestResponse alone runs.
    """

    function_arn: str
    payload: bytes = field(repr=False)
    client_context: str | None = field(default=None, repr=False)
    request_id: str = ""
    trace_id: str = ""
    background: bool = False
    elsewhere_as: str = ""

    def headers(self) -> list[tuple[str, str]]:
        """Return what goes to the host beside the payload."""
        context = base64.b64encode((self.client_context or "").encode()).decode()
        given = {
            "X-Function": self.function_arn,
            "X-Request-Id": self.request_id,
            "X-Client-Context": context,
            "X-Trace-Id": self.trace_id,
            "X-Background": "true" if self.background else "",
            "X-Invocation-Type": self.elsewhere_as,
        }
        return [(name, value) for name, value in given.items() if value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoked:
    """How an invocation ended: as `host.invocation.Outcome`, and the last 4 KB of its log."""

    request_id: str
    version: str  # of the function that ran
    payload: bytes
    function_error: str | None
    api_error: str | None
    log_tail: bytes
    trace_id: str = ""  # that the function got


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """An invocation whose result is about to come: the version that runs, and its trace id."""

    version: str
    trace_id: str


class HostClient:
    """Talks to the host at `socket_path`, a connection a call. Raises OSError while it is away.

    An invocation waits `away_s` for a host that is being replaced.
    """

    def __init__(self, socket_path: str, *, away_s: float = 0.0) -> None:
        self._socket_path = socket_path
        self._away_s = away_s

    async def apply(self, view: views.View, before: views.View | None = None) -> None:
        """Send the host what it needs of a snapshot; returns when it works by it.

        `before`: by what it works now, where that is known; then only the change is sent.
        """
        if before is None:
            response, data = await self._call("PUT", "/view", views.encode(view))
        else:
            change = views.encode(views.change(before, view))
            response, data = await self._call("PATCH", "/view", change)
            if response.status_code == _NOT_READY:
                raise ConnectionRefusedError("it is another host, without a configuration yet")
        if response.status_code != 200:
            raise ValueError(f"the Lambda host refused its configuration: {data.decode()}")

    async def invoke(self, call: Call) -> Invoked:
        """Invoke a function and wait for its end."""
        response, data = await self._handed_over("/invoke", call.payload, call.headers())
        found = {name.decode().lower(): value.decode() for name, value in response.headers}
        return _invoked(found, data)

    async def invoke_stream(self, call: Call) -> AsyncIterator[Begun | bytes | Invoked]:
        """Invoke a function and yield its result as it comes: Begun, parts, Invoked.

        `Invoked` has an error's document as its payload, and alone comes where no code was run.
        """
        headers = [*call.headers(), ("X-Stream", "true")]
        loop = asyncio.get_running_loop()
        give_up_s = loop.time() + self._away_s
        while True:
            try:
                async for each in self._streamed(call.payload, headers):
                    yield each
                return
            except _NOT_HANDED_OVER:
                if loop.time() >= give_up_s:
                    raise
            await asyncio.sleep(_LOOK_S)

    async def _streamed(
        self, payload: bytes, headers: list[tuple[str, str]]
    ) -> AsyncIterator[Begun | bytes | Invoked]:
        reader, writer = await asyncio.open_unix_connection(self._socket_path)
        try:
            connection = h11.Connection(h11.CLIENT)
            await _send(connection, writer, "POST", "/invoke", payload, headers)
            received, whole = b"", False
            async for part in _parts(connection, reader):
                if isinstance(part, h11.Response):
                    if part.status_code == _NOT_READY:
                        raise ConnectionRefusedError("it has no configuration yet")
                    found = {name.decode(): value.decode() for name, value in part.headers}
                    whole = "x-api-error" in found
                    continue
                received += part
                if whole:
                    continue
                frames, received = _frames(received)
                for kind, data in frames:
                    yield _shown(kind, data)
            if whole:
                yield _invoked(found, received)
        finally:
            writer.close()

    async def _handed_over(
        self, target: str, body: bytes, headers: list[tuple[str, str]]
    ) -> tuple[h11.Response, bytes]:
        """Call a host that is ready. What it has got is never sent again. Raises OSError."""
        loop = asyncio.get_running_loop()
        give_up_s = loop.time() + self._away_s
        while True:
            try:
                response, data = await self._call("POST", target, body, headers)
                if response.status_code != _NOT_READY:
                    return response, data
                error: OSError = ConnectionRefusedError("it has no configuration yet")
            except _NOT_HANDED_OVER as not_handed_over:
                error = not_handed_over
            if loop.time() >= give_up_s:
                raise error
            await asyncio.sleep(_LOOK_S)

    async def statistics(self) -> dict[str, object]:
        _, data = await self._call("GET", "/statistics", b"")
        found: dict[str, object] = orjson.loads(data)
        return found

    async def events(self, *, verbose: bool = False) -> AsyncIterator[dict[str, object]]:
        """Yield what happens in the host (see `hub.py`) until it ends."""
        reader, writer = await asyncio.open_unix_connection(self._socket_path, limit=64 * 2**20)
        try:
            connection = h11.Connection(h11.CLIENT)
            target = "/events?verbose" if verbose else "/events"
            await _send(connection, writer, "GET", target, b"", [])
            rest = b""
            async for part in _parts(connection, reader):
                if isinstance(part, bytes):
                    *lines, rest = (rest + part).split(b"\n")
                    for line in lines:
                        yield orjson.loads(line)
        finally:
            writer.close()

    async def _call(
        self, method: str, target: str, body: bytes, headers: list[tuple[str, str]] | None = None
    ) -> tuple[h11.Response, bytes]:
        reader, writer = await asyncio.open_unix_connection(self._socket_path)
        try:
            connection = h11.Connection(h11.CLIENT)
            await _send(connection, writer, method, target, body, headers or [])
            parts = [part async for part in _parts(connection, reader)]
            response, *chunks = parts
            assert isinstance(response, h11.Response)
            return response, b"".join(chunk for chunk in chunks if isinstance(chunk, bytes))
        finally:
            writer.close()


async def _send(
    connection: h11.Connection,
    writer: asyncio.StreamWriter,
    method: str,
    target: str,
    body: bytes,
    headers: list[tuple[str, str]],
) -> None:
    """Write a request; return when all of it is the kernel's. Raises one of _NOT_HANDED_OVER."""
    fields = [("Host", "albatross"), ("Content-Length", str(len(body))), *headers]
    request = h11.Request(method=method, target=target, headers=fields)
    writer.write(connection.send(request) or b"")
    writer.write(connection.send(h11.Data(data=body)) or b"")
    connection.send(h11.EndOfMessage())
    writer.transport.set_write_buffer_limits(high=0)
    await writer.drain()


def _invoked(found: Mapping[str, str], payload: bytes) -> Invoked:
    """Return what the headers `found`, names in lower case, say."""
    return Invoked(
        request_id=found["x-request-id"],
        version=found["x-executed-version"],
        payload=payload,
        function_error=found["x-function-error"] or None,
        api_error=found["x-api-error"] or None,
        log_tail=base64.b64decode(found["x-log-tail"]),
        trace_id=found["x-trace-id"],
    )


def _frames(received: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Return the whole frames in `received`, as host/control.py makes them, and what is left."""
    frames, at = [], 0
    while len(received) - at >= _FRAME_HEAD:
        end = at + _FRAME_HEAD + int.from_bytes(received[at : at + 4], "big")
        if end > len(received):
            break
        frames.append((received[at + 4 : at + 5], received[at + _FRAME_HEAD : end]))
        at = end
    return frames, received[at:]


def _shown(kind: bytes, data: bytes) -> Begun | bytes | Invoked:
    match kind:
        case b"B":
            return Begun(**orjson.loads(data))
        case b"P":
            return data
        case _:
            found = {name.lower(): value for name, value in orjson.loads(data).items()}
            return _invoked(found, found.get("payload", "").encode())


async def _parts(
    connection: h11.Connection, reader: asyncio.StreamReader
) -> AsyncIterator[h11.Response | bytes]:
    """Yield the response's head, then its body as it comes.

    Raises BrokenOff when it breaks off, or one of _NOT_HANDED_OVER before anything has come.
    """
    while True:
        try:
            event = connection.next_event()
        except h11.RemoteProtocolError as error:
            raise BrokenOff(f"the Lambda host broke off: {error}") from error
        if event is h11.NEED_DATA:
            try:
                connection.receive_data(await reader.read(_READ_BYTES))
            except _NOT_HANDED_OVER as error:
                if connection.their_state is h11.SEND_RESPONSE:
                    raise
                raise BrokenOff(f"the Lambda host broke off: {error}") from error
        elif isinstance(event, h11.Response):
            yield event
        elif isinstance(event, h11.Data):
            yield bytes(event.data)
        elif isinstance(event, h11.ConnectionClosed):
            raise BrokenOff("the Lambda host closed the connection")
        elif isinstance(event, h11.EndOfMessage):
            return
