"""Statuses that the load balancer answers with by itself, row by row. Source: ALB user guide,
"Troubleshoot your Application Load Balancers"; quotas.

What takes 10 s is in e2e/test_bad_servers_through_proxy.py, with the errors of TLS to targets.
"""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from albatross.model import pages
from tests.e2e.test_http2_through_proxy import ask
from tests.support.backends import Backends, backends
from tests.support.envoy import Answer
from tests.support.rules import path, rule, url_rewrite, weighted
from tests.support.stack import Front, Stack, chunked, event, fixed, forward, redirect, request
from tests.support.tls import TlsClient

MIB = 1024 * 1024
HOST = "Host: example.com\r\n"
WEBSOCKET = ("Connection: Upgrade", "Upgrade: websocket")


@pytest.fixture(scope="module")
def servers() -> Iterator[Backends]:
    with backends() as running:
        yield running


@pytest.fixture(scope="module")
def impatient(traffic: Stack) -> Front:
    """In front of the function, with the shortest idle timeout."""
    return traffic.front(idle_timeout__timeout_seconds="1")


@pytest.fixture(scope="module")
def certificate(traffic: Stack) -> str:
    arn: str = traffic.server.client("acm").request_certificate(
        DomainName="www.example.com", KeyAlgorithm="EC_prime256v1"
    )["CertificateArn"]
    return arn


def server_group(stack: Stack, port: int | None = None, version: str = "HTTP1") -> str:
    """Make a target group of servers, with the one on `port`."""
    arn: str = stack.elb.create_target_group(
        Name=stack.name(),
        TargetType="ip",
        Protocol="HTTP",
        ProtocolVersion=version,
        Port=80,
        VpcId="vpc-1",
    )["TargetGroups"][0]["TargetGroupArn"]
    if port is not None:
        target = {"Id": "127.0.0.1", "Port": port}
        stack.elb.register_targets(TargetGroupArn=arn, Targets=[target])
    return arn


def is_page(answer: Answer, status: int, *, closes: bool | None = None) -> bool:
    """Check that the answer is the page of `status`. `closes`: whether the connection ends."""
    assert (answer.status, answer.body.decode()) == (status, pages.page(status))
    assert answer.header("Server") == "awselb/2.0"
    assert answer.header("Content-Type") == "text/html"
    return closes is None or answer.closed is closes


