"""The same function behind a load balancer and behind a function URL (payload 2.0), row by row.

Sources: ALB user guide, "Lambda functions as targets"; Lambda guide, "Invoking Lambda function
URLs".
"""

import http.client
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.stack import Front, Stack, event, forward

# Returns what its body says, or the event.
SOURCE = """
import base64, json

def handler(event, context):
    path = event.get("path", event.get("rawPath"))
    body = event.get("body")
    if path == "/raise":
        raise ValueError("on purpose")
    if path == "/reply":
        return json.loads(base64.b64decode(body) if event["isBase64Encoded"] else body)
    if path == "/large":
        return {"statusCode": 200, "body": "x" * (2 << 20)}
    return {"statusCode": 200, "body": json.dumps(event)}
"""
BOTH_QUERY = "/a%20b?x=a%2Bb&x=c+d&y=%20"


@dataclass
class Url:
    """A function URL."""

    parts: Any

    def send(
        self, target: str, method: str = "GET", body: bytes | None = None, **lines: str
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.parts.port, timeout=30)
        named = {name.replace("_", "-"): value for name, value in lines.items()}
        connection.request(method, target, body, {"Host": self.parts.netloc, **named})
        answer = connection.getresponse()
        found = answer.status, answer.headers, answer.read()
        connection.close()
        return found

    def event(self, target: str = "/", **options: Any) -> dict[str, Any]:
        status, _, body = self.send(target, **options)
        assert status == 200, body
        found: dict[str, Any] = json.loads(body)
        return found

    def reply(self, result: object) -> tuple[int, http.client.HTTPMessage, bytes]:
        return self.send("/reply", "POST", json.dumps(result).encode())


@pytest.fixture(scope="module")
def arn(traffic: Stack) -> str:
    return traffic.make(SOURCE, Timeout=5)


@pytest.fixture(scope="module")
def alb(traffic: Stack, arn: str) -> Front:
    return traffic.front(forward(traffic.group(function=arn)))


@pytest.fixture(scope="module")
def url(traffic: Stack, arn: str) -> Url:
    api = traffic.functions
    made = api.create_function_url_config(FunctionName=arn, AuthType="NONE")["FunctionUrl"]
    for action, more in (
        ("InvokeFunctionUrl", {"FunctionUrlAuthType": "NONE"}),
        ("InvokeFunction", {"InvokedViaFunctionUrl": True}),
    ):
        api.add_permission(
            FunctionName=arn,
            StatementId=action,
            Action=f"lambda:{action}",
            Principal="*",
            **more,
        )
    return Url(urlsplit(made))


def replied(front: Front, result: object) -> Any:
    return front.post("/reply", "Content-Type: application/json", body=json.dumps(result))


def test_tell_tale_request_context_elb_or_version_2_0_and_route_key(alb: Front, url: Url) -> None:
    mine, other = event(alb.get()), url.event()
    assert ":targetgroup/" in mine["requestContext"]["elb"]["targetGroupArn"]
    assert not {"version", "routeKey", "resource"} & mine.keys()
    assert (other["version"], other["routeKey"]) == ("2.0", "$default")
    assert "elb" not in other["requestContext"]


def test_method_http_method_or_request_context_http_method(alb: Front, url: Url) -> None:
    assert event(alb.post("/x", body="", method="PUT"))["httpMethod"] == "PUT"
    other = url.event(method="PUT", body=b"")
    assert other["requestContext"]["http"]["method"] == "PUT"
    assert "httpMethod" not in other


def test_path_encoded_or_raw_path_encoded_in_function_url(alb: Front, url: Url) -> None:
    assert event(alb.get(BOTH_QUERY))["path"] == "/a%20b"
    assert url.event(BOTH_QUERY)["rawPath"] == "/a%20b"


def test_query_raw_undecoded_or_raw_query_string_and_decoded_joined_by_comma(
    alb: Front, url: Url
) -> None:
    mine, other = event(alb.get(BOTH_QUERY)), url.event(BOTH_QUERY)
    assert mine["queryStringParameters"] == {"x": "c+d", "y": "%20"}
    assert other["rawQueryString"] == "x=a%2Bb&x=c+d&y=%20"
    assert other["queryStringParameters"] == {"x": "a+b,c d", "y": " "}
    assert event(alb.get())["queryStringParameters"] == {}
    assert "queryStringParameters" not in url.event()


def test_headers_lower_case_single_or_duplicates_joined_by_comma(alb: Front, url: Url) -> None:
    mine = event(alb.get("/", "X-One: 1", "X-one: 2"))["headers"]
    assert mine["x-one"] == "2"
    assert all(name == name.lower() for name in mine)
    other = url.event(X_One="1")["headers"]
    assert other["x-one"] == "1"
    assert all(name == name.lower() for name in other)


def test_cookies_cookie_header_or_cookies_array_function_url_keeps_both(
    alb: Front, url: Url
) -> None:
    mine = event(alb.get("/", "Cookie: a=1; b=2"))
    assert mine["headers"]["cookie"] == "a=1; b=2"
    assert "cookies" not in mine
    other = url.event(Cookie="a=1; b=2")
    assert other["cookies"] == ["a=1", "b=2"]
    assert other["headers"]["cookie"] == "a=1; b=2"


