"""Targets that are servers: real ones on the loopback, behind the whole product."""

import hashlib
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.backends import Backend, Backends, backends
from tests.support.command import until
from tests.support.groups import (
    at,
    by,
    document,
    make_group,
    set_group,
    states,
    until_healthy,
    until_state,
)
from tests.support.stack import Front, Stack, event, forward, request


@pytest.fixture(scope="session")
def servers() -> Iterator[Backends]:
    with backends() as running:
        yield running


@pytest.fixture(scope="module")
def pair(traffic: Stack, servers: Backends) -> tuple[Front, str, Backend, Backend]:
    """A load balancer on port 8080 in front of two healthy servers."""
    one, two = servers.start("one"), servers.start("two")
    group = make_group(traffic, one, two)
    front = traffic.front(forward(group), port=8080)
    until_healthy(traffic, group)
    return front, group, one, two


def test_a_server_gets_the_request_as_it_came_and_what_the_load_balancer_adds(
    pair: tuple[Front, str, Backend, Backend],
) -> None:
    front, *_ = pair
    answer = front.get("//a/../b%2F?x=1&y", "X-mIxEd: 1", host="WWW.Example.com")
    found = document(answer)
    assert found["request"] == "GET //a/../b%2F?x=1&y HTTP/1.1"
    headers = dict(found["headers"])
    trace = headers.pop("X-Amzn-Trace-Id")
    assert re.fullmatch("Root=1-[0-9a-f]{8}-[0-9a-f]{24}", trace)
    assert headers == {
        "Host": "www.example.com:8080",
        "X-mIxEd": "1",
        "X-Forwarded-For": "127.0.0.1",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Port": "8080",
    }
    assert answer.reason == "Fine"
    assert ("X-MiXed", "yes") in answer.headers


