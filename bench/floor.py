"""The floor: the least that can stand between an HTTP client and AWS's runtime client.

    python bench/floor.py CLIENT_PORT RUNTIME_PORT

No proxy in front, no limits, no logs, no time-outs, no errors: one loop hands each request as an
ALB event to the next free `awslambdaric` and sends back the function's body. HTTP is cut by `find`.
"""

import asyncio
import sys
from collections import deque
from itertools import count
from typing import cast

import orjson
import uvloop

_END = b"\r\n\r\n"
_HEADERS = {
    "accept": "*/*",
    "host": "127.0.0.1",
    "user-agent": "floor",
    "x-amzn-trace-id": "Root=1-5bdb40ca-556d8b0c50dc66f0511bf520",
    "x-forwarded-for": "127.0.0.1",
    "x-forwarded-port": "80",
    "x-forwarded-proto": "http",
}
_CONTEXT = {
    "elb": {
        "targetGroupArn": "arn:aws:elasticloadbalancing:us-east-1:123456789012:"
        "targetgroup/floor/0123456789abcdef"
    }
}
_ARN = b"arn:aws:lambda:us-east-1:123456789012:function:floor"
_DEADLINE_MS = b"9999999999999"
_ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"


class Floor:
    """Who waits for whom."""

    def __init__(self) -> None:
        self.clients: deque[Client] = deque()  # with a request
        self.runtimes: deque[Runtime] = deque()  # that ask for one
        self.running: dict[bytes, Client] = {}
        self.numbers = count(1)

    def match(self) -> None:
        while self.clients and self.runtimes:
            client, id_ = self.clients.popleft(), b"%032d" % next(self.numbers)
            self.running[id_] = client
            self.runtimes.popleft().send_event(id_, client.event)


class Connection(asyncio.Protocol):
    """Cuts the stream into requests."""

    def __init__(self, floor: Floor) -> None:
        self.floor = floor
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(_END)) >= 0:
            head, length = self.buffer[:end].lower(), 0
            if (at := head.find(b"content-length:")) >= 0:
                length = int(head[at + 15 :].split(b"\r\n", 1)[0])
            body_end = end + len(_END) + length
            if len(self.buffer) < body_end:
                return
            body, line = self.buffer[end + len(_END) : body_end], self.buffer.split(b" ", 2)
            self.buffer = self.buffer[body_end:]
            self.received(line[0], line[1], body)

    def received(self, method: bytes, target: bytes, body: bytes) -> None:
        raise AssertionError


class Client(Connection):
    event = b""

    def received(self, method: bytes, target: bytes, body: bytes) -> None:
        self.event = orjson.dumps(
            {
                "requestContext": _CONTEXT,
                "httpMethod": method.decode(),
                "path": target.decode(),
                "queryStringParameters": {},
                "headers": _HEADERS,
                "body": body.decode(),
                "isBase64Encoded": False,
            }
        )
        self.floor.clients.append(self)
        self.floor.match()

    def answer(self, body: bytes) -> None:
        if not self.transport.is_closing():
            head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
            self.transport.write(head + body)


class Runtime(Connection):
    def received(self, method: bytes, target: bytes, body: bytes) -> None:
        if method == b"GET":
            self.floor.runtimes.append(self)
            self.floor.match()
            return
        self.transport.write(_ACCEPTED)
        if client := self.floor.running.pop(target.split(b"/")[-2], None):
            client.answer(orjson.loads(body)["body"].encode())

    def send_event(self, id_: bytes, event: bytes) -> None:
        self.transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            b"Lambda-Runtime-Aws-Request-Id: %b\r\n"
            b"Lambda-Runtime-Deadline-Ms: %b\r\n"
            b"Lambda-Runtime-Invoked-Function-Arn: %b\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (id_, _DEADLINE_MS, _ARN, len(event), event)
        )


async def serve(client_port: int, runtime_port: int) -> None:
    floor, loop = Floor(), asyncio.get_running_loop()
    await loop.create_server(lambda: Runtime(floor), "127.0.0.1", runtime_port)
    clients = await loop.create_server(lambda: Client(floor), "127.0.0.1", client_port)
    await clients.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2])))
