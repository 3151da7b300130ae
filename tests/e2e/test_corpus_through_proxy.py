"""Requests as bytes that try parsers: how many requests are seen in them, and what of each.

Together with those in test_limits_through_proxy.py. Sources: RFC 9110, 9112; ALB user guide,
"Troubleshoot your load balancers"; published techniques of request smuggling.
"""

from typing import Any

import pytest

from tests.e2e.test_limits_through_proxy import assert_page, get, post, te
from tests.support.stack import Front, Stack, event, request

SMUGGLED = get(line="GET /-/count/corpus HTTP/1.1")
BODY = "3\r\nabc\r\n0\r\n\r\n"

# What is refused with 400 and ends the connection.
REFUSED = {
    "CL.TE": post("Content-Length: 6", "Transfer-Encoding: chunked", body="0\r\n\r\nG"),
    "TE.CL": te("5c\r\nG\r\n0\r\n\r\n", "Content-Length: 4"),
    "length: a fraction": post("Content-Length: 3.0", body="abc"),
    "length: an exponent": post("Content-Length: 3e0", body="abc"),
    "length: an underscore": post("Content-Length: 1_0", body="0123456789"),
    "length: 2^64": post("Content-Length: 18446744073709551616"),
    "length: 2^64 + 3": post("Content-Length: 18446744073709551619", body="abc"),
    "length: a vertical tab": post("Content-Length: \x0b3", body="abc"),
    "chunk: bare CR": te("3\rabc\r\n0\r\n\r\n"),
    "chunk: LF CR": te("3\n\rabc\r\n0\r\n\r\n"),
    "chunk: an underscore": te("1_0\r\n0123456789abcdef\r\n0\r\n\r\n"),
    "chunk: plus": te("+3\r\nabc\r\n0\r\n\r\n"),
    "chunk: no size": te("\r\nabc\r\n0\r\n\r\n"),
    "chunk: a size in another base": te("0o3\r\nabc\r\n0\r\n\r\n"),
    "trailer: NUL": te("3\r\nabc\r\n0\r\nA: \0\r\n\r\n"),
    "trailer: too large": te(f"3\r\nabc\r\n0\r\nA: {'a' * 100_000}\r\n\r\n"),
    "trailer: no colon": te("3\r\nabc\r\n0\r\nA\r\n\r\n"),
    "a line that ends with CR": "GET / HTTP/1.1\rHost: a\r\n\r\n",
    "lines that end with LF CR": "GET / HTTP/1.1\n\rHost: a\n\r\n\r",
    "a fold before the first header": "GET / HTTP/1.1\r\n\tX: y\r\nHost: a\r\n\r\n",
    "a pseudo header": get(":path: /x"),
    "a second pseudo header": get(":authority: b"),
    "Latin-1 in the target": get(line="GET /\xe9 HTTP/1.1"),
    "0xff in the target": get(line="GET /\xff HTTP/1.1"),
    "overlong UTF-8 in the target": get(line="GET /\xc0\xaf HTTP/1.1"),
    "UTF-8 in the query": get(line="GET /?q=\xc3\xa9 HTTP/1.1"),
    "DEL in the target": get(line="GET /\x7f HTTP/1.1"),
    "a tab in the target": get(line="GET /a\tb HTTP/1.1"),
    "a space first": " " + get(),
    "NUL first": "\0" + get(),
    "a slash in Host": get(host="Host: a/b"),
    "another name instead of Host": get(host="Hosts: a"),
    "HTTP/2 without TLS": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
    "HTTP/1.10": get(line="GET / HTTP/1.10"),
    "HTTP/01.1": get(line="GET / HTTP/01.1"),
    "a version without a number": get(line="GET / HTTP/"),
}

# Other codings than chunked, and what only looks like it.
NOT_IMPLEMENTED = {
    "two headers, one of them odd": "Transfer-Encoding: chunked\r\nTransfer-encoding: cow",
    "quotes": 'Transfer-Encoding: "chunked"',
    "a parameter": "Transfer-Encoding: chunked;q=1",
    "an empty element": "Transfer-Encoding: ,chunked",
    "a no-break space": "Transfer-Encoding: chunked\xa0",
    "nothing": "Transfer-Encoding:",
}

