"""Servers on loopback addresses, to be targets. Each is one thread's event loop's work."""

import asyncio
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from tests.support.targets import Handler


@dataclass
class Backend:
    """An HTTP/1.1 server that tells what it got. Tests change how it behaves.

    `handler` takes the place of all that: it is given each connection.
    """

    name: str
    port: int = 0
    healthy: bool = True
    status: str = "200 Fine"
    headers: list[str] = field(default_factory=list)  # further lines of its responses
    seen: list[str] = field(default_factory=list)  # request lines, checks left out
    checks: int = 0
    handler: Handler | None = None
    release: threading.Event = field(default_factory=threading.Event)  # of requests for /wait
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)
    _server: asyncio.Server | None = None

    async def start(self, port: int = 0, tls: Any = None) -> None:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", port, limit=1 << 20, ssl=tls
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Refuse connections and cut those that there are, as a killed process does."""
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                if self.handler is not None:
                    await self.handler(reader, writer)
                else:
                    while await self._answer(reader, writer):
                        pass
        finally:
            self._writers.discard(writer)
            with suppress(ConnectionError, RuntimeError):
                writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *lines = head[:-4].split("\r\n")
        headers = [tuple(one.split(": ", 1)) for one in lines]
        by_name = {name.lower(): value for name, value in headers}
        if "ELB-HealthChecker" in by_name.get("user-agent", ""):
            self.checks += 1
            status = "200 OK" if self.healthy else "503 Service Unavailable"
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
            return True
        self.seen.append(line)
        path = line.split(" ")[1]
        if by_name.get("upgrade", "").lower() == "websocket":
            return await self._websocket(reader, writer)
        digest, size = await _read_body(reader, by_name)
        if path == "/wait":
            await asyncio.to_thread(self.release.wait, 20)
        elif path == "/silent":
            await reader.read()
            return False
        elif path == "/reset":
            writer.transport.abort()
            return False
        elif path.startswith("/bytes/"):
            return await self._stream(writer, int(path.rsplit("/", 1)[1]))
        document = {"by": self.name, "request": line, "headers": headers}
        body = json.dumps(document | {"sha256": digest, "bytes": size}).encode()
        more = "".join(f"{one}\r\n" for one in self.headers)
        writer.write(f"HTTP/1.1 {self.status}\r\nX-MiXed: yes\r\n{more}".encode())
        writer.write(f"Content-Length: {len(body)}\r\n\r\n".encode())
        writer.write(body)
        await writer.drain()
        return True

    async def _stream(self, writer: asyncio.StreamWriter, size: int) -> bool:
        """Answer with `size` zero bytes, chunked."""
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        piece = bytes(64 * 1024)
        for _ in range(size // len(piece)):
            writer.write(b"10000\r\n" + piece + b"\r\n")
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    async def _websocket(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Switch protocols and send back what comes."""
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"
        )
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        return False


async def _read_body(reader: asyncio.StreamReader, headers: dict[str, str]) -> tuple[str, int]:
    """Read a body and return its digest and size."""
    digest, size = hashlib.sha256(), 0
    if "chunked" in headers.get("transfer-encoding", ""):
        while length := int(await reader.readline(), 16):
            digest.update((await reader.readexactly(length + 2))[:-2])
            size += length
        await reader.readexactly(2)
    else:
        left = int(headers.get("content-length", 0))
        while left:
            data = await reader.read(min(left, 65536))
            if not data:
                raise asyncio.IncompleteReadError(b"", left)
            digest.update(data)
            left, size = left - len(data), size + len(data)
    return digest.hexdigest(), size


class Backends:
    """Servers in a thread of their own."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._all: list[Backend] = []

    def run(self, awaitable: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(awaitable, self.loop).result(20)

    def start(self, name: str, *, port: int = 0, tls: Any = None, **fields: Any) -> Backend:
        backend = Backend(name, **fields)
        self.run(backend.start(port, tls))
        self._all.append(backend)
        return backend

    def stop(self, backend: Backend) -> None:
        self.run(backend.stop())

    def close(self) -> None:
        for backend in self._all:
            backend.release.set()
            self.stop(backend)


@contextmanager
def backends() -> Iterator[Backends]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    found = Backends(loop)
    try:
        yield found
    finally:
        found.close()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(_finish())
        loop.close()


async def _finish() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        await asyncio.wait(others, timeout=5)
