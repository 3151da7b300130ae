"""Changes of everything under steady load: no request fails and none goes the wrong way.

`ALBATROSS_TEST_CHANGES=500 pytest tests/e2e/test_hitless.py` makes more changes than the suite.
"""

import asyncio
import os
import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.support.command import free_port, make_listener, zipped
from tests.support.stack import Front, Stack, fixed, forward

CHANGES = int(os.environ.get("ALBATROSS_TEST_CHANGES", "100"))
SEED = int(os.environ.get("ALBATROSS_TEST_SEED", "0")) or random.randrange(1 << 30)
KEPT_ALIVE = 4  # connections; as many more are opened for a request each
CODE = """
def handler(event, context):
    return {"statusCode": 200, "body": "function"}  # %d
"""
# What the answer to each path is, whatever changes.
PATHS = {
    "/stable/x": b"stable",
    "/function/x": b"function",
    "/weighted/x": b"function",
    "/servers/x": b"server",
    "/elsewhere": b"default",
}


@dataclass
class Load:
    """Requests without a pause, in an event loop of their own."""

    address: str
    port: int
    sent: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    over: bool = False

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(KEPT_ALIVE):
                group.create_task(self._client(number, kept_alive=True))
                group.create_task(self._client(number, kept_alive=False))

    async def _client(self, first: int, *, kept_alive: bool) -> None:
        paths = list(PATHS)
        connection = None
        for number in count(first):
            if self.over:
                break
            path = paths[number % len(paths)]
            try:
                if connection is None:
                    connection = await asyncio.open_connection(self.address, self.port)
                closes = await self._request(path, *connection)
            except (OSError, EOFError) as error:
                self.faults.append(f"{path}: {error!r}, kept alive: {kept_alive}")
                closes = True
            if (closes or not kept_alive) and connection is not None:
                connection[1].close()
                connection = None
            await asyncio.sleep(0.002)
        if connection is not None:
            connection[1].close()

    async def _request(
        self, path: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Send a request and look at its answer; return whether the connection ends."""
        writer.write(f"GET {path} HTTP/1.1\r\nHost: example.com\r\n\r\n".encode())
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
        body = await reader.readexactly(length)
        self.sent[path] += 1
        if body != PATHS[path]:
            self.faults.append(f"{path}: {head.splitlines()[0]!r} {body[:80]!r}")
        return b"connection: close" in head


_open: set[asyncio.Transport] = set()


class Connection(asyncio.Protocol):
    """Of a server: answers each request with `server`."""

    def __init__(self) -> None:
        self.received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        _open.add(transport)

    def connection_lost(self, _: Exception | None) -> None:
        _open.discard(self.transport)

    def data_received(self, data: bytes) -> None:
        *requests, self.received = (self.received + data).split(b"\r\n\r\n")
        for _ in requests:
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nserver")


async def _listen() -> asyncio.Server:
    return await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0)


async def _close(server: asyncio.Server) -> None:
    server.close()
    for transport in list(_open):
        transport.abort()
    await asyncio.sleep(0)  # until they have heard of it


@contextmanager
def loop_thread() -> Iterator[Callable[[Any], Any]]:
    """Yield what runs a coroutine in an event loop of its own and gives its future."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield lambda coroutine: asyncio.run_coroutine_threadsafe(coroutine, loop)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class Changes:
    """Each method is a change that must not be noticed by who sends requests."""

    def __init__(self, stack: Stack, servers: list[int]) -> None:
        self.elb, self.functions = stack.elb, stack.functions
        self.stack, self.ports = stack, servers
        self.random = random.Random(SEED)
        self.number = count(1)
        self.function = stack.make(CODE % 0)
        self.groups = [stack.group(function=self.function) for _ in range(2)]
        self.servers = self._server_group()
        self.registered = set(servers)
        self.front: Front = stack.front(fixed(200, "default"))
        self.rules = {
            "stable": self._rule("/stable/*", fixed(200, "stable")),
            "function": self._rule("/function/*", forward(self.groups[0])),
            "weighted": self._rule("/weighted/*", self._weights()),
            "servers": self._rule("/servers/*", forward(self.servers)),
        }
        self.others: list[str] = []
        self.listeners: list[str] = []

    def make_one(self) -> str:
        change = self.random.choice(
            [
                self.add_rule,
                self.remove_rule,
                self.modify_rule,
                self.shuffle_priorities,
                self.set_attribute,
                self.add_listener,
                self.remove_listener,
                self.change_code,
                self.change_weights,
                self.change_targets,
            ]
        )
        change()
        return change.__name__

    def _server_group(self) -> str:
        group = self.elb.create_target_group(
            Name=self.stack.name(), TargetType="ip", Protocol="HTTP", Port=80, VpcId="vpc-1"
        )["TargetGroups"][0]["TargetGroupArn"]
        targets = [{"Id": "127.0.0.1", "Port": port} for port in self.ports]
        self.elb.register_targets(TargetGroupArn=group, Targets=targets)
        return str(group)

    def _rule(self, path: str, action: dict[str, Any]) -> str:
        made = self.elb.create_rule(
            ListenerArn=self.front.listener,
            Priority=next(self.number),
            Conditions=[{"Field": "path-pattern", "Values": [path]}],
            Actions=[action],
        )
        return str(made["Rules"][0]["RuleArn"])

    def _weights(self) -> dict[str, Any]:
        groups = [
            {"TargetGroupArn": arn, "Weight": self.random.randint(1, 99)} for arn in self.groups
        ]
        return {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}

    def add_rule(self) -> None:
        if len(self.others) < 40:
            path = f"/other-{next(self.number)}/*"
            self.others.append(self._rule(path, fixed(500, "misrouted")))

    def remove_rule(self) -> None:
        if self.others:
            self.elb.delete_rule(RuleArn=self.others.pop(self.random.randrange(len(self.others))))

    def modify_rule(self) -> None:
        if self.others:
            values = [f"/x-{next(self.number)}/*", "*.gif"]
            condition = {"Field": "path-pattern", "PathPatternConfig": {"Values": values}}
            arn = self.random.choice(self.others)
            self.elb.modify_rule(RuleArn=arn, Conditions=[condition])

    def shuffle_priorities(self) -> None:
        arns = [*self.rules.values(), *self.others]
        self.random.shuffle(arns)
        pairs = [{"RuleArn": arn, "Priority": next(self.number)} for arn in arns]
        self.elb.set_rule_priorities(RulePriorities=pairs)

    def set_attribute(self) -> None:
        key, values = self.random.choice(
            [
                ("idle_timeout.timeout_seconds", ["60", "61", "90"]),
                ("client_keep_alive.seconds", ["3600", "1800"]),
                ("routing.http.xff_header_processing.mode", ["append", "preserve", "remove"]),
                ("routing.http.preserve_host_header.enabled", ["true", "false"]),
                ("routing.http.drop_invalid_header_fields.enabled", ["true", "false"]),
                ("routing.http2.enabled", ["true", "false"]),
            ]
        )
        self.front.set(**{key: self.random.choice(values)})

    def add_listener(self) -> None:
        if len(self.listeners) < 5:
            server, balancer = self.stack.server, self.front.balancer
            actions = [fixed(500, "misrouted")]
            self.listeners.append(make_listener(server, balancer, free_port(), actions))

    def remove_listener(self) -> None:
        if self.listeners:
            self.elb.delete_listener(ListenerArn=self.listeners.pop())

    def change_code(self) -> None:
        code = zipped(CODE % next(self.number))
        self.functions.update_function_code(FunctionName=self.function, ZipFile=code)

    def change_weights(self) -> None:
        self.elb.modify_rule(RuleArn=self.rules["weighted"], Actions=[self._weights()])

    def change_targets(self) -> None:
        """Take one of the servers out of the group, or all into it."""
        missing = set(self.ports) - self.registered
        port = next(iter(missing)) if missing else self.random.choice(self.ports)
        targets = [{"Id": "127.0.0.1", "Port": port}]
        if missing:
            self.elb.register_targets(TargetGroupArn=self.servers, Targets=targets)
            self.registered.add(port)
        else:
            self.elb.deregister_targets(TargetGroupArn=self.servers, Targets=targets)
            self.registered.remove(port)


def test_no_request_notices_changes(traffic: Stack) -> None:
    with loop_thread() as start:
        servers = [start(_listen()).result() for _ in range(2)]
        changes = Changes(traffic, [one.sockets[0].getsockname()[1] for one in servers])
        load = Load(changes.front.address, changes.front.real_port)
        running = start(load.run())
        made: list[str] = []
        try:
            while len(made) < CHANGES and not load.faults:
                made.append(changes.make_one())
        finally:
            load.over = True
            running.result()
            for one in servers:
                start(_close(one)).result()
    assert not load.faults, (f"seed {SEED}", made[-5:], len(made), load.faults[:5])
    assert min(load.sent[path] for path in PATHS) > CHANGES
