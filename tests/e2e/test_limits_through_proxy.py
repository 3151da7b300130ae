"""What the load balancer refuses, where its limits are, and when it loses patience.

Sources: ALB user guide, "Troubleshoot your load balancers", "Edit attributes"; quotas.
"""

import socket
import struct
import time

import pytest

from albatross.model import pages
from tests.support.command import until
from tests.support.stack import event, fixed, redirect, request

HOST = "Host: example.com\r\n"


def assert_page(answer, status, *, closes):
    assert answer.status == status
    assert answer.body.decode() == pages.page(status)
    assert answer.header("Server") == "awselb/2.0"
    assert answer.header("Content-Type") == "text/html"
    assert answer.header("Content-Length") == str(len(answer.body))
    assert answer.header("Date")
    assert closes is None or answer.closed is closes


def get(*lines, line="GET / HTTP/1.1", host="Host: a"):
    return "\r\n".join([line, host, *lines, "", ""])


def post(*lines, body=""):
    return get(*lines, line="POST / HTTP/1.1") + body


def te(body, *lines):
    return post("Transfer-Encoding: chunked", *lines, body=body)


MALFORMED = [
    pytest.param("GARBAGE\r\n\r\n", id="garbage"),
    pytest.param("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", id="TLS"),
    pytest.param(get(line="GET / HTTP/1"), id="no minor version"),
    pytest.param(get(line="GET / FOO/1.1"), id="another protocol"),
    pytest.param(get(line="GET / http/1.1"), id="protocol in lower case"),
    pytest.param(get(line="G(T / HTTP/1.1"), id="a method that is no token"),
    pytest.param(get(line="G\x01T / HTTP/1.1"), id="a method with a control character"),
    pytest.param(get(line="GET /a b HTTP/1.1"), id="a space in the target"),
    pytest.param(get(line="GET /\0 HTTP/1.1"), id="NUL in the target"),
    pytest.param(get(line="GET /\xc3\xa9 HTTP/1.1"), id="UTF-8 in the target"),
    pytest.param(get(line="GET /a#b HTTP/1.1"), id="a fragment"),
    pytest.param(get(line="GET x HTTP/1.1"), id="a target without a slash"),
    pytest.param(get(line="GET ?x HTTP/1.1"), id="a query alone"),
    pytest.param(get(line="GET ftp://a/ HTTP/1.1"), id="another scheme"),
    pytest.param(get(line="GET http:///x HTTP/1.1"), id="no host in the target"),
    pytest.param(get(line="GET HTTP/1.1"), id="no target"),
    pytest.param(get(line="CONNECT a.com:443 HTTP/1.1"), id="CONNECT"),
    pytest.param("GET / HTTP/1.1\r\n\r\n", id="no Host"),
    pytest.param(get(host="Host: a b"), id="a space in Host"),
    pytest.param(get(host="Host: \xc3\xa9"), id="UTF-8 in Host"),
    pytest.param(get("A b: c"), id="a space in a name"),
    pytest.param(get("A : c"), id="a space before the colon"),
    pytest.param(get("Abc"), id="no colon"),
    pytest.param(get(": c"), id="no name"),
    pytest.param(get("A\0: c"), id="NUL in a name"),
    pytest.param(get("A\xe9: c"), id="a byte above 0x7f in a name"),
    pytest.param(get("A(: c"), id="a name that is no token"),
    pytest.param(get("A: b\0c"), id="NUL in a value"),
    pytest.param(get("A: b\x01c"), id="a control character in a value"),
    pytest.param(get("A: b\x7fc"), id="DEL in a value"),
    pytest.param("GET / HTTP/1.1\r\n Host: a\r\n\r\n", id="a fold in the first line"),
    pytest.param(post("Content-Length: x"), id="length: a letter"),
    pytest.param(post("Content-Length: +2", body="ab"), id="length: plus"),
    pytest.param(post("Content-Length: -1"), id="length: minus"),
    pytest.param(post("Content-Length: 0x2", body="ab"), id="length: hexadecimal"),
    pytest.param(post("Content-Length: 1 1", body="ab"), id="length: two numbers"),
    pytest.param(post("Content-Length:", body="ab"), id="length: empty"),
    pytest.param(post("Content-Length: 99999999999999999999"), id="length: overflow"),
    pytest.param(post("Content-Length: 2", "Content-Length: 3", body="ab"), id="two lengths"),
    pytest.param(post("Content-Length: 2", "Content-Length: 2", body="ab"), id="two equal lengths"),
    pytest.param(post("Content-Length: 2, 2", body="ab"), id="a list of lengths"),
    pytest.param(te("0\r\n\r\nG", "Content-Length: 6"), id="chunked and length"),
    pytest.param(
        post("Content-Length: 6", "Transfer-Encoding: chunked", body="0\r\n\r\nG"),
        id="length and chunked",
    ),
    pytest.param(
        post("Transfer-Encoding : chunked", body="0\r\n\r\n"), id="a space after Transfer-Encoding"
    ),
    pytest.param(
        post("Transfer-Encoding: \x0bchunked", body="0\r\n\r\n"), id="a vertical tab before chunked"
    ),
    pytest.param(te("zz\r\nab\r\n0\r\n\r\n"), id="chunk: no number"),
    pytest.param(te("-1\r\nab\r\n0\r\n\r\n"), id="chunk: minus"),
    pytest.param(te("0x2\r\nab\r\n0\r\n\r\n"), id="chunk: 0x"),
    pytest.param(te(" 2\r\nab\r\n0\r\n\r\n"), id="chunk: a space first"),
    pytest.param(te("10000000000000002\r\nab\r\n0\r\n\r\n"), id="chunk: overflow"),
    pytest.param(te("2\nab\n0\n\n"), id="chunk: bare LF"),
    pytest.param(te("2;a\n=b\r\nab\r\n0\r\n\r\n"), id="chunk: LF in an extension"),
    pytest.param(te("2;a\r=b\r\nab\r\n0\r\n\r\n"), id="chunk: CR in an extension"),
    pytest.param(te("2\r\nabcd\r\n0\r\n\r\n"), id="chunk: too long"),
    pytest.param(te("2\r\nab0\r\n\r\n"), id="chunk: no end"),
    pytest.param(te("1\r\na\r\n0\r\nA b\r\n\r\n"), id="chunk: bad trailer"),
]


