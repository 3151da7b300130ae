"""Requests that no client of AWS sends: each is answered or cut off, and nobody else notices."""

import http.client
import json
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from albatross.aws import connection
from albatross.aws.connection import HEAD_BYTES_MAX
from albatross.aws.protocol import BODY_BYTES_MAX
from albatross.aws.query import FIELDS_MAX
from tests.support.api import Api
from tests.support.command import Server, place, serving
from tests.support.wire import authorization

MB = 1024 * 1024
ELB = authorization("elasticloadbalancing", "123456789012")
ACM = authorization("acm", "123456789012")
LAMBDA = authorization("lambda", "123456789012")
FORM = "application/x-www-form-urlencoded"
STALL_S = 0.3


@pytest.fixture(scope="module")
def address(shared_api: Api) -> Iterator[tuple[str, int]]:
    """The server, impatient with clients that stop in the middle."""
    split = urlsplit(shared_api.url)
    assert split.hostname
    assert split.port
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection.Connection, "stall_s", STALL_S)
        yield split.hostname, split.port


@pytest.fixture
def client(address: tuple[str, int]) -> Iterator[socket.socket]:
    with socket.create_connection(address, timeout=15) as client:
        yield client


def request(
    body: bytes | str = b"", *lines: str, target: str = "/", method: str = "POST", length: int = -1
) -> bytes:
    """Return a request. `length`: what it says of its body, if that is not true."""
    data = body.encode() if isinstance(body, str) else body
    head = [f"{method} {target} HTTP/1.1", "Host: localhost", *lines]
    head.append(f"Content-Length: {len(data) if length < 0 else length}")
    return "\r\n".join([*head, "", ""]).encode("latin-1") + data


def read_all(client: socket.socket) -> bytes:
    """Return what comes until the server ends the connection."""
    parts = []
    while part := client.recv(65536):
        parts.append(part)
    return b"".join(parts)


def answer(client: socket.socket, data: bytes) -> tuple[int, str]:
    """Return status and body of the answer to `data`."""
    client.sendall(data)
    found = http.client.HTTPResponse(client)
    found.begin()
    return found.status, found.read().decode()


def elb(body: bytes | str, *lines: str) -> bytes:
    return request(body, f"Authorization: {ELB}", f"Content-Type: {FORM}", *lines)


def acm(body: bytes | str, operation: str = "ListCertificates") -> bytes:
    target = f"X-Amz-Target: CertificateManager.{operation}"
    kind = "Content-Type: application/x-amz-json-1.1"
    return request(body, f"Authorization: {ACM}", target, kind)


def create_function(body: bytes | str) -> bytes:
    lines = (f"Authorization: {LAMBDA}", "Content-Type: application/json")
    return request(body, *lines, target="/2015-03-31/functions")


ARN = "arn:aws:elasticloadbalancing:us-east-1:123456789012:loadbalancer/app/x/0123456789abcdef"
TAGS = "Action=DescribeTags&Version=2015-12-01"
LIST = "Action=DescribeLoadBalancers"


