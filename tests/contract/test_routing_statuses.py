"""Statuses that the load balancer answers with by itself, row by row. Source: ALB user guide,
"Troubleshoot your Application Load Balancers"; quotas.

What takes 10 s is in e2e/test_bad_servers_through_proxy.py, with the errors of TLS to targets.
"""

import socket
import time
from contextlib import ExitStack

import pytest

from tests.contract.test_routing_limits import MIB, is_page
from tests.support.backends import Backends
from tests.support.command import until
from tests.support.groups import make_group
from tests.support.http2 import ask
from tests.support.rules import path, rule, url_rewrite, weighted
from tests.support.stack import Front, Stack, event, fixed, forward, redirect, request
from tests.support.tls import TlsClient

WEBSOCKET = ("Connection: Upgrade", "Upgrade: websocket")


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

    @pytest.mark.parametrize(
        "body",
        [
            pytest.param(("Content-Length: 5", b"ab"), id="length"),
            pytest.param(("Transfer-Encoding: chunked", b"5\r\nab"), id="chunks"),
        ],
    )
    def test_client_closed_before_full_body_reaches_no_function(
        self, traffic: Stack, single: Front, body: tuple[str, bytes]
    ) -> None:
        with single.connect() as client:
            client.write(request("POST /-/count/half", body[0], body=None) + body[1])
            client._socket.shutdown(socket.SHUT_WR)
            client.ends()
        assert traffic.noted("half") == 0

    @pytest.mark.parametrize(
        "lines",
        [
            pytest.param(WEBSOCKET, id="WebSocket"),
            pytest.param(["connection: keep-alive, upgrade", "upgrade: WebSocket"], id="any case"),
            pytest.param(["Connection: Upgrade", "Upgrade: h2c, websocket"], id="one of two"),
        ],
    )
    def test_websocket_to_lambda(
        self, traffic: Stack, single: Front, lines: tuple[str, ...]
    ) -> None:
        key = ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13")
        assert is_page(single.get("/-/count/websocket", *lines, *key), 400, closes=True)
        assert traffic.noted("websocket") == 0


@pytest.mark.parametrize("action", ["forward", "fixed", "redirect"])
def test_405_trace_and_the_connection_goes_on(traffic: Stack, single: Front, action: str) -> None:
    front = single
    if action != "forward":
        front = traffic.shared_front(80)
        front.default(fixed(200, "x") if action == "fixed" else redirect(host="b.com"))
    with front.connect() as client:
        client.write(request("TRACE /") + request("GET /next"))
        assert is_page(client.read(), 405, closes=False)
        assert client.read().status == (302 if action == "redirect" else 200)


def test_408_client_sent_no_data_within_idle_timeout(impatient: Front) -> None:
    post = "POST / HTTP/1.1\r\nHost: a\r\n"
    began = [
        "GET / HT",
        "GET / HTTP/1.1\r\nHost: a\r\nX: ",
        f"{post}Content-Length: 5\r\n\r\nab",
        f"{post}Transfer-Encoding: chunked\r\n\r\n5\r\nab",
        f"{post}Content-Length: 5\r\nExpect: 100-continue\r\n\r\n",
    ]
    with ExitStack() as clients:
        waiting = [clients.enter_context(impatient.connect()) for _ in began]
        started = time.monotonic()
        for client, data in zip(waiting, began, strict=True):
            client.write(data)
        assert waiting[-1].read().status == 100
        assert all(is_page(client.read(), 408, closes=True) for client in waiting)
        assert time.monotonic() - started > 0.9