@pytest.mark.parametrize("data", MALFORMED)
def test_malformed_requests_are_refused_and_end_the_connection(single, data):
    with single.connect() as client:
        client.write(data + get(line="GET /-/count/smuggled HTTP/1.1"))
        assert_page(client.read(), 400, closes=True)


def test_a_refused_connection_ends_without_another_word(single):
    with single.connect() as client:
        client.write(te("zz\r\n") + get(line="GET /-/count/smuggled HTTP/1.1"))
        assert_page(client.read(), 400, closes=True)
        assert client.ends()


def test_nothing_of_them_has_reached_the_function(traffic):
    assert traffic.noted("smuggled") == 0


@pytest.mark.parametrize(
    ("data", "path", "headers"),
    [
        pytest.param("GET /lf HTTP/1.1\nHost: a\n\n", "/lf", {}, id="bare LF"),
        pytest.param("\r\n\r\n" + get(), "/", {}, id="empty lines first"),
        pytest.param(get(line="GET  / HTTP/1.1"), "/", {}, id="two spaces"),
        pytest.param(get("A: b\r\n c"), "/", {"a": ["b c"]}, id="a folded header"),
        pytest.param(get("A: b\rc"), "/", {"a": ["bc"]}, id="a CR in a value"),
        pytest.param(get("A: b\xff"), None, {}, id="a byte that is not UTF-8"),
        pytest.param(get(host="Host:"), "/", {"host": [""]}, id="an empty Host"),
        pytest.param(get(host="Host: a_b"), "/", {"host": ["a_b"]}, id="an underscore in Host"),
    ],
)
def test_what_is_odd_passes_as_one_request(multi, data, path, headers):
    with multi.connect() as client:
        client.write(data + request("GET /next").decode())
        first = client.read()
        if path is None:
            assert_page(first, 400, closes=False)
        else:
            seen = event(first)
            assert seen["path"] == path
            assert seen["multiValueHeaders"].items() >= headers.items()
        assert event(client.read())["path"] == "/next"