class Test400:
    @pytest.mark.parametrize(
        "data",
        [
            "GARBAGE\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nNo colon\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nA: b\0c\r\n\r\n",
            "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        ],
    )
    def test_malformed_request(self, single: Front, data: str) -> None:
        assert is_page(single.send(data), 400, closes=True)

    def test_desync_severe_or_stricter_modes(self, traffic: Stack, single: Front) -> None:
        severe = "Content-Length: 5\r\nContent-Length: 6"
        assert is_page(single.send(request("POST /", severe)), 400, closes=True)
        strictest = traffic.front(routing__http__desync_mitigation_mode="strictest")
        ambiguous = request("GET /", body="x")
        assert single.send(ambiguous).status == 200
        assert is_page(strictest.send(ambiguous), 400, closes=True)

    @pytest.mark.parametrize(("size", "status"), [(16_371, 200), (16_372, 400)])
    def test_request_line_over_16_k(self, single: Front, size: int, status: int) -> None:
        assert single.get("/".ljust(size, "a")).status == status

    @pytest.mark.parametrize(("size", "status"), [(16_383, 200), (16_384, 400)])
    def test_one_header_over_16_k_a_line_of_16384_bytes_or_more(
        self, single: Front, size: int, status: int
    ) -> None:
        answer = single.get("/", "x-long: ".ljust(size, "b"))
        assert answer.status == status
        if status == 400:
            assert is_page(answer, 400, closes=True)

    @pytest.mark.parametrize(("size", "status"), [(65_536, 200), (65_537, 400)])
    def test_all_headers_over_64_k(self, single: Front, size: int, status: int) -> None:
        left, lines = size - len(HOST), []
        while left:
            take = left if left < 12_000 else 10_000
            lines.append("x-a: ".ljust(take - 2, "b"))
            left -= take
        assert single.get("/", *lines).status == status

    def test_client_closed_before_full_body_reaches_no_function(
        self, traffic: Stack, single: Front
    ) -> None:
        with single.connect() as client:
            client.write(request("POST /-/count/half", "Content-Length: 5", body=None) + b"ab")
            client._socket.shutdown(socket.SHUT_WR)
            assert client.ends()
        assert traffic.noted("half") == 0

    def test_websocket_to_lambda(self, single: Front) -> None:
        assert is_page(single.get("/", *WEBSOCKET), 400)


@pytest.mark.parametrize("action", ["forward", "fixed", "redirect"])
def test_405_trace(traffic: Stack, single: Front, action: str) -> None:
    front = single
    if action != "forward":
        front = traffic.shared_front(80)
        front.default(fixed(200, "x") if action == "fixed" else redirect(host="b.com"))
    assert is_page(front.send(request("TRACE /")), 405, closes=False)


def test_408_client_sent_no_data_within_idle_timeout(impatient: Front) -> None:
    began = {
        "request line": "GET / HT",
        "headers": "GET / HTTP/1.1\r\nHost: a\r\nX: ",
        "body": "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab",
    }
    with ExitStack() as clients:
        waiting = [clients.enter_context(impatient.connect()) for _ in began]
        for client, data in zip(waiting, began.values(), strict=True):
            client.write(data)
        assert all(is_page(client.read(), 408, closes=True) for client in waiting)


class Test413:
    def test_lambda_body_over_1_mb(self, single: Front) -> None:
        head = request("POST /", f"Content-Length: {MIB + 1}", body=None)
        assert is_page(single.send(head), 413)
        in_chunks = chunked(b"x" * MIB, b"x")
        data = request("POST /", "Transfer-Encoding: chunked", body=in_chunks)
        assert is_page(single.send(data), 413)

    def test_not_a_body_of_1_mb(self, single: Front) -> None:
        assert b'"bytes": 1048576' in single.post("/-/digest", body=b"x" * MIB).body
        in_chunks = chunked(b"x" * (MIB - 1), b"x")
        data = request("POST /-/digest", "Transfer-Encoding: chunked", body=in_chunks)
        assert b'"bytes": 1048576' in single.send(data).body

    def test_not_for_servers(self, traffic: Stack, servers: Backends) -> None:
        front = traffic.front(forward(server_group(traffic, servers.start("large").port)))
        assert b'"bytes": 1048577' in front.post("/", body=b"x" * (MIB + 1)).body


@pytest.mark.parametrize("prefix", ["/", "/?q="])
def test_414_request_target_alone_over_16_k(single: Front, prefix: str) -> None:
    assert is_page(single.get(prefix.ljust(16_385, "a")), 414)
    assert single.get(prefix.ljust(16_384, "a")).status == 400


@pytest.mark.parametrize(("addresses", "status"), [(30, 200), (31, 463)])
def test_463_x_forwarded_for_with_over_30_addresses(
    single: Front, addresses: int, status: int
) -> None:
    line = f"X-Forwarded-For: {', '.join(['10.0.0.1'] * addresses)}"
    answer = single.get("/", line)
    assert answer.status == status
    assert status == 200 or is_page(answer, 463)


def test_463_counts_the_addresses_of_all_lines(single: Front) -> None:
    line = f"X-Forwarded-For: {', '.join(['10.0.0.1'] * 16)}"
    assert single.get("/", line, line).status == 463


class Test464ProtocolMismatch:
    @pytest.mark.parametrize("version", ["GRPC", "HTTP2"])
    def test_http_1_1_to_grpc_http2_tg(
        self, traffic: Stack, certificate: str, version: str
    ) -> None:
        action = forward(server_group(traffic, version=version))
        front = traffic.front(action, port=443, certificate=certificate)
        with TlsClient(front.real_port, address=front.address) as client:
            client.write(request("POST /"))
            assert is_page(client.read(), 464)

    def test_grpc_to_http1_tg(self, traffic: Stack, certificate: str) -> None:
        action = forward(server_group(traffic))
        front = traffic.front(action, port=443, certificate=certificate)
        kind = ("content-type", "application/grpc")
        answer = ask(front, "POST", "/a.B/C", kind, ("te", "trailers"))
        assert (answer.status, answer.header("grpc-status")) == (464, "14")

    def test_http_2_non_post_to_grpc_tg(self, traffic: Stack, certificate: str) -> None:
        action = forward(server_group(traffic, version="GRPC"))
        front = traffic.front(action, port=443, certificate=certificate)
        assert ask(front, "GET").status == 464


def test_500_failed_transform(traffic: Stack, front: Front) -> None:
    transforms = [url_rewrite("^/.*", "no-path")]
    with rule(front, path("/x"), action=forward(traffic.group()), Transforms=transforms):
        assert is_page(front.get("/x"), 500)


@pytest.mark.parametrize("value", ["gzip", "gzip, chunked", "deflate", "xchunked"])
def test_501_unsupported_transfer_encoding(single: Front, value: str) -> None:
    data = request("POST /", f"Transfer-Encoding: {value}", body=b"0\r\n\r\n")
    assert is_page(single.send(data), 501)


class Test502:
    @pytest.mark.parametrize("target", ["/-/raise", "/-/crash", "/-/unknown"])
    def test_every_lambda_failure(self, single: Front, target: str) -> None:
        assert is_page(single.get(target), 502, closes=False)

    @pytest.mark.parametrize(
        "result",
        ["text", [], None, {}, {"statusCode": "two"}, {"statusCode": 99}, {"statusCode": 600}],
        ids=repr,
    )
    def test_a_result_that_is_no_response(self, single: Front, result: object) -> None:
        assert is_page(single.reply(result), 502, closes=False)

    def test_target_rst_closed(self, traffic: Stack, servers: Backends) -> None:
        server = servers.start("rst")
        front = traffic.front(forward(server_group(traffic, server.port)))
        assert is_page(front.get("/reset"), 502)
        servers.stop(server)
        assert is_page(front.get("/"), 502)

    def test_bad_response(self, traffic: Stack, servers: Backends) -> None:
        server = servers.start("bad", status="abc Bad")
        front = traffic.front(forward(server_group(traffic, server.port)))
        assert is_page(front.get("/"), 502)

    @pytest.mark.parametrize(("size", "status"), [(20_000, 200), (33_000, 502)])
    def test_headers_over_32_k(
        self, traffic: Stack, servers: Backends, size: int, status: int
    ) -> None:
        lines = [f"X-{n}: ".ljust(1_000, "b") for n in range(size // 1_002 + 1)]
        server = servers.start("headers", headers=lines)
        front = traffic.front(forward(server_group(traffic, server.port)))
        assert front.get("/").status == status


class Test503:
    def test_tg_without_registered_targets(self, traffic: Stack) -> None:
        made = traffic.elb.create_target_group(Name=traffic.name(), TargetType="lambda")
        empty = made["TargetGroups"][0]["TargetGroupArn"]
        assert is_page(traffic.front(forward(empty)).get(), 503, closes=False)
        assert is_page(traffic.front(forward(server_group(traffic))).get(), 503)

    def test_weights_that_are_all_0(self, traffic: Stack) -> None:
        groups = {traffic.group(): 0, traffic.group(): 0}
        assert is_page(traffic.front(weighted(groups)).get(), 503)


class Test504TargetSilentForIdleTimeout:
    def test_a_function(self, impatient: Front) -> None:
        assert is_page(impatient.get("/-/sleep/rows-504/1.5"), 504, closes=False)

    def test_a_server(self, traffic: Stack, servers: Backends) -> None:
        action = forward(server_group(traffic, servers.start("silent").port))
        front = traffic.front(action, idle_timeout__timeout_seconds="1")
        assert is_page(front.get("/silent"), 504)


def test_507_redirect_url_too_long(front: Front) -> None:
    with rule(front, path("/x*"), action=redirect(host="b.com")):
        assert is_page(front.get("/x".ljust(8_200, "x")), 507)


def test_no_rule_matched_never_happens_default_action(front: Front) -> None:
    with rule(front, path("/only"), action=fixed(200, "rule")):
        assert front.get("/other").body == b"default"


def test_listener_absent_tcp_refused(traffic: Stack) -> None:
    front = traffic.front(fixed(200, "there"))
    assert front.get().body == b"there"
    traffic.elb.delete_listener(ListenerArn=front.listener)
    with pytest.raises(ConnectionRefusedError):
        front.connect()


class TestOrderOfProcessing:
    """TLS, parsing, header sizes, rules, transforms, actions, target group, target."""

    def test_malformed_and_too_large_before_any_rule(self, front: Front) -> None:
        with rule(front, path("*"), action=fixed(200, "rule")):
            assert front.send("GET / HTTP/1.1\r\n\r\n").status == 400
            assert front.get("/", "x-long: ".ljust(16_384, "b")).status == 400
            assert front.get("/".ljust(16_385, "a")).status == 414

    def test_rule_match_before_transforms(self, traffic: Stack, front: Front) -> None:
        transforms = [url_rewrite("^/a", "/b")]
        action = forward(traffic.group())
        with (
            rule(front, path("/a"), action=action, priority=2, Transforms=transforms),
            rule(front, path("/b"), action=fixed(200, "rule"), priority=1),
        ):
            assert event(front.get("/a"))["path"] == "/b"
            assert front.get("/b").body == b"rule"

    def test_fixed_and_redirect_before_the_limits_of_lambda(self, front: Front) -> None:
        for action, status in ((fixed(201, "rule"), 201), (redirect(host="b.com"), 302)):
            with rule(front, path("*"), action=action):
                large = request("POST /", f"Content-Length: {MIB + 1}", body=None)
                assert front.send(large).status == status
                assert front.get("/", *WEBSOCKET).status == status

    def test_for_lambda_websocket_check_before_body_check(self, single: Front) -> None:
        lines = (*WEBSOCKET, f"Content-Length: {MIB + 1}")
        assert is_page(single.send(request("GET /", *lines)), 400)
