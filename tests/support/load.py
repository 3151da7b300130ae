"""Steady load on a listener: requests without a pause, each answer looked at."""

import asyncio
import ssl
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

import h2.config
import h2.connection
import h2.events

KEPT_ALIVE = 4  # connections; as many more are opened for a request each
PAUSE_S = 0.002
HOST = "example.com"
FRAME_HEAD_BYTES = 9  # of HTTP/2; the first three are the length of the rest


class NotProcessed(Exception):
    """The server has told that it did not look at the request: it can be sent again."""


class Connection(Protocol):
    """`over`: the server has said that there is no request after the last one."""

    over: bool

    async def request(self, path: str) -> tuple[str, bytes]:
        """Return status and body. Raises OSError, EOFError, NotProcessed."""

    def close(self) -> None: ...


class Http1:
    """A connection of HTTP/1.1."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.over = False

    async def request(self, path: str) -> tuple[str, bytes]:
        self._writer.write(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
        body = await self._reader.readexactly(length)
        self.over = b"connection: close" in head
        return head.split(b" ")[1].decode(), body

    def close(self) -> None:
        self._writer.close()


class Http2:
    """A connection of HTTP/2, with a request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.over = False
        self._answer: asyncio.Future[tuple[str, bytes]] | None = None
        self._stream, self._status, self._body = 0, "", b""
        config = h2.config.H2Configuration(header_encoding="utf-8")
        self._protocol = h2.connection.H2Connection(config)
        self._protocol.initiate_connection()
        self._task = asyncio.get_running_loop().create_task(self._read())

    async def request(self, path: str) -> tuple[str, bytes]:
        self._stream, self._status, self._body = (
            self._protocol.get_next_available_stream_id(),
            "",
            b"",
        )
        self._answer = asyncio.get_running_loop().create_future()
        lines = (":method", "GET"), (":scheme", "https"), (":path", path), (":authority", HOST)
        self._protocol.send_headers(self._stream, lines, end_stream=True)
        self._writer.write(self._protocol.data_to_send())
        return await self._answer

    def close(self) -> None:
        self._task.cancel()
        self._writer.close()

    async def _read(self) -> None:
        with suppress(OSError, EOFError):
            while True:
                head = await self._reader.readexactly(FRAME_HEAD_BYTES)
                frame = head + await self._reader.readexactly(int.from_bytes(head[:3]))
                for event in self._protocol.receive_data(frame):
                    self._take(event)
                self._writer.write(self._protocol.data_to_send())
        self._fail(EOFError("the connection has ended"))

    def _take(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.ResponseReceived() if event.stream_id == self._stream:
                self._status = dict(event.headers)[":status"]
            case h2.events.DataReceived() if event.stream_id == self._stream:
                self._body += event.data
                self._protocol.acknowledge_received_data(
                    event.flow_controlled_length, event.stream_id
                )
            case h2.events.StreamEnded() if event.stream_id == self._stream:
                assert self._answer is not None
                if not self._answer.done():
                    self._answer.set_result((self._status, self._body))
            case h2.events.StreamReset():
                self._fail(ConnectionError(f"stream reset: {event.error_code!r}"))
            case h2.events.ConnectionTerminated():
                self.over = True
                # h2 takes no frame after a GOAWAY, but the answer may still come.
                self._protocol.state_machine.state = h2.connection.ConnectionState.CLIENT_OPEN
                if event.last_stream_id is not None and event.last_stream_id < self._stream:
                    self._fail(NotProcessed())

    def _fail(self, error: Exception) -> None:
        self.over = True
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)


@dataclass
class Load:
    """Requests for `paths`, in the event loop that runs it, until it is `over`.

    `paths`: what the answer to each is. With `tls` they are of HTTPS, to one of `names` by SNI; in
    HTTP/2 where both sides want it.
    """

    address: str
    port: int
    paths: Mapping[str, bytes]
    names: Sequence[str]
    tls: ssl.SSLContext | None = None
    sent: Counter[str] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    ended: int = 0  # kept-alive connections whose end the server has told
    faults: list[str] = field(default_factory=list)
    over: bool = False
    _last: deque[asyncio.StreamWriter] = field(default_factory=lambda: deque(maxlen=64))

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(KEPT_ALIVE):
                group.create_task(self._client(number, kept_alive=True))
                group.create_task(self._client(number, kept_alive=False))
        for writer in self._last:
            writer.transport.abort()  # else the loop may end before TLS has said goodbye
        await asyncio.sleep(0)

    async def _client(self, first: int, *, kept_alive: bool) -> None:
        paths = list(self.paths)
        connection: Connection | None = None
        for number in count(first):
            if self.over:
                break
            path = paths[number % len(paths)]
            try:
                if connection is None:
                    connection = await self._connect(self.names[number % len(self.names)])
                await self._ask(connection, path)
            except NotProcessed:
                pass
            except (OSError, EOFError) as error:
                version = type(connection).__name__
                self.faults.append(f"{version} {path}: {error!r}, kept alive: {kept_alive}")
            if connection is not None and (connection.over or not kept_alive or self.faults):
                self.ended += connection.over and kept_alive
                connection.close()
                connection = None
            await asyncio.sleep(PAUSE_S)
        if connection is not None:
            connection.close()

    async def _connect(self, name: str) -> Connection:
        reader, writer = await asyncio.open_connection(
            self.address, self.port, ssl=self.tls, server_hostname=name if self.tls else None
        )
        self._last.append(writer)
        tls = writer.get_extra_info("ssl_object")
        connection = Http2 if tls is not None and tls.selected_alpn_protocol() == "h2" else Http1
        return connection(reader, writer)

    async def _ask(self, connection: Connection, path: str) -> None:
        status, body = await connection.request(path)
        self.sent[path] += 1
        self.versions[type(connection).__name__] += 1
        if body != self.paths[path]:
            self.faults.append(f"{path}: {status} {body[:80]!r}")
