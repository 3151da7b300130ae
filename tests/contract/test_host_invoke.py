"""The Invoke API, row by row, as HTTP: what a load balancer and `aws lambda invoke` use.

Source: Lambda API, `Invoke`.
"""

import base64
import http.client
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.invoking import SOURCE
from tests.support.stack import Stack
from tests.support.wire import authorization

MB = 1024 * 1024


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes

    @property
    def error(self) -> tuple[int, str | None, Any]:
        return self.status, self.headers.get("x-amzn-errortype"), json.loads(self.body)


@dataclass
class Wire:
    """Sends invocations as they are."""

    port: int
    arn: str

    @property
    def path(self) -> str:
        return f"/2015-03-31/functions/{self.arn.rpartition(':')[2]}/invocations"

    def __call__(self, body: bytes = b"", path: str | None = None, **headers: str) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        lines = {name.replace("_", "-"): value for name, value in headers.items()}
        lines["Authorization"] = authorization("lambda", "123456789012")
        connection.request("POST", path or self.path, body, lines)
        answer = connection.getresponse()
        found = Reply(answer.status, {n.lower(): v for n, v in answer.getheaders()}, answer.read())
        connection.close()
        return found

    def run(self, code: str, **headers: str) -> Reply:
        return self(json.dumps({"run": code}).encode(), **headers)


@pytest.fixture(scope="module")
def wire(traffic: Stack) -> Wire:
    return Wire(traffic.server.port, traffic.make(SOURCE, Timeout=5))


@pytest.fixture
def throttled(traffic: Stack, wire: Wire) -> Iterator[None]:
    reserve = traffic.functions.put_function_concurrency
    reserve(FunctionName=wire.arn, ReservedConcurrentExecutions=0)
    yield
    traffic.functions.delete_function_concurrency(FunctionName=wire.arn)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


# What is asked


@pytest.mark.parametrize("form", ["name", "arn", "escaped arn", "partial arn"])
def test_post_functions_name_or_arn_invocations(wire: Wire, form: str) -> None:
    name = wire.arn.rpartition(":")[2]
    called = {
        "name": name,
        "arn": wire.arn,
        "escaped arn": wire.arn.replace(":", "%3A"),
        "partial arn": f"123456789012:function:{name}",
    }[form]
    answer = wire(b'{"a": [1, "\xc3\xa9"]}', f"/2015-03-31/functions/{called}/invocations")
    assert (answer.status, json.loads(answer.body)) == (200, {"a": [1, "\u00e9"]})


def test_qualifier_names_the_version_or_alias(traffic: Stack, wire: Wire) -> None:
    version = traffic.functions.publish_version(FunctionName=wire.arn)["Version"]
    traffic.functions.create_alias(FunctionName=wire.arn, Name="live", FunctionVersion=version)
    for qualifier, expected in {"$LATEST": "$LATEST", version: version, "live": version}.items():
        answer = wire(b"{}", f"{wire.path}?Qualifier={qualifier}")
        assert (answer.status, answer.headers["x-amz-executed-version"]) == (200, expected)


def test_x_amz_invocation_type_request_response_event_dry_run_200_202_204(wire: Wire) -> None:
    for kind, status in {"RequestResponse": 200, "Event": 202, "DryRun": 204}.items():
        answer = wire(b'{"a":1}', X_Amz_Invocation_Type=kind)
        assert answer.status == status
        assert answer.body == (b'{"a": 1}' if status == 200 else b"")
    assert wire(b'{"a":1}').status == 200  # the default
    assert wire(b"{}", X_Amz_Invocation_Type="Later").error[:2] == (400, "ValidationException")


def test_x_amz_log_type_tail_x_amz_log_result_last_4_kb_base64(wire: Wire) -> None:
    code = "print('first'); print('x' * 5000); print('last'); result = 1"
    answer = wire.run(code, X_Amz_Log_Type="Tail")
    log = base64.b64decode(answer.headers["x-amz-log-result"], validate=True)
    assert len(log) == 4096
    assert b"last\nEND RequestId: " in log
    assert b"first" not in log
    for kind in ({}, {"X_Amz_Log_Type": "None"}):
        assert "x-amz-log-result" not in wire.run("print('last')", **kind).headers
    assert wire(b"{}", X_Amz_Log_Type="Head").error[:2] == (400, "ValidationException")


def test_x_amz_client_context_base64(wire: Wire) -> None:
    context = encoded(
        '{"custom": {"a": "\u00e9"}, "env": {"b": "c"}, "client": {"app_title": "t"}}'
    )
    code = "c = context.client_context; result = [c.custom, c.env, c.client.app_title]"
    answer = wire.run(code, X_Amz_Client_Context=context)
    assert json.loads(answer.body) == [{"a": "\u00e9"}, {"b": "c"}, "t"]
    assert json.loads(wire.run("result = context.client_context").body) is None
    for wrong in ("*", encoded("hello"), encoded("[1]")):
        assert wire(b"{}", X_Amz_Client_Context=wrong).error == (
            400,
            "InvalidRequestContentException",
            {
                "Type": "User",
                "message": "Client context must be a valid Base64-encoded JSON object",
            },
        )


def test_members_for_functions_with_other_settings_are_refused(wire: Wire) -> None:
    for header in ("X_Amz_Tenant_Id", "X_Amz_Durable_Execution_Name"):
        refused = wire(b"{}", **{header: "one"})
        assert refused.error[:2] == (400, "InvalidParameterValueException")


