"""Access logs of every kind of request, through the whole stack, as files of a bucket.

Source: ALB user guide, "Access logs for your Application Load Balancer".
"""

import re
import socket
import struct
from typing import Any

import pytest

from tests.support.access_logs import BUCKET, PREFIX, Logs, turn_on
from tests.support.command import until
from tests.support.stack import Front, fixed, forward, redirect, request

NAME = re.compile(
    r"AWSLogs/123456789012/elasticloadbalancing/us-east-1/(\d{4})/(\d\d)/(\d\d)/"
    r"123456789012_elasticloadbalancing_us-east-1_app\.([a-z0-9]+\.[0-9a-f]{16})_"
    r"\1\2\3T\d{4}Z_127(?:\.\d+){3}_[a-z0-9]{8}\.log\.gz"
)
UNSENT = {
    "request_processing_time": "-1",
    "target_processing_time": "-1",
    "response_processing_time": "-1",
    "target_status_code": "-",
}


@pytest.fixture(scope="module")
def front(logs: Logs) -> Front:
    front = logs.stack.front()
    turn_on(front)
    elb = logs.stack.elb
    targetless = elb.create_target_group(Name="empty", TargetType="lambda")["TargetGroups"][0]
    for priority, path, action in [
        (3, "/fixed", fixed(404, "no")),
        (4, "/moved", redirect(301, host="elsewhere.example.com", port="8443")),
        (5, "/empty", forward(targetless["TargetGroupArn"])),
        (6, "/far", redirect(301, path="/" + "#{path}" * 8)),
    ]:
        elb.create_rule(
            ListenerArn=front.listener,
            Priority=priority,
            Conditions=[{"Field": "path-pattern", "Values": [path + "*"]}],
            Actions=[action],
        )
    rewrites = {"/rewritten": "/%61$1?b", "/unmade": "nopath"}
    for priority, (path, made) in enumerate(rewrites.items(), 7):
        config = {"Rewrites": [{"Regex": f"^{path}(.*)$", "Replace": made}]}
        group = logs.stack.group()
        stickiness = {"Enabled": True, "DurationSeconds": 60}
        elb.create_rule(
            ListenerArn=front.listener,
            Priority=priority,
            Conditions=[{"Field": "path-pattern", "Values": [path + "*"]}],
            Actions=[
                {
                    "Type": "forward",
                    "ForwardConfig": {
                        "TargetGroups": [{"TargetGroupArn": group}],
                        "TargetGroupStickinessConfig": stickiness,
                    },
                }
            ],
            Transforms=[{"Type": "url-rewrite", "UrlRewriteConfig": config}],
        )
    return front


REQUESTS = {
    "success": request("GET /x?a=%20b", "User-Agent: curl/8"),
    "odd user agent": request("GET /x", 'User-Agent: a"b\\\tc\xe9'),
    "own 404": request("POST /-/reply", body='{"statusCode": 404}'),
    "forged": request(
        "POST /-/reply",
        "X-Albatross-Error: LambdaThrottling",
        body='{"statusCode": 200, "headers": {"x-albatross-error": "LambdaThrottling"}}',
    ),
    "own 504": request("POST /-/reply", body='{"statusCode": 504}'),
    "length beside chunks": request(
        "POST /x", "Content-Length: 3", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"
    ),
    "imitation": request("POST /x", "Transfer_Encoding: chunked", body="abc"),
    "another coding": request("POST /x", "Transfer-Encoding: gzip", body=b"0\r\n\r\n"),
    "function error": request("GET /-/raise"),
    "too large": request("POST /", "Content-Length: 1048577"),
    "no target": request("GET /empty"),
    "fixed": request("GET /fixed"),
    "redirect": request("GET /moved?x"),
    "redirect too long": request("GET /far" + "x" * 2000),
    "rewritten": request("GET /rewritten/x"),
    "rewrite failed": request("GET /unmade"),
    "encoded cookie": request("GET /rewritten", "Cookie: AWSALBTG=%61"),
    "websocket": request("GET /", "Upgrade: websocket", "Connection: Upgrade"),
    "malformed": b"GARBAGE\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "trace": request("TRACE /"),
    "target too long": request("GET /" + "x" * 20_000),
    "forwarded too often": request("GET /", "X-Forwarded-For: " + ", ".join(["1.2.3.4"] * 31)),
    "http 1.0": b"GET /old HTTP/1.0\r\n\r\n",
    "method": request("PROPFIND /x"),
    "body of get": request("GET /x", body="abc"),
}


