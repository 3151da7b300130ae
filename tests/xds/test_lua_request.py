"""What a function's host receives: lua/request.lua and the headers that routes add."""

import re
import socket

import pytest

from albatross.model.rule import FixedResponse, HostHeader, PathPattern, Redirect
from tests.support.envoy import TARGET_GROUP, Balancer, Proxy

FRESH = r"1-[0-9a-f]{8}-[0-9a-f]{24}"
ROOT = "Root=1-67891233-abcdef012345678912345678"


@pytest.mark.parametrize(
    ("sent", "pattern"),
    [
        pytest.param(None, f"Root={FRESH}", id="absent"),
        pytest.param("", f"Root={FRESH}", id="empty"),
        pytest.param(ROOT, f"Self={FRESH};{ROOT}", id="a root"),
        pytest.param(f"{ROOT};CalledFrom=app", f"Self={FRESH};{ROOT};CalledFrom=app", id="custom"),
        pytest.param(
            f"CalledFrom=app;{ROOT}", f"Self={FRESH};CalledFrom=app;{ROOT}", id="custom first"
        ),
        pytest.param(f"Self=1-2-3;{ROOT}", f"Self={FRESH};{ROOT}", id="a self is renewed"),
        pytest.param(f"{ROOT};Self=1-2-3", f"{ROOT};Self={FRESH}", id="where it is"),
        pytest.param(f"{ROOT}; Self=1-2-3;A=b", f"{ROOT}; Self={FRESH};A=b", id="with a space"),
        pytest.param("CalledFrom=app", f"Root={FRESH};CalledFrom=app", id="neither"),
        pytest.param("MySelf=1", f"Root={FRESH};MySelf=1", id="a name that ends in Self"),
    ],
)
def test_trace_header_gets_a_root_or_a_new_self(
    proxy: Proxy, sent: str | None, pattern: str
) -> None:
    proxy.serve(Balancer())
    lines = [] if sent is None else [f"X-Amzn-Trace-Id: {sent}"]
    trace = proxy.get("/", *lines).received.header("x-amzn-trace-id")
    assert re.fullmatch(pattern, trace or "")


def test_trace_header_is_written_anew_above_7_kb_of_headers(proxy: Proxy) -> None:
    proxy.serve(Balancer())
    received = proxy.get("/", f"X-Amzn-Trace-Id: {ROOT};A=b", f"X-Big: {'x' * 7168}").received
    assert re.fullmatch(f"Root={FRESH}", received.header("x-amzn-trace-id") or "")


def test_trace_ids_do_not_repeat(proxy: Proxy) -> None:
    proxy.serve(Balancer())
    ids = {proxy.get().received.header("x-amzn-trace-id") for _ in range(50)}
    assert len(ids) == 50


@pytest.mark.parametrize(
    ("attributes", "sent", "expected"),
    [
        pytest.param({}, None, "127.0.0.1", id="append creates"),
        pytest.param({}, "203.0.113.7", "203.0.113.7, 127.0.0.1", id="append appends"),
        pytest.param({"mode": "preserve"}, None, None, id="preserve adds nothing"),
        pytest.param({"mode": "preserve"}, "a,b", "a,b", id="preserve keeps"),
        pytest.param({"mode": "remove"}, None, None, id="remove adds nothing"),
        pytest.param({"mode": "remove"}, "a", None, id="remove removes"),
        pytest.param({"port": "true"}, None, "127.0.0.1:PORT", id="port"),
        pytest.param({"port": "true"}, "a", "a, 127.0.0.1:PORT", id="port appended"),
        pytest.param({"mode": "preserve", "port": "true"}, "a", "a", id="port only on append"),
    ],
)
def test_x_forwarded_for_follows_the_attributes(
    proxy: Proxy, attributes: dict[str, str], sent: str | None, expected: str | None
) -> None:
    keys = {
        "mode": "routing.http.xff_header_processing.mode",
        "port": "routing.http.xff_client_port.enabled",
    }
    proxy.serve(Balancer(attributes={keys[key]: value for key, value in attributes.items()}))
    with proxy.connect() as client:
        line = f"X-Forwarded-For: {sent}\r\n" if sent else ""
        client.write(f"GET / HTTP/1.1\r\nHost: a\r\n{line}\r\n")
        received = client.read().received.header("x-forwarded-for")
    assert received == (expected and expected.replace("PORT", str(client.local_port)))


