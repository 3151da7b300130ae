"""Changes of everything under steady load: no request fails and none goes the wrong way.

`ALBATROSS_TEST_CHANGES=500 pytest tests/e2e/test_hitless.py` makes more changes than the suite.
"""

import asyncio
import os
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest

from tests.support.command import free_port, make_listener, until, zipped
from tests.support.load import KEPT_ALIVE, Load
from tests.support.stack import Front, Stack, fixed, forward
from tests.support.tls import client_context, handshake, make

CHANGES = int(os.environ.get("ALBATROSS_TEST_CHANGES", "100"))
SEED = int(os.environ.get("ALBATROSS_TEST_SEED", "0")) or random.randrange(1 << 30)
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
# What clients ask for by SNI; the last has no certificate but the default one.
NAMES = ("a.example.org", "b.example.org", "c.example.net", "d.example.net", "example.com")

# What may end connections, each with its next answer. Nothing else may.
ENDING = {"set_attribute", "change_idle_timeout"}
ENDING_TLS = {"add_certificate", "remove_certificate", "replace_default_certificate"}


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


@dataclass
class Door:
    """A listener under load. `rules` are those of PATHS, `others` none that a request meets."""

    listener: str
    real_port: int
    rules: dict[str, str] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)


class Changes:
    """Each method is a change that must not be noticed by who sends requests."""

    def __init__(self, stack: Stack, servers: list[int]) -> None:
        self.elb, self.functions = stack.elb, stack.functions
        self.acm = stack.server.client("acm")
        self.stack, self.ports = stack, servers
        self.random = random.Random(SEED)
        self.number = count(1)
        self.function = stack.make(CODE % 0)
        self.groups = [stack.group(function=self.function) for _ in range(2)]
        self.servers = self._server_group()
        self.registered = set(servers)
        self.front: Front = stack.front(fixed(200, "default"))
        self.defaults = [self._request("www.example.com"), self._import("www.example.com")]
        self.listed: dict[str, str] = {}  # certificates by name
        self.http = Door(self.front.listener, self.front.real_port)
        self.https = self._https_door()
        for door in (self.http, self.https):
            door.rules = {
                "stable": self._rule(door, "/stable/*", fixed(200, "stable")),
                "function": self._rule(door, "/function/*", forward(self.groups[0])),
                "weighted": self._rule(door, "/weighted/*", self._weights()),
                "servers": self._rule(door, "/servers/*", forward(self.servers)),
            }
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
                self.change_idle_timeout,
                self.add_certificate,
                self.remove_certificate,
                self.renew_certificate,
                self.renew_default_certificate,
                self.replace_default_certificate,
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

    def _https_door(self) -> Door:
        listener = self.elb.create_listener(
            LoadBalancerArn=self.front.balancer,
            Protocol="HTTPS",
            Port=443,
            Certificates=[{"CertificateArn": self.defaults[0]}],
            DefaultActions=[fixed(200, "default")],
        )["Listeners"][0]["ListenerArn"]
        balancers = self.stack.server.status()["load_balancers"]
        (own,) = [one for one in balancers if one["arn"] == self.front.balancer]
        (place,) = [one for one in own["listeners"] if one["port"] == 443]
        assert place["error"] is None, place
        return Door(listener, place["real_port"])

    def _request(self, name: str) -> str:
        made = self.acm.request_certificate(DomainName=name, KeyAlgorithm="EC_prime256v1")
        return str(made["CertificateArn"])

    def _import(self, name: str, **replaced: str) -> str:
        made = make(name)
        imported = self.acm.import_certificate(
            Certificate=made.pem, PrivateKey=made.key_pem, **replaced
        )
        return str(imported["CertificateArn"])

    def _renew(self, arn: str, name: str) -> None:
        shown = self.acm.describe_certificate(CertificateArn=arn)["Certificate"]
        if shown["Type"] == "IMPORTED":
            self._import(name, CertificateArn=arn)
        else:
            self.acm.renew_certificate(CertificateArn=arn)

    def _door(self) -> Door:
        return self.random.choice([self.http, self.https])

    def _rule(self, door: Door, path: str, action: dict[str, Any]) -> str:
        made = self.elb.create_rule(
            ListenerArn=door.listener,
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
        door = self._door()
        if len(door.others) < 40:
            path = f"/other-{next(self.number)}/*"
            door.others.append(self._rule(door, path, fixed(500, "misrouted")))

    def remove_rule(self) -> None:
        others = self._door().others
        if others:
            self.elb.delete_rule(RuleArn=others.pop(self.random.randrange(len(others))))

    def modify_rule(self) -> None:
        others = self._door().others
        if others:
            values = [f"/x-{next(self.number)}/*", "*.gif"]
            condition = {"Field": "path-pattern", "PathPatternConfig": {"Values": values}}
            self.elb.modify_rule(RuleArn=self.random.choice(others), Conditions=[condition])

    def shuffle_priorities(self) -> None:
        door = self._door()
        arns = [*door.rules.values(), *door.others]
        self.random.shuffle(arns)
        pairs = [{"RuleArn": arn, "Priority": next(self.number)} for arn in arns]
        self.elb.set_rule_priorities(RulePriorities=pairs)

    def set_attribute(self) -> None:
        key, values = self.random.choice(
            [
                ("client_keep_alive.seconds", ["3600", "1800"]),
                ("routing.http.xff_header_processing.mode", ["append", "preserve", "remove"]),
                ("routing.http.preserve_host_header.enabled", ["true", "false"]),
                ("routing.http.drop_invalid_header_fields.enabled", ["true", "false"]),
                ("routing.http2.enabled", ["true", "false"]),
            ]
        )
        self.front.set(**{key: self.random.choice(values)})

    def change_idle_timeout(self) -> None:
        self.front.set(idle_timeout__timeout_seconds=str(self.random.randint(60, 90)))

    def add_certificate(self) -> None:
        """Add one for a name that clients ask for; the wildcard covers two of them."""
        missing = {*NAMES[:-1], "*.example.org"} - self.listed.keys()
        if missing:
            name = self.random.choice(sorted(missing))
            arn = self.random.choice([self._request, self._import])(name)
            self.elb.add_listener_certificates(
                ListenerArn=self.https.listener, Certificates=[{"CertificateArn": arn}]
            )
            self.listed[name] = arn

    def remove_certificate(self) -> None:
        """Take one off the listener and delete it, and so its key."""
        if self.listed:
            arn = self.listed.pop(self.random.choice(list(self.listed)))
            self.elb.remove_listener_certificates(
                ListenerArn=self.https.listener, Certificates=[{"CertificateArn": arn}]
            )
            self.acm.delete_certificate(CertificateArn=arn)

    def renew_certificate(self) -> None:
        if self.listed:
            name, arn = self.random.choice(list(self.listed.items()))
            self._renew(arn, name)

    def renew_default_certificate(self) -> None:
        self._renew(self.defaults[0], "www.example.com")

    def replace_default_certificate(self) -> None:
        self.defaults.reverse()
        self.elb.modify_listener(
            ListenerArn=self.https.listener, Certificates=[{"CertificateArn": self.defaults[0]}]
        )

    def certificates_are_shown(self) -> bool:
        """Tell whether new clients are shown the certificates that the listener has now."""
        for name in NAMES:
            wildcard = f"*.{name.partition('.')[2]}"
            fitting = [self.listed[one] for one in (name, wildcard) if one in self.listed]
            shown = handshake(self.https.real_port, name, address=self.front.address).serial
            if shown not in map(self._serial, fitting or self.defaults[:1]):
                return False
        return True

    def _serial(self, arn: str) -> int:
        shown = self.acm.describe_certificate(CertificateArn=arn)["Certificate"]
        return int(shown["Serial"].replace(":", ""), 16)

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
        rule = self._door().rules["weighted"]
        self.elb.modify_rule(RuleArn=rule, Actions=[self._weights()])

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


def keep_up(loads: list[Load], changes: int) -> None:
    """Wait until each load has sent one request for each path in four of the `changes` at least."""

    def asked() -> bool:
        least = min(load.sent[path] for load in loads for path in PATHS)
        return least > changes // 4 or any(load.faults for load in loads)

    until(asked)


@pytest.mark.timeout(60 + 4 * CHANGES)  # a busy machine makes a change in seconds
def test_no_request_notices_changes(traffic: Stack) -> None:
    with loop_thread() as start:
        servers = [start(_listen()).result() for _ in range(2)]
        changes = Changes(traffic, [one.sockets[0].getsockname()[1] for one in servers])
        address = changes.front.address
        loads = [
            Load(address, changes.http.real_port, PATHS, NAMES),
            Load(address, changes.https.real_port, PATHS, NAMES, client_context()),
            Load(
                address,
                changes.https.real_port,
                PATHS,
                NAMES,
                client_context(alpn=("h2", "http/1.1")),
            ),
        ]
        running = [start(load.run()) for load in loads]
        made: list[str] = []
        try:
            while len(made) < CHANGES and not any(load.faults for load in loads):
                made.append(changes.make_one())
                keep_up(loads, len(made))
        finally:
            for load in loads:
                load.over = True
            for one in running:
                one.result()
            for one in servers:
                start(_close(one)).result()
    faults = [fault for load in loads for fault in load.faults]
    assert not faults, (f"seed {SEED}", made[-5:], len(made), faults[:5])
    for load in loads:
        ending = ENDING | ENDING_TLS if load.tls else ENDING
        times = sum(change in ending for change in made)
        # A client may come back before all workers have heard of the change, hence 2.
        assert load.ended <= 2 * KEPT_ALIVE * times, (f"seed {SEED}", load.ended, times)
    assert changes.certificates_are_shown(), f"seed {SEED}"
    # The attribute routing.http2.enabled is among the changes.
    assert loads[2].versions["Http2"] > 0
