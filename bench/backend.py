"""A trivial HTTP server on a unix socket: what a proxy is measured against.

python bench/backend.py SOCKET
"""

import asyncio
import sys
from typing import cast

import uvloop

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"
_END = b"\r\n\r\n"


class Backend(asyncio.Protocol):
    """Answers each request the same. Requests have no body."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.rest = b""

    def data_received(self, data: bytes) -> None:
        data = self.rest + data
        requests = data.count(_END)
        self.rest = data[data.rfind(_END) + len(_END) :] if requests else data
        self.transport.write(_ANSWER * requests)


async def serve(path: str) -> None:
    server = await asyncio.get_running_loop().create_unix_server(Backend, path)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1]))