@pytest.mark.parametrize(
    ("with_port", "sent", "expected"),
    [
        pytest.param("false", None, "::1", id="alone"),
        pytest.param("false", "a", "a, [::1]", id="bracketed where it is appended"),
        pytest.param("true", None, "[::1]:PORT", id="with port"),
        pytest.param("true", "a", "a, [::1]:PORT", id="appended with port"),
    ],
)
def test_x_forwarded_for_of_an_ipv6_client(
    proxy: Proxy, with_port: str, sent: str | None, expected: str
) -> None:
    if not _has_ipv6():
        pytest.skip("this machine has no IPv6 loopback")
    balancer = Balancer(attributes={"routing.http.xff_client_port.enabled": with_port})
    proxy.serve(balancer, address="::1")
    with proxy.connect("::1") as client:
        line = f"X-Forwarded-For: {sent}\r\n" if sent else ""
        client.write(f"GET / HTTP/1.1\r\nHost: a\r\n{line}\r\n")
        received = client.read().received.header("x-forwarded-for")
    assert received == expected.replace("PORT", str(client.local_port))


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize(
    ("addresses", "status"), [pytest.param(30, 200, id="30"), pytest.param(31, 463, id="31")]
)
def test_more_than_30_forwarded_addresses_are_refused(
    proxy: Proxy, addresses: int, status: int
) -> None:
    proxy.serve(Balancer())
    assert proxy.get("/", f"X-Forwarded-For: {','.join(['1'] * addresses)}").status == status


def test_forwarded_port_and_protocol_are_the_listeners(proxy: Proxy) -> None:
    proxy.serve(Balancer(port=8443))
    received = proxy.get("/", "X-Forwarded-Port: 1", "X-Forwarded-Proto: https").received
    assert received.header("x-forwarded-port") == "8443"
    assert received.header("x-forwarded-proto") == "http"


@pytest.mark.parametrize(
    ("port", "preserve", "sent", "expected"),
    [
        pytest.param(80, "false", "Example.com", "Example.com", id="as it is, case kept"),
        pytest.param(80, "false", "example.com:80", "example.com", id="80 goes"),
        pytest.param(80, "false", "example.com:8080", "example.com", id="any port goes"),
        pytest.param(443, "false", "example.com:443", "example.com", id="443 too"),
        pytest.param(80, "false", "[::1]:80", "[::1]", id="IPv6 address"),
        pytest.param(8080, "false", "example.com", "example.com:8080", id="port is added"),
        pytest.param(8080, "false", "example.com:", "example.com:8080", id="to an empty one"),
        pytest.param(8080, "false", "example.com:99", "example.com:99", id="not a second one"),
        pytest.param(8080, "false", "[::1]", "[::1]:8080", id="added to an IPv6 address"),
        pytest.param(8080, "false", "[::1]:8080", "[::1]:8080", id="not twice to an IPv6 address"),
        pytest.param(80, "true", "example.com:80", "example.com:80", id="preserved"),
        pytest.param(8080, "true", "example.com", "example.com", id="preserved without port"),
    ],
)
def test_host_is_rewritten_by_the_listeners_port(
    proxy: Proxy, port: int, preserve: str, sent: str, expected: str
) -> None:
    attributes = {"routing.http.preserve_host_header.enabled": preserve}
    proxy.serve(Balancer(port=port, attributes=attributes))
    assert proxy.get(host=sent).received.header("host") == expected


def test_of_two_host_lines_the_first_counts(proxy: Proxy) -> None:
    rule = ((HostHeader(values=("first.example.com",)),), FixedResponse(status_code=202))
    proxy.serve(Balancer(rules=[rule]))
    assert proxy.get("/", "Host: second.example.com", host="first.example.com").status == 202
    received = proxy.get("/", "Host: first.example.com", host="second.example.com").received
    assert received.header("host") == "second.example.com"


def test_an_absolute_request_target_names_the_host(proxy: Proxy) -> None:
    proxy.serve(Balancer())
    received = proxy.get("http://other.example.com/x?y", host="example.com").received
    assert received.request == "GET /x?y HTTP/1.1"
    assert received.header("host") == "other.example.com"


def test_the_internal_headers_cannot_be_sent_by_clients(proxy: Proxy) -> None:
    proxy.serve(Balancer())
    received = proxy.get(
        "/", "X-Albatross-Target-Group: mine", "x-albatross-connection: a", "X-ALBATROSS-Other: b"
    ).received
    ours = [header for header in received.headers if header[0].startswith("x-albatross")]
    assert ours == [("x-albatross-target-group", TARGET_GROUP)]


@pytest.mark.parametrize("value", ["keep-alive", "Keep-Alive", "close"])
def test_the_clients_connection_header_is_handed_on_under_our_name(
    proxy: Proxy, value: str
) -> None:
    proxy.serve(Balancer())
    received = proxy.get("/", f"Connection: {value}").received
    assert received.header("x-albatross-connection") == value
    assert received.header("connection") is None


