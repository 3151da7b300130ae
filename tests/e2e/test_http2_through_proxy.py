"""Rules, events and responses over HTTP/2: the same as over HTTP/1.1, in HTTP/2's own words.

Sources: ALB user guide, "Listeners", condition types, action types, "Lambda functions as targets";
RFC 9113.
"""

import json
from typing import Any

import h2.config
import h2.connection
import h2.events
import pytest

from albatross.model import pages
from tests.support.envoy import Answer
from tests.support.stack import Front, Stack, fixed, forward, redirect
from tests.support.tls import TlsClient, client_context

NAME = "www.example.com"
CONTEXT = client_context(alpn=("h2",))
Lines = tuple[tuple[str, str], ...]


def ask(
    front: Front,
    method: str = "GET",
    path: str = "/",
    *lines: tuple[str, str],
    authority: str | None = NAME,
    body: str | None = None,
) -> Answer:
    """Return the answer to one request on a connection of its own."""
    settings = h2.config.H2Configuration(
        header_encoding="utf-8", validate_outbound_headers=False, normalize_outbound_headers=False
    )
    http2 = h2.connection.H2Connection(settings)
    http2.initiate_connection()
    head = [(":method", method), (":path", path), (":scheme", "https")]
    head += [(":authority", authority)] if authority else []
    http2.send_headers(1, [*head, *lines], end_stream=body is None)
    if body is not None:
        http2.send_data(1, body.encode(), end_stream=True)
    found, content = [], b""
    with TlsClient(front.real_port, NAME, address=front.address, context=CONTEXT) as client:
        client.write(http2.data_to_send())
        while True:
            received = client.tls.recv(65536)
            if not received:
                raise EOFError("the connection ended before the response")
            for happened in http2.receive_data(received):
                match happened:
                    case h2.events.ResponseReceived(headers=headers):
                        found = list(headers)
                    case h2.events.DataReceived(data=data):
                        content += data
                    case h2.events.StreamEnded():
                        status = int(found.pop(0)[1])
                        return Answer(status, "", found, content, closed=False)
                    case h2.events.StreamReset():
                        raise EOFError(happened)
            client.write(http2.data_to_send())


def reply(front: Front, result: object, method: str = "POST") -> Answer:
    """Have the function return `result` and tell what the client gets."""
    return ask(front, method, "/-/reply", body=json.dumps(result))


def event(answer: Answer) -> dict[str, Any]:
    assert answer.status == 200, answer
    document: dict[str, Any] = json.loads(answer.body)
    return document


@pytest.fixture(scope="module")
def certificate(traffic: Stack) -> str:
    arn: str = traffic.server.client("acm").request_certificate(
        DomainName=NAME, KeyAlgorithm="EC_prime256v1"
    )["CertificateArn"]
    return arn


@pytest.fixture(scope="module")
def ruled(traffic: Stack, certificate: str) -> Front:
    """An HTTPS listener whose default action any test may replace."""
    return traffic.front(fixed(404, "default"), port=443, certificate=certificate)


@pytest.fixture(scope="module")
def single(traffic: Stack, certificate: str) -> Front:
    return traffic.front(port=443, certificate=certificate)


@pytest.fixture(scope="module")
def multi(traffic: Stack, certificate: str) -> Front:
    action = forward(traffic.group(multi_value=True))
    return traffic.front(action, port=443, certificate=certificate)


def header(name: str, *values: str) -> dict[str, Any]:
    config = {"HttpHeaderName": name, "Values": list(values)}
    return {"Field": "http-header", "HttpHeaderConfig": config}