UNREAD = ("malformed", "no host", "length beside chunks", "another coding")


@pytest.fixture(scope="module")
def sent(logs: Logs, front: Front) -> dict[str, dict[str, str]]:
    """Send every kind of request and return the log's line of each."""
    ports = {}
    for kind, data in REQUESTS.items():
        with front.connect() as client:
            ports[kind] = client.local_port
            client.write(data)
            client.read()
    for kind, data in {
        "client gone": request("GET /-/sleep/gone/5"),
        "client gone in its body": request("POST /x", "Content-Length: 50") + b"abc",
    }.items():
        with socket.create_connection((front.address, front.real_port)) as client:
            ports[kind] = client.getsockname()[1]
            client.sendall(data)
            if kind == "client gone":
                until(lambda: logs.stack.noted("gone"))
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    until(lambda: logs.of(front).keys() >= set(ports.values()))
    found = logs.of(front)
    return {kind: found[port] for kind, port in ports.items()}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("success", {"elb_status_code": "200", "target_status_code": "200", "type": "http"}),
        ("success", {"request_url": "http://example.com:80/x?a=%20b", "user_agent": "curl/8"}),
        ("success", {"request_verb": "GET", "request_proto": "HTTP/1.1", "ssl_cipher": "-"}),
        ("success", {"matched_rule_priority": "0", "actions_executed": "forward"}),
        ("success", {"lambda_error_reason": "-", "target_status_code_list": "-"}),
        ("odd user agent", {"user_agent": r"a\x22b\x5C\x09c\xE9"}),
        ("own 404", {"elb_status_code": "404", "target_status_code": "404"}),
        ("own 504", {"elb_status_code": "504", "target_status_code": "504"}),
        ("own 504", {"lambda_error_reason": "-", "response_processing_time": "0.000"}),
        ("length beside chunks", UNSENT | {"classification": "Ambiguous"}),
        ("length beside chunks", {"classification_reason": "BothTeClPresent"}),
        ("imitation", {"classification": "Ambiguous", "elb_status_code": "200"}),
        ("imitation", {"classification_reason": "SuspiciousHeader"}),
        ("another coding", UNSENT | {"elb_status_code": "501", "classification": "Severe"}),
        ("another coding", {"classification_reason": "BadTransferEncoding"}),
        ("forged", {"elb_status_code": "200", "lambda_error_reason": "-"}),
        ("function error", {"elb_status_code": "502", "target_status_code": "-"}),
        (
            "function error",
            {"lambda_error_reason": "LambdaUnhandled", "response_processing_time": "-1"},
        ),
        (
            "too large",
            UNSENT | {"elb_status_code": "413", "lambda_error_reason": "LambdaRequestTooLarge"},
        ),
        ("no target", UNSENT | {"elb_status_code": "503", "lambda_error_reason": "-"}),
        ("no target", {"matched_rule_priority": "5", "actions_executed": "forward"}),
        ("fixed", UNSENT | {"elb_status_code": "404", "actions_executed": "fixed-response"}),
        ("fixed", {"matched_rule_priority": "3", "target_group_arn": "-", "redirect_url": "-"}),
        ("redirect", UNSENT | {"elb_status_code": "301", "actions_executed": "redirect"}),
        ("redirect", {"redirect_url": "http://elsewhere.example.com:8443/moved?x"}),
        ("redirect too long", UNSENT | {"elb_status_code": "507", "redirect_url": "-"}),
        (
            "websocket",
            UNSENT
            | {"elb_status_code": "400", "lambda_error_reason": "LambdaWebsocketNotSupported"},
        ),
        ("rewritten", {"actions_executed": "rewrite,forward", "matched_rule_priority": "7"}),
        ("rewrite failed", UNSENT | {"elb_status_code": "500", "matched_rule_priority": "8"}),
        ("encoded cookie", {"lambda_error_reason": "AWSALBTGCookieInvalid"}),
        ("encoded cookie", {"elb_status_code": "200", "target_status_code": "200"}),
        ("malformed", UNSENT | {"elb_status_code": "400", "request_verb": "-"}),
        ("malformed", {"trace_id": "-", "received_bytes": "0", "actions_executed": "-"}),
        ("malformed", {"matched_rule_priority": "-", "target_group_arn": "-"}),
        ("no host", UNSENT | {"elb_status_code": "400"}),
        ("trace", UNSENT | {"elb_status_code": "405", "matched_rule_priority": "-"}),
        ("target too long", UNSENT | {"elb_status_code": "414", "actions_executed": "-"}),
        ("forwarded too often", UNSENT | {"elb_status_code": "463", "target_group_arn": "-"}),
        ("http 1.0", {"elb_status_code": "200", "request_proto": "HTTP/1.0"}),
        ("method", {"request_verb": "PROPFIND"}),
        ("body of get", {"classification": "Ambiguous", "elb_status_code": "200"}),
        ("client gone", {"elb_status_code": "460", "target_status_code": "-", "sent_bytes": "0"}),
        ("client gone", {"target_processing_time": "-1", "response_processing_time": "-1"}),
        ("client gone in its body", UNSENT | {"elb_status_code": "400"}),
    ],
)
def test_a_request_is_logged(
    sent: dict[str, dict[str, str]], kind: str, expected: dict[str, str]
) -> None:
    assert {name: sent[kind][name] for name in expected} == expected


