"""Headers of clients in events, row by row. Source: ALB user guide, "Lambda functions as targets
for Application Load Balancers"; Elastic Load Balancing user guide, "How it works".

What load balancers write themselves is in test_event_own_headers.py.
"""

import pytest

from tests.support.deviations import told
from tests.support.http2 import ask
from tests.support.stack import OWN, Front, Stack, client_headers, event, request
from tests.support.tls import TlsClient


def sent(front: Front, *lines: str) -> dict[str, list[str]]:
    """Return the headers in multi-value form that a function gets for these lines."""
    return client_headers(event(front.get("/", *lines)))


def test_names_are_lower_cased_in_the_event_whatever_the_client_sent(multi: Front) -> None:
    for name in ("X-CaSe", "X-CASE", "x-case"):
        assert sent(multi, f"{name}: Value") == {"x-case": ["Value"]}


@pytest.mark.parametrize(
    ("line", "value"),
    [
        pytest.param("X:  \t a  b \t ", "a  b", id="without spaces around"),
        pytest.param("X: a\tb", "a\tb", id="a tab"),
        pytest.param("X: a, b,c", "a, b,c", id="a list"),
        pytest.param('X: "a\\"b", <>{}|^`', '"a\\"b", <>{}|^`', id="signs"),
        pytest.param("X: \xc3\xa9\xf0\x9f\x98\x80", "é😀", id="UTF-8"),
        pytest.param("X: %41+b", "%41+b", id="escapes"),
        pytest.param("Range: bytes=0-1", "bytes=0-1", id="range"),
        pytest.param("If-None-Match: q", "q", id="condition"),
        pytest.param("Authorization: Basic eDp5", "Basic eDp5", id="authorization"),
        pytest.param("Proxy-Authorization: b", "b", id="proxy authorization"),
        pytest.param("TE: trailers", "trailers", id="TE"),
        pytest.param("Trailer: X", "X", id="trailer"),
        pytest.param("Referer: not a URL", "not a URL", id="referer"),
        pytest.param("X-Request-Id: q", "q", id="request ID"),
        pytest.param("traceparent: 00-1", "00-1", id="trace context"),
        pytest.param("X-B3-TraceId: b", "b", id="B3"),
        pytest.param("X-Forwarded-Client-Cert: x", "x", id="certificate"),
        pytest.param("X-Real-IP: 1", "1", id="real IP"),
        pytest.param("X-Envoy-Foo: 1", "1", id="prefix of the proxy"),
        pytest.param("grpc-timeout: 1S", "1S", id="timeout of gRPC"),
        pytest.param("x-imforwards: 20", "20", id="x-imforwards"),
    ],
)
def test_values_are_passed_as_received(multi: Front, line: str, value: str) -> None:
    assert sent(multi, line) == {line.partition(":")[0].lower(): [value]}


def test_x_imforwards_not_an_alb_header(single: Front) -> None:
    assert event(single.get())["headers"].keys() == OWN


def test_repeated_lines_single_mode_last_lines_value_only(single: Front) -> None:
    headers = event(single.get("/", "X: 1", "x: ", "X-Other: a", "X: 3"))["headers"]
    assert (headers["x"], headers["x-other"]) == ("3", "a")
    assert event(single.get("/", "X: 1", "X:"))["headers"]["x"] == ""


def test_cookies_http_1_1_clients_send_one_cookie_line_so_nothing_is_lost(single: Front) -> None:
    headers = event(single.get("/", "Cookie: a=1; b=2;c=3"))["headers"]
    assert headers["cookie"] == "a=1; b=2;c=3"


def test_a_client_that_sends_two_cookie_lines_loses_the_first_in_single_mode(
    single: Front, multi: Front
) -> None:
    lines = ("Cookie: name1=value1", "cookie: name2=value2")
    assert event(single.get("/", *lines))["headers"]["cookie"] == "name2=value2"
    assert sent(multi, *lines) == {"cookie": ["name1=value1", "name2=value2"]}


def test_http_2_clients_may_split_cookie_crumbs_join_with_semicolon(
    single_h2: Front, multi_h2: Front
) -> None:
    crumbs = (("cookie", "a=1"), ("x", "y"), ("cookie", "b=2"), ("cookie", "c=3; d=4"))
    joined = "a=1; b=2; c=3; d=4"
    assert event(ask(single_h2, "GET", "/", *crumbs))["headers"]["cookie"] == joined
    assert client_headers(event(ask(multi_h2, "GET", "/", *crumbs)))["cookie"] == [joined]


def test_hop_by_hop_headers_are_visible_connection_keep_alive_when_the_client_sent_it(
    multi: Front,
) -> None:
    for value in ("keep-alive", "Close", "Keep-Alive"):
        assert sent(multi, f"Connection: {value}") == {"connection": [value]}


def test_connection_absent_when_the_client_did_not_send_it(single: Front, single_h2: Front) -> None:
    assert "connection" not in event(single.get())["headers"]
    assert "connection" not in event(ask(single_h2))["headers"]


def test_content_length_and_content_type_of_the_client_appear(multi: Front) -> None:
    seen = event(multi.post("/", "Content-Type: a/B; c=d", body="x" * 66))
    assert client_headers(seen) == {"content-length": ["66"], "content-type": ["a/B; c=d"]}
    seen = event(multi.post("/", body=""))
    assert client_headers(seen) == {"content-length": ["0"]}


