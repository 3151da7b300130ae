"""What clients and access logs get when no function's response can be had, row by row. Sources: ALB
user guide, "Access logs", "Troubleshoot", "Lambda functions as targets"; Lambda API, `Invoke`.

LambdaConnectionTimeout takes longer than a test may: tests/host/test_remote.py. The idle timeout is
in test_routing_statuses.py, deregistration in test_targets_registering.py, fail-open in
test_targets_states.py.
"""

import socket
import struct
from dataclasses import dataclass, field

import pytest

from albatross.host.response import ERROR_STATUS
from albatross.model import pages
from tests.support.access_logs import Logs, turn_on
from tests.support.command import HELLO, until
from tests.support.envoy import Answer
from tests.support.stack import Front, Stack, forward, request
from tests.support.traffic import FAR

# Those that Lambda's exceptions of the same name have, and AWS's guide lists.
SAME_NAME = (
    *("EC2AccessDeniedException", "EC2ThrottledException", "EC2UnexpectedException"),
    *("ENILimitReachedException", "InvalidRuntimeException", "InvalidSecurityGroupIDException"),
    *("InvalidSubnetIDException", "InvalidZipFileException", "KMSAccessDeniedException"),
    *("KMSDisabledException", "KMSInvalidStateException", "KMSNotFoundException"),
    "SubnetIPAddressLimitReachedException",
)
BY_TYPE = {
    "TooManyRequestsException": "LambdaThrottling",
    "ResourceNotFoundException": "LambdaResourceNotFound",
    "AccessDeniedException": "LambdaAccessDenied",
    "InvalidRequestContentException": "LambdaBadRequest",
    "ServiceException": "LambdaServiceException",
    "ResourceConflictException": "LambdaServiceException",
    **{name: f"Lambda{name}" for name in SAME_NAME},
}
REQUESTS = {
    "success": request("GET /"),
    "no response": request("POST /-/reply", body='{"message": "x"}'),
    "no JSON": request("POST /-/reply", body='"x"'),
    "bad Base64": request(
        "POST /-/reply", body='{"statusCode": 200, "isBase64Encoded": true, "body": "AAAA="}'
    ),
    "long description": request(
        "POST /-/python", body="{'statusCode': 200, 'statusDescription': '200 ' + 'x' * 70_000}"
    ),
    "raised": request("GET /-/raise"),
    "crashed": request("GET /-/crash"),
    "large request": request("POST /", "Content-Length: 1048577"),
    "large response": request("POST /-/python", body="{'statusCode': 200, 'body': 'x' * 2**20}"),
    "WebSocket": request("GET /", "Upgrade: websocket", "Connection: Upgrade"),
    "header": request("GET /", "X-Name: \xff"),
    "body": request("POST /", "Content-Type: text/plain", body=b"\xff"),
    "own 404": request("POST /-/reply", body='{"statusCode": 404, "body": "mine"}'),
    "own 502": request("POST /-/reply", body='{"statusCode": 502, "body": "mine"}'),
}


@dataclass
class Failures:
    """Requests that have been sent: what came back, and from which port they came."""

    front: Front
    answers: dict[str, Answer] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    lines: dict[int, dict[str, str]] = field(default_factory=dict)

    def send(self, kind: str, data: bytes) -> None:
        with self.front.connect() as client:
            self.ports[kind] = client.local_port
            client.write(data)
            self.answers[kind] = client.read()

    def check(self, kind: str, status: int, reason: str) -> None:
        """Hold that a client got the load balancer's page, and what the log says of it."""
        assert self.answers[kind].status == status
        assert self.answers[kind].body.decode() == pages.page(status)
        expected = {
            "elb_status_code": str(status),
            "target_status_code": "-",
            "actions_executed": "forward",
            "lambda_error_reason": reason,
        }
        line = self.line(kind)
        assert {name: line[name] for name in expected} == expected

    def line(self, kind: str) -> dict[str, str]:
        return self.lines[self.ports[kind]]