def test_envoy_adds_no_headers_of_its_own(proxy: Proxy) -> None:
    proxy.serve(Balancer())
    answer = proxy.get("/", "User-Agent: curl")
    assert {name for name, _ in answer.received.headers} == {
        "host",
        "user-agent",
        "x-forwarded-for",
        "x-forwarded-port",
        "x-forwarded-proto",
        "x-amzn-trace-id",
        "x-albatross-target-group",
    }
    assert {name.lower() for name, _ in answer.headers} == {"server", "content-length", "date"}


@pytest.mark.parametrize(
    "name",
    [
        "Cookie",
        "Authorization",
        "X-Request-Id",
        "Via",
        "Forwarded",
        "X-Forwarded-Host",
        "X-Forwarded-Client-Cert",
        "Traceparent",
        "X-Client-Trace-Id",
        "X_Under",
        "Upgrade-Insecure-Requests",
        "Max-Forwards",
        "Origin",
        "Date",
        "X-Real-Ip",
        "Proxy-Authorization",
        "Trailer",
        "Pragma",
        "Range",
        "If-None-Match",
        "Grpc-Timeout",
    ],
)
def test_a_clients_header_passes_as_it_is(proxy: Proxy, name: str) -> None:
    proxy.serve(Balancer())
    received = proxy.get("/", f'{name}: A value; \x85="x"').received
    assert received.header(name.lower()) == 'A value; \x85="x"'


@pytest.mark.parametrize(
    "name", ["x-custom", "cookie", "accept-language", "forwarded", "x-api-key"]
)
def test_repeated_lines_stay_lines(proxy: Proxy, name: str) -> None:
    proxy.serve(Balancer())
    assert proxy.get("/", f"{name}: 1", f"{name}: 2, 3").received.all(name) == ["1", "2, 3"]


@pytest.mark.parametrize(
    ("drop", "expected"),
    [pytest.param("false", ["1"], id="kept"), pytest.param("true", [], id="dropped")],
)
def test_header_names_that_are_not_valid(proxy: Proxy, drop: str, expected: list[str]) -> None:
    attributes = {"routing.http.drop_invalid_header_fields.enabled": drop}
    proxy.serve(Balancer(attributes=attributes))
    received = proxy.get("/", "x_under: 1", "x.dot: 1", "X-Fine-1: 2").received
    assert received.all("x_under") == received.all("x.dot") == expected
    assert received.header("x-fine-1") == "2"


@pytest.mark.parametrize(
    ("target", "matches"),
    [
        pytest.param("/api/x", True, id="as it is"),
        pytest.param("/a/../api/x", True, id="dot segments"),
        pytest.param("/api/../x", False, id="out of it"),
        pytest.param("/%61pi/x", True, id="an escaped letter"),
        pytest.param("/%2e/api/x", True, id="an escaped dot segment"),
        pytest.param("/../api/x", True, id="above the root"),
        pytest.param("/api%2Fx", False, id="an escaped slash stays"),
        pytest.param("//api/x", False, id="two slashes stay two"),
        pytest.param("/x?/../api/", False, id="the query is not the path"),
        pytest.param("/api/.hidden", True, id="a dot in a name"),
        pytest.param("/API/x", False, id="case counts"),
    ],
)
def test_rules_match_the_normalised_path_and_targets_get_the_original(
    proxy: Proxy, target: str, matches: bool
) -> None:
    proxy.serve(
        Balancer(rules=[((PathPattern(values=("/api/*",)),), FixedResponse(status_code=202))])
    )
    answer = proxy.get(target)
    assert answer.status == (202 if matches else 200)
    if not matches:
        assert answer.received.request == f"GET {target} HTTP/1.1"


@pytest.mark.parametrize(
    "target",
    [
        "/a%20b/%c3%a9?q=a+b&r=%2B&&x",
        "/capture/%7Etilde/./x/..?",
        "//a/../b%2Fc%20",
        "/trailing/",
        "/?",
        "/?a=/../b",
    ],
)
def test_path_and_query_arrive_byte_for_byte(proxy: Proxy, target: str) -> None:
    proxy.serve(Balancer())
    assert proxy.get(target).received.request == f"GET {target} HTTP/1.1"


def test_an_empty_host_stays_empty_and_is_nowhere_to_redirect_to(proxy: Proxy) -> None:
    elsewhere = ((PathPattern(values=("/other",)),), Redirect(status_code=301, host="other.com"))
    same = ((PathPattern(values=("/same",)),), Redirect(status_code=301, port="81"))
    proxy.serve(Balancer(port=8080, rules=[elsewhere, same]))
    assert proxy.get(host="").received.header("host") == ""
    assert proxy.get("/other", host="").header("location") == "http://other.com:8080/other"
    assert proxy.get("/same", host="").status == 400


