"""What a listener does before and around the choice of a route: limits, errors, timeouts."""

import time

import pytest

from albatross.model import pages
from albatross.model.rule import FixedResponse, PathPattern, Redirect
from tests.support.envoy import Balancer, Proxy, reply

MIB = 1024 * 1024


def post(*lines: str, body: str = "") -> str:
    return "\r\n".join(["POST / HTTP/1.1", "Host: a.com", *lines, "", body])


def chunks(*sizes: int) -> str:
    return "".join(f"{size:x}\r\n{'x' * size}\r\n" for size in (*sizes, 0))


def headers_of(total: int) -> list[str]:
    """Lines that with `Host: a.com` come to `total` bytes, line ends included."""
    left, lines = total - len("Host: a.com\r\n"), []
    while left:
        size = left if left < 12_000 else 10_000
        lines.append("x-a: " + "b" * (size - len("x-a: \r\n")))
        left -= size
    return lines


REFUSED = [
    pytest.param("GARBAGE\r\n\r\n", 400, True, id="garbage"),
    pytest.param("GET / HTTP/1.1\r\n\r\n", 400, True, id="no Host"),
    pytest.param("GET / HTTP/1.1\r\nHost: a\r\nA b: c\r\n\r\n", 400, True, id="space in a name"),
    pytest.param("GET / HTTP/1.1\r\nHost: a\r\nA: \0\r\n\r\n", 400, True, id="NUL"),
    pytest.param("GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", 400, True, id="bytes in the target"),
    pytest.param("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, True, id="HTTP/2 without TLS"),
    pytest.param("CONNECT a.com:443 HTTP/1.1\r\nHost: a.com\r\n\r\n", 400, True, id="CONNECT"),
    pytest.param("OPTIONS * HTTP/1.1\r\nHost: a.com\r\n\r\n", 400, False, id="asterisk"),
    pytest.param("TRACE / HTTP/1.1\r\nHost: a.com\r\n\r\n", 405, False, id="TRACE"),
    pytest.param(post("Content-Length: x"), 400, True, id="bad content-length"),
    pytest.param(post("Content-Length: 3", "Transfer-Encoding: chunked"), 400, True, id="both"),
    pytest.param(post("Transfer-Encoding: gzip"), 501, True, id="transfer-encoding"),
    pytest.param(post(f"Content-Length: {MIB + 1}"), 413, True, id="body by its length"),
    pytest.param(
        post("Transfer-Encoding: chunked", body=chunks(MIB, 1)), 413, None, id="body in chunks"
    ),
    pytest.param(post("x-a: " + "b" * (16_384 - 5)), 400, True, id="a line of 16,384 bytes"),
    pytest.param(post(*headers_of(65_537)), 400, True, id="headers of 65,537 bytes"),
    pytest.param(post(*headers_of(200_000)), 400, True, id="headers of 200,000 bytes"),
    pytest.param(f"GET /{'a' * 16_384} HTTP/1.1\r\nHost: a\r\n\r\n", 414, False, id="target"),
]


@pytest.mark.parametrize(("data", "status", "closes"), REFUSED)
def test_what_is_refused_gets_the_page_of_its_status(
    proxy: Proxy, data: str, status: int, closes: bool | None
) -> None:
    """`closes` None: it depends on how much of the request has come by then."""
    proxy.serve(Balancer())
    answer = proxy.send(data)
    assert answer.status == status
    assert answer.body.decode() == pages.page(status)
    assert answer.header("server") == "awselb/2.0"
    assert answer.header("content-type") == "text/html"
    assert answer.header("date")
    assert closes is None or answer.closed == closes


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(post("x-a: " + "b" * (16_383 - 5)), id="a line of 16,383 bytes"),
        pytest.param(post(*headers_of(65_536)), id="headers of 65,536 bytes"),
        pytest.param(post(*(f"x-{n}: 1" for n in range(2000))), id="2,000 headers"),
        pytest.param(f"GET /{'a' * 16_370} HTTP/1.1\r\nHost: a\r\n\r\n", id="line of 16,384"),
        pytest.param("M-SEARCH / HTTP/1.1\r\nHost: a\r\n\r\n", id="custom method"),
        pytest.param("OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n", id="OPTIONS"),
        pytest.param("GET / HTTP/1.1\r\nHost: a\r\nEmpty:\r\n\r\n", id="empty value"),
        pytest.param("GET /\r\n\r\n", id="HTTP/0.9"),
    ],
)
def test_what_is_within_the_limits_passes(proxy: Proxy, data: str) -> None:
    proxy.serve(Balancer())
    assert proxy.send(data).status == 200


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(post(f"Content-Length: {MIB}", body="x" * MIB), id="by its length"),
        pytest.param(post("Transfer-Encoding: chunked", body=chunks(MIB - 1, 1)), id="in chunks"),
    ],
)
def test_a_body_of_one_mebibyte_passes_whole(proxy: Proxy, data: str) -> None:
    proxy.serve(Balancer())
    assert len(proxy.send(data).received.body) == MIB


@pytest.mark.parametrize(
    "action", [FixedResponse(status_code=200), Redirect(status_code=302, host="b")]
)
def test_the_limit_on_bodies_is_for_functions_alone(
    proxy: Proxy, action: FixedResponse | Redirect
) -> None:
    proxy.serve(Balancer(default=action))
    assert proxy.send(post(f"Content-Length: {MIB + 1}")).status == action.status_code


def test_100_continue_is_answered_at_once_and_not_handed_on(proxy: Proxy) -> None:
    proxy.serve(Balancer())
    with proxy.connect() as client:
        client.write(post("Content-Length: 2", "Expect: 100-continue"))
        assert client.read().status == 100
        client.write("hi")
        received = client.read().received
    assert received.body == "hi"
    assert received.header("expect") is None