@pytest.fixture(scope="module")
def failures(traffic: Stack, logs: Logs) -> Failures:
    """All requests of this page, sent once: log files are written once a second."""
    group = traffic.group()
    front = traffic.front(forward(group))
    turn_on(front)
    found = Failures(front)
    for kind, data in REQUESTS.items():
        found.send(kind, data)
    close_while_the_function_runs(found)
    registered = traffic.function

    def register(function: str | None) -> None:
        nonlocal registered
        targets = {"TargetGroupArn": group, "Targets": [{"Id": registered}]}
        traffic.elb.deregister_targets(**targets)
        if function:
            traffic.elb.register_targets(**{**targets, "Targets": [{"Id": function}]})
            registered = function

    for kind, function in unable(traffic).items():
        register(function)
        if kind == "deleted":
            traffic.functions.delete_function(FunctionName=function)
        elif kind == "denied":
            traffic.functions.remove_permission(FunctionName=function, StatementId="elb")
        found.send(kind, request("GET /"))
    register(f"{FAR}service")
    for kind in ("200/Handled", "200/Unhandled", *(f"502/{name}" for name in BY_TYPE)):
        found.send(kind.partition("/")[2], request(f"GET /{kind}"))
    register(None)
    found.send("no target", request("GET /"))
    until(lambda: logs.of(front).keys() >= set(found.ports.values()))
    found.lines = logs.of(front)
    return found


def close_while_the_function_runs(failures: Failures) -> None:
    front, stack = failures.front, failures.front.stack
    with socket.create_connection((front.address, front.real_port)) as client:
        failures.ports["client gone"] = client.getsockname()[1]
        client.sendall(request("GET /-/sleep/gone-first/0.3"))
        until(lambda: stack.noted("gone-first"))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def unable(stack: Stack) -> dict[str, str]:
    """Return functions that cannot be invoked, cannot start, do not end, or are not there."""
    functions = {kind: stack.make(HELLO) for kind in ("throttled", "denied", "deleted")}
    stack.functions.put_function_concurrency(
        FunctionName=functions["throttled"], ReservedConcurrentExecutions=0
    )
    endless = "import time\ndef handler(event, context): time.sleep(9)\n"
    return {
        **functions,
        "endless": stack.make(endless, Timeout=1),
        "init failed": stack.make("import nowhere\n"),
        "unreachable": f"{FAR}gone",
    }


def test_bad_missing_fields_non_json_bad_base64_502_lambda_invalid_response(
    failures: Failures,
) -> None:
    for kind in ("no response", "no JSON", "bad Base64", "long description"):
        failures.check(kind, 502, "LambdaInvalidResponse")


def test_function_raised_502_lambda_unhandled(failures: Failures) -> None:
    failures.check("raised", 502, "LambdaUnhandled")


def test_function_timed_out_at_its_own_timeout_502_lambda_unhandled(failures: Failures) -> None:
    failures.check("endless", 502, "LambdaUnhandled")


def test_runtime_crashed_init_failed_502_lambda_unhandled(failures: Failures) -> None:
    failures.check("crashed", 502, "LambdaUnhandled")
    failures.check("init failed", 502, "LambdaUnhandled")


def test_throttled_502_lambda_throttling_not_429_or_503(failures: Failures) -> None:
    failures.check("throttled", 502, "LambdaThrottling")


def test_no_permission_502_lambda_access_denied(failures: Failures) -> None:
    failures.check("denied", 502, "LambdaAccessDenied")


def test_function_deleted_502_lambda_resource_not_found(failures: Failures) -> None:
    failures.check("deleted", 502, "LambdaResourceNotFound")


def test_request_body_over_1_mb_413_lambda_request_too_large(failures: Failures) -> None:
    failures.check("large request", 413, "LambdaRequestTooLarge")


def test_response_over_1_mb_502_lambda_response_too_large(failures: Failures) -> None:
    failures.check("large response", 502, "LambdaResponseTooLarge")


def test_websocket_upgrade_400_lambda_websocket_not_supported(failures: Failures) -> None:
    failures.check("WebSocket", 400, "LambdaWebsocketNotSupported")


def test_non_utf_8_header_body_400_lambda_bad_request(failures: Failures) -> None:
    failures.check("header", 400, "LambdaBadRequest")
    failures.check("body", 400, "LambdaBadRequest")


def test_cannot_connect_to_lambda_502_lambda_connection_error(failures: Failures) -> None:
    failures.check("unreachable", 502, "LambdaConnectionError")


def test_lambda_service_5xx_502_lambda_service_exception(failures: Failures) -> None:
    failures.check("ServiceException", 502, "LambdaServiceException")