HOST = {"Field": "host-header", "Values": ["*.example.com"]}
PATH = {"Field": "path-pattern", "Values": ["/api/*"]}
METHOD = {"Field": "http-request-method", "HttpRequestMethodConfig": {"Values": ["CUSTOM-X"]}}
QUERY = {"Field": "query-string", "QueryStringConfig": {"Values": [{"Key": "v", "Value": "1"}]}}
NEAR = {"Field": "source-ip", "SourceIpConfig": {"Values": ["127.0.0.0/8"]}}
FAR = {"Field": "source-ip", "SourceIpConfig": {"Values": ["192.0.2.0/24"]}}
CONDITIONS = [
    pytest.param(HOST, {"authority": "A.EXAMPLE.com:443"}, True, id="host: any case, any port"),
    pytest.param(HOST, {"authority": "example.com"}, False, id="host: star needs the dot"),
    pytest.param(
        HOST,
        {"authority": None, "lines": (("host", "a.example.com"),)},
        True,
        id="host: Host where there is no authority",
    ),
    pytest.param(
        HOST,
        {"authority": "b.com", "lines": (("host", "a.example.com"),)},
        False,
        id="host: the authority before Host",
    ),
    pytest.param(PATH, {"path": "/x/../api/y?z"}, True, id="path: normalised"),
    pytest.param(PATH, {"path": "/API/y"}, False, id="path: case counts"),
    pytest.param(
        header("X-Thing", "One"), {"lines": (("x-thing", "oNE"),)}, True, id="header: any case"
    ),
    pytest.param(
        header("X-Thing", "One"),
        {"lines": (("x-thing", "two"), ("x-thing", "one"))},
        True,
        id="header: one of several fields",
    ),
    pytest.param(
        header("Cookie", "a=1; b=2"),
        {"lines": (("cookie", "a=1"), ("cookie", "b=2"))},
        True,
        id="header: pieces of a cookie are one",
    ),
    pytest.param(header("Host-Name", "*"), {}, False, id="header: absent"),
    pytest.param(METHOD, {"method": "CUSTOM-X"}, True, id="method: custom"),
    pytest.param(METHOD, {"method": "custom-x"}, False, id="method: case counts"),
    pytest.param(QUERY, {"path": "/?a=b&V=1"}, True, id="query: any case"),
    pytest.param(QUERY, {"path": "/?v=12"}, False, id="query: whole value"),
    pytest.param(NEAR, {}, True, id="address: in the block"),
    pytest.param(
        FAR,
        {"lines": (("x-forwarded-for", "192.0.2.1"),)},
        False,
        id="address: not what X-Forwarded-For says",
    ),
]


@pytest.mark.parametrize(("condition", "sent", "holds"), CONDITIONS)
def test_a_condition(
    ruled: Front, condition: dict[str, Any], sent: dict[str, Any], holds: bool
) -> None:
    ruled.default(fixed(404, "default"))
    rule = ruled.stack.elb.create_rule(
        ListenerArn=ruled.listener,
        Priority=1,
        Conditions=[condition],
        Actions=[fixed(200, "rule")],
    )["Rules"][0]
    method, path = sent.get("method", "GET"), sent.get("path", "/")
    lines, authority = sent.get("lines", ()), sent.get("authority", NAME)
    try:
        found = ask(ruled, method, path, *lines, authority=authority)
    finally:
        ruled.stack.elb.delete_rule(RuleArn=rule["RuleArn"])
    assert found.body == (b"rule" if holds else b"default")


@pytest.mark.parametrize(
    ("parts", "location"),
    [
        pytest.param({"port": "8443"}, "https://www.example.com:8443/x?y", id="the port alone"),
        pytest.param({"host": "b.com"}, "https://b.com:443/x?y", id="protocol and port stay"),
        pytest.param(
            {"path": "/n", "query": "p=#{protocol}&o=#{port}&h=#{host}"},
            "https://www.example.com:443/n?p=https&o=443&h=www.example.com",
            id="keywords of an HTTPS listener",
        ),
    ],
)
def test_a_redirect(ruled: Front, parts: dict[str, str], location: str) -> None:
    ruled.default(redirect(301, **parts))
    found = ask(ruled, path="/x?y")
    assert (found.status, found.header("location")) == (301, location)
    assert found.body.decode() == pages.page(301)
    assert ask(ruled, "HEAD", "/x?y").body == b""


def test_https_is_not_redirected_to_http(ruled: Front) -> None:
    with pytest.raises(ruled.stack.elb.exceptions.InvalidLoadBalancerActionException):
        ruled.default(redirect(301, protocol="HTTP", port="80"))