def test_bodies_pass_in_both_directions_however_large(
    pair: tuple[Front, str, Backend, Backend],
) -> None:
    front, *_ = pair
    data = bytes(range(256)) * 80 * 1024
    found = document(front.post(body=data))
    assert (found["bytes"], found["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())
    size = 20 * 1024 * 1024
    assert len(front.get(f"/bytes/{size}").body) == size


def test_a_websocket_passes(pair: tuple[Front, str, Backend, Backend]) -> None:
    front, *_ = pair
    lines = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: x")
    with front.connect() as client:
        client.write(request("GET /chat", *lines))
        line = client._file.readline()
        assert line.startswith(b"HTTP/1.1 101 "), line
        while client._file.readline() != b"\r\n":
            pass
        client.write(b"hello")
        assert client._file.read(5) == b"hello"


def test_a_server_that_cuts_the_connection_is_a_502(
    pair: tuple[Front, str, Backend, Backend],
) -> None:
    front, *_ = pair
    answer = front.get("/reset")
    assert answer.status == 502
    assert b"<h1>502 Bad Gateway</h1>" in answer.body
    assert answer.header("server") == "awselb/2.0"


def test_a_silent_server_is_a_504_at_the_idle_timeout(traffic: Stack, servers: Backends) -> None:
    group = make_group(traffic, servers.start("silent"))
    front = traffic.front(forward(group), idle_timeout__timeout_seconds="1")
    until_healthy(traffic, group)
    began = time.monotonic()
    answer = front.get("/silent")
    assert answer.status == 504
    assert 0.9 < time.monotonic() - began < 5


def test_no_registered_target_is_a_503_and_a_port_without_server_a_502(
    traffic: Stack, servers: Backends
) -> None:
    group = make_group(traffic)
    front = traffic.front(forward(group))
    assert front.get().status == 503
    gone = servers.start("gone")
    servers.stop(gone)
    traffic.elb.register_targets(TargetGroupArn=group, Targets=[at(gone)])
    assert front.get().status == 502
    until_state(traffic, group, gone, "unhealthy")
    assert front.get().status == 502  # fail-open


def test_https_targets_are_asked_over_tls(traffic: Stack, servers: Backends, tmp_path: Any) -> None:
    from tests.support.targets import server_tls

    backend = servers.start("secure", tls=server_tls(tmp_path, "http/1.1"))
    group = make_group(traffic, backend, protocol="HTTPS", HealthCheckProtocol="HTTPS")
    front = traffic.front(forward(group))
    until_healthy(traffic, group)
    assert by(front.get()) == "secure"
    assert dict(document(front.get())["headers"])["X-Forwarded-Proto"] == "http"


def test_functions_and_servers_share_a_listener(traffic: Stack, servers: Backends) -> None:
    group = make_group(traffic, servers.start("server"))
    front = traffic.front()
    assert event(front.get("/x"))["path"] == "/x"
    with front.rule(forward(group), path_pattern=["/api/*"]):
        until_healthy(traffic, group)
        assert by(front.get("/api/x")) == "server"
        found = event(front.get("/x", "X-mIxEd: 1", "Connection: keep-alive"))
        assert found["headers"]["x-mixed"] == "1"
        assert found["headers"]["connection"] == "keep-alive"
        assert not any(name.startswith("x-albatross") for name in found["headers"])
        assert event(front.post("/x", body="a", method="PATCH"))["httpMethod"] == "PATCH"
        assert event(front.send(request("OPTIONS /x")))["httpMethod"] == "OPTIONS"
        assert front.post("/x", body=b"a" * 1_048_577).status == 413
        assert document(front.post("/api/x", body=b"a" * 1_048_577))["bytes"] == 1_048_577
        upgrade = ("Connection: Upgrade", "Upgrade: websocket")
        assert front.get("/x", *upgrade).status == 400
    assert event(front.get("/api/x"))["path"] == "/api/x"


def test_a_target_that_comes_back_while_it_drains_serves_again(
    traffic: Stack, servers: Backends
) -> None:
    only = servers.start("only")
    group = make_group(traffic, only)
    front = traffic.front(forward(group))
    until_healthy(traffic, group)
    traffic.elb.deregister_targets(TargetGroupArn=group, Targets=[at(only)])
    assert front.get().status == 503
    traffic.elb.register_targets(TargetGroupArn=group, Targets=[at(only)])
    assert by(front.get()) == "only"


@pytest.mark.timeout(60)
def test_the_death_of_a_target_under_load_is_overcome_until_all_are_dead(
    traffic: Stack, servers: Backends
) -> None:
    dying, other = servers.start("dying"), servers.start("other")
    group = make_group(traffic, dying, other)
    front = traffic.front(forward(group))
    until_healthy(traffic, group)
    servers.stop(dying)
    statuses: list[int] = []

    def load() -> bool:
        statuses.append(front.get().status)
        return statuses[-20:] == [200] * 20 and states(traffic, group)[dying.port] == "unhealthy"

    until(load)
    assert set(statuses) == {200, 502}
    servers.start("reborn", port=dying.port)
    other.healthy = False
    until_state(traffic, group, other, "unhealthy")
    # The one that has come back is not healthy yet.
    until(lambda: {by(front.get()) for _ in range(6)} == {"reborn", "other"})


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param({"slow_start__duration_seconds": "30"}, id="round robin, slow start"),
        pytest.param(
            {"load_balancing__algorithm__type": "least_outstanding_requests"},
            id="least outstanding requests",
        ),
        pytest.param({"load_balancing__algorithm__type": "weighted_random"}, id="random"),
        pytest.param(
            {
                "load_balancing__algorithm__type": "weighted_random",
                "load_balancing__algorithm__anomaly_mitigation": "on",
            },
            id="random with mitigation",
        ),
    ],
)
def test_every_algorithm_uses_all_targets(
    traffic: Stack, servers: Backends, attributes: dict[str, str]
) -> None:
    three = [servers.start(name) for name in "abc"]
    group = make_group(traffic, *three)
    set_group(traffic, group, **attributes)
    front = traffic.front(forward(group))
    until_healthy(traffic, group)
    found = Counter(by(front.get()) for _ in range(60))
    assert set(found) == {"a", "b", "c"}
    assert min(found.values()) >= 5


def test_changing_a_group_loses_no_request(traffic: Stack, servers: Backends) -> None:
    one, two = servers.start("one"), servers.start("two")
    group, other = make_group(traffic, one), make_group(traffic, two)
    front = traffic.front(forward(group))
    until_healthy(traffic, group)
    stop, statuses = threading.Event(), Counter[int]()

    def load() -> None:
        while not stop.is_set():
            statuses[front.get().status] += 1

    thread = threading.Thread(target=load)
    thread.start()
    for n in range(4):
        algorithm = "least_outstanding_requests" if n % 2 else "round_robin"
        set_group(traffic, group, load_balancing__algorithm__type=algorithm)
        front.default(forward(other if n % 2 else group))
    stop.set()
    thread.join()
    assert set(statuses) == {200}
