"""The stream to Envoy: what is in effect when, what is refused, who may come and go."""

import asyncio
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest
from google.protobuf.any_pb2 import Any as PackedMessage
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, PingAckReceived

from albatross.model.rule import FixedResponse
from albatross.xds.server import ENDPOINTS, ROUTES, TYPES, Published, Stream, XdsServer
from albatross.xds.translate import Binding, Resources, translate
from tests.support.envoy import DEADLINE_S, Balancer, Client, Proxy, start_envoy, to_snapshot

MakeProxy = Callable[[], tuple[Proxy, subprocess.Popen[bytes]]]


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def answering(proxy: Proxy, codes: dict[int, int], idle_timeout_s: int = 60) -> Resources:
    """A listener on each port, which answers with a status of its own."""
    attributes = {"idle_timeout.timeout_seconds": str(idle_timeout_s)}
    balancers = [
        Balancer(f"lb{port}", default=FixedResponse(status_code=code), attributes=attributes)
        for port, code in codes.items()
    ]
    return translate(
        to_snapshot(*balancers),
        {
            one.listener_arn: Binding("127.0.0.1", port)
            for one, port in zip(balancers, codes, strict=True)
        },
        lambda_socket=str(proxy.run_dir / "lambda.sock"),
        lambda_idle_timeout=True,
    )


def publish(proxy: Proxy, resources: Resources, timeout_s: float = DEADLINE_S) -> bool:
    """Publish and wait; tell whether it was applied in time."""
    proxy.revision += 1

    async def apply() -> bool:
        proxy.server.publish(resources, proxy.revision)
        return await proxy.server.wait_applied(proxy.revision, timeout_s)

    return bool(proxy.run(apply()))


def status_at(port: int) -> int:
    with Client(port) as client:
        client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        return client.read().status


def test_a_changed_rule_is_in_effect_on_open_connections_when_it_is_applied(proxy: Proxy) -> None:
    (port,) = free_ports(1)
    assert publish(proxy, answering(proxy, {port: 200}))
    with Client(port) as client:
        for code in [201, 202] * 100:
            assert publish(proxy, answering(proxy, {port: code}))
            client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = client.read()
            assert (answer.status, answer.closed) == (code, False)


def test_listeners_come_and_go_with_what_is_published(proxy: Proxy) -> None:
    for port in free_ports(20):
        assert publish(proxy, answering(proxy, {port: 200}))
        assert status_at(port) == 200
        assert publish(proxy, answering(proxy, {}))
        _wait_refused(port)


def _wait_refused(port: int) -> None:
    """Envoy's workers close a socket a moment after Envoy has accepted that it goes."""
    deadline_s = time.monotonic() + 1
    with pytest.raises(ConnectionRefusedError):
        while time.monotonic() < deadline_s:
            with suppress(ConnectionResetError), Client(port):
                pass


def test_a_removed_listener_may_come_back(proxy: Proxy) -> None:
    (port,) = free_ports(1)
    for code in (201, 202, 203):
        assert publish(proxy, answering(proxy, {port: code}))
        assert status_at(port) == code
        assert publish(proxy, answering(proxy, {}))


def test_a_listener_whose_connection_settings_change_goes_on_serving(proxy: Proxy) -> None:
    (port,) = free_ports(1)
    for idle_timeout_s in (10, 20, 30):
        assert publish(proxy, answering(proxy, {port: 200}, idle_timeout_s))
        assert status_at(port) == 200


def test_many_publications_at_once_end_with_the_last(proxy: Proxy) -> None:
    (port,) = free_ports(1)
    versions = [answering(proxy, {port: 200 + n}) for n in range(200)]
    assert publish(proxy, versions[0])

    async def publish_all() -> bool:
        for version in versions:
            proxy.revision += 1
            proxy.server.publish(version, proxy.revision)
        return await proxy.server.wait_applied(proxy.revision, DEADLINE_S)

    assert proxy.run(publish_all())
    assert status_at(port) == 399


def test_a_port_in_use_is_a_nack_and_the_others_serve(proxy: Proxy) -> None:
    taken, free = free_ports(2)
    with socket.create_server(("127.0.0.1", taken)):
        assert publish(proxy, answering(proxy, {taken: 200, free: 200}))
        assert "Address already in use" in proxy.server.nacks["Listener"]
        assert status_at(free) == 200
    assert publish(proxy, answering(proxy, {free: 201}))
    assert proxy.server.nacks == {}
    assert status_at(free) == 201


def test_a_refused_route_table_leaves_the_old_one_and_is_mended_by_the_next(proxy: Proxy) -> None:
    good, other = free_ports(2)
    assert publish(proxy, answering(proxy, {good: 200, other: 200}))
    bad = answering(proxy, {good: 201, other: 201})
    bad.routes[f"127.0.0.1:{good}"].virtual_hosts[0].routes[0].match.safe_regex.regex = "("
    assert publish(proxy, bad)
    assert "missing )" in proxy.server.nacks["RouteConfiguration"]
    assert status_at(good) == 200
    assert publish(proxy, answering(proxy, {good: 202, other: 201}))
    assert proxy.server.nacks == {}
    assert (status_at(good), status_at(other)) == (202, 201)