def test_a_fixed_response(ruled: Front) -> None:
    ruled.default(fixed(503, "<b>", "text/html"))
    found = ask(ruled)
    assert (found.status, found.body) == (503, b"<b>")
    assert dict(found.headers).items() >= {
        ("content-type", "text/html; charset=utf-8"),
        ("content-length", "3"),
        ("server", "awselb/2.0"),
    }
    assert ask(ruled, "HEAD").body == b""


def test_an_event_is_as_over_http_1_1(single: Front, multi: Front) -> None:
    lines = (("x-r", "1"), ("x-r", "2"), ("cookie", "a=1"), ("cookie", "b=2"))
    sent = ("GET", "/a%20b/../c?x=1&x=2", *lines)
    seen = event(ask(single, *sent, authority="WWW.example.com:443"))
    headers = seen.pop("headers")
    assert headers.pop("x-amzn-trace-id").startswith("Root=1-")
    assert headers == {
        "cookie": "a=1; b=2",  # one header, RFC 9113 section 8.2.3
        "host": "WWW.example.com",
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
        "x-r": "2",
    }
    del seen["requestContext"]
    assert seen == {
        "httpMethod": "GET",
        "path": "/a%20b/../c",
        "queryStringParameters": {"x": "2"},
        "body": "",
        "isBase64Encoded": False,
    }
    seen = event(ask(multi, *sent))
    assert seen["multiValueQueryStringParameters"] == {"x": ["1", "2"]}
    assert seen["multiValueHeaders"]["x-r"] == ["1", "2"]
    assert seen["multiValueHeaders"]["cookie"] == ["a=1; b=2"]
    assert not seen.keys() & {"headers", "queryStringParameters"}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CUSTOM"])
def test_a_body_needs_no_length(single: Front, method: str) -> None:
    seen = event(ask(single, method, "/", ("content-type", "text/plain"), body="hi"))
    assert (seen["httpMethod"], seen["body"], seen["isBase64Encoded"]) == (method, "hi", False)
    assert "content-length" not in seen["headers"]


def test_expect_is_not_handed_on(single: Front) -> None:
    lines = (("expect", "100-continue"), ("content-length", "2"))
    assert "expect" not in event(ask(single, "POST", "/", *lines, body="hi"))["headers"]


def test_trace_is_not_allowed(single: Front) -> None:
    found = ask(single, "TRACE")
    assert (found.status, found.body.decode()) == (405, pages.page(405))


def test_names_of_a_functions_headers_are_in_lower_case(single: Front) -> None:
    headers = {"X-CaSe": "A", "Connection": "close", "Set-Cookie": "a", "set-cookie": "b"}
    found = reply(single, {"statusCode": 200, "statusDescription": "200 x", "headers": headers})
    assert found.headers[:3] == [("x-case", "A"), ("set-cookie", "a"), ("set-cookie", "b")]
    assert found.header("connection") is None


def test_every_value_of_a_header_is_a_field(multi: Front) -> None:
    values = {"Set-Cookie": ["a=1", "b=2"], "X-A": ["1", "2"]}
    found = reply(multi, {"statusCode": 201, "multiValueHeaders": values, "body": "x"})
    assert (found.status, found.body) == (201, b"x")
    assert found.headers[:4] == [
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
        ("x-a", "1"),
        ("x-a", "2"),
    ]


@pytest.mark.parametrize(
    ("method", "result", "status", "length"),
    [
        pytest.param("HEAD", {"statusCode": 200, "body": "abc"}, 200, "3", id="HEAD"),
        pytest.param("POST", {"statusCode": 204, "body": "abc"}, 204, None, id="204"),
        pytest.param("POST", {"statusCode": 304, "body": "abc"}, 304, None, id="304"),
    ],
)
def test_a_response_without_a_body(
    single: Front, method: str, result: object, status: int, length: str | None
) -> None:
    found = reply(single, result, method)
    assert (found.status, found.body, found.header("content-length")) == (status, b"", length)


def test_what_is_no_response_is_a_bad_gateway(single: Front) -> None:
    found = reply(single, None)
    assert (found.status, found.body.decode()) == (502, pages.page(502))
    assert found.header("content-length") == "122"