def test_empty_header_value_key_present_with_empty_string(
    single: Front, multi: Front, multi_h2: Front
) -> None:
    assert event(single.get("/", "no-value-header:"))["headers"]["no-value-header"] == ""
    assert sent(multi, "no-value-header: ", "Cookie:", "Cookie: a") == {
        "no-value-header": [""],
        "cookie": ["", "a"],
    }
    assert client_headers(event(ask(multi_h2, "GET", "/", ("x", "")))) == {"x": [""]}


def test_via_x_forwarded_host_forwarded_not_added_passed_through_if_the_client_sent_them(
    single: Front, multi: Front
) -> None:
    names = ("via", "x-forwarded-host", "forwarded")
    assert not event(single.get())["headers"].keys() & set(names)
    lines = ("Via: 1.1 x", "X-Forwarded-Host: h", "Forwarded: for=1;host=h")
    assert sent(multi, *lines) == {
        "via": ["1.1 x"],
        "x-forwarded-host": ["h"],
        "forwarded": ["for=1;host=h"],
    }


def test_expect_100_continue_on_http_1_1_answered_at_once_header_not_forwarded(
    multi: Front,
) -> None:
    for value in ("100-continue", "100-Continue"):
        with multi.connect() as client:
            head = request("POST /", f"Expect: {value}", "Content-Type: text/plain", body="hello")
            client.write(head.removesuffix(b"hello"))
            answer = client.read()
            assert (answer.status, answer.reason, answer.headers) == (100, "Continue", [])
            client.write("hello")
            seen = event(client.read())
        assert seen["body"] == "hello"
        assert client_headers(seen).keys() == {"content-length", "content-type"}


def test_expect_100_continue_without_looking_at_content_length(multi: Front) -> None:
    for length in ([], ["Content-Length: 0"], ["Content-Length: 1048577"]):
        with multi.connect() as client:
            client.write(request("POST /", "Expect: 100-continue", *length))
            assert client.read().status == 100
            assert client.read().status == (413 if "Content-Length: 1048577" in length else 200)


def test_expect_on_http_2_header_not_forwarded(single_h2: Front) -> None:
    lines = (("expect", "100-continue"), ("content-length", "2"))
    assert "expect" not in event(ask(single_h2, "POST", "/", *lines, body="hi"))["headers"]


def test_invalid_header_names_kept_by_default_dropped_if_drop_invalid_header_fields_enabled(
    traffic: Stack,
) -> None:
    front = traffic.front(routing__http__drop_invalid_header_fields__enabled="true")
    lines = ("X_A: 1", "X.B: 2", "X-C: 3", "x!d: 4", "9-: 5")
    names = {"x_a", "x.b", "x-c", "x!d", "9-"}
    assert event(front.get("/", *lines))["headers"].keys() - OWN == {"x-c", "9-"}
    front.set(routing__http__drop_invalid_header_fields__enabled="false")
    headers = event(front.get("/", *lines, "a!#$%&'*+-.^_`|~1: odd"))["headers"]
    assert headers.keys() - OWN == names | {"a!#$%&'*+-.^_`|~1"}


def test_names_that_are_no_token_are_refused_also_with_http_2_where_the_stream_is_reset(
    single: Front, single_h2: Front
) -> None:
    for line in ("A b: c", "A(: c", ": c", "A\xe9: c"):
        assert single.get("/", line).status == 400
    for name in ("a b", "Upper", ""):
        with pytest.raises(EOFError):
            ask(single_h2, "GET", "/", (name, "c"))


def test_multi_line_headers_are_one_line_which_is_a_deviation(multi: Front) -> None:
    assert told("folded over two lines", "without an added colon")
    assert sent(multi, "A: b\r\n c") == {"a": ["b c"]}


def test_repeated_lines_that_the_proxy_joins_are_a_deviation(single: Front, multi: Front) -> None:
    assert told("joined by commas", "in a request, accept,")
    lines = ("Accept: a", "Accept: b")
    assert sent(multi, *lines) == {"accept": ["a,b"]}
    assert event(single.get("/", *lines))["headers"]["accept"] == "a,b"


def test_x_amzn_tls_headers_not_there_by_default_nor_on_http_listeners(
    traffic: Stack, single_h2: Front, single: Front
) -> None:
    names = {"x-amzn-tls-version", "x-amzn-tls-cipher-suite"}
    key = "routing__http__x_amzn_tls_version_and_cipher_suite__enabled"
    assert not event(ask(single_h2))["headers"].keys() & names
    single.set(**{key: "true"})
    try:
        assert not event(single.get())["headers"].keys() & names
    finally:
        single.set(**{key: "false"})


def test_x_amzn_tls_version_and_cipher_suite_when_enabled_and_https_openssl_names(
    single_h2: Front,
) -> None:
    key = "routing__http__x_amzn_tls_version_and_cipher_suite__enabled"
    single_h2.set(**{key: "true"})
    try:
        with TlsClient(single_h2.real_port, address=single_h2.address) as client:
            forged = ("X-Amzn-Tls-Version: SSLv3", "x-amzn-tls-cipher-suite: NULL")
            client.write(request("GET /", *forged))
            headers = event(client.read())["headers"]
            assert client.tls.version() == headers["x-amzn-tls-version"]
            assert client.tls.cipher()[0] == headers["x-amzn-tls-cipher-suite"]
    finally:
        single_h2.set(**{key: "false"})
