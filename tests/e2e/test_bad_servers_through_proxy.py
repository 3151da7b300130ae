"""Servers that break the rules of HTTP, do not answer, or are not there: what their clients get.

Source: ALB user guide, "Troubleshoot your load balancers" (HTTP 502 and 504).
"""

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from typing import Any

import pytest

from albatross.model import pages
from tests.support.command import free_port
from tests.support.stack import Front, Stack, event, forward

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
ANSWERS = {
    "garbage": b"hello\r\n\r\n",
    "frames of HTTP/2": bytes.fromhex("000000040000000000"),
    "nothing at all": b"",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Len",
    "a status below 100": b"HTTP/1.1 99 Low\r\nContent-Length: 2\r\n\r\nab",
    "a length that is none": b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nab",
    "two lengths": OK + b"Content-Length: 3\r\n\r\nab",
    "length and chunks": OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
    "another transfer encoding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nab",
    "a space in a name": OK + b"A b: c\r\n\r\nab",
    "NUL in a value": OK + b"A: b\0c\r\n\r\nab",
    "a status that is no number": b"HTTP/1.1 2xx OK\r\nContent-Length: 2\r\n\r\nab",
    "headers of more than 32 K": OK + b"X: " + b"a" * 33_000 + b"\r\n\r\nab",
}
GOOD = {
    "headers of less than 32 K": OK + b"X: " + b"a" * 32_000 + b"\r\n\r\nab",
    "an interim response first": b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"\r\nab",
    "a body until the end": b"HTTP/1.1 200 OK\r\n\r\nab",
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\n\r\nab",
}
SHORT = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"
SILENT = {"half a head, then silence": b"HTTP/1.1 200 OK\r\nContent-"}
PATHS = {name: f"/{number}" for number, name in enumerate([*ANSWERS, *GOOD, "short", *SILENT])}
BY_PATH = {
    PATHS[name]: answer for name, answer in (ANSWERS | GOOD | {"short": SHORT} | SILENT).items()
}


class RawServer:
    """Answers each request with the bytes that its path stands for, and closes."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.over = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.over.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            head = connection.recv(65536)
            if head[:1] == b"\x16":  # a TLS handshake
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                return
            path = head.split(b" ")[1].decode()
            connection.sendall(BY_PATH.get(path, OK + b"\r\nab"))
            if path == PATHS["half a head, then silence"]:
                self.over.wait(10)


@pytest.fixture(scope="module")
def server() -> Iterator[RawServer]:
    running = RawServer()
    yield running
    running.close()


def make_group(stack: Stack, port: int | None, protocol: str = "HTTP") -> str:
    made = stack.elb.create_target_group(
        Name=stack.name(),
        TargetType="ip",
        Protocol=protocol,
        Port=80,
        VpcId="vpc-1",
        HealthCheckProtocol="HTTP",
    )
    arn: str = made["TargetGroups"][0]["TargetGroupArn"]
    if port:
        target = {"Id": "127.0.0.1", "Port": port}
        stack.elb.register_targets(TargetGroupArn=arn, Targets=[target])
    return arn


@pytest.fixture(scope="module")
def front(traffic: Stack, server: RawServer) -> Front:
    group = make_group(traffic, server.port)
    return traffic.front(forward(group), idle_timeout__timeout_seconds="1")


@pytest.mark.parametrize("what", ANSWERS)
def test_a_bad_response_is_a_502(front: Front, what: str) -> None:
    answer = front.get(PATHS[what])
    assert (answer.status, answer.body.decode()) == (502, pages.page(502))


@pytest.mark.parametrize("what", GOOD)
def test_an_odd_response_passes(front: Front, what: str) -> None:
    answer = front.get(PATHS[what])
    assert (answer.status, answer.body) == (200, b"ab")


@pytest.mark.parametrize("what", SILENT)
def test_a_server_silent_for_the_idle_timeout_is_a_504(front: Front, what: str) -> None:
    answer = front.get(PATHS[what])
    assert (answer.status, answer.body.decode()) == (504, pages.page(504))


def test_a_content_length_longer_than_the_body_ends_the_connection_early(front: Front) -> None:
    with front.connect() as client:
        client.write(f"GET {PATHS['short']} HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = client.read()
        assert (answer.status, answer.header("Content-Length"), answer.body) == (200, "5", b"ab")
        assert client.ends()


def test_a_tls_handshake_error_is_a_502(traffic: Stack, server: RawServer) -> None:
    front = traffic.front(forward(make_group(traffic, server.port, "HTTPS")))
    assert front.get("/").status == 502


@pytest.fixture
def unreachable() -> Iterator[int]:
    """A port that lets no connection in: what its queue has room for waits there already."""
    with socket.socket() as full, ExitStack() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        yield full.getsockname()[1]


@pytest.fixture
def mute() -> Iterator[int]:
    """A port on which connections are taken, and nothing is ever said."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@pytest.mark.timeout(40)
def test_a_connection_or_tls_handshake_that_takes_10_s_is_a_504(
    traffic: Stack, unreachable: int, mute: int
) -> None:
    fronts = [
        traffic.front(forward(make_group(traffic, unreachable))),
        traffic.front(forward(make_group(traffic, mute, "HTTPS"))),
    ]
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda front: front.get("/"), fronts))
    assert [(one.status, one.body.decode()) for one in answers] == [(504, pages.page(504))] * 2


@pytest.mark.parametrize(
    ("chosen", "status"),
    [
        pytest.param("empty", 503, id="nothing registered"),
        pytest.param("unhealthy", 502, id="nobody listens"),
    ],
)
def test_there_is_no_fail_over_to_another_target_group(
    traffic: Stack, chosen: str, status: int
) -> None:
    group = make_group(traffic, None if chosen == "empty" else free_port())
    other = traffic.group()
    front = traffic.front(weighted({group: 1, other: 0}))
    assert [front.get("/").status for _ in range(5)] == [status] * 5
    front.default(weighted({group: 0, other: 1}))
    assert event(front.get("/next"))["path"] == "/next"


def weighted(weights: dict[str, int]) -> dict[str, Any]:
    groups = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weights.items()]
    return {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}