# What is served as one request, and what its event has.
SERVED: dict[str, tuple[str, dict[str, Any]]] = {
    "coding in capitals": (post("Transfer-Encoding: CHUNKED", body=BODY), {"body": "YWJj"}),
    "coding after a tab": (post("Transfer-Encoding:\tchunked", body=BODY), {"body": "YWJj"}),
    "coding before a space": (post("Transfer-Encoding: chunked ", body=BODY), {"body": "YWJj"}),
    "coding on a folded line": (
        post("Transfer-Encoding:\r\n chunked", body=BODY),
        {"body": "YWJj"},
    ),
    "length: zeros first": (post("Content-Length: 0003", body="abc"), {"body": "YWJj"}),
    "length: spaces around it": (post("Content-Length:   3  ", body="abc"), {"body": "YWJj"}),
    "length: on a folded line": (post("Content-Length:\r\n 3", body="abc"), {"body": "YWJj"}),
    "chunk: extensions": (te('3;a=b;c="d"\r\nabc\r\n0;e\r\n\r\n'), {"body": "YWJj"}),
    "chunk: a space before the extension": (te("3 ;a\r\nabc\r\n0\r\n\r\n"), {"body": "YWJj"}),
    "chunk: a long extension": (te(f"3;{'a' * 9000}\r\nabc\r\n0\r\n\r\n"), {"body": "YWJj"}),
    "chunk: capitals": (te("A\r\n0123456789\r\n0\r\n\r\n"), {"body": "MDEyMzQ1Njc4OQ=="}),
    "chunk: zeros first": (te("0003\r\nabc\r\n000\r\n\r\n"), {"body": "YWJj"}),
    "chunk: spaces after the size": (te("3  \r\nabc\r\n0\r\n\r\n"), {"body": "YWJj"}),
    "chunk: one byte each": (te("1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n"), {"body": "YWJj"}),
    "trailer": (te("3\r\nabc\r\n0\r\nX-T: v\r\n\r\n"), {"body": "YWJj"}),
    "trailer: Content-Length": (
        te("3\r\nabc\r\n0\r\nContent-Length: 9\r\n\r\n"),
        {"body": "YWJj"},
    ),
    "trailer: Transfer-Encoding": (
        te("3\r\nabc\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n"),
        {"body": "YWJj"},
    ),
    "trailer: Host": (te("3\r\nabc\r\n0\r\nHost: evil\r\n\r\n"), {"body": "YWJj"}),
    "overlong UTF-8, encoded": (get(line="GET /%c0%af HTTP/1.1"), {"path": "/%c0%af"}),
    "overlong dots, encoded": (
        get(line="GET /..%c0%ae%c0%ae/x HTTP/1.1"),
        {"path": "/..%c0%ae%c0%ae/x"},
    ),
    "NUL, encoded": (get(line="GET /a%00b HTTP/1.1"), {"path": "/a%00b"}),
    "CR LF, encoded": (get(line="GET /%0d%0aX:%20y HTTP/1.1"), {"path": "/%0d%0aX:%20y"}),
    "a slash, encoded": (get(line="GET /a%2Fb%2fc HTTP/1.1"), {"path": "/a%2Fb%2fc"}),
    "a backslash, encoded": (get(line="GET /a%5c..%5cb HTTP/1.1"), {"path": "/a%5c..%5cb"}),
    "a backslash": (get(line="GET /a\\..\\b HTTP/1.1"), {"path": "/a\\..\\b"}),
    "encoded twice": (get(line="GET /%252e%252e/x HTTP/1.1"), {"path": "/%252e%252e/x"}),
    "no UTF-8, encoded": (get(line="GET /%ff%fe HTTP/1.1"), {"path": "/%ff%fe"}),
    "an escape of IIS": (get(line="GET /%u0041 HTTP/1.1"), {"path": "/%u0041"}),
    "what should be encoded": (get(line='GET /<>"{}|^` HTTP/1.1'), {"path": '/<>"{}|^`'}),
    "a whole URL": (get(line="GET http://b/x?y HTTP/1.1"), {"path": "/x"}),
    "UTF-8 in a header": (get("A: \xc3\xa9"), {}),
    "a name with an underscore": (get("X_Forwarded_For: 192.0.2.1"), {}),
    "a name of all characters": (get("!#$%&'*+-.^_`|~09Az: v"), {}),
    "a method of all characters": (
        get(line="!#$%&'*+-.^_`|~ / HTTP/1.1"),
        {"httpMethod": "!#$%&'*+-.^_`|~"},
    ),
    "a method in small letters": (get(line="get / HTTP/1.1"), {"httpMethod": "get"}),
    "an upgrade to HTTP/2": (
        get(
            "Connection: Upgrade, HTTP2-Settings",
            "Upgrade: h2c",
            "HTTP2-Settings: AAMAAABkAAQAAP__",
        ),
        {"path": "/"},
    ),
    "an upgrade to something else": (get("Connection: Upgrade", "Upgrade: foo"), {"path": "/"}),
    "two Hosts": (get("Host: b"), {}),
    "a space after the version": (get(line="GET / HTTP/1.1 "), {"path": "/"}),
    "5,000 headers": (get(*["a: b"] * 5000), {}),
}


def rows(cases: dict[str, Any]) -> list[Any]:
    return [pytest.param(case, id=name) for name, case in cases.items()]


@pytest.mark.parametrize("data", rows(REFUSED))
def test_what_is_no_request_is_refused_and_ends_the_connection(single: Front, data: str) -> None:
    with single.connect() as client:
        client.write(data + SMUGGLED)
        assert_page(client.read(), 400, closes=True)


@pytest.mark.parametrize("line", rows(NOT_IMPLEMENTED))
def test_other_codings_are_not_implemented(single: Front, line: str) -> None:
    with single.connect() as client:
        client.write(post(line, body="0\r\n\r\n") + SMUGGLED)
        assert_page(client.read(), 501, closes=True)


@pytest.mark.parametrize("case", rows(SERVED))
def test_what_is_one_request_is_served_as_one(
    single: Front, case: tuple[str, dict[str, Any]]
) -> None:
    data, expected = case
    with single.connect() as client:
        client.write(data + request("GET /next").decode())
        found = event(client.read())
        assert {key: found[key] for key in expected} == expected
        assert event(client.read())["path"] == "/next"


def test_nothing_was_smuggled(traffic: Stack) -> None:
    assert traffic.noted("corpus") == 0


def test_the_first_of_two_hosts_counts(single: Front) -> None:
    assert event(single.send(get("Host: b")))["headers"]["host"] == "a"


def test_no_client_speaks_to_the_proxy_s_own_headers(single: Front) -> None:
    lines = ("x-albatross-target-group: x", "x-albatross-size: 1", "X-Albatross-Method: DELETE")
    found = event(single.send(get(*lines)))
    assert found["httpMethod"] == "GET"
    assert not [name for name in found["headers"] if "albatross" in name]
