"""A real Envoy, programmed by our server, in front of an upstream that tells what it received."""

import asyncio
import base64
import json
import socket
import subprocess
from collections.abc import Awaitable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from albatross.model.listener import Listener
from albatross.model.load_balancer import LoadBalancer
from albatross.model.rule import Action, Condition, Forward, Rule, Transform
from albatross.model.snapshot import ListenerRules, Snapshot
from albatross.model.target_group import TargetGroup
from albatross.xds import bootstrap
from albatross.xds.server import XdsServer
from albatross.xds.translate import Binding, translate

CREATED_AT = datetime(2026, 1, 2, tzinfo=UTC)
PREFIX = "arn:aws:elasticloadbalancing:us-east-1:123456789012"
TARGET_GROUP = f"{PREFIX}:targetgroup/echo/0000000000000001"
DEADLINE_S = 10


def target_group() -> TargetGroup:
    return TargetGroup(arn=TARGET_GROUP, name="echo", target_type="lambda")


@dataclass
class Balancer:
    """One load balancer with one listener, in the words of a test."""

    name: str = "web"
    port: int = 80
    rules: list[tuple[tuple[Condition, ...], Action]] = field(default_factory=list)
    default: Action = field(default_factory=lambda: Forward.to(TARGET_GROUP))
    attributes: dict[str, str] = field(default_factory=dict)
    listener_attributes: dict[str, str] = field(default_factory=dict)
    transforms: dict[int, tuple[Transform, ...]] = field(default_factory=dict)  # by priority

    @property
    def listener_arn(self) -> str:
        return f"{PREFIX}:listener/app/{self.name}/1/2"

    def resources(self, slot: int) -> tuple[LoadBalancer, Listener, list[Rule]]:
        balancer = LoadBalancer(
            arn=f"{PREFIX}:loadbalancer/app/{self.name}/1",
            name=self.name,
            dns_name=f"{self.name}-1.us-east-1.elb.localhost",
            scheme="internet-facing",
            ip_address_type="ipv4",
            zones=(),
            security_groups=(),
            vpc_id="vpc-1",
            created_at=CREATED_AT,
            slot=slot,
            attributes=self.attributes,
        )
        listener = Listener(
            arn=self.listener_arn,
            load_balancer_arn=balancer.arn,
            port=self.port,
            protocol="HTTP",
            attributes=self.listener_attributes,
        )
        numbered: list[tuple[int | None, tuple[Condition, ...], Action]] = [
            (10 * n, conditions, action) for n, (conditions, action) in enumerate(self.rules, 1)
        ]
        rules = [
            Rule(
                arn=f"{listener.arn.replace(':listener/', ':listener-rule/')}/{priority or 0}",
                listener_arn=listener.arn,
                priority=priority,
                conditions=conditions,
                action=action,
                transforms=self.transforms.get(priority or 0, ()),
            )
            for priority, conditions, action in [*numbered, (None, (), self.default)]
        ]
        return balancer, listener, rules


def to_snapshot(*balancers: Balancer) -> Snapshot:
    parts = [balancer.resources(slot) for slot, balancer in enumerate(balancers)]
    return Snapshot(
        revision=1,
        load_balancers=tuple(balancer for balancer, _, _ in parts),
        listeners=tuple(listener for _, listener, _ in parts),
        by_listener={listener.arn: ListenerRules.of(rules) for _, listener, rules in parts},
        target_groups=(target_group(),),
    )