def test_waiting_ends_when_nobody_answers_in_time(proxy: Proxy) -> None:
    assert not proxy.run(proxy.server.wait_applied(proxy.revision + 1, 0.01))


@pytest.fixture(scope="module")
def pair(make_proxy: MakeProxy) -> tuple[Proxy, subprocess.Popen[bytes]]:
    """A control plane and an Envoy that tests may stop and start."""
    return make_proxy()


def test_a_replaced_control_plane_is_found_again(
    pair: tuple[Proxy, subprocess.Popen[bytes]],
) -> None:
    proxy, _ = pair
    (port,) = free_ports(1)
    assert publish(proxy, answering(proxy, {port: 201}))
    proxy.run(proxy.server.stop(0))
    assert status_at(port) == 201
    proxy.server = XdsServer(str(proxy.run_dir / "xds.sock"))
    proxy.run(proxy.server.start())
    proxy.run(_connected(proxy.server, 1))
    assert publish(proxy, answering(proxy, {port: 202}))
    assert status_at(port) == 202


def test_envoys_questions_whether_we_are_there_end_no_connection(proxy: Proxy) -> None:
    asker, answered = H2Connection(), 0
    asker.initiate_connection()
    for number in range(20):
        asker.ping(b"%8d" % number)
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(DEADLINE_S)
        one.connect(str(proxy.run_dir / "xds.sock"))
        one.sendall(asker.data_to_send())
        while answered < 20:
            events = asker.receive_data(one.recv(65536))
            assert not [event for event in events if isinstance(event, ConnectionTerminated)]
            answered += sum(isinstance(event, PingAckReceived) for event in events)


def asking(*names: str, nonce: str = "") -> DiscoveryRequest:
    """Return Envoy's question for route tables, or its answer to what was sent."""
    return DiscoveryRequest(type_url=ROUTES, resource_names=names, response_nonce=nonce)


def published(revision: int, *names: str) -> Published:
    packed: dict[str, dict[str, Any]] = {type_url: {} for type_url in TYPES}
    packed[ROUTES] = {name: PackedMessage() for name in names}
    return Published(revision, revision, packed)


def test_nothing_is_awaited_of_an_envoy_that_asks_for_nothing() -> None:
    stream, nothing = Stream(), published(1)
    stream.receive(asking())  # as one does that connects again, and had some before
    assert stream.next_answers(nothing) == []
    assert stream.has_answered(nothing)
    table = published(2, "a")
    stream.receive(asking("a"))
    assert [len(answer.resources) for answer in stream.next_answers(table)] == [1]
    assert not stream.has_answered(table)
    stream.receive(asking("a", nonce="1"))
    assert stream.has_answered(table)


def test_an_envoy_without_endpoints_gets_route_tables() -> None:
    stream, table = Stream(), published(1, "a")
    stream.receive(DiscoveryRequest(type_url=ENDPOINTS))  # connects again, and had some before
    stream.receive(asking("a"))
    (answer,) = stream.next_answers(table)
    assert (answer.type_url, len(answer.resources)) == (ROUTES, 1)


def test_nothing_is_awaited_of_an_envoy_that_no_longer_asks() -> None:
    stream = Stream()
    stream.receive(asking("a"))
    assert len(stream.next_answers(published(1, "a"))) == 1
    stream.receive(asking("a", nonce="1"))
    assert len(stream.next_answers(published(2, "a"))) == 1
    stream.receive(asking(nonce="1"))  # sent before it had the second answer
    assert stream.has_answered(published(3))
    stream.receive(asking("a", nonce="2"))
    assert len(stream.next_answers(published(4, "a"))) == 1


@pytest.fixture
def late_envoy(pair: tuple[Proxy, subprocess.Popen[bytes]]) -> Iterator[Callable[[], None]]:
    """Start one more Envoy on the pair's control plane."""
    started = []

    def start() -> None:
        started.append(start_envoy(pair[0].run_dir))

    yield start
    for envoy in started:
        envoy.kill()
        envoy.wait()
    pair[0].run(_connected(pair[0].server, 0))


def test_an_envoy_that_connects_late_gets_what_was_published(
    pair: tuple[Proxy, subprocess.Popen[bytes]], late_envoy: Callable[[], None]
) -> None:
    proxy, envoy = pair
    (port,) = free_ports(1)
    envoy.kill()
    envoy.wait()
    proxy.run(_connected(proxy.server, 0))
    assert publish(proxy, answering(proxy, {port: 203}))  # nobody to wait for
    late_envoy()
    proxy.run(_connected(proxy.server, 1))
    assert proxy.run(proxy.server.wait_applied(proxy.revision, DEADLINE_S))
    assert status_at(port) == 203


async def _connected(server: XdsServer, count: int) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while server.connected != count:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