@pytest.mark.parametrize("kind", [kind for kind in REQUESTS if kind not in UNREAD])
def test_a_request_line_has_the_clients_url(sent: dict[str, Any], kind: str) -> None:
    target = REQUESTS[kind].split()[1].decode()
    assert sent[kind]["request_url"].endswith(f":80{target}")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("success", '"-" "-" "-"'),
        ("rewritten", '"-" "/%61/x?b" "TransformSuccess"'),
        ("rewrite failed", '"-" "-" "TransformInvalidPath"'),
    ],
)
def test_transforms_are_logged(
    sent: dict[str, Any], front: Front, kind: str, expected: str
) -> None:
    assert sent[kind]["more"] == f" {expected} {front.address}"


def test_a_functions_line_names_its_group_and_trace(sent: dict[str, Any], front: Front) -> None:
    found = sent["success"]
    assert found["elb"] == "/".join(front.balancer.split("/")[-3:])
    assert ":targetgroup/" in found["target_group_arn"]
    assert re.fullmatch("Root=1-[0-9a-f]{8}-[0-9a-f]{24}", found["trace_id"])
    assert float(found["target_processing_time"]) >= 0
    assert re.fullmatch("TID_[0-9a-f]{32}", found["conn_trace_id"])


@pytest.mark.parametrize("target", ["/-/raise", "/empty", "/x"])
def test_no_client_sees_an_error_reason(front: Front, target: str) -> None:
    assert not [name for name, _ in front.get(target).headers if "albatross" in name.lower()]


def test_files_are_named_as_objects_in_the_bucket(sent: object, logs: Logs, front: Front) -> None:
    of_front = [path for path in logs.files() if front.balancer.rsplit("/", 1)[1] in path.name]
    assert of_front
    for path in of_front:
        relative = path.relative_to(logs.folder / BUCKET / PREFIX)
        assert NAME.fullmatch(relative.as_posix()), relative
    assert (logs.folder / BUCKET / PREFIX / "AWSLogs/123456789012/ELBAccessLogTestFile").exists()


def test_a_load_balancer_without_logs_has_none(sent: object, logs: Logs) -> None:
    silent = logs.stack.front(fixed(200, "hi"))
    silent.get("/silent")
    loud = logs.stack.front(fixed(200, "hi"))
    turn_on(loud)
    loud.get("/loud")
    until(lambda: any("/loud" in line for line in logs.lines()))
    assert not any("/silent" in line for line in logs.lines())


def test_turning_logs_on_and_off_drains_no_connection(logs: Logs) -> None:
    front = logs.stack.front(fixed(200, "hi"))
    with front.connect() as client:
        for path, change in [
            ("/before", lambda: None),
            ("/while", lambda: turn_on(front)),
            ("/after", lambda: front.set(access_logs__s3__enabled="false")),
        ]:
            change()
            client.write(request(f"GET {path}"))
            assert not client.read().closed
    until(lambda: any(":80/while " in line for line in logs.lines()))
    assert not any(":80/before " in line or ":80/after " in line for line in logs.lines())