class Test464ProtocolMismatch:
    @pytest.mark.parametrize("version", ["GRPC", "HTTP2"])
    def test_http_1_1_to_grpc_http2_tg(
        self, traffic: Stack, certificate: str, version: str
    ) -> None:
        action = forward(make_group(traffic, ProtocolVersion=version))
        front = traffic.front(action, port=443, certificate=certificate)
        with TlsClient(front.real_port, address=front.address) as client:
            client.write(request("POST /"))
            assert is_page(client.read(), 464)

    def test_grpc_to_http1_tg(self, traffic: Stack, certificate: str) -> None:
        action = forward(make_group(traffic))
        front = traffic.front(action, port=443, certificate=certificate)
        kind = ("content-type", "application/grpc")
        answer = ask(front, "POST", "/a.B/C", kind, ("te", "trailers"))
        assert (answer.status, answer.header("grpc-status")) == (464, "14")

    def test_http_2_non_post_to_grpc_tg(self, traffic: Stack, certificate: str) -> None:
        action = forward(make_group(traffic, ProtocolVersion="GRPC"))
        front = traffic.front(action, port=443, certificate=certificate)
        assert ask(front, "GET").status == 464


def test_500_failed_transform(traffic: Stack, front: Front) -> None:
    transforms = [url_rewrite("^/.*", "no-path")]
    with rule(front, path("/x"), action=forward(traffic.group()), Transforms=transforms):
        assert is_page(front.get("/x"), 500)


@pytest.mark.parametrize(
    "value",
    [
        *("gzip", "gzip, chunked", "chunked, identity", "deflate", "xchunked", "identity"),
        "chunked\r\nTransfer-Encoding: chunked",
    ],
)
def test_501_unsupported_transfer_encoding(single: Front, value: str) -> None:
    data = request("POST /", f"Transfer-Encoding: {value}", body=b"0\r\n\r\n")
    assert is_page(single.send(data), 501, closes=True)


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
        front = traffic.front(forward(make_group(traffic, server)))
        assert is_page(front.get("/reset"), 502)
        servers.stop(server)
        assert is_page(front.get("/"), 502)

    def test_bad_response(self, traffic: Stack, servers: Backends) -> None:
        server = servers.start("bad", status="abc Bad")
        front = traffic.front(forward(make_group(traffic, server)))
        assert is_page(front.get("/"), 502)

    @pytest.mark.parametrize(("size", "status"), [(20_000, 200), (33_000, 502)])
    def test_headers_over_32_k(
        self, traffic: Stack, servers: Backends, size: int, status: int
    ) -> None:
        lines = [f"X-{n}: ".ljust(1_000, "b") for n in range(size // 1_002 + 1)]
        server = servers.start("headers", headers=lines)
        front = traffic.front(forward(make_group(traffic, server)))
        assert front.get("/").status == status


class Test503:
    def test_tg_without_registered_targets(self, traffic: Stack) -> None:
        made = traffic.elb.create_target_group(Name=traffic.name(), TargetType="lambda")
        empty = made["TargetGroups"][0]["TargetGroupArn"]
        assert is_page(traffic.front(forward(empty)).get(), 503, closes=False)
        assert is_page(traffic.front(forward(make_group(traffic))).get(), 503)

    def test_weights_that_are_all_0(self, traffic: Stack) -> None:
        groups = {traffic.group(): 0, traffic.group(): 0}
        assert is_page(traffic.front(weighted(groups)).get(), 503)


class Test504TargetSilentForIdleTimeout:
    def test_a_function_which_goes_on(self, traffic: Stack, impatient: Front) -> None:
        with impatient.connect() as client:
            started = time.monotonic()
            client.write(request("GET /-/sleep/504/1.4"))
            answer = client.read()
            assert 0.9 < time.monotonic() - started < 10
            assert is_page(answer, 504, closes=False)
            assert answer.reason == "Gateway Time-out"
            assert traffic.noted("504") == 1
            client.write(request("GET /next"))
            assert event(client.read())["path"] == "/next"
        until(lambda: traffic.noted("504") == 2)

    def test_a_server(self, traffic: Stack, servers: Backends) -> None:
        action = forward(make_group(traffic, servers.start("silent")))
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
