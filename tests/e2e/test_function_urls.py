"""Function URLs through the real proxy: what functions see, who may call, what clients get."""

import http.client
import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from tests.support.command import (
    Server,
    fixed,
    free_port,
    listens,
    make_balancer,
    make_function,
    make_listener,
    place,
    serving,
    until,
    zipped,
)
from tests.support.server import client
from tests.support.stack import Stack

SOURCE = """
import json

def handler(event, context):
    path = event["rawPath"]
    if path == "/fail":
        raise ValueError("on purpose")
    if path == "/fail-at-length":
        raise ValueError("\N{CJK UNIFIED IDEOGRAPH-6F22}" * 1000)
    if path == "/reply":
        return json.loads(event["body"])
    if path == "/large":
        return "x" * (6 * 1024 * 1024 + 200)
    return {"event": event, "id": context.aws_request_id, "arn": context.invoked_function_arn}
"""
FORBIDDEN = (
    403,
    {
        "Message": "Forbidden. For troubleshooting Function URL authorization issues, see: "
        "https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html"
    },
)


@dataclass
class Reply:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def call(
    url: str, path: str = "/", method: str = "GET", body: bytes | None = None, **headers: str
) -> Reply:
    """Send a request to a function URL; in names of headers `_` stands for a hyphen."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port, timeout=30)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request(method, path, body, {"Host": parts.netloc, **named})
        answer = connection.getresponse()
        return Reply(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


def open_to_all(api: Any, name: str, **qualifier: str) -> None:
    """Give anyone both permissions."""
    api.add_permission(
        FunctionName=name,
        StatementId="url",
        Action="lambda:InvokeFunctionUrl",
        Principal="*",
        FunctionUrlAuthType="NONE",
        **qualifier,
    )
    api.add_permission(
        FunctionName=name,
        StatementId="invoke",
        Action="lambda:InvokeFunction",
        Principal="*",
        InvokedViaFunctionUrl=True,
        **qualifier,
    )


@pytest.fixture(scope="module")
def server(traffic: Stack) -> Server:
    return traffic.server


# Those of a server without any function URL, but while a test makes one of a function `f`.
KEYS = """
[usual]
aws_access_key_id = 123456789012
aws_secret_access_key = secret

[alice]
aws_access_key_id = AKIAALICE
aws_secret_access_key = secret/of-alice
aws_account_id = 111111111111

