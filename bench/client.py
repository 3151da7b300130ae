"""An HTTP client that hides nothing: one connection, no retries, every failure is the caller's."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

DEADLINE_S = 20.0


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]  # names in lower case
    body: bytes


class Client:
    """Makes requests one after the other, on one connection as long as the server keeps it."""

    def __init__(self, port: int, *, keep_alive: bool = True) -> None:
        self._port = port
        self._keep_alive = keep_alive
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def request(self, method: str, path: str, body: bytes = b"") -> Answer:
        """Raises OSError, EOFError, ValueError or TimeoutError where there is no whole answer."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                answer = await self._exchange(method, path, body)
        except BaseException:
            await self.close()
            raise
        if not self._keep_alive or answer.headers.get("connection") == "close":
            await self.close()
        return answer

    async def _exchange(self, method: str, path: str, body: bytes) -> Answer:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        lines = [f"{method} {path} HTTP/1.1", "Host: soak", "Content-Type: text/plain"]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        if not self._keep_alive:
            lines.append("Connection: close")
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        await writer.drain()
        return await read_answer(reader)

    async def close(self) -> None:
        if self._streams is not None:
            writer, self._streams = self._streams[1], None
            writer.close()
            with suppress(OSError):  # the peer was faster
                await writer.wait_closed()


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    """Raises EOFError where the connection ends before the answer does."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status_line, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Answer(int(status_line.split(" ")[1]), headers, body)