@pytest.mark.parametrize(
    ("upgrade", "status"),
    [
        pytest.param("websocket", 400, id="WebSocket"),
        pytest.param("WebSocket", 400, id="any case"),
        pytest.param("h2c", 200, id="HTTP/2 is ignored"),
        pytest.param("websocketx", 200, id="unknown ones are ignored"),
        pytest.param("web", 200, id="prefix"),
    ],
)
def test_upgrades_to_a_lambda_target(proxy: Proxy, upgrade: str, status: int) -> None:
    proxy.serve(Balancer())
    lines = [
        "Connection: Upgrade",
        f"Upgrade: {upgrade}",
        "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
    ]
    assert proxy.get("/", *lines).status == status


def test_a_websocket_request_may_be_redirected(proxy: Proxy) -> None:
    proxy.serve(Balancer(default=Redirect(status_code=302, host="b")))
    assert proxy.get("/", "Connection: Upgrade", "Upgrade: websocket").status == 302


@pytest.mark.parametrize(
    ("line", "closed"),
    [
        pytest.param("", True, id="closed by default"),
        pytest.param("Connection: keep-alive\r\n", False, id="kept on request"),
    ],
)
def test_http_1_0_connections(proxy: Proxy, line: str, closed: bool) -> None:
    proxy.serve(Balancer())
    answer = proxy.send(f"GET / HTTP/1.0\r\n{line}\r\n")
    assert answer.status == 200
    assert answer.closed == closed


def test_status_line_and_spelling_of_headers_pass_to_the_client(proxy: Proxy) -> None:
    proxy.serve(Balancer())
    answer = proxy.get(
        "/",
        reply(
            b"HTTP/1.1 299 Strange Phrase\r\nX-CaSe: 1\r\nServer: mine\r\n"
            b"set-cookie: a\r\nset-cookie: b\r\n"
            b"Date: Sat, 01 Jan 2000 00:00:00 GMT\r\nContent-Length: 0\r\n\r\n"
        ),
    )
    assert (answer.status, answer.reason) == (299, "Strange Phrase")
    assert answer.headers == [
        ("X-CaSe", "1"),
        ("Server", "mine"),
        ("set-cookie", "a"),
        ("set-cookie", "b"),
        ("Date", "Sat, 01 Jan 2000 00:00:00 GMT"),
        ("Content-Length", "0"),
    ]


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([reply(b"HTTP/1.1 what\r\n\r\n")], id="malformed"),
        pytest.param([reply(b" "), "x-then-close: 1"], id="closed"),
    ],
)
def test_a_host_that_does_not_answer_is_a_bad_gateway(proxy: Proxy, lines: list[str]) -> None:
    proxy.serve(Balancer())
    answer = proxy.get("/", *lines)
    assert answer.status == 502
    assert answer.body.decode() == pages.page(502)


def test_response_headers_above_32_kb_are_not_envoys_to_refuse(proxy: Proxy) -> None:
    proxy.serve(Balancer())
    answer = proxy.get("/", "x-reply-header-bytes: 50000")
    assert len(answer.header("big") or "") == 50_000


def test_a_head_request_gets_no_body(proxy: Proxy) -> None:
    proxy.serve(
        Balancer(
            rules=[
                ((PathPattern(values=("/no",)),), FixedResponse(status_code=404, message_body="no"))
            ]
        )
    )
    with proxy.connect() as client:
        for target, length in (("/", None), ("/no", "2")):
            client.write(f"HEAD {target} HTTP/1.1\r\nHost: a\r\n\r\n")
            answer = client.read(head=True)
            assert answer.body == b""
            assert length is None or answer.header("content-length") == length


class TestTimeouts:
    """With an idle timeout of one second, and one Envoy for all."""

    IMPATIENT = Balancer(attributes={"idle_timeout.timeout_seconds": "1"})

    @pytest.mark.parametrize(
        ("data", "status"),
        [
            pytest.param("GET / HTTP/1.1\r\nHost:", 408, id="headers"),
            pytest.param(post("Content-Length: 5", body="ab"), 408, id="body"),
            pytest.param(post("x-reply-never: 1"), 504, id="function"),
        ],
    )
    def test_silence_ends_a_request(self, proxy: Proxy, data: str, status: int) -> None:
        proxy.serve(self.IMPATIENT)
        started = time.monotonic()
        answer = proxy.send(data)
        assert 0.9 < time.monotonic() - started < 10
        assert answer.status == status
        assert answer.body.decode() == pages.page(status)
        assert answer.closed == (status == 408)

    def test_an_idle_connection_is_closed_without_a_word(self, proxy: Proxy) -> None:
        proxy.serve(self.IMPATIENT)
        with proxy.connect() as client:
            client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert not client.read().closed
            assert client.ends()

    def test_after_client_keep_alive_one_more_request_is_answered_with_connection_close(
        self, proxy: Proxy
    ) -> None:
        proxy.serve(Balancer(attributes={"client_keep_alive.seconds": "1"}))
        with proxy.connect() as client:
            for wait_s, closes in ((1.2, False), (0, True)):
                client.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                answer = client.read()
                assert (answer.status, answer.closed) == (200, closes)
                time.sleep(wait_s)
            assert client.ends()

    def test_a_function_may_take_longer_where_the_server_says_so(self, proxy: Proxy) -> None:
        proxy.serve(self.IMPATIENT, lambda_idle_timeout=False)
        assert proxy.get("/", "x-reply-after: 1.5").status == 200