[bob]
aws_access_key_id = 222222222222
aws_secret_access_key = of-bob
"""
ALICE, BOB = ("AKIAALICE", "secret/of-alice"), ("222222222222", "of-bob")


@pytest.fixture(scope="module")
def without() -> Iterator[Server]:
    with place() as where:
        keys = where.folder / "keys"
        keys.write_text(KEYS)
        keys.chmod(0o600)
        where.variables["ALBATROSS_AUTH"] = str(keys)
        where.variables["ALBATROSS_FUNCTION_URL_PORT"] = str(free_port())
        with serving(where) as running:
            make_function(running, "f", SOURCE)
            yield running


@pytest.fixture(scope="module")
def api(server: Server) -> Any:
    return server.client("lambda")


@pytest.fixture(scope="module")
def url(server: Server, api: Any) -> str:
    """A function URL that anyone may call."""
    make_function(server, "url-open", SOURCE)
    made: str = api.create_function_url_config(FunctionName="url-open", AuthType="NONE")[
        "FunctionUrl"
    ]
    open_to_all(api, "url-open")
    return made


def test_the_function_sees_the_request(url):
    reply = call(
        url,
        "/a%20b//c/../d?x=1&x=2&y=a+b%2B",
        "POST",
        b'{"a": "\xce\xbb"}',
        Content_Type="application/json",
        Cookie="s=1; t=2",
        X_Forwarded_For="9.9.9.9",
        X_Forwarded_Proto="https",
        X_Albatross_Client="6.6.6.6",
        X_Albatross_Referer="http://mine/",
        Referer="about:blank",
        User_Agent="test",
    )
    assert reply.status == 200
    document = reply.json()
    event = document["event"]
    host = urlsplit(url).hostname
    assert event["rawPath"] == "/a%20b//c/../d"
    assert event["rawQueryString"] == "x=1&x=2&y=a+b%2B"
    assert event["queryStringParameters"] == {"x": "1,2", "y": "a b+"}
    assert event["cookies"] == ["s=1", "t=2"]
    assert (event["body"], event["isBase64Encoded"]) == ('{"a": "λ"}', False)
    trace_id = event["headers"].pop("x-amzn-trace-id")
    assert trace_id.startswith("Root=1-")
    assert event["headers"] == {
        "accept-encoding": "identity",
        "content-length": "11",
        "content-type": "application/json",
        "cookie": "s=1; t=2",
        "host": urlsplit(url).netloc,
        "referer": "about:blank",
        "user-agent": "test",
        "x-forwarded-for": "9.9.9.9, 127.0.0.1",
        "x-forwarded-port": str(urlsplit(url).port),
        "x-forwarded-proto": "http",
    }
    context = event["requestContext"]
    assert context["requestId"] == document["id"] == reply.headers["x-amzn-requestid"]
    assert context["domainName"] == host
    assert context["apiId"] == context["domainPrefix"] == host.partition(".")[0]
    assert context["accountId"] == "anonymous"
    assert context["http"] == {
        "method": "POST",
        "path": "/a b//c/../d",
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "test",
    }


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_methods_reach_the_function(url, method):
    reply = call(url, "/", method)
    assert reply.status == 200
    if method == "HEAD":
        assert reply.body == b""
    else:
        assert reply.json()["event"]["requestContext"]["http"]["method"] == method


def test_the_function_decides_about_the_response(url):
    result = {
        "statusCode": 418,
        "headers": {"X-A": "1", "content-type": "text/html"},
        "cookies": ["a=1", "b=2; Path=/"],
        "body": "aGk=",
        "isBase64Encoded": True,
    }
    body = json.dumps(result).encode()
    reply = call(url, "/reply", "POST", body, Content_Type="application/json")
    assert (reply.status, reply.body) == (418, b"hi")
    assert reply.headers["x-a"] == "1"
    assert reply.headers.get_all("content-type") == ["text/html"]
    assert reply.headers.get_all("set-cookie") == ["a=1", "b=2; Path=/"]
    assert reply.headers["server"] is None


def test_any_other_json_is_the_body(url):
    reply = call(url, "/reply", "POST", b'[1, "x"]', Content_Type="application/json")
    assert (reply.status, reply.json()) == (200, [1, "x"])
    assert reply.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "path, body",
    [
        pytest.param("/fail", b"", id="an error"),
        pytest.param("/fail-at-length", b"", id="an error in long words, not ASCII"),
        pytest.param("/reply", b'{"statusCode": 99}', id="no response"),
        pytest.param("/large", b"", id="more than 6 MB"),
    ],
)
def test_a_function_that_fails_is_a_502(url, path, body):
    reply = call(url, path, "POST", body, Content_Type="application/json")
    assert (reply.status, reply.body) == (502, b"Internal Server Error")


def test_a_request_of_more_than_6_mb_is_refused(url):
    reply = call(url, "/", "POST", b"x" * (6 * 1024 * 1024 + 1))
    assert reply.status == 413
    half = b"x" * (5 * 1024 * 1024)  # in Base64 it is too large
    assert call(url, "/", "POST", half).status == 413
    text = call(url, "/", "POST", half, Content_Type="text/plain")
    assert len(text.json()["event"]["body"]) == len(half)


def test_throttled_requests_are_told_so(server, api):
    make_function(server, "url-throttled", SOURCE)
    url = api.create_function_url_config(FunctionName="url-throttled", AuthType="NONE")[
        "FunctionUrl"
    ]
    open_to_all(api, "url-throttled")
    api.put_function_concurrency(FunctionName="url-throttled", ReservedConcurrentExecutions=0)
    reply = call(url)
    assert reply.status == 429
    assert reply.json() == {
        "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded",
        "Type": "User",
        "message": "Rate Exceeded.",
    }


def test_both_permissions_are_needed(server, api):
    make_function(server, "url-closed", SOURCE)
    url = api.create_function_url_config(FunctionName="url-closed", AuthType="NONE")["FunctionUrl"]
    assert (call(url).status, call(url).json()) == FORBIDDEN
    open_to_all(api, "url-closed")
    assert call(url).status == 200
    api.remove_permission(FunctionName="url-closed", StatementId="invoke")
    assert (call(url).status, call(url).json()) == FORBIDDEN
    api.update_function_url_config(FunctionName="url-closed", AuthType="AWS_IAM")
    assert call(url).status == 200  # without `auth` nobody looks at signatures
    api.delete_function_url_config(FunctionName="url-closed")
    assert (call(url).status, call(url).json()) == FORBIDDEN


def test_an_alias_has_a_url_and_a_policy_of_its_own(server, api):
    make_function(server, "url-aliased", SOURCE)
    api.publish_version(FunctionName="url-aliased")
    api.create_alias(FunctionName="url-aliased", Name="live", FunctionVersion="1")
    made = api.create_function_url_config(
        FunctionName="url-aliased", Qualifier="live", AuthType="NONE"
    )
    open_to_all(api, "url-aliased")
    assert call(made["FunctionUrl"]).status == 403
    open_to_all(api, "url-aliased", Qualifier="live")
    assert call(made["FunctionUrl"]).json()["arn"] == made["FunctionArn"]


def test_browsers_are_told_what_the_settings_say(server, api):
    make_function(server, "url-cors", SOURCE)
    cors = {"AllowOrigins": ["https://a.example"], "AllowMethods": ["PUT"], "MaxAge": 7}
    url = api.create_function_url_config(FunctionName="url-cors", AuthType="NONE", Cors=cors)
    open_to_all(api, "url-cors")
    asked = call(
        url["FunctionUrl"],
        method="OPTIONS",
        Origin="https://a.example",
        Access_Control_Request_Method="PUT",
    )
    assert (asked.status, asked.body) == (200, b"")
    assert asked.headers["access-control-allow-origin"] == "https://a.example"
    assert asked.headers["access-control-allow-methods"] == "PUT"
    assert asked.headers["access-control-max-age"] == "7"
    answered = call(url["FunctionUrl"], Origin="https://a.example")
    assert answered.headers["access-control-allow-origin"] == "https://a.example"
    assert call(url["FunctionUrl"]).headers["access-control-allow-origin"] is None
    own = json.dumps({"statusCode": 200, "headers": {"Access-Control-Allow-Origin": "*"}}).encode()
    both = {"Origin": "https://a.example", "Content-Type": "application/json"}
    twice = call(url["FunctionUrl"], "/reply", "POST", own, **both)
    # Envoy makes one line of them.
    assert twice.headers.get_all("access-control-allow-origin") == ["*,https://a.example"]


def test_malformed_requests_do_not_reach_the_function(url):
    with socket.create_connection(("127.0.0.1", urlsplit(url).port), timeout=10) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 400")


def test_a_url_outlives_the_host_and_the_server(server, url):
    with suppress(ProcessLookupError):
        os.kill(server.pids()["host"], signal.SIGKILL)
    assert until(lambda: call(url).status == 200)


def test_the_port_is_opened_with_the_first_url_and_closed_with_the_last(without):
    port, api = url_port(without), without.client("lambda")
    assert not listens(port)
    for _ in range(2):
        made = api.create_function_url_config(FunctionName="f", AuthType="NONE")
        assert call(made["FunctionUrl"]).status == 403
        with pytest.raises(ClientError, match="function URLs"):
            make_listener(without, make_balancer(without, "lb"), port, fixed("x"))
        api.delete_function_url_config(FunctionName="f")
        until(lambda: not listens(port))


def test_a_port_in_use_is_said_when_a_url_is_created(without):
    api = without.client("lambda")
    taken = socket.create_server(("127.0.0.1", url_port(without)))
    with taken, pytest.raises(ClientError, match="in use by"):
        api.create_function_url_config(FunctionName="f", AuthType="NONE")
    assert api.list_function_url_configs(FunctionName="f")["FunctionUrlConfigs"] == []


def url_port(server: Server) -> int:
    return int(server.place.variables["ALBATROSS_FUNCTION_URL_PORT"])


def signed(
    url: str, key: tuple[str, str], path: str = "/", method: str = "GET", body: bytes = b""
) -> dict[str, str]:
    """Return the headers of a signed request."""
    request = AWSRequest(method, url.rstrip("/") + path, data=body)
    SigV4Auth(Credentials(*key), "lambda", "us-east-1").add_auth(request)
    return {name.replace("-", "_"): value for name, value in request.headers.items()}


def test_signatures_are_verified_with_the_keys_of_the_server(without):
    api = client("lambda", without.url, access_key=ALICE[0], secret_key=ALICE[1])
    api.create_function(
        FunctionName="f",
        Runtime="python3.11",
        Handler="app.handler",
        Role="arn:aws:iam::111111111111:role/any",
        Code={"ZipFile": zipped(SOURCE)},
    )
    try:
        url = api.create_function_url_config(FunctionName="f", AuthType="AWS_IAM")["FunctionUrl"]
        _signed_calls(api, url)
    finally:
        api.delete_function_url_config(FunctionName="f")
        until(lambda: not listens(url_port(without)))


def _signed_calls(api: Any, url: str) -> None:
    assert (call(url).status, call(url).json()) == FORBIDDEN
    path, body = "/a%20b?x=1&y=a%2Bb", b'{"a": 1}'
    found = call(url, path, "POST", body, **signed(url, ALICE, path, "POST", body))
    context = found.json()["event"]["requestContext"]
    assert context["accountId"] == "111111111111"
    assert context["authorizer"]["iam"]["accessKey"] == "AKIAALICE"
    other_body = call(url, path, "POST", b"{}", **signed(url, ALICE, path, "POST", body))
    assert other_body.status == 403
    assert "signature" in other_body.json()["Message"]
    wrong = call(url, **signed(url, (ALICE[0], "guessed")))
    assert wrong.status == 403
    assert (call(url, **signed(url, BOB)).status) == 403
    for sid, action, conditions in (
        ("url", "lambda:InvokeFunctionUrl", {"FunctionUrlAuthType": "AWS_IAM"}),
        ("invoke", "lambda:InvokeFunction", {"InvokedViaFunctionUrl": True}),
    ):
        api.add_permission(
            FunctionName="f",
            StatementId=sid,
            Action=action,
            Principal="222222222222",
            **conditions,
        )
    admitted = call(url, **signed(url, BOB))
    assert admitted.status == 200
    assert admitted.json()["event"]["requestContext"]["accountId"] == "222222222222"