def reply(raw: bytes) -> str:
    """Return the header line that makes the upstream answer with `raw`."""
    return f"x-reply: {base64.b64encode(raw).decode()}"


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer requests with what they were, as JSON, or with the bytes in their x-reply."""
    try:
        with suppress(ConnectionError, asyncio.IncompleteReadError, ValueError):
            while await _echo_one(reader, writer):
                pass
    finally:
        writer.close()


async def _echo_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Answer one request; tell whether the connection stays."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head[:-4].split("\r\n")
    headers = [tuple(line.split(":", 1)) for line in lines]
    headers = [(name, value.strip(" ")) for name, value in headers]
    by_name = {name.lower(): value for name, value in headers}
    body = b""
    if "chunked" in by_name.get("transfer-encoding", ""):
        while size := int(await reader.readline(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readexactly(2)
    else:
        body = await reader.readexactly(int(by_name.get("content-length", 0)))
    if "x-reply-never" in by_name:
        await reader.read()  # until Envoy gives up
        return False
    await asyncio.sleep(float(by_name.get("x-reply-after", 0)))
    if given := by_name.get("x-reply"):
        writer.write(base64.b64decode(given))
        return "x-then-close" not in by_name
    document = {"request": first, "headers": headers, "body": body.decode("latin-1")}
    answer = json.dumps(document).encode()
    writer.write(b"HTTP/1.1 200 OK\r\nServer: echo\r\n")
    if size := by_name.get("x-reply-header-bytes"):
        writer.write(b"Big: " + b"b" * int(size) + b"\r\n")
    writer.write(b"Content-Length: %d\r\n\r\n" % len(answer) + answer)
    await writer.drain()
    return True


@dataclass
class Answer:
    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes
    closed: bool  # the connection, after this answer

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(values) < 2, values
        return values[0] if values else None

    @property
    def received(self) -> "Received":
        """What the upstream received."""
        assert self.status == 200, self
        document = json.loads(self.body)
        headers = [(name.lower(), value) for name, value in document["headers"]]
        return Received(document["request"], headers, document["body"])


@dataclass
class Received:
    request: str
    headers: list[tuple[str, str]]  # names in lower case
    body: str

    def header(self, name: str) -> str | None:
        values = self.all(name)
        assert len(values) < 2, values
        return values[0] if values else None

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]


class Client:
    """One connection. Bytes go out as they are."""

    def __init__(self, port: int, address: str = "127.0.0.1") -> None:
        self._socket = socket.create_connection((address, port), timeout=DEADLINE_S)
        self._file = self._socket.makefile("rb")
        self.local_port: int = self._socket.getsockname()[1]

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def write(self, data: str | bytes) -> None:
        with suppress(ConnectionError):
            self._socket.sendall(data.encode("latin-1") if isinstance(data, str) else data)

    def read(self, *, head: bool = False) -> Answer:
        """Return the next answer; `head`: to a HEAD request."""
        line = self._file.readline().decode("latin-1").rstrip("\r\n")
        if not line:
            raise EOFError
        _, status, reason = line.split(" ", 2)
        headers = []
        while line := self._file.readline().decode("latin-1").rstrip("\r\n"):
            name, _, value = line.partition(":")
            headers.append((name, value.strip()))
        by_name = {name.lower(): value for name, value in headers}
        if head or status in ("100", "204", "304"):
            body = b""
        elif "transfer-encoding" in by_name:
            body = b""
            while size := int(self._file.readline(), 16):
                body += self._file.read(size + 2)[:-2]
            self._file.readline()
        elif "content-length" in by_name:
            body = self._file.read(int(by_name["content-length"]))
        else:
            body = self._file.read()
        closed = by_name.get("connection") == "close"
        return Answer(int(status), reason, headers, body, closed)

    def ends(self) -> bool:
        """Tell whether the other side closes without a further byte."""
        with suppress(ConnectionError):
            return self._file.read(1) == b""
        return True


class Proxy:
    """The control plane's side and the client's side of one Envoy."""

    def __init__(self, run_dir: Path, loop: asyncio.AbstractEventLoop) -> None:
        self.run_dir = run_dir
        self.loop = loop
        self.server = XdsServer(str(run_dir / bootstrap.XDS_SOCKET))
        self.revision = 0
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]

    def run(self, awaitable: Awaitable[Any]) -> Any:
        async def wait() -> Any:
            return await awaitable

        return asyncio.run_coroutine_threadsafe(wait(), self.loop).result(2 * DEADLINE_S)

    def serve(
        self, *balancers: Balancer, lambda_idle_timeout: bool = True, address: str = "127.0.0.1"
    ) -> None:
        """Have all `balancers` serve on one socket, and wait until they do."""
        self.serve_snapshot(
            to_snapshot(*balancers), lambda_idle_timeout=lambda_idle_timeout, address=address
        )

    def serve_snapshot(
        self,
        snapshot: Snapshot,
        *,
        lambda_idle_timeout: bool = True,
        address: str = "127.0.0.1",
        **options: Any,
    ) -> None:
        """Have all listeners of `snapshot` serve on one socket, and wait until they do."""
        bindings = {one.arn: Binding(address, self.port) for one in snapshot.listeners}
        resources = translate(
            snapshot,
            bindings,
            lambda_socket=str(self.run_dir / "lambda.sock"),
            lambda_idle_timeout=lambda_idle_timeout,
            **options,
        )
        self.revision += 1

        async def publish() -> bool:
            self.server.publish(resources, self.revision)
            return await self.server.wait_applied(self.revision, DEADLINE_S)

        assert self.run(publish())
        assert not self.server.nacks, self.server.nacks

    def connect(self, address: str = "127.0.0.1") -> Client:
        return Client(self.port, address)

    def send(self, data: str | bytes, *, head: bool = False) -> Answer:
        """Send `data` on a connection of its own and return the first answer."""
        with self.connect() as client:
            client.write(data)
            return client.read(head=head)

    def get(self, target: str = "/", *lines: str, host: str = "example.com") -> Answer:
        return self.send("\r\n".join([f"GET {target} HTTP/1.1", f"Host: {host}", *lines, "", ""]))


def start_envoy(run_dir: Path) -> subprocess.Popen[bytes]:
    argv = bootstrap.command(run_dir, concurrency=1, drain_s=2, log_level="error")
    return subprocess.Popen(argv)