@pytest.mark.parametrize(
    ("sent", "status", "said"),
    [
        pytest.param(elb(LIST + "&x=" + "x" * 9 * MB), 200, "LoadBalancers", id="10 MB ignored"),
        pytest.param(
            elb(f"{LIST}&Names.member.1=" + "x" * 9 * MB), 400, "LoadBalancerNotFound", id="10 MB"
        ),
        pytest.param(acm(b'{"x": "' + b"x" * 9 * MB + b'"}'), 200, "Certificate", id="10 MB JSON"),
        pytest.param(
            elb(b"x" * (BODY_BYTES_MAX + 1)), 413, "RequestEntityTooLarge", id="more than 10 MB"
        ),
        pytest.param(
            elb(TAGS + "".join(f"&ResourceArns.member.{n}={ARN}" for n in range(10_000))),
            400,
            "ValidationError",
            id="10,000 items",
        ),
        pytest.param(
            elb(LIST + "".join(f"&p{n}=1" for n in range(10_000))),
            200,
            "LoadBalancers",
            id="10,000 unknown parameters",
        ),
        pytest.param(
            elb(LIST + "&a=1" * FIELDS_MAX), 400, "MalformedQueryString", id="too many parameters"
        ),
        pytest.param(
            elb(f"{LIST}&Names" + ".member.1" * 1_000 + "=x"), 400, "MalformedInput", id="deep form"
        ),
        pytest.param(elb(f"{LIST}&" + "." * 100_000), 200, "LoadBalancers", id="dots"),
        pytest.param(
            acm("[" * 1_000 + "]" * 1_000), 400, "SerializationException", id="1,000 lists deep"
        ),
        pytest.param(
            acm('{"MaxItems": ' + "[" * 100_000), 400, "SerializationException", id="100,000 deep"
        ),
        pytest.param(
            create_function('{"a":' * 900 + "1" + "}" * 900),
            400,
            "validation errors",
            id="objects 900 deep",
        ),
        pytest.param(
            elb(LIST, "X-Amz-Target: a.b").replace(FORM.encode(), b"application/json"),
            415,
            "UnsupportedMediaType",
            id="JSON for a form",
        ),
        pytest.param(
            elb(LIST).replace(FORM.encode(), b"multipart/form-data; boundary=x"),
            415,
            "UnsupportedMediaType",
            id="multipart",
        ),
        pytest.param(
            acm(b"Action=ListCertificates"), 400, "SerializationException", id="a form for JSON"
        ),
        pytest.param(elb(LIST + "&a=%ff%fe"), 400, "MalformedQueryString", id="escaped not UTF-8"),
        pytest.param(elb(b"Action=\xff"), 400, "MalformedQueryString", id="a form not UTF-8"),
        pytest.param(
            acm(b'{"MaxItems": "\xff"}'), 400, "SerializationException", id="JSON not UTF-8"
        ),
        pytest.param(
            acm(b'{"CertificateArn": "\\ud800"}', "DescribeCertificate"),
            400,
            "Exception",
            id="half a surrogate",
        ),
        pytest.param(
            elb(f"{LIST}&Action=DescribeTags&Action=DescribeTargetGroups"),
            200,
            "TargetGroups",
            id="the last of a parameter counts",
        ),
        pytest.param(elb(LIST, "X: " + "x" * 60_000), 200, "LoadBalancers", id="a header of 60 K"),
        pytest.param(elb(LIST, "X: " + "x" * HEAD_BYTES_MAX), 431, "65536", id="a header of 64 K"),
        pytest.param(elb(LIST, *("X: y",) * 20_000), 431, "request line", id="20,000 headers"),
        pytest.param(
            request(method="GET", target="/?" + "x" * HEAD_BYTES_MAX), 431, "bytes", id="target"
        ),
        pytest.param(b"GET / HTTP/9.9\r\n\r\n", 400, "Invalid HTTP", id="version"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "Invalid", id="TLS"),
        pytest.param(b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", 400, "Invalid", id="path not ASCII"),
        pytest.param(request(LIST, "Content-Length: 3"), 400, "Invalid", id="two lengths"),
        pytest.param(
            request(LIST, "Transfer-Encoding: chunked"), 400, "Invalid", id="length and chunks"
        ),
        pytest.param(
            elb(LIST, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: eA=="),
            200,
            "LoadBalancers",
            id="an upgrade is not taken up",
        ),
        pytest.param(
            elb(LIST, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AA"),
            200,
            "LoadBalancers",
            id="nor one to HTTP/2, which Java's client offers",
        ),
        pytest.param(b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "proxies", id="CONNECT"),
    ],
)
def test_an_odd_request_is_answered(
    client: socket.socket, sent: bytes, status: int, said: str
) -> None:
    found, body = answer(client, sent)
    assert (found, said in body) == (status, True), body[:500]


def test_a_header_without_end_is_cut_off(client: socket.socket) -> None:
    client.sendall(b"GET / HTTP/1.1\r\nX: ")
    sent = 0
    with pytest.raises(OSError):
        while sent < 200 * MB:
            client.sendall(b"x" * MB)
            sent += MB
            if sent > MB:
                client.settimeout(0.5)
                if not client.recv(65536):
                    raise ConnectionError
                client.settimeout(15)
    assert sent < 50 * MB


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"POST / HTTP/1.1\r\nHost: loc", id="head"),
        pytest.param(request(b"Action=", length=1_000), id="body"),
        pytest.param(
            b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
            id="chunk",
        ),
    ],
)
def test_who_stops_in_the_middle_is_told_so(client: socket.socket, sent: bytes) -> None:
    assert answer(client, sent) == (
        408,
        f"The rest of the request has not come within {STALL_S} s",
    )