@pytest.mark.parametrize(
    ("redirect", "port", "target", "location"),
    [
        pytest.param(
            Redirect(status_code=301, protocol="HTTPS", port="443"),
            80,
            "/a/b%20c?x=1&y",
            "https://example.com:443/a/b%20c?x=1&y",
            id="to HTTPS",
        ),
        pytest.param(
            Redirect(status_code=302, host="new.com"), 8080, "/", "http://new.com:8080/", id="host"
        ),
        pytest.param(
            Redirect(status_code=302, path="/#{host}/#{port}/x/#{path}"),
            8080,
            "/p?q=1",
            "http://example.com:8080/example.com/8080/x/p?q=1",
            id="keywords in the path",
        ),
        pytest.param(
            Redirect(status_code=302, path="/fixed", query="from=#{path}&#{query}&via=#{protocol}"),
            80,
            "/p?q=%231",
            "http://example.com:80/fixed?from=p&q=%231&via=http",
            id="keywords in the query",
        ),
        pytest.param(
            Redirect(status_code=302, path="/x", query=""),
            80,
            "/p?q=1",
            "http://example.com:80/x",
            id="no query",
        ),
        pytest.param(
            Redirect(status_code=302, host="www.#{host}"),
            80,
            "/p?",
            "http://www.example.com:80/p",
            id="empty query",
        ),
        pytest.param(
            Redirect(status_code=302, path="/%1/#{path}"),
            80,
            "/%2e%1",
            "http://example.com:80/%1/%2e%1",
            id="percent",
        ),
    ],
)
def test_redirect_locations(
    proxy: Proxy, redirect: Redirect, port: int, target: str, location: str
) -> None:
    proxy.serve(Balancer(port=port, default=redirect))
    answer = proxy.get(target, host="example.com:1234")
    assert answer.status == redirect.status_code
    assert answer.header("location") == location
    assert answer.header("server") == "awselb/2.0"
    assert answer.header("content-type") == "text/html"
    assert len(answer.body) == (134 if redirect.status_code == 301 else 110)


@pytest.mark.parametrize(
    ("length", "status"), [pytest.param(8192, 302, id="8 K"), pytest.param(8193, 507, id="more")]
)
def test_a_location_of_more_than_8_k_is_refused(proxy: Proxy, length: int, status: int) -> None:
    proxy.serve(Balancer(default=Redirect(status_code=302, host="x.com")))
    target = "/" + "p" * (length - len("http://x.com:80/"))
    assert proxy.get(target).status == status


def test_a_client_without_host_in_http_1_0_gets_the_load_balancers_name(proxy: Proxy) -> None:
    proxy.serve(Balancer())
    received = proxy.send("GET /x HTTP/1.0\r\n\r\n").received
    assert received.header("host") == "web-1.us-east-1.elb.localhost"


@pytest.mark.parametrize(
    ("method", "line", "received_as"),
    [
        pytest.param("GET", "", "GET", id="GET"),
        pytest.param("HEAD", "", "HEAD", id="HEAD"),
        pytest.param("DELETE", "", "DELETE", id="DELETE"),
        pytest.param("POST", "Content-Length: 0", "POST", id="POST"),
        pytest.param("OPTIONS", "Content-Length: 0", "OPTIONS", id="OPTIONS"),
        pytest.param("POST", "", "DELETE", id="POST without a length"),
        pytest.param("OPTIONS", "", "DELETE", id="OPTIONS without a length"),
        pytest.param("PURGE", "Content-Length: 0", "DELETE", id="another one"),
    ],
)
def test_methods_are_carried_so_that_no_length_is_made_up(
    proxy: Proxy, method: str, line: str, received_as: str
) -> None:
    proxy.serve(Balancer())
    lines = [f"{method} / HTTP/1.1", "Host: a", *([line] if line else []), "", ""]
    data = "\r\n".join(lines)
    if method == "HEAD":
        assert proxy.send(data, head=True).status == 200
        return
    received = proxy.send(data).received
    assert received.request == f"{received_as} / HTTP/1.1"
    carried = received.header("x-albatross-method")
    assert carried == (None if received_as == method else method)
    assert received.header("content-length") == ("0" if line else None)


def test_pipelined_requests_are_answered_in_order(proxy: Proxy) -> None:
    proxy.serve(Balancer())
    with proxy.connect() as client:
        client.write("".join(f"GET /{n} HTTP/1.1\r\nHost: a\r\n\r\n" for n in range(5)))
        assert [client.read().received.request for _ in range(5)] == [
            f"GET /{n} HTTP/1.1" for n in range(5)
        ]
