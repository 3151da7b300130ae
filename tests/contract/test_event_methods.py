"""Methods and protocols, row by row. Sources: ALB user guide, "Listeners", "Lambda functions as
targets", "Troubleshoot"; Elastic Load Balancing user guide, "How it works"; RFC 9110, 9112, 9113.

TRACE, WebSockets and Transfer-Encoding over HTTP/1.1 are in test_routing_statuses.py; 10,000
requests of a connection, 128 streams and PING in e2e/test_http2_limits.py.
"""

import pytest

from tests.support.deviations import told
from tests.support.http2 import ask
from tests.support.rules import method as method_condition
from tests.support.rules import rule
from tests.support.stack import (
    Front,
    Stack,
    chunked,
    client_headers,
    event,
    fixed,
    forward,
    request,
)

USUAL = ("GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")
CUSTOM = ("FOO", "PURGE", "M-SEARCH", "PROPFIND", "X", "A_B", "A'B!", "get", "LONG" * 10)


def is_forwarded(multi: Front, multi_h2: Front, method: str) -> bool:
    """Hold that a function gets a method as sent, with each kind of body, and no made-up header."""
    kind = {"content-type": ["text/plain"]}
    text, coded = "Content-Type: text/plain", "Transfer-Encoding: chunked"
    for data, body, headers in (
        (request(f"{method} /x"), "", {}),
        (request(f"{method} /x", body=""), "", {"content-length": ["0"]}),
        (request(f"{method} /x", text, body="hi"), "hi", {"content-length": ["2"], **kind}),
        (request(f"{method} /x", text, coded, body=chunked(b"h", b"i")), "hi", kind),
    ):
        seen = event(multi.send(data))
        assert (seen["httpMethod"], seen["path"]) == (method, "/x")
        assert (seen["body"], client_headers(seen)) == (body, headers)
    for sent in (None, "hi"):
        seen = event(ask(multi_h2, method, "/x", ("content-type", "text/plain"), body=sent))
        assert (seen["httpMethod"], seen["body"]) == (method, sent or "")
        assert client_headers(seen) == kind
    return True


@pytest.mark.parametrize("method", USUAL)
def test_get_post_put_delete_options_patch_forwarded(
    multi: Front, multi_h2: Front, method: str
) -> None:
    assert is_forwarded(multi, multi_h2, method)


@pytest.mark.parametrize("method", CUSTOM)
def test_custom_methods_pass(multi: Front, multi_h2: Front, method: str) -> None:
    assert is_forwarded(multi, multi_h2, method)


def test_custom_methods_rules_can_match_their_names(traffic: Stack) -> None:
    front = traffic.front(fixed(404, "default"))
    with rule(front, method_condition("PURGE"), action=forward(traffic.group())):
        assert event(front.send(request("PURGE /x")))["httpMethod"] == "PURGE"
        for other in ("purge", "PURGE-ALL", "GET"):
            assert front.send(request(f"{other} /x")).body == b"default"


def test_trace_405_never_forwarded_with_http_2_too(single_h2: Front) -> None:
    assert ask(single_h2, "TRACE", "/-/count/trace").status == 405
    assert single_h2.stack.noted("trace") == 0


def test_connect_400(single: Front) -> None:
    for target in ("a.com:443", "/", "*"):
        assert single.send(request(f"CONNECT {target}")).status == 400


def test_head_invoked_with_http_method_head_response_body_not_sent_to_the_client(
    single: Front, single_h2: Front
) -> None:
    result = "{'statusCode': 200, 'headers': {'x': event['httpMethod']}, 'body': 'abc'}"
    answer = single.send(request("HEAD /-/python", body=result), head=True)
    assert (answer.status, answer.header("x"), answer.header("Content-Length")) == (
        200,
        "HEAD",
        "3",
    )
    answer = ask(single_h2, "HEAD", "/-/python", body=result)
    assert (answer.status, answer.header("x"), answer.body) == (200, "HEAD", b"")


def test_options_plain_forward_no_cors_handling_of_its_own(single: Front) -> None:
    lines = ("Origin: https://e.com", "Access-Control-Request-Method: PUT")
    answer = single.send(request("OPTIONS /x", *lines))
    seen = event(answer)
    assert (seen["httpMethod"], seen["path"]) == ("OPTIONS", "/x")
    assert seen["headers"].items() >= {
        ("origin", "https://e.com"),
        ("access-control-request-method", "PUT"),
    }
    assert not [name for name, _ in answer.headers if name.lower().startswith("access-control")]


def test_an_upgrade_to_something_else_is_ignored(single: Front) -> None:
    lines = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk")
    assert event(single.get("/x", *lines))["path"] == "/x"
    assert event(single.get("/x", "Upgrade: websocket"))["path"] == "/x"


@pytest.mark.parametrize(
    "content_type", ["application/grpc", "application/grpc+proto", "Application/gRPC;x=y"]
)
def test_grpc_content_type_to_a_lambda_tg_464(
    single: Front, single_h2: Front, content_type: str
) -> None:
    lines = (f"Content-Type: {content_type}", "TE: trailers")
    assert single.post("/-/count/grpc", *lines, body=b"\0\0\0\0\0").status == 464
    pairs = (("content-type", content_type), ("te", "trailers"))
    assert ask(single_h2, "POST", "/-/count/grpc", *pairs, body="\0\0\0\0\0").status == 464
    assert single.stack.noted("grpc") == 0


def test_grpc_web_is_not_grpc(single: Front) -> None:
    for content_type in ("application/grpc-web", "application/grpc-web+proto", "text/grpc"):
        assert single.post("/", f"Content-Type: {content_type}", body=b"x").status == 200


def test_pipelining_accepted_on_the_front_connection(single: Front) -> None:
    with single.connect() as client:
        client.write(
            request("GET /1")
            + request("POST /2", "Content-Type: text/plain", body="two")
            + request("FOO /3")
            + request("PUT /4", "Transfer-Encoding: chunked", body=chunked(b"4"))
            + request("GET /5", "Connection: close")
        )
        answers = [client.read() for _ in range(5)]
        assert client.ends()
    assert [event(one)["path"] for one in answers] == ["/1", "/2", "/3", "/4", "/5"]
    assert [one.closed for one in answers] == [False, False, False, False, True]


def test_query_without_content_type_400_is_a_deviation(single: Front) -> None:
    assert told("QUERY", "Content-Type", "400")
    seen = event(single.post("/", "Content-Type: text/plain", body="q", method="QUERY"))
    assert (seen["httpMethod"], seen["body"]) == ("QUERY", "q")
    assert single.post("/", body="q", method="QUERY").status == 400