def test_who_says_nothing_is_cut_off_in_silence(client: socket.socket) -> None:
    assert read_all(client) == b""


def test_a_slow_body_is_read(client: socket.socket) -> None:
    head, _, body = elb(LIST).partition(b"\r\n\r\n")
    client.sendall(head + b"\r\n\r\n")
    for byte in body[:-1]:
        client.sendall(bytes([byte]))
    assert answer(client, body[-1:])[0] == 200


def test_a_client_that_sends_no_more_is_answered(client: socket.socket) -> None:
    client.sendall(elb(LIST))
    client.shutdown(socket.SHUT_WR)
    assert b"DescribeLoadBalancersResponse" in read_all(client)


def test_a_client_that_ends_in_the_middle_is_let_go(client: socket.socket) -> None:
    client.sendall(request(LIST, length=1_000))
    client.shutdown(socket.SHUT_WR)
    assert read_all(client) == b""


def test_requests_in_one_piece_are_answered_in_their_order(client: socket.socket) -> None:
    client.sendall(elb(LIST) + elb("Action=DescribeTargetGroups") + elb("Action=No"))
    client.shutdown(socket.SHUT_WR)
    said = read_all(client)
    places = [said.find(one) for one in (b"LoadBalancersR", b"TargetGroupsR", b"InvalidAction")]
    assert -1 not in places
    assert places == sorted(places)


def test_many_idle_connections_are_in_nobodys_way(
    shared_api: Api, address: tuple[str, int]
) -> None:
    with ExitStack() as stack:
        for _ in range(300):
            stack.enter_context(socket.create_connection(address, timeout=15))
        assert shared_api.client("elbv2", "123456789012").describe_load_balancers()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with place() as where, serving(where) as server:
        yield server


def resident_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MB


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")
@pytest.mark.timeout(60)
def test_memory_stays_where_it_is(server: Server) -> None:
    pid = server.pids()["control"]
    document = json.dumps({"x": [[{"a": n}] for n in range(50_000)]})
    kinds = [
        elb(LIST + "&x=" + "x" * 9 * MB),
        elb(b"x" * 30 * MB),
        elb(LIST + "".join(f"&p.{n}.q=1" for n in range(19_000))),
        acm(document),
        elb(LIST, "X: " + "x" * MB),
    ]

    def send_all() -> None:
        for sent in kinds:
            with socket.create_connection(("127.0.0.1", server.port), timeout=15) as client:
                assert answer(client, sent)[0] in (200, 400, 413, 431)

    send_all()
    before_mb = resident_mb(pid)
    for _ in range(3):
        send_all()
    with ExitStack() as stack:
        for _ in range(200):
            client = socket.create_connection(("127.0.0.1", server.port), timeout=15)
            stack.enter_context(client).sendall(b"POST / HTTP/1.1\r\nX: " + b"x" * 30_000)
        assert server.client("elbv2").describe_load_balancers()
    # Three times 45 MB were sent. Allocators keep some of what they have had.
    assert resident_mb(pid) < before_mb + 40