def test_tg_has_no_registered_target_503_no_reason(failures: Failures) -> None:
    failures.check("no target", 503, "-")
    assert failures.answers["no target"].reason == "Service Temporarily Unavailable"


def test_client_closes_first_460_log_only(failures: Failures) -> None:
    line = failures.line("client gone")
    assert (line["elb_status_code"], line["target_status_code"]) == ("460", "-")
    assert (line["lambda_error_reason"], line["sent_bytes"]) == ("-", "0")


@pytest.mark.parametrize("name", SAME_NAME)
def test_remaining_reason_codes_raised_by_lambdas_exceptions_of_the_same_name_502(
    failures: Failures, name: str
) -> None:
    failures.check(name, 502, f"Lambda{name}")


def test_complete_list_of_26_codes() -> None:
    others = (
        *("AccessDenied", "BadRequest", "ConnectionError", "ConnectionTimeout", "InvalidResponse"),
        *("RequestTooLarge", "ResourceNotFound", "ResponseTooLarge", "ServiceException"),
        *("Throttling", "Unhandled", "UnhandledException", "WebsocketNotSupported"),
    )
    assert ERROR_STATUS.keys() == {f"Lambda{code}" for code in (*SAME_NAME, *others)}
    assert len(ERROR_STATUS) == 26


def test_function_produced_4xx_5xx_is_a_target_code_error_reason_none(failures: Failures) -> None:
    for status in ("404", "502"):
        line = failures.line(f"own {status}")
        assert (line["elb_status_code"], line["target_status_code"]) == (status, status)
        assert line["lambda_error_reason"] == "-"
        assert failures.answers[f"own {status}"].body == b"mine"
    assert failures.line("success")["lambda_error_reason"] == "-"


def test_invoke_200_function_error_handled_or_unhandled_lambda_unhandled(
    failures: Failures,
) -> None:
    failures.check("Handled", 502, "LambdaUnhandled")
    failures.check("Unhandled", 502, "LambdaUnhandled")


@pytest.mark.parametrize(("error_type", "reason"), BY_TYPE.items())
def test_invoke_4xx_5xx_with_error_type_matching_reason(
    failures: Failures, error_type: str, reason: str
) -> None:
    failures.check(error_type, 400 if reason == "LambdaBadRequest" else 502, reason)


def test_after_a_failure_the_connection_stays_and_the_next_request_is_served(
    single: Front,
) -> None:
    with single.connect() as client:
        for target in ("/-/raise", "/-/crash"):
            client.write(request(f"GET {target}"))
            answer = client.read()
            assert (answer.status, answer.closed) == (502, False)
            client.write(request("GET /-/sleep/next/0"))
            assert client.read().body == b'"next"'


def test_alb_does_not_retry_an_invoke(traffic: Stack, single: Front) -> None:
    assert single.get("/-/count/once").body == b"counted"
    assert traffic.noted("once") == 1
    source = (
        "import os, socket\n"
        "def handler(event, context):\n"
        "    notes = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "    notes.sendto(b'crashing', ('127.0.0.1', int(os.environ['NOTES'])))\n"
        "    os._exit(1)\n"
    )
    shown = traffic.functions.get_function(FunctionName=traffic.function)["Configuration"]
    function = traffic.make(source, Environment=shown["Environment"])
    assert traffic.front(forward(traffic.group(function=function))).get().status == 502
    assert traffic.noted("crashing") == 1


def test_tg_without_target_503_and_on_the_same_connection_200_once_it_has_one(
    traffic: Stack,
) -> None:
    group = traffic.group()
    targets = {"TargetGroupArn": group, "Targets": [{"Id": traffic.function}]}
    with traffic.front(forward(group)).connect() as client:
        for change, status in (
            (None, 200),
            (traffic.elb.deregister_targets, 503),
            (traffic.elb.register_targets, 200),
        ):
            if change:
                change(**targets)
            client.write(request("GET /"))
            assert client.read().status == status


def test_a_request_outlives_its_listener(traffic: Stack) -> None:
    front = traffic.front()
    with front.connect() as client:
        client.write(request("GET /-/sleep/outlives/0.3"))
        until(lambda: traffic.noted("outlives") == 1)
        traffic.elb.delete_listener(ListenerArn=front.listener)
        assert client.read().status == 200