def test_client_ip_x_forwarded_for_only_or_source_ip(alb: Front, url: Url) -> None:
    mine = event(alb.get())
    assert mine["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert mine["requestContext"].keys() == {"elb"}
    assert url.event()["requestContext"]["http"]["sourceIp"] == "127.0.0.1"


def test_request_id_time_stage_account_none_but_x_amzn_trace_id(alb: Front, url: Url) -> None:
    mine = event(alb.get())
    assert mine["headers"]["x-amzn-trace-id"].startswith("Root=1-")
    assert mine.keys() == {
        *("requestContext", "httpMethod", "path", "queryStringParameters", "headers", "body"),
        "isBase64Encoded",
    }
    context = url.event()["requestContext"]
    assert context.keys() >= {"accountId", "requestId", "stage", "time", "timeEpoch", "apiId"}


def test_path_parameters_and_stage_variables_absent(alb: Front, url: Url) -> None:
    for found in (event(alb.get()), url.event()):
        assert not {"pathParameters", "stageVariables"} & found.keys()


def test_body_absent_empty_string_or_key_absent(alb: Front, url: Url) -> None:
    mine = event(alb.get())
    assert (mine["body"], mine["isBase64Encoded"]) == ("", False)
    other = url.event()
    assert "body" not in other
    assert other["isBase64Encoded"] is False


def test_base64_rule_content_type_list_or_content_encoding(alb: Front, url: Url) -> None:
    for line, is_base64 in (
        ("text/plain", False),
        ("application/json", False),
        ("application/xml", False),
        ("application/javascript", False),
        ("image/png", True),
    ):
        mine = event(alb.post("/x", f"Content-Type: {line}", body="abc"))
        assert mine["isBase64Encoded"] is is_base64, line
        other = url.event("/x", method="POST", body=b"abc", Content_Type=line)
        assert other["isBase64Encoded"] is is_base64, line
    encoded = event(alb.post("/x", "Content-Type: text/plain", "Content-Encoding: gzip", body="a"))
    assert encoded["isBase64Encoded"] is True


def test_added_headers_trace_id_forwarded_for_port_proto(alb: Front, url: Url) -> None:
    names = {"x-amzn-trace-id", "x-forwarded-for", "x-forwarded-port", "x-forwarded-proto"}
    for found in (event(alb.get()), url.event()):
        assert names <= found["headers"].keys()


def test_response_required_status_code_int_or_any_json_becomes_200(alb: Front, url: Url) -> None:
    for result in ({"a": 1}, [1], "text", 5, {"statusCode": "200"}):
        assert replied(alb, result).status == 502, result
    for result in ({"a": 1}, [1], 5):
        status, headers, body = url.reply(result)
        assert (status, json.loads(body)) == (200, result)
        assert headers["Content-Type"] == "application/json"


def test_response_headers_family_of_the_mode_or_headers_and_cookies_array(
    alb: Front, url: Url
) -> None:
    result = {
        "statusCode": 200,
        "headers": {"X-Single": "s"},
        "multiValueHeaders": {"X-Multi": ["m"]},
        "cookies": ["a=1", "b=2"],
    }
    mine = replied(alb, result)
    assert (mine.header("X-Single"), mine.header("X-Multi")) == ("s", None)
    assert mine.header("Set-Cookie") is None
    _, headers, _ = url.reply(result)
    assert headers["X-Single"] == "s"
    assert headers.get_all("Set-Cookie") == ["a=1", "b=2"]


@pytest.mark.parametrize("member", ["body", "headers"])
def test_null_tolerance_null_body_or_headers_502_or_tolerated(
    alb: Front, url: Url, member: str
) -> None:
    result = {"statusCode": 200, "body": "x", "headers": {}, member: None}
    assert replied(alb, result).status == 502
    assert url.reply(result)[0] == 200


def test_status_description_optional_or_ignored(alb: Front, url: Url) -> None:
    result = {"statusCode": 200, "statusDescription": "200 Fine", "body": "x"}
    assert replied(alb, result).reason == "Fine"
    del result["statusDescription"]
    assert replied(alb, result).reason == "OK"
    assert url.reply(result)[0] == 200


def test_size_1_mb_request_body_1_mb_response_json_or_6_mb(alb: Front, url: Url) -> None:
    large = b"x" * (2 << 20)
    assert alb.post("/x", "Content-Type: text/plain", body=large).status == 413
    assert alb.get("/large").status == 502
    assert url.event("/x", method="POST", body=large, Content_Type="text/plain")["rawPath"] == "/x"
    status, _, body = url.send("/large")
    assert (status, len(body)) == (200, 2 << 20)


def test_bad_response_502_html_or_502_text(alb: Front, url: Url) -> None:
    mine = alb.get("/raise")
    assert (mine.status, mine.header("Content-Type")) == (502, "text/html")
    assert b"502 Bad Gateway" in mine.body
    status, _, body = url.send("/raise")
    assert (status, body) == (502, b"Internal Server Error")


def test_throttled_502_or_429(traffic: Stack, alb: Front, url: Url, arn: str) -> None:
    api = traffic.functions
    api.put_function_concurrency(FunctionName=arn, ReservedConcurrentExecutions=0)
    assert alb.get().status == 502
    assert url.send("/")[0] == 429
    api.delete_function_concurrency(FunctionName=arn)
    assert alb.get().status == 200


def test_websocket_400(alb: Front) -> None:
    answer = alb.get("/", "Connection: Upgrade", "Upgrade: websocket")
    assert answer.status == 400


def test_tls_http_and_https(traffic: Stack, arn: str) -> None:
    made = traffic.server.client("acm").request_certificate(
        DomainName="www.example.com", KeyAlgorithm="EC_prime256v1"
    )
    group = traffic.group(function=arn)
    front = traffic.front(forward(group), port=443, certificate=made["CertificateArn"])
    traffic.elb.create_listener(
        LoadBalancerArn=front.balancer,
        Protocol="HTTP",
        Port=80,
        DefaultActions=[forward(group)],
    )
    protocols = {
        listener["port"]: listener["protocol"]
        for one in traffic.server.status()["load_balancers"]
        if one["arn"] == front.balancer
        for listener in one["listeners"]
    }
    assert protocols == {443: "HTTPS", 80: "HTTP"}