@pytest.mark.parametrize(
    "line",
    ["GET / HTTP/2.0", "GET / HTTP/3.0", "GET / HTTP/1.2", "GET / HTTP/0.9", "GET /"],
)
def test_an_unexpected_version_is_served_as_http_1_0(single, line):
    answer = single.send(f"{line}\r\nHost: a\r\n\r\n")
    assert event(answer)["path"] == "/"
    assert answer.closed


def test_a_thousand_header_lines_pass(multi):
    seen = event(multi.get("/", *(f"X-{n}: {n}" for n in range(1000))))
    assert seen["multiValueHeaders"]["x-999"] == ["999"]


# Connections


@pytest.mark.parametrize(
    ("data", "closes"),
    [
        pytest.param(get(), False, id="HTTP/1.1"),
        pytest.param(get("Connection: close"), True, id="HTTP/1.1 close"),
        pytest.param("GET / HTTP/1.0\r\n\r\n", True, id="HTTP/1.0"),
        pytest.param(
            "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", False, id="HTTP/1.0 keep-alive"
        ),
    ],
)
@pytest.mark.parametrize("action", ["forward", "fixed", "redirect"])
def test_who_closes(traffic, single, data, closes, action):
    front = single
    if action != "forward":
        front = traffic.shared_front(80)
        front.default(fixed(200, "x") if action == "fixed" else redirect(302, host="b.com"))
    with front.connect() as client:
        client.write(data)
        answer = client.read()
        assert answer.status in (200, 302)
        assert answer.closed is closes
        if not closes:
            client.write(data)
            assert client.read().status == answer.status


@pytest.fixture(scope="module")
def impatient(traffic):
    return traffic.front(idle_timeout__timeout_seconds="1")


def test_a_slow_upload_that_goes_on_is_no_silence(impatient):
    with impatient.connect() as client:
        client.write(post("Content-Length: 4", "Content-Type: text/plain"))
        for character in "slow":
            time.sleep(0.4)
            client.write(character)
        assert event(client.read())["body"] == "slow"


def test_an_idle_connection_is_closed_without_a_word(impatient):
    with impatient.connect() as client:
        client.write(get())
        assert not client.read().closed
        assert client.ends()


def test_the_idle_timeout_of_one_load_balancer_is_not_anothers(single):
    assert single.get("/-/sleep/patient/1.2").status == 200


def test_a_change_of_the_idle_timeout_is_in_force_at_once(impatient):
    impatient.set(idle_timeout__timeout_seconds="3")
    assert impatient.get("/-/sleep/changed/1.2").status == 200
    impatient.set(idle_timeout__timeout_seconds="1")
    assert impatient.get("/-/sleep/changed/1.4").status == 504


@pytest.mark.parametrize("how", ["FIN", "RST"])
def test_a_client_that_goes_harms_nobody(traffic, single, how):
    client = single.connect()
    client.write(request(f"GET /-/sleep/gone-{how}/0.3"))
    until(lambda: traffic.noted(f"gone-{how}") == 1)
    if how == "RST":
        linger = struct.pack("ii", 1, 0)
        client._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    client.__exit__()
    assert single.get("/next").status == 200
    until(lambda: traffic.noted(f"gone-{how}") == 2)