def test_x_amz_client_context_up_to_3583_bytes(wire: Wire) -> None:
    frame = len('{"custom":{"a":""}}')
    text = {
        n: encoded('{"custom":{"a":"%s"}}' % ("x" * (n * 3 // 4 - frame))) for n in (3580, 3584)
    }
    assert [len(each) for each in text.values()] == [3580, 3584]
    assert wire(b"{}", X_Amz_Client_Context=text[3580]).status == 200
    assert wire(b"{}", X_Amz_Client_Context=text[3584]).error == (
        400,
        "InvalidRequestContentException",
        {"Type": "User", "message": "Client context must be less than 3584 bytes"},
    )


# What is answered


def test_x_amzn_request_id_is_the_functions_and_x_amzn_trace_id(wire: Wire) -> None:
    answer = wire.run("result = [context.aws_request_id, os.environ['_X_AMZN_TRACE_ID']]")
    id_, trace = json.loads(answer.body)
    assert answer.headers["x-amzn-requestid"] == id_
    assert answer.headers["x-amzn-trace-id"] == trace
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", id_)


def test_function_errors_keep_status_200_x_amz_function_error(wire: Wire) -> None:
    for code in ("raise ValueError('no')", "os._exit(1)", "result = {1}"):
        answer = wire.run(code)
        assert (answer.status, answer.headers["x-amz-function-error"]) == (200, "Unhandled")
        assert {"errorType", "errorMessage"} <= json.loads(answer.body).keys()
        assert answer.headers["x-amz-executed-version"] == "$LATEST"
    assert "x-amz-function-error" not in wire.run("result = {'errorMessage': 'mine'}").headers


def test_no_payload_is_an_empty_object(wire: Wire) -> None:
    assert wire(b"").body == b"{}"


# Errors


def test_resource_not_found_exception_404_type_user_message_x_amzn_errortype(wire: Wire) -> None:
    arn = wire.arn
    for path, missing in {
        "/2015-03-31/functions/nobody/invocations": f"{arn.rpartition(':')[0]}:nobody:$LATEST",
        f"{wire.path}?Qualifier=77": f"{arn}:77",
        f"{wire.path}?Qualifier=other": f"{arn}:other",
    }.items():
        assert wire(b"{}", path).error == (
            404,
            "ResourceNotFoundException",
            {"Type": "User", "Message": f"Function not found: {missing}"},
        )


def test_too_many_requests_exception_429_reason_retry_after(wire: Wire, throttled: None) -> None:
    answer = wire(b"{}")
    assert answer.error == (
        429,
        "TooManyRequestsException",
        {
            "Type": "User",
            "message": "Rate Exceeded.",
            "Reason": "ReservedFunctionConcurrentInvocationLimitExceeded",
        },
    )
    assert answer.headers["retry-after"] == "1"
    assert wire(b"{}", X_Amz_Invocation_Type="DryRun").status == 204


@pytest.mark.parametrize("body", [b"{", b"nul", b"\xff", b" ", b"NaN", b"{}{}"])
def test_invalid_request_content_exception_400(wire: Wire, body: bytes) -> None:
    for kind in ("RequestResponse", "Event"):
        status, code, document = wire(body, X_Amz_Invocation_Type=kind).error
        assert (status, code) == (400, "InvalidRequestContentException")
        assert document["Type"] == "User"
        assert document["message"].startswith("Could not parse request body into json: ")


@pytest.mark.parametrize(
    ("body", "result"),
    [
        (b'"cut \\ud83d"', '"cut \\ud83d"'),
        (b"123456789012345678901234567890", "123456789012345678901234567890"),
        (b"-1e400", "-Infinity"),
    ],
)
def test_whatever_is_json_is_an_event(traffic: Stack, body: bytes, result: str) -> None:
    arn = traffic.make("def handler(event, context): return event")
    answer = traffic.functions.invoke(FunctionName=arn, Payload=body)
    assert answer["Payload"].read().decode() == result


def test_limit_6_mb_sync_request_request_too_large_exception_413(wire: Wire) -> None:
    body = b'{"run":"result = len(event[\'x\'])","x":"%s"}'
    fits = body % (b"x" * (6 * MB - len(body) + 2))
    assert len(fits) == 6 * MB
    assert int(wire(fits).body) == 6 * MB - len(body) + 2
    limit = (
        "byte payload is too large for the RequestResponse invocation type (limit 6291456 bytes)"
    )
    assert wire(fits + b" ").error == (
        413,
        "RequestTooLargeException",
        {"Type": "User", "message": f"6291457 {limit}"},
    )


def test_limit_6_mb_sync_response(wire: Wire) -> None:
    assert len(wire.run("result = 'x' * (6 * 2**20 - 2)").body) == 6 * MB
    answer = wire.run("result = 'x' * (6 * 2**20 + 99)")
    assert (answer.status, answer.headers["x-amz-function-error"]) == (200, "Unhandled")
    assert json.loads(answer.body)["errorType"] == "Function.ResponseSizeTooLarge"


def test_limit_1_mb_async(wire: Wire) -> None:
    fits = b'"%s"' % (b"x" * (MB - 2))
    assert wire(fits, X_Amz_Invocation_Type="Event").status == 202
    limit = "byte payload is too large for the Event invocation type (limit 1048576 bytes)"
    assert wire(fits + b" ", X_Amz_Invocation_Type="Event").error == (
        413,
        "RequestTooLargeException",
        {"Type": "User", "message": f"1048577 {limit}"},
    )
